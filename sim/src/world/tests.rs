//! What cannot be seen from outside: that the world forgets what is over.

use super::{Config, NodeConfig, World};
use crate::fault::{Begin, Fault, Planned};
use crate::{CrashKind, NodeIndex, Time};
use core::convert::Infallible;
use machine::{Input, Instant, Machine, Output, PipeId};

/// Neither wants nor says anything.
struct Mute;

impl Machine for Mute {
    type Command = Infallible;
    type Event = Infallible;
    fn handle(&mut self, _: Instant, _: Input<'_, Infallible>) {}
    fn poll(&mut self) -> Option<Output<'_, Infallible>> {
        None
    }
    fn fill(&mut self, _: PipeId, _: &mut [u8]) -> usize {
        0
    }
    fn next_timeout(&self) -> Option<Instant> {
        None
    }
}

const A: NodeIndex = NodeIndex(0);
const B: NodeIndex = NodeIndex(1);
const PIPE: PipeId = PipeId::opened(0);

/// "a" dials "b", to which `faults` let nothing through, and gives up by `then`: how many pipes the world still holds.
fn pipes_left(faults: Vec<Fault>, then: impl FnOnce(&mut World<Mute>)) -> usize {
    let mut config = Config::new(1, ["a", "b"].map(NodeConfig::new));
    let planned = |fault| Planned { begin: Begin::At(Time::ZERO), lasts: None, fault };
    config.plan = faults.into_iter().map(planned).collect();
    let mut world = World::new(config, |_, _, _| Mute);
    world.run(Time::from_millis(1), &mut ());
    let to = world.addr(B);
    world.net.open_pipe(A.0, 0, PIPE, to);
    world.run(Time::from_millis(500), &mut ());
    assert_eq!(world.net.pipes.len(), 1);
    then(&mut world);
    world.run(Time::from_secs(600), &mut ());
    world.net.pipes.len()
}

fn cut_off() -> Vec<Fault> {
    vec![Fault::Partition { from: vec![A], to: vec![B], one_way: false, flap: None }]
}

#[test]
fn a_dial_that_its_machine_gives_up_is_forgotten() {
    assert_eq!(pipes_left(cut_off(), |world| world.net.close_pipe(A.0, PIPE)), 0);
}

#[test]
fn a_dial_whose_machine_dies_is_forgotten() {
    assert_eq!(pipes_left(cut_off(), |world| world.crash_node(A.0, CrashKind::Process, &mut ())), 0);
}

#[test]
fn a_dial_that_times_out_is_forgotten() {
    assert_eq!(pipes_left(cut_off(), |_| ()), 0);
}

#[test]
fn a_pipe_that_both_ends_lost_is_forgotten() {
    let left = pipes_left(Vec::new(), |world| {
        world.crash_node(A.0, CrashKind::Power, &mut ());
        world.crash_node(B.0, CrashKind::Power, &mut ());
    });
    assert_eq!(left, 0);
}
