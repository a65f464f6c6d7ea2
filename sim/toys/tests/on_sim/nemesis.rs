//! What goes wrong in one seed of the swarm: which kinds of fault are on, how strong, and when.

use machine::Duration;
use sim::{
    Begin, Burst, Chance, Clock, Config, CrashKind, DiskProfile, Fault, LinkProfile, NodeConfig, NodeIndex, Perturb,
    PipeProfile, Planned, Time,
};

use crate::dice::Dice;

/// Faults begin before this.
const LAST_FAULT_MILLIS: u64 = 8_000;
/// By this time every planned fault has ended, links are calm and no node is down. What pipes, disks and drivers do by
/// their nature goes on: it leaves room for progress.
pub(crate) const HEALED: Time = Time::from_secs(10);

/// A world for `names`, of which `hub` stores what must not rot.
pub(crate) fn config(seed: u64, names: &[String], hub: &str) -> Config {
    let mut dice = Dice::new(seed, "nemesis");
    let nodes = names.iter().map(|name| node(&mut dice, name, name == hub));
    let mut config = Config::new(seed, nodes.collect::<Vec<_>>());
    config.pipes = pipes(&mut dice);
    // A buffer's bytes need a round trip: over a long link with a tiny buffer, a request takes longer than clients wait.
    config.link.delay = dice.delay(if config.pipes.buffer < 300 { 1 } else { 30 });
    if dice.one_in(2) {
        config.perturb = Perturb { spurious_timeout: dice.chance(100), late_drain: dice.chance(100) };
    }
    config.plan = plan(&mut dice, names.len() as u32);
    config
}

fn node(dice: &mut Dice, name: &str, is_hub: bool) -> NodeConfig {
    let mut node = NodeConfig::new(name);
    if dice.one_in(3) {
        node.starts_at = Time::from_millis(dice.within(0, 2_000));
    }
    if dice.one_in(2) {
        node.clock = Clock::new(dice.millis(0, 3_600_000), dice.parts_per_billion(100_000_000));
    }
    node.disk = disk(dice, 30, is_hub);
    node
}

fn disk(dice: &mut Dice, fail_percent_max: u64, is_hub: bool) -> DiskProfile {
    let rot = dice.chance(100);
    DiskProfile {
        delay: dice.delay(400),
        fail: dice.chance(fail_percent_max),
        torn: if dice.one_in(2) { Chance::from_percent(dice.within(1, 100)) } else { Chance::NEVER },
        rot: if is_hub { Chance::NEVER } else { rot },
    }
}

fn pipes(dice: &mut Dice) -> PipeProfile {
    let mut pipes = PipeProfile { patience: dice.millis(2_000, 60_000), ..PipeProfile::default() };
    if dice.one_in(3) {
        pipes.buffer = dice.within(1, 2_000) as u32;
    }
    if dice.one_in(3) {
        pipes.segment = dice.within(1, 300) as u32;
    }
    if dice.one_in(3) {
        pipes.room_max = dice.within(1, 64) as u32;
    }
    if dice.one_in(3) {
        pipes.chunk_max = Some(dice.within(1, 64) as u32);
    }
    pipes.refuse = dice.chance(30);
    pipes.silent = dice.chance(30);
    // Drawn for each segment: the smaller they are, the more there are of them.
    let segment = pipes.segment.min(pipes.room_max).min(pipes.buffer);
    if dice.one_in(3) {
        pipes.reset = Chance::from_ppb(dice.within(0, if segment < 64 { 500_000 } else { 20_000_000 }));
    }
    pipes
}

fn rough_link(dice: &mut Dice) -> LinkProfile {
    let mut link = LinkProfile {
        delay: dice.delay(200),
        loss: dice.chance(60),
        duplicate: dice.chance(50),
        reorder: dice.chance(50),
        corrupt: dice.chance(30),
        truncate: dice.chance(30),
        ..LinkProfile::default()
    };
    if dice.one_in(3) {
        let (enter, leave) = (dice.within(1, 10), dice.within(10, 50));
        link.burst = Some(Burst { enter: Chance::from_percent(enter), leave: Chance::from_percent(leave) });
    }
    if dice.one_in(3) {
        link.rate = Some(*dice.pick(&[1_000, 10_000, 100_000, 1_000_000]));
        link.queue = dice.within(0, 2_000) as u32;
    }
    if dice.one_in(4) {
        link.mtu = dice.within(50, 300) as u32;
    }
    link
}

/// Rough links from the start, then up to three faults of each kind that is on.
fn plan(dice: &mut Dice, nodes: u32) -> Vec<Planned> {
    let mut plan = Vec::new();
    let everything_is_alike = dice.one_in(2);
    let profile = rough_link(dice);
    for (from, to) in (0..nodes).flat_map(|from| (0..nodes).map(move |to| (from, to))) {
        let profile = if everything_is_alike { profile } else { rough_link(dice) };
        let fault = Fault::Link { from: NodeIndex::new(from), to: NodeIndex::new(to), profile };
        plan.push(Planned { begin: Begin::At(Time::ZERO), lasts: Some(HEALED.since(Time::ZERO)), fault });
    }
    for kind in KINDS {
        if !dice.one_in(3) {
            continue;
        }
        for _ in 0..dice.within(1, 3) {
            let fault = kind(dice, nodes);
            // Most of the work is early: so are most of the faults.
            let latest = dice.within(0, LAST_FAULT_MILLIS);
            let begin = Time::from_millis(dice.within(0, latest));
            let left = HEALED.since(begin).as_millis();
            let lasts = dice.within(0, left);
            plan.push(Planned { begin: Begin::At(begin), lasts: Some(Duration::from_millis(lasts)), fault });
        }
    }
    plan
}

type DrawFault = fn(&mut Dice, u32) -> Fault;

const KINDS: [DrawFault; 9] = [
    partition,
    |dice, nodes| Fault::Crash { node: any_or_hub(dice, nodes), kind: CrashKind::Power },
    |dice, nodes| Fault::Crash { node: any_or_hub(dice, nodes), kind: CrashKind::Process },
    |dice, nodes| Fault::Pause(any(dice, nodes)),
    |dice, nodes| Fault::ClockJump(any(dice, nodes), dice.millis(0, 60_000)),
    |dice, nodes| Fault::ClockRate(any(dice, nodes), dice.parts_per_billion(500_000_000)),
    |dice, nodes| Fault::Link { from: any(dice, nodes), to: any(dice, nodes), profile: rough_link(dice) },
    |dice, nodes| Fault::ResetPipes(any(dice, nodes), any(dice, nodes)),
    |dice, nodes| Fault::Disk(any(dice, nodes), disk(dice, 100, true)),
];

fn any(dice: &mut Dice, nodes: u32) -> NodeIndex {
    NodeIndex::new(dice.within(0, u64::from(nodes) - 1) as u32)
}

/// The hub, whose name comes last, in every second draw at least: on it all others depend.
fn any_or_hub(dice: &mut Dice, nodes: u32) -> NodeIndex {
    if dice.one_in(2) { NodeIndex::new(nodes - 1) } else { any(dice, nodes) }
}

fn partition(dice: &mut Dice, nodes: u32) -> Fault {
    let (from, to) = (0..nodes).map(NodeIndex::new).partition(|_| dice.one_in(2));
    let flap = dice.one_in(3).then(|| dice.millis(50, 1_000));
    Fault::Partition { from, to, one_way: dice.one_in(3), flap }
}
