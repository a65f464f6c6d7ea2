//! Drivers that break their contract, between the simulator and its machines: a comparison with one that keeps it must
//! show each of them.

use super::*;
use crate::attacker::Inspect;
use crate::nemesis::Limits;
use crate::scenario;
use crate::suites::Tap;
use crate::worlds::SuiteKind;
use crate::worlds::sim::run;
use core::convert::Infallible;
use guest_contract::{ShimFault, Shimmed};
use machine::{Addr, Boot, Input, Instant, Machine, Output, PipeId};
use scenario_actor::{Actor, Part};
use std::collections::VecDeque;
use std::path::Path;
use std::rc::Rc;

impl<M> Inspect for Shimmed<M> {}

/// A machine that dials the hub and tells how that ended: what the fabric, which trusts no transport's end, does not show.
struct Dialler {
    dials: bool,
    said: VecDeque<Observation>,
}

impl Machine for Dialler {
    type Command = Infallible;
    type Event = Observation;

    fn handle(&mut self, _: Instant, input: Input<'_, Infallible>) {
        if let Input::PipeClosed { reason, .. } = input {
            let seen = WorkSeen::Unexpected { seen: format!("{reason:?}") };
            self.said.push_back(Observation::Work { id: 0, seen });
        }
    }

    fn poll(&mut self) -> Option<Output<'_, Observation>> {
        if core::mem::take(&mut self.dials) {
            let to: Addr = ::sim::NodeConfig::new("hub").addr();
            return Some(Output::OpenPipe { pipe: PipeId::opened(0), to });
        }
        self.said.pop_front().map(Output::Event)
    }

    fn fill(&mut self, _: PipeId, _: &mut [u8]) -> usize {
        0
    }

    fn next_timeout(&self) -> Option<Instant> {
        None
    }
}

fn actor(boot: &Boot, part: Part) -> Actor {
    let limits = Limits::default().of(&part.name);
    Actor::new(boot, part, SuiteKind::Model.suite(), limits)
}

#[expect(clippy::needless_pass_by_value, reason = "made like an actor")]
fn dialler(_: &Boot, part: Part) -> Dialler {
    Dialler { dials: part.name == "phone", said: VecDeque::new() }
}

/// In what a driver with `fault` differs from one that keeps its contract.
fn differences<M>(path: &str, fault: Option<ShimFault>, make: fn(&Boot, Part) -> M) -> Vec<Difference>
where
    M: Machine<Command = Infallible, Event = Observation> + 'static,
{
    let scenario = Rc::new(scenario::load(Path::new(path), &[]).unwrap());
    let shown = |fault| {
        let machine = move |boot: Boot, part| Shimmed::new(make(&boot, part), fault);
        Shown::of(&scenario, &run(&scenario, 1, None, &Tap::default(), machine).seen)
    };
    shown(None).differences(&shown(fault), &scenario)
}

const FIRST_CONTACT: &str = "../../scenarios/first-contact.toml";
const RESTARTED: &str = "../../scenarios/restarted-midway.toml";
const RESET: &str = "tests/scenarios/reset.toml";

#[test]
fn a_driver_that_keeps_its_contract_does_not_differ() {
    assert_eq!(differences(FIRST_CONTACT, None, actor), []);
    assert_eq!(differences(RESTARTED, None, actor), []);
    assert_eq!(differences(RESET, None, dialler), []);
}

#[test]
fn a_close_that_is_dropped_shows_as_work_that_is_never_done() {
    let found = differences(RESTARTED, Some(ShimFault::DropsCloses), actor);
    let [difference] = found.as_slice() else { panic!("{found:?}") };
    assert_eq!(difference.node, "phone");
    assert_eq!(difference.subject, "work 0 (phone -> hub/files), ../../scenarios/restarted-midway.toml:17");
    assert_eq!(difference.first, ["done: Delivered, 128 messages, 1048576 bytes"]);
    assert!(difference.second.is_empty());
}

#[test]
fn merged_datagrams_show_as_peers_that_are_not_found() {
    let found = differences(FIRST_CONTACT, Some(ShimFault::MergesDatagrams), actor);
    let of = |node: &str, subject: &str| {
        let is_it = |difference: &&Difference| difference.node == node && difference.subject == subject;
        found.iter().find(is_it).unwrap_or_else(|| panic!("{node} {subject}: {found:?}"))
    };
    assert_eq!(of("hub", "peer phone").first, ["discovered phone", "session with phone is up"]);
    assert!(of("phone", "peer hub").second.is_empty());
}

#[test]
fn a_reset_that_is_called_a_clean_end_shows() {
    let found = differences(RESET, Some(ShimFault::CallsResetsClean), dialler);
    let nodes: Vec<_> = found.iter().map(|difference| difference.node.as_str()).collect();
    assert_eq!(nodes, ["hub", "phone"], "each end tells");
    for difference in found {
        assert_eq!(difference.first, ["ended against what was expected: Reset"]);
        assert_eq!(difference.second, ["ended against what was expected: Finished"]);
    }
}
