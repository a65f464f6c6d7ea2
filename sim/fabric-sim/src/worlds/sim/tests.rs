use super::script::{self, BENCH, Lines};
use super::*;
use crate::oracles::Kind;
use crate::scenario;
use core::convert::Infallible;
use machine::{Input, Instant, Output, PipeId};
use std::cell::Cell;
use std::path::Path;

fn play(change: impl Fn(&str, &mut Lines) + 'static) -> Run {
    script::play(BENCH, change).1
}

fn play_file(path: &str, change: impl Fn(&str, &mut Lines) + 'static) -> Run {
    script::play(path, change).1
}

fn outcome<'a>(run: &'a Run, name: &str) -> &'a Outcome {
    &run.verdicts.iter().find(|verdict| verdict.name == name).unwrap().outcome
}

fn failure<'a>(run: &'a Run, name: &str) -> &'a str {
    match outcome(run, name) {
        Outcome::Failed(how) => how,
        other => panic!("{name}: {other:?}"),
    }
}

#[test]
fn a_run_in_which_all_goes_well_holds() {
    let run = play(|_, _| {});
    let not_held = run.verdicts.iter().filter(|verdict| !matches!(verdict.outcome, Outcome::Held(_)));
    assert_eq!(
        not_held.map(|verdict| verdict.name.as_str()).collect::<Vec<_>>(),
        [
            "credit-conserved",
            "nonces-unique",
            "keys-change-in-time",
            "never-in-the-clear",
            "no-starvation",
            "pings-answered",
            "duplicates-judged-once",
            "newest-session-used",
            "drains-in-time",
            "live-peers-kept",
            "candidates-kept",
            "dials-paced",
            "announces-rise",
            "memory-follows-bytes",
            "redials-jittered",
            "deaths-in-time",
            "no-false-offence"
        ]
    );
    assert!(!run.failed());
    assert_eq!(run.ended, Time::from_secs(10));
    assert_eq!((run.totals.messages, run.totals.bytes, run.totals.tries), (2, 2_000, 1));
    assert!(run.verdicts.iter().any(|verdict| verdict.kind == Kind::Eventually));
}

#[test]
fn a_broken_promise_ends_the_run_where_it_was_broken() {
    let run = play(|node, lines| {
        if node == "hub" {
            lines.swap_remove(1);
        }
    });
    assert!(failure(&run, "messages-in-order").contains("the next was to be 0"));
    assert_eq!(run.ended, Time::from_secs(5));
    assert!(matches!(outcome(&run, "work-done"), Outcome::NotJudged(_)));
}

#[test]
fn what_is_not_done_by_its_time_ends_the_run_at_that_time() {
    let run = play(|node, lines| {
        if node == "phone-1" {
            lines.pop();
        }
    });
    assert!(failure(&run, "work-done").contains("work 1 (phone-1 -> hub/admin) never started"));
    assert_eq!(run.ended, Time::from_secs(8));
    let run = play(|node, lines| lines.retain(|(at, _)| node != "hub" || *at != 2));
    assert!(failure(&run, "sessions-up").contains("hub with phone-1"));
    assert_eq!(run.ended, Time::from_secs(5));
}

#[test]
fn a_panic_is_a_verdict_with_its_message() {
    let run = play(|node, lines| {
        if node == "hub" {
            lines.push((6, None));
        }
    });
    assert!(failure(&run, "no-panic").contains("the script says to panic"));
}

#[test]
fn a_machine_that_never_lets_time_go_on_is_a_livelock() {
    /// Its deadline is always now.
    struct Stuck;
    impl Machine for Stuck {
        type Command = Infallible;
        type Event = Observation;
        fn handle(&mut self, _: Instant, _: Input<'_, Infallible>) {}
        fn poll(&mut self) -> Option<Output<'_, Observation>> {
            None
        }
        fn fill(&mut self, _: PipeId, _: &mut [u8]) -> usize {
            0
        }
        fn next_timeout(&self) -> Option<Instant> {
            Some(Instant::ZERO)
        }
    }
    impl Inspect for Stuck {}
    let scenario = Rc::new(scenario::load(Path::new("tests/scenarios/bench.toml"), &[]).unwrap());
    let run = run(&scenario, 1, None, &Tap::default(), |_, _| Stuck);
    assert!(failure(&run, "no-livelock").contains("events at"));
}

#[test]
fn a_run_in_which_nobody_says_anything_shows_nothing() {
    let run = play_file("tests/scenarios/idle.toml", |_, lines| lines.clear());
    assert!(run.showed_nothing() && !run.failed());
    assert!(matches!(outcome(&run, "policy"), Outcome::NotJudged(_)));
}

#[test]
fn a_mark_fires_the_faults_that_wait_for_it() {
    let with_mark = |node: &str, lines: &mut Lines| {
        if node == "phone-1" {
            lines.insert(0, (1, Some(Observation::Marked { id: 0 })));
        }
    };
    let crashes = |run: &Run| run.faults.iter().find(|(name, _)| *name == "restarts").map(|(_, count)| *count);
    assert_eq!(crashes(&play_file("tests/scenarios/trigger.toml", with_mark)), Some(1));
    assert_eq!(crashes(&play_file("tests/scenarios/trigger.toml", |_, _| {})), None);
}

#[test]
fn a_run_equals_itself_and_a_machine_with_a_memory_of_its_own_is_found_out() {
    assert!(play(|_, _| {}).equals(&play(|_, _| {})));
    let runs = Rc::new(Cell::new(0));
    let drifting = || {
        let runs = Rc::clone(&runs);
        play(move |node, lines| {
            if node == "phone-1" {
                runs.set(runs.get() + 1);
                lines[0].0 += runs.get() % 2;
            }
        })
    };
    assert!(!drifting().equals(&drifting()));
}
