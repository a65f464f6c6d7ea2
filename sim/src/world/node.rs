//! One node: its machine, its clock, its timer, and what waits for it while it is paused.

use super::net::{Event, Net};
use crate::schedule::Order;
use crate::trace::Kind;
use crate::watch::{Control, Watch};
use crate::{Clock, NodeIndex, Time};
use core::fmt::Debug;
use machine::{Addr, Destination, Instant, Machine, Output, PipeEnd, PipeId};
use std::collections::VecDeque;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    Down,
    Up,
    Paused,
}

/// An input that waits for a paused node.
#[derive(Debug)]
pub(super) enum Waiting<C> {
    Datagram(u32),
    Opened(PipeId),
    Accepted(PipeId, Addr),
    Closed(PipeId, PipeEnd),
    Stored(String, bool),
    Command(C),
}

/// A paused node's socket holds so many datagrams; further ones are lost.
pub(super) const PAUSED_DATAGRAMS_MAX: usize = 256;

/// When a node's timer is due. Of its timer events only the one with this order counts; any other is stale.
#[derive(Clone, Copy, Debug)]
pub(super) struct Armed {
    /// By the node's own clock.
    pub(super) deadline: Instant,
    pub(super) order: Order,
}

impl Armed {
    /// There is no timer.
    pub(super) const NOT: Self = Self { deadline: Instant::from_nanos(u64::MAX), order: Order::NEVER };
}

/// What each event looks at, the smallest things first: they share a line of the cache with the machine's first.
#[derive(Debug)]
#[repr(C)]
pub(super) struct Node<M: Machine> {
    pub(super) state: State,
    pub(super) armed: Armed,
    pub(super) clock: Clock,
    pub(super) rest: Box<Rest<M::Command>>,
    pub(super) machine: Option<M>,
}

/// What few events look at.
#[derive(Debug)]
pub(super) struct Rest<C> {
    pub(super) incarnation: u64,
    /// While it is down: only its process died, and its system refuses dials and resets pipes.
    pub(super) refuses: bool,
    pub(super) accepted: u64,
    /// A `Drain` is scheduled.
    pub(super) drains_later: bool,
    /// Counts the inputs of one time, for the draws of [`Perturb`](super::Perturb): one input less re-rolls nothing later.
    pub(super) inputs: (Time, u64),
    pub(super) waiting: VecDeque<Waiting<C>>,
    pub(super) waiting_datagrams: usize,
}

impl<M: Machine> Node<M> {
    /// Acts on all outputs of the machine, lets it fill its pipes, and arms its timer.
    #[expect(clippy::inline_always, reason = "a call would cost more than what it does when there is no output")]
    #[inline(always)]
    pub(super) fn drain(
        &mut self,
        index: u32,
        net: &mut Net,
        control: &mut Control<M::Command>,
        watch: &mut impl Watch<M>,
    ) where
        M::Event: Debug,
    {
        let Some(machine) = &mut self.machine else { return };
        let me = NodeIndex(index);
        loop {
            while let Some(output) = machine.poll() {
                match output {
                    Output::Datagram { to, bytes } => {
                        watch.sent(net.now, me, to, bytes, control);
                        match to {
                            Destination::Addr(addr) => net.send(index, net.receiver(addr), bytes),
                            Destination::Group => net.send_to_group(index, bytes),
                        }
                    }
                    Output::Event(event) => {
                        net.record_text(Kind::Event, index, 0, &event);
                        watch.event(net.now, me, &event, control);
                    }
                    Output::OpenPipe { pipe, to } => net.open_pipe(index, self.rest.incarnation, pipe, to),
                    Output::FillPipe { pipe } => net.want_fill(index, pipe),
                    Output::FinishPipe { pipe } => net.finish_pipe(index, pipe),
                    Output::ClosePipe { pipe } => net.close_pipe(index, pipe),
                    Output::Store { key, bytes } => net.store(index, self.rest.incarnation, key, bytes),
                }
            }
            let Some((pipe, side)) = net.fills.take(index) else { break };
            let now = net.now;
            net.fill(index, pipe, side, machine, |peer, bytes| watch.filled(now, me, peer, bytes, control));
        }
        watch.settled(net.now, me, machine, control);
        self.arm(index, net);
    }

    /// Schedules the machine's next timeout, unless an earlier event will look again anyway.
    #[expect(clippy::inline_always, reason = "after each input, and mostly there is nothing to do")]
    #[inline(always)]
    pub(super) fn arm(&mut self, index: u32, net: &mut Net) {
        let Some(deadline) = self.machine.as_ref().and_then(Machine::next_timeout) else { return };
        if deadline < self.armed.deadline && self.state != State::Paused {
            self.arm_for(deadline, index, net);
        }
    }

    #[expect(clippy::inline_always, reason = "after each timeout")]
    #[inline(always)]
    fn arm_for(&mut self, deadline: Instant, index: u32, net: &mut Net) {
        let at = self.clock.when(deadline, net.now);
        let armed_at =
            if self.armed.order == Order::NEVER { Time::MAX } else { self.clock.when(self.armed.deadline, net.now) };
        // Nothing is ever armed for the end of time, nor twice for one time, of which a fast clock shows several.
        if at < armed_at {
            let order = net.push(index, at, Event::Timer(index));
            self.armed = Armed { deadline, order };
        }
    }

    pub(super) fn new(clock: Clock) -> Self {
        let rest = Rest {
            incarnation: 0,
            refuses: false,
            accepted: 0,
            drains_later: false,
            inputs: (Time::ZERO, 0),
            waiting: VecDeque::new(),
            waiting_datagrams: 0,
        };
        Self { state: State::Down, armed: Armed::NOT, clock, rest: Box::new(rest), machine: None }
    }

    /// Nothing there answers, not even a system without its process.
    pub(super) fn is_silent(&self) -> bool {
        self.state == State::Down && !self.rest.refuses
    }
}
