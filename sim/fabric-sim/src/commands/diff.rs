//! `diff`: where two runs part, or one from itself.

use crate::cli::{DiffArgs, Exit};
use crate::nemesis::{self, Drawn, Mode};
use crate::scenario;
use crate::terminal::{Paint, Terminal};
use crate::worlds::{catch, contender};
use ::sim::{Difference, Side, Time, first_difference};
use std::path::Path;

/// More lines of a state would hide what differs: equal ones around it are left out.
const AROUND: usize = 2;
/// More differing lines say no more.
const LINES_MAX: usize = 40;

pub(super) fn diff(args: &DiffArgs, terminal: &Terminal) -> Result<(), Exit> {
    let (seed, with_seed) = (args.seed, args.with_seed.unwrap_or(args.seed));
    let with_set = [args.overrides.as_slice(), &args.with_set].concat();
    let left = load(args, &args.scenario, &args.overrides, seed, terminal)?;
    let right = load(args, args.with.as_deref().unwrap_or(&args.scenario), &with_set, with_seed, terminal)?;
    let until = Time::from_nanos(left.scenario.stop_at.0.max(right.scenario.stop_at.0));
    let found =
        catch(|| first_difference(contender(&left, seed, args.suite), contender(&right, with_seed, args.suite), until));
    match found {
        Ok(None) => {
            terminal.say(&format!("{}  to the last event", terminal.paint(Paint::Good, "the same")));
            Ok(())
        }
        Ok(Some(found)) => {
            terminal.result(&told(&found))?;
            Err(Exit::Nondeterminism)
        }
        Err(panic) => {
            terminal.say(&format!("a machine panicked before the runs differed: {panic}"));
            Err(Exit::Failed)
        }
    }
}

fn load(args: &DiffArgs, path: &Path, set: &[String], seed: u64, terminal: &Terminal) -> Result<Drawn, Exit> {
    let mode = Mode { swarm: args.swarm, nemesis: args.nemesis };
    let loaded = scenario::open(path, set).and_then(|loaded| nemesis::draw(&loaded, mode, seed));
    loaded.map_err(|invalid| {
        terminal.say(invalid.render(terminal.style()).trim_end());
        Exit::Usage
    })
}

fn told(found: &Difference) -> String {
    let line = |line: &Option<String>| line.clone().unwrap_or_else(|| "the run is over".into());
    let [left, right] = &found.sides;
    let head = format!(
        "event {} is the first that differs\nbefore  {}\nfirst   {}\nsecond  {}\n",
        found.event,
        found.before.as_deref().unwrap_or("nothing"),
        line(&left.line),
        line(&right.line)
    );
    head + &states(left, right)
}

/// The lines in which two states differ, with some around them.
fn states(left: &Side, right: &Side) -> String {
    let (Some(left), Some(right)) = (&left.state, &right.state) else { return String::new() };
    let (left, right): (Vec<_>, Vec<_>) = (left.lines().collect(), right.lines().collect());
    let same = left.iter().zip(&right).take_while(|(left, right)| left == right).count();
    if same == left.len() && same == right.len() {
        return "both nodes are alike in all that they show of themselves\n".into();
    }
    let same_at_end = left[same..].iter().rev().zip(right[same..].iter().rev()).take_while(|(a, b)| a == b).count();
    let shown = |lines: &[&str]| {
        let end = (lines.len() - same_at_end + AROUND).min(lines.len());
        lines[same.saturating_sub(AROUND)..end]
            .iter()
            .take(LINES_MAX)
            .map(|line| format!("    {line}\n"))
            .collect::<Vec<_>>()
            .concat()
    };
    format!("the node, first run, where it differs\n{}the node, second run\n{}", shown(&left), shown(&right))
}
