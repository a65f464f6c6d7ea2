//! Carries out the plan of faults: begins them, ends them, and puts things back.

use super::World;
use super::net::Event;
use super::node::{Armed, State};
use crate::causes::Kept;
use crate::disk::DiskProfile;
use crate::fault::{Begin, Fault};
use crate::link::LinkProfile;
use crate::trace::Kind;
use crate::watch::Watch;
use crate::{Clock, NodeIndex};
use core::fmt::Debug;
use machine::{Duration, Machine};

/// What the end of a fault has to put back.
#[derive(Clone, Copy, Debug)]
pub(super) enum Undo {
    /// It has not begun, has ended, or leaves nothing behind.
    Nothing,
    /// The partition's blocks are in force.
    Heal,
    /// Between two closures of a flapping partition.
    Flapping,
    /// Boot, if the node has not been up since.
    Restart {
        incarnation: u64,
    },
    /// Go on, if it is still paused in this incarnation.
    Resume {
        incarnation: u64,
    },
    ClockRate(i32),
    Link(LinkProfile),
    Disk(DiskProfile),
}

impl<M> World<M>
where
    M: Machine,
    M::Event: Debug,
    M::Command: Debug,
{
    /// Begins every fault that waits for `trigger`; each at most once.
    pub(super) fn fire(&mut self, trigger: u32, watch: &mut impl Watch<M>) {
        for index in 0..self.plan.len() {
            if self.plan[index].begin == Begin::Trigger(trigger) {
                // Taken: the same trigger does not begin it again.
                self.plan[index].begin = Begin::At(self.net.now);
                self.net.trace.note(Kept::fires);
                self.begin_fault(index, watch);
            }
        }
    }

    pub(super) fn begin_fault(&mut self, index: usize, watch: &mut impl Watch<M>) {
        let planned = self.plan[index].clone();
        self.net.record_text(Kind::FaultBegins, NodeIndex::NONE.0, index as u64, &planned.fault);
        if let Some(lasts) = planned.lasts {
            self.net.push_own(self.net.now + lasts, Event::FaultEnds(index as u32));
        }
        self.in_force.push(index);
        self.undo[index] = self.apply(index, &planned.fault, watch);
    }

    fn apply(&mut self, index: usize, fault: &Fault, watch: &mut impl Watch<M>) -> Undo {
        match fault {
            Fault::Partition { flap, .. } => {
                self.net.counts.partitions += 1;
                self.close_partition(index);
                if let Some(period) = flap {
                    self.net.push_own(self.net.now + at_least_a_tick(*period), Event::FaultFlips(index as u32));
                }
                Undo::Heal
            }
            Fault::Crash { node, kind } => {
                if self.nodes[node.as_usize()].state == State::Down {
                    return Undo::Nothing;
                }
                self.crash_node(node.0, *kind, watch);
                Undo::Restart { incarnation: self.nodes[node.as_usize()].rest.incarnation }
            }
            Fault::Pause(node) => {
                let paused = &mut self.nodes[node.as_usize()];
                if paused.state != State::Up {
                    return Undo::Nothing;
                }
                paused.state = State::Paused;
                self.net.counts.pauses += 1;
                self.net.trace.note(|causes| causes.paused(*node));
                Undo::Resume { incarnation: paused.rest.incarnation }
            }
            Fault::ClockJump(node, by) => {
                self.change_clock(*node, |clock, now| clock.jump(now, *by));
                Undo::Nothing
            }
            Fault::ClockRate(node, ppb) => {
                let old = self.nodes[node.as_usize()].clock.rate();
                self.change_clock(*node, |clock, now| clock.set_rate(now, *ppb));
                Undo::ClockRate(old)
            }
            Fault::Link { from, to, profile } => {
                self.net.counts.link_changes += 1;
                let old = *self.net.links.profile(from.0, to.0);
                self.net.links.set_profile(from.0, to.0, *profile);
                Undo::Link(old)
            }
            Fault::ResetPipes(a, b) => {
                self.reset_pipes(*a, *b, watch);
                Undo::Nothing
            }
            Fault::Disk(node, profile) => {
                Undo::Disk(core::mem::replace(&mut self.net.disks[node.as_usize()].profile, *profile))
            }
        }
    }

    pub(super) fn end_fault(&mut self, index: usize, watch: &mut impl Watch<M>) {
        let fault = self.plan[index].fault.clone();
        self.net.record_text(Kind::FaultEnds, NodeIndex::NONE.0, index as u64, &fault);
        let undo = core::mem::replace(&mut self.undo[index], Undo::Nothing);
        let next = self.leave_force(index);
        if let Some(next) = next {
            // What this one would put back is the other's to put back.
            self.undo[next] = undo;
            return;
        }
        match (undo, fault) {
            (Undo::Heal, _) => self.net.partition(|all| all.end(index)),
            (Undo::Restart { incarnation }, Fault::Crash { node, .. }) => {
                let down = &self.nodes[node.as_usize()];
                if down.state == State::Down && down.rest.incarnation == incarnation {
                    self.net.counts.restarts += 1;
                    self.boot_node(node.0, watch);
                }
            }
            (Undo::Resume { incarnation }, Fault::Pause(node)) => {
                let paused = &self.nodes[node.as_usize()];
                if paused.state == State::Paused && paused.rest.incarnation == incarnation {
                    self.resume(node, watch);
                }
            }
            (Undo::ClockRate(old), Fault::ClockRate(node, _)) => {
                self.change_clock(node, |clock, now| clock.set_rate(now, old));
            }
            (Undo::Link(old), Fault::Link { from, to, .. }) => self.net.links.set_profile(from.0, to.0, old),
            (Undo::Disk(old), Fault::Disk(node, _)) => self.net.disks[node.as_usize()].profile = old,
            _ => {}
        }
    }

    /// The fault has ended: the next one in force that overlaid what it had changed.
    fn leave_force(&mut self, index: usize) -> Option<usize> {
        let place = self.in_force.iter().position(|begun| *begun == index)?;
        self.in_force.remove(place);
        let overlays = |later: &&usize| self.plan[**later].fault.overlays(&self.plan[index].fault);
        self.in_force[place..].iter().find(overlays).copied()
    }

    fn close_partition(&mut self, index: usize) {
        if let Fault::Partition { from, to, one_way, .. } = &self.plan[index].fault {
            self.net.partition(|all| {
                all.begin(index, from, to);
                if !one_way {
                    all.begin(index, to, from);
                }
            });
        }
    }

    /// A flapping partition closes or opens.
    pub(super) fn flip_partition(&mut self, index: usize) {
        let Fault::Partition { flap: Some(period), .. } = self.plan[index].fault else { return };
        self.undo[index] = match self.undo[index] {
            Undo::Heal => {
                self.net.partition(|all| all.end(index));
                Undo::Flapping
            }
            Undo::Flapping => {
                self.close_partition(index);
                Undo::Heal
            }
            // It has ended.
            _ => return,
        };
        self.net.push_own(self.net.now + at_least_a_tick(period), Event::FaultFlips(index as u32));
    }

    fn change_clock(&mut self, node: NodeIndex, change: impl FnOnce(&mut Clock, crate::Time)) {
        self.net.counts.clock_changes += 1;
        let changed = &mut self.nodes[node.as_usize()];
        change(&mut changed.clock, self.net.now);
        // The armed event is for a time that the clock no longer agrees on.
        changed.armed = Armed::NOT;
        self.arm(node.0);
    }

    /// A paused node goes on: first what came in, then what it has to say, then its timers.
    fn resume(&mut self, node: NodeIndex, watch: &mut impl Watch<M>) {
        self.nodes[node.as_usize()].state = State::Up;
        self.nodes[node.as_usize()].rest.waiting_datagrams = 0;
        self.net.trace.note(|causes| causes.resumed(node));
        while let Some(waiting) = self.nodes[node.as_usize()].rest.waiting.pop_front() {
            self.give(node.0, waiting, watch);
        }
        let pipes: Vec<_> = self.net.ends[node.as_usize()].values().copied().collect();
        for (pipe, side) in pipes {
            let is_still = self.net.ends[node.as_usize()].values().any(|end| *end == (pipe, side));
            if is_still {
                self.net.hold(pipe);
                self.read(pipe, side, watch);
                self.net.release(pipe);
            }
        }
        for (pipe, side) in self.net.ends[node.as_usize()].values().copied().collect::<Vec<_>>() {
            if self.net.pipes[pipe as usize].ends[side].wants_fill {
                self.net.fills.add(node.0, pipe, side);
            }
        }
        self.drain(node.0, watch);
    }

    fn reset_pipes(&mut self, a: NodeIndex, b: NodeIndex, watch: &mut impl Watch<M>) {
        let between = self.net.pipes.iter().filter(|(_, pipe)| {
            let [dialler, acceptor] = &pipe.ends;
            (dialler.node, acceptor.node) == (a, b) || (dialler.node, acceptor.node) == (b, a)
        });
        // By serial, since what a machine does about one may let go of the next.
        for serial in between.map(|(_, pipe)| pipe.serial).collect::<Vec<_>>() {
            if let Some(index) = self.pipe_of_serial(serial) {
                self.net.trace.note(|causes| causes.pipe_broken(serial));
                self.reset_both(index, watch);
            }
        }
    }
}

/// A period of zero would never let time go on.
fn at_least_a_tick(period: Duration) -> Duration {
    period.max(Duration::from_micros(1))
}
