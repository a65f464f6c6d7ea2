//! Judges one seed: runs it, and runs some of them again to see that they come out the same.

use super::line::Line;
use super::pool::Plan;
use crate::nemesis::{self, Drawn, Mode};
use crate::scenario;
use crate::worlds::{SuiteKind, World, simulate};
use ::sim::Sink;
use ::sim::fate::Key;
use std::cell::RefCell;
use std::rc::Rc;

/// One seed in so many is run twice, and so is every failure.
const AGAIN_ONE_IN: u64 = 16;
/// One seed in so many is run with both suites: all but contents must be the same.
const REAL_ONE_IN: u64 = 10;

const SUITES: &str = "suites-agree";

/// What makes a run, besides the scenario.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Task {
    pub(crate) mode: Mode,
    pub(crate) seed: u64,
}

/// Runs one seed of a plan. The error is that of a swarm's values that do not fit together.
pub(super) fn examine(plan: &Plan<'_>, task: Task) -> Result<Line, String> {
    let (Task { mode, seed }, &Plan { suite, world, once, .. }) = (task, plan);
    let drawn = nemesis::draw(plan.loaded, mode, seed).map_err(|invalid| invalid.first())?;
    if let Some(lack) = scenario::lacks(world, &drawn.scenario) {
        return Err(format!("the world `{world}` cannot run this: {lack}"));
    }
    let run = simulate(world, &drawn, seed, suite, None);
    let mut line = Line::of(mode.to_string(), seed, &run, &drawn.told);
    if line.is_failure() || !once && is_chosen(seed, "again", AGAIN_ONE_IN) {
        line.compare(&run, &simulate(world, &drawn, seed, suite, None));
    }
    if suite == SuiteKind::Model
        && !once
        && is_chosen(seed, "suites", REAL_ONE_IN)
        && let Some((place, detail)) = compare_suites(world, &drawn, seed)
    {
        line.diverged(SUITES, place, detail);
    }
    Ok(line)
}

/// A choice of its own, which no shard can be aligned with.
fn is_chosen(seed: u64, what: &str, one_in: u64) -> bool {
    Key::root(seed).named(what).within(0, 1, one_in) == 1
}

/// Where the same run differs between the suites in anything but contents: the kind of the event, and both lines.
fn compare_suites(world: World, drawn: &Drawn, seed: u64) -> Option<(String, String)> {
    let masked = |suite| {
        let hash = Rc::new(RefCell::new(0));
        let sum = Rc::clone(&hash);
        let sink: Sink = Box::new(move |line: &str| {
            let mut sum = sum.borrow_mut();
            *sum = ::sim::digest(format!("{:x} {}", *sum, mask(line)).as_bytes());
        });
        simulate(world, drawn, seed, suite, Some(sink));
        *hash.borrow()
    };
    if masked(SuiteKind::Model) == masked(SuiteKind::Real) {
        return None;
    }
    let [model, real] = [SuiteKind::Model, SuiteKind::Real].map(|suite| lines(world, drawn, seed, suite));
    let differs =
        model.iter().zip(&real).position(|(model, real)| model != real).unwrap_or(model.len().min(real.len()));
    let at = |lines: &[String]| lines.get(differs).cloned().unwrap_or_else(|| "the run is over".into());
    let place = kind_of(&at(&model)).to_owned();
    Some((place, format!("event {differs}: model: {}; real: {}", at(&model), at(&real))))
}

fn lines(world: World, drawn: &Drawn, seed: u64, suite: SuiteKind) -> Vec<String> {
    let lines = Rc::new(RefCell::new(Vec::new()));
    let kept = Rc::clone(&lines);
    let sink: Sink = Box::new(move |line| kept.borrow_mut().push(mask(line)));
    simulate(world, drawn, seed, suite, Some(sink));
    lines.take()
}

/// A line of a trace without the digest of the bytes that the event carried.
fn mask(line: &str) -> String {
    const KEY: &str = "\"digest\":\"";
    let Some((before, rest)) = line.split_once(KEY) else { return line.to_owned() };
    format!("{before}{}", rest.split_once('"').map_or(rest, |(_, after)| after))
}

fn kind_of(line: &str) -> &str {
    line.split_once("\"kind\":\"").and_then(|(_, rest)| rest.split_once('"')).map_or("", |(kind, _)| kind)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_but_the_digest_counts() {
        let line = r#"{"event":3,"kind":"Fill","number":1,"digest":"00ff","bytes":9}"#;
        assert_eq!(mask(line), mask(&line.replace("00ff", "ff00")));
        for (from, to) in [("3", "4"), ("Fill", "Boot"), ("9", "8")] {
            assert_ne!(mask(line), mask(&line.replace(from, to)));
        }
        assert_eq!(kind_of(line), "Fill");
    }

    #[test]
    fn seeds_are_chosen_from_every_shard() {
        for shard in 0..16 {
            let chosen = (0..10_000_u64).filter(|seed| seed % 16 == shard && is_chosen(*seed, "again", 16)).count();
            assert!((20..60).contains(&chosen), "shard {shard}: {chosen}");
        }
    }
}
