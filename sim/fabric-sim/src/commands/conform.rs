//! `conform`: one scenario in several worlds, one verdict on whether they agree.

use crate::cli::{ConformArgs, Exit, Format};
use crate::conform::{Difference, Shown};
use crate::nemesis::{self, Drawn, Mode};
use crate::oracles::{Outcome, count};
use crate::scenario::{self, Scenario};
use crate::terminal::{Paint, Terminal};
use crate::worlds::sim::Run;
use crate::worlds::{Given, SuiteKind, World, real, simulate};
use serde_json::{Map, Value, json};

/// The version of the JSON format.
const SCHEMA: u32 = 1;

/// What came of it all.
struct Comparison {
    worlds: Vec<World>,
    /// Worlds that the scenario names and that cannot run here, and why.
    left_out: Vec<(World, String)>,
    /// What the simulator showed.
    shown: Shown,
    differences: Vec<(World, Difference)>,
    /// Checks that failed, in which world, and how.
    failures: Vec<(World, String)>,
    exit: Exit,
}

pub(super) fn conform(args: &ConformArgs, terminal: &Terminal) -> Result<(), Exit> {
    let loaded = scenario::open(&args.scenario, &args.overrides);
    let drawn = loaded.and_then(|loaded| nemesis::draw(&loaded, Mode::default(), args.seed));
    let drawn = drawn.map_err(|invalid| {
        terminal.say(invalid.render(terminal.style()).trim_end());
        Exit::Usage
    })?;
    let mut worlds = worlds(args, &drawn.scenario).map_err(|why| {
        terminal.say(&format!("error: {why}"));
        Exit::Usage
    })?;
    let left_out = if args.worlds.is_none() { leave_out(&mut worlds, args) } else { Vec::new() };
    let comparison = compare(&drawn, args, worlds).map_err(|error| {
        terminal.say(&format!("error: {error}"));
        Exit::Internal
    })?;
    let comparison = Comparison { left_out, ..comparison };
    match args.format {
        Format::Human => terminal.say(&human(&drawn.scenario, args.seed, &comparison, terminal)),
        Format::Json => terminal.result(&format!("{:#}\n", result(&drawn.scenario, args.seed, &comparison)))?,
    }
    if comparison.exit == Exit::Held { Ok(()) } else { Err(comparison.exit) }
}

/// The worlds that were asked for: at least the simulator, which the others are measured by, and one more.
fn worlds(args: &ConformArgs, scenario: &Scenario) -> Result<Vec<World>, String> {
    let mut worlds = args.worlds.clone().unwrap_or_else(|| scenario.worlds.clone());
    worlds.sort_unstable();
    worlds.dedup();
    if let Some(other) = worlds.iter().find(|world| !scenario.worlds.contains(world)) {
        return Err(format!("`{}` is not for the world `{other}`: add it to its `worlds`", scenario.name));
    }
    match worlds.as_slice() {
        [World::Sim, _, ..] => Ok(worlds),
        _ => Err("to compare, name `sim` and another world: `worlds = [\"sim\", \"tcp\"]` in the file".into()),
    }
}

/// Takes out what cannot run here: nobody has asked for it by name.
fn leave_out(worlds: &mut Vec<World>, args: &ConformArgs) -> Vec<(World, String)> {
    let missing = |world| real::missing(world, args.guest_image.as_deref());
    let lacks: Vec<_> = worlds.iter().filter_map(|world| Some((*world, missing(*world)?))).collect();
    worlds.retain(|world| lacks.iter().all(|(lacks, _)| lacks != world));
    lacks
}

fn compare(drawn: &Drawn, args: &ConformArgs, worlds: Vec<World>) -> Result<Comparison, String> {
    let scenario = &drawn.scenario;
    let given = Given {
        suite: SuiteKind::Real,
        guest_image: args.guest_image.clone(),
        out: None,
        record: false,
        guest_fault: args.guest_fault,
    };
    let simulated = |world| {
        let run = || simulate(world, drawn, args.seed, SuiteKind::Real, None);
        let first = run();
        let comes_again = first.equals(&run());
        (first, comes_again)
    };
    let (simulated_pipes, mut is_deterministic) = simulated(World::Sim);
    let shown = Shown::of(scenario, &simulated_pipes.seen);
    let (mut differences, mut failures) = (Vec::new(), failures(World::Sim, &simulated_pipes));
    for world in worlds.iter().copied().filter(|world| *world != World::Sim) {
        let run = if world.is_simulated() {
            let (run, comes_again) = simulated(world);
            is_deterministic &= comes_again;
            run
        } else {
            // Where nothing is missing any more, there is nothing to wait for.
            real::run(world, scenario, args.seed, &given, |seen| Shown::of(scenario, seen) == shown)?
        };
        let found = shown.differences(&Shown::of(scenario, &run.seen), scenario);
        differences.extend(found.into_iter().map(|difference| (world, difference)));
        failures.extend(self::failures(world, &run));
    }
    let exit = match () {
        () if !is_deterministic => Exit::Nondeterminism,
        () if !differences.is_empty() || !failures.is_empty() => Exit::Failed,
        () if shown.observations() == 0 => Exit::Nothing,
        () => Exit::Held,
    };
    Ok(Comparison { worlds, left_out: Vec::new(), shown, differences, failures, exit })
}

fn failures(world: World, run: &Run) -> Vec<(World, String)> {
    let failure = |verdict: &crate::oracles::Verdict| match &verdict.outcome {
        Outcome::Failed(how) => Some((world, format!("{}: {how}", verdict.name))),
        _ => None,
    };
    run.verdicts.iter().filter_map(failure).collect()
}

const fn verdict(exit: Exit) -> &'static str {
    match exit {
        Exit::Held => "agree",
        Exit::Nothing => "nothing-ran",
        Exit::Nondeterminism => "nondeterministic",
        _ => "differ",
    }
}

fn human(scenario: &Scenario, seed: u64, comparison: &Comparison, terminal: &Terminal) -> String {
    let names: Vec<_> = comparison.worlds.iter().map(ToString::to_string).collect();
    let (paint, word) = match comparison.exit {
        Exit::Held => (Paint::Good, "AGREE"),
        Exit::Nothing => (Paint::Warn, "NOTHING RAN"),
        Exit::Nondeterminism => (Paint::Bad, "NONDETERMINISTIC"),
        _ => (Paint::Bad, "DIFFER"),
    };
    let facts = format!(
        "{} of {}",
        count(comparison.shown.observations() as u64, "stable observation"),
        count(comparison.shown.subjects() as u64, "subject")
    );
    let name = terminal.paint(Paint::Bold, &scenario.name);
    let mut lines =
        vec![format!("{name}  seed {seed}  {}  {}: {facts}", names.join(", "), terminal.paint(paint, word))];
    lines.extend(comparison.left_out.iter().map(|(world, why)| format!("left out: {world}: {why}")));
    for (world, difference) in &comparison.differences {
        lines.push(String::new());
        lines.push(format!("{}: {}", terminal.paint(Paint::Bold, &difference.node), difference.subject));
        lines.extend(diff(*world, difference, terminal));
    }
    for (world, how) in &comparison.failures {
        lines.push(String::new());
        lines.push(format!("a check failed in the world {world}: {how}"));
    }
    lines.join("\n")
}

/// What both showed without a sign, what only one did with one.
fn diff(world: World, difference: &Difference, terminal: &Terminal) -> Vec<String> {
    let Difference { first, second, .. } = difference;
    let common = first.iter().zip(second).take_while(|(a, b)| a == b).count();
    let mut lines: Vec<_> = first[..common].iter().map(|line| format!("    both  {line}")).collect();
    let rest = |sign: &str, world: World, rest: &[String]| {
        let shown: Vec<_> = if rest.is_empty() { vec!["nothing more".to_owned()] } else { rest.to_vec() };
        shown.into_iter().map(|line| format!("  {sign} {world:5} {line}")).collect::<Vec<_>>()
    };
    let paint = |paint, lines: Vec<String>| lines.into_iter().map(move |line| terminal.paint(paint, &line));
    lines.extend(paint(Paint::Bad, rest("-", World::Sim, &first[common..])));
    lines.extend(paint(Paint::Good, rest("+", world, &second[common..])));
    lines
}

fn result(scenario: &Scenario, seed: u64, comparison: &Comparison) -> Value {
    let difference = |(world, difference): &(World, Difference)| {
        let mut object = Map::new();
        object.insert("node".into(), difference.node.as_str().into());
        object.insert("subject".into(), difference.subject.as_str().into());
        object.insert(World::Sim.to_string(), difference.first.clone().into());
        object.insert(world.to_string(), difference.second.clone().into());
        Value::Object(object)
    };
    let failure = |(world, how): &(World, String)| json!({ "world": world.to_string(), "how": how });
    let left_out = |(world, why): &(World, String)| json!({ "world": world.to_string(), "why": why });
    json!({
        "schema": SCHEMA,
        "scenario": scenario.name,
        "scenario_hash": scenario.hash(),
        "seed": seed,
        "worlds": comparison.worlds.iter().map(ToString::to_string).collect::<Vec<_>>(),
        "left_out": comparison.left_out.iter().map(left_out).collect::<Vec<_>>(),
        "verdict": verdict(comparison.exit),
        "subjects": comparison.shown.subjects(),
        "observations": comparison.shown.observations(),
        "differences": comparison.differences.iter().map(difference).collect::<Vec<_>>(),
        "failures": comparison.failures.iter().map(failure).collect::<Vec<_>>(),
    })
}
