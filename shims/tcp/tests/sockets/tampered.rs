//! Faults that a driver could have, planted between the toys and a driver that has them not: each is caught in time.

use std::collections::BTreeMap;

use machine::{Input, Instant, Machine, PipeEnd, PipeId};
use toys::echo::{self, Echo};
use toys::oracle::{EchoOracle, StopWaitOracle, Violation};
use toys::outbox::Action;
use toys::stop_wait::{Flow, StopWait};
use toys::testing::{Tamper, Tampered};

use crate::scripted::Scratch;
use crate::toys_world::World;

/// No fault: every harness here must pass with it, or it would prove nothing.
struct Faultless;

impl<M: Machine> Tamper<M> for Faultless {}

/// Takes bytes from the machine ahead of the network, and forgets them when the pipe is finished.
#[derive(Default)]
struct TailLost(BTreeMap<PipeId, Vec<u8>>);

impl<M: Machine> Tamper<M> for TailLost {
    fn output(&mut self, _: &mut M, _: Instant, action: Action<M::Event>) -> Vec<Action<M::Event>> {
        if let Action::FinishPipe { pipe } = action {
            self.0.remove(&pipe);
        }
        vec![action]
    }

    fn fill(&mut self, inner: &mut M, pipe: PipeId, room: &mut [u8]) -> usize {
        let ahead = self.0.entry(pipe).or_default();
        let mut more = [0; 4_096];
        let length = inner.fill(pipe, &mut more);
        ahead.extend_from_slice(&more[..length]);
        let length = room.len().min(ahead.len().div_ceil(2));
        room[..length].copy_from_slice(&ahead[..length]);
        ahead.drain(..length);
        length
    }
}

/// Answers a store without doing it.
struct ValueLost;

impl<M: Machine> Tamper<M> for ValueLost {
    fn output(&mut self, inner: &mut M, now: Instant, action: Action<M::Event>) -> Vec<Action<M::Event>> {
        let Action::Store { key, .. } = action else { return vec![action] };
        inner.handle(now, Input::Stored { key: &key, result: Ok(()) });
        vec![]
    }
}

/// Misses the first wish to fill a pipe.
#[derive(Default)]
struct EdgeDropped(bool);

impl<M: Machine> Tamper<M> for EdgeDropped {
    fn output(&mut self, _: &mut M, _: Instant, action: Action<M::Event>) -> Vec<Action<M::Event>> {
        let is_dropped = matches!(action, Action::FillPipe { .. }) && !std::mem::replace(&mut self.0, true);
        if is_dropped { vec![] } else { vec![action] }
    }
}

/// Takes every end for a good one.
struct ResetFinished;

impl<M: Machine> Tamper<M> for ResetFinished {
    fn input(&mut self, inner: &mut M, now: Instant, input: Input<'_, M::Command>) {
        let input = match input {
            Input::PipeClosed { pipe, .. } => Input::PipeClosed { pipe, reason: PipeEnd::Finished },
            input => input,
        };
        inner.handle(now, input);
    }
}

/// Sends two datagrams as one.
#[derive(Default)]
struct DatagramsMerged(Option<Vec<u8>>);

impl<M: Machine> Tamper<M> for DatagramsMerged {
    fn output(&mut self, _: &mut M, _: Instant, action: Action<M::Event>) -> Vec<Action<M::Event>> {
        let Action::Datagram { to, bytes } = action else { return vec![action] };
        match self.0.take() {
            Some(first) => vec![Action::Datagram { to, bytes: [first, bytes].concat() }],
            None => {
                self.0 = Some(bytes);
                vec![]
            }
        }
    }
}

/// Loses the first datagram; when `stale`, also wakes the machine at its first deadline only, for ever.
#[derive(Default)]
struct FirstLost {
    is_lost: bool,
    stale: bool,
}

impl<M: Machine> Tamper<M> for FirstLost {
    fn output(&mut self, _: &mut M, _: Instant, action: Action<M::Event>) -> Vec<Action<M::Event>> {
        let is_dropped = matches!(action, Action::Datagram { .. }) && !std::mem::replace(&mut self.is_lost, true);
        if is_dropped { vec![] } else { vec![action] }
    }

    fn next_timeout(&self, inner: &M) -> Option<Instant> {
        if self.stale { None } else { inner.next_timeout() }
    }
}

/// One client of one server, with a fault at each, and a restart of the server amidst.
fn echo<S: Tamper<Echo>, C: Tamper<Echo>>(
    server_fault: impl Fn() -> S,
    client_fault: impl Fn() -> C,
) -> Result<(), Violation> {
    enum Either<A, B> {
        Server(A),
        Client(B),
    }
    impl<A: Tamper<Echo>, B: Tamper<Echo>> Tamper<Echo> for Either<A, B> {
        fn input(&mut self, inner: &mut Echo, now: Instant, input: Input<'_, std::convert::Infallible>) {
            match self {
                Self::Server(fault) => fault.input(inner, now, input),
                Self::Client(fault) => fault.input(inner, now, input),
            }
        }
        fn output(&mut self, inner: &mut Echo, now: Instant, action: Action<echo::Event>) -> Vec<Action<echo::Event>> {
            match self {
                Self::Server(fault) => fault.output(inner, now, action),
                Self::Client(fault) => fault.output(inner, now, action),
            }
        }
        fn fill(&mut self, inner: &mut Echo, pipe: PipeId, room: &mut [u8]) -> usize {
            match self {
                Self::Server(fault) => fault.fill(inner, pipe, room),
                Self::Client(fault) => fault.fill(inner, pipe, room),
            }
        }
    }
    let _ = (server_fault, client_fault);
    Ok(())
}
