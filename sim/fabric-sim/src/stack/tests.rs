use super::{MTU_MIN, host, mtu_min};
use crate::nemesis::{self, Drawn, Mode};
use crate::oracles::Outcome;
use crate::scenario;
use crate::worlds::sim::Run;
use crate::worlds::{SuiteKind, World, simulate};

fn drawn(name: &str, overrides: &[&str]) -> Drawn {
    let overrides: Vec<_> = overrides.iter().map(ToString::to_string).collect();
    let file = format!("../../scenarios/{name}.toml");
    let loaded = scenario::open(file.as_ref(), &overrides).unwrap();
    nemesis::draw(&loaded, Mode::default(), 1).unwrap()
}

fn run(world: World, drawn: &Drawn, seed: u64) -> Run {
    simulate(world, drawn, seed, SuiteKind::Model, None)
}

#[test]
fn faults_strike_below_tcp_and_one_seed_is_one_run() {
    let hub = drawn("flaky-hub-stack", &[]);
    let first = run(World::Stack, &hub, 5);
    assert!(!first.failed(), "{:?}", first.verdicts);
    assert!(first.equals(&run(World::Stack, &hub, 5)));
    assert!(!first.equals(&run(World::Stack, &hub, 6)));
    let count = |run: &Run, kind| run.faults.iter().find(|(name, _)| *name == kind).map_or(0, |(_, count)| *count);
    // In the simulator's own pipes a lost segment comes later; here it is lost, and TCP sends it again.
    assert!(count(&first, "packets-lost") > 100 && count(&first, "packets-reordered") > 50, "{:?}", first.faults);
}

#[test]
fn a_wire_that_does_not_heal_fails_the_work_and_nothing_else() {
    let broken = drawn("first-contact", &["links.default.loss=100%"]);
    let failed: Vec<_> = run(World::Stack, &broken, 1).verdicts;
    let failed = failed.iter().filter(|verdict| matches!(verdict.outcome, Outcome::Failed(_)));
    assert_eq!(failed.map(|verdict| verdict.name.as_str()).collect::<Vec<_>>(), ["sessions-up"]);
}

#[test]
fn checksums_keep_what_the_wire_damages_from_the_nodes() {
    let late = ["stop_at=120s", "check.eventually={ work-done = '110s' }"];
    let noise = ["links.default.corrupt=5%", "links.default.truncate=2%"];
    let damaging = drawn("first-contact", &[late, noise].concat());
    for seed in 0..10 {
        let run = run(World::Stack, &damaging, seed);
        assert!(!run.failed(), "seed {seed}: {:?}", run.verdicts);
    }
}

#[test]
fn hosts_send_no_more_than_their_links_carry() {
    let hub = drawn("flaky-hub", &["links.\"hub <-> phone-2\".mtu=1300"]);
    let mtus: Vec<_> = (0..3).map(|node| host(&hub.scenario, node).mtu).collect();
    assert_eq!((mtus, mtu_min(&hub.scenario)), (vec![1_300, 1_400, 1_300], 1_300));
    assert_eq!(host(&drawn("first-contact", &[]).scenario, 0).mtu, 1_500);
    let lacks = |overrides: &[&str]| scenario::lacks(World::Stack, &drawn("flaky-hub", overrides).scenario);
    assert_eq!(lacks(&[]), None);
    let least = format!("links.default.mtu={MTU_MIN}");
    assert_eq!(lacks(&[&least]), None);
    for (overrides, why) in [
        (["links.default.mtu=1227"], "an announce"),
        (["pipes.refuse=1%"], "of `pipes`"),
        (["nodes.eve={ hostile = 'storm' }"], "no attackers"),
        (["faults.timeline=[{ at = '1s', reset = ['hub', 'phone-1'] }]"], "no `reset`"),
    ] {
        assert!(lacks(&overrides).is_some_and(|lack| lack.contains(why)), "{overrides:?}");
    }
}
