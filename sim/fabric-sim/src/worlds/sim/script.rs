//! A scripted machine for tests of what looks on at a run: it says its lines at their times.

use super::{Run, run};
use crate::attacker::Inspect;
use crate::scenario::{self, Scenario};
use crate::suites::Tap;
use core::convert::Infallible;
use machine::{Input, Instant, Machine, Output, PipeId};
use scenario_actor::{Expect, Observation, WorkSeen};
use std::collections::VecDeque;
use std::path::Path;
use std::rc::Rc;

/// What a node says: after how many seconds, and the line; it panics where there is none.
pub(crate) type Lines = Vec<(u64, Option<Observation>)>;

pub(crate) const BENCH: &str = "tests/scenarios/bench.toml";

struct Script {
    lines: VecDeque<(Instant, Option<Observation>)>,
    said: VecDeque<Observation>,
}

impl Machine for Script {
    type Command = Infallible;
    type Event = Observation;

    fn handle(&mut self, now: Instant, _: Input<'_, Infallible>) {
        while let Some((_, line)) = self.lines.pop_front_if(|(at, _)| *at <= now) {
            self.said.push_back(line.expect("the script says to panic"));
        }
    }

    fn poll(&mut self) -> Option<Output<'_, Observation>> {
        self.said.pop_front().map(Output::Event)
    }

    fn fill(&mut self, _: PipeId, _: &mut [u8]) -> usize {
        0
    }

    fn next_timeout(&self) -> Option<Instant> {
        self.lines.front().map(|(at, _)| *at)
    }
}

impl Inspect for Script {}

fn work(id: u32, seen: WorkSeen) -> Observation {
    Observation::Work { id, seen }
}

/// What a node of the bench scenario says when all goes well.
fn good(node: &str) -> Lines {
    let up = |peer: &str| Some(Observation::SessionUp { peer: peer.into() });
    let received = |index| {
        let (peer, service) = ("phone-1".into(), "echo".into());
        Some(Observation::Received { peer, service, work: 0, attempt: 0, index, bytes: 1_000, intact: true })
    };
    let done = |id, as_expected, messages, bytes| Some(work(id, WorkSeen::Done { as_expected, messages, bytes }));
    match node {
        "hub" => vec![(2, up("phone-1")), (4, received(0)), (5, received(1))],
        "phone-1" => vec![
            (2, up("hub")),
            (3, Some(work(0, WorkSeen::Started { attempt: 0 }))),
            (6, done(0, Expect::Echoed, 2, 2_000)),
            (6, done(1, Expect::Denied, 0, 0)),
        ],
        _ => Vec::new(),
    }
}

/// Runs the scenario at `path` by machines that say what goes well, as `change` has it.
pub(crate) fn play(path: &str, change: impl Fn(&str, &mut Lines) + 'static) -> (Rc<Scenario>, Run) {
    let scenario = Rc::new(scenario::load(Path::new(path), &[]).unwrap());
    let run = run(&scenario, 1, None, &Tap::default(), move |boot, part| {
        let mut lines = good(&part.name);
        change(&part.name, &mut lines);
        let at = |seconds: u64| Instant::from_nanos(seconds * 1_000_000_000);
        let lines = lines.into_iter().map(|(seconds, line)| (at(seconds), line)).filter(|(at, _)| *at >= boot.now);
        Script { lines: lines.collect(), said: VecDeque::new() }
    });
    (scenario, run)
}
