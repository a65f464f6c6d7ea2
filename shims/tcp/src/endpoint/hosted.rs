//! The node as the driver has it: a machine that is locked for each step.

use super::state::{Locked, State};
use machine::{Input, Instant, Machine, Output, PipeId};
use std::collections::VecDeque;
use std::convert::Infallible;

/// The node has ended in order, or was given all the time for that.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stopped;

pub(super) struct Hosted {
    state: Locked,
    /// The last datagram's bytes: they must outlive the lock. Only announces have any.
    bytes: Vec<u8>,
    /// Values to be stored, which is not the driver's here: it would block. Two at most: the node waits for each.
    pub(super) stores: VecDeque<(String, Vec<u8>)>,
}

impl Hosted {
    pub(super) fn new(state: State) -> Self {
        Self { state: Locked::new(state), bytes: Vec::new(), stores: VecDeque::new() }
    }

    pub(super) fn state(&self) -> Locked {
        self.state.clone()
    }
}

impl Machine for Hosted {
    type Command = Infallible;
    type Event = Stopped;

    fn handle(&mut self, now: Instant, input: Input<'_, Infallible>) {
        self.state.with(|state| state.node.handle(now, input.without_commands()));
    }

    fn poll(&mut self) -> Option<Output<'_, Stopped>> {
        let Self { state, bytes: kept, stores } = self;
        let mut state = state.lock();
        loop {
            let Some(output) = state.node.poll_output() else {
                state.driver_is_done();
                return state.is_stopped().then_some(Output::Event(Stopped));
            };
            return Some(match output {
                Output::Store { key, bytes } => {
                    stores.push_back((key.to_owned(), bytes.to_owned()));
                    continue;
                }
                Output::Datagram { to, bytes } => {
                    kept.clear();
                    kept.extend_from_slice(bytes);
                    Output::Datagram { to, bytes: kept }
                }
                Output::OpenPipe { pipe, to } => Output::OpenPipe { pipe, to },
                Output::FillPipe { pipe } => Output::FillPipe { pipe },
                Output::FinishPipe { pipe } => Output::FinishPipe { pipe },
                Output::ClosePipe { pipe } => Output::ClosePipe { pipe },
                Output::Event(never) => match never {},
            });
        }
    }

    fn fill(&mut self, pipe: PipeId, room: &mut [u8]) -> usize {
        self.state.with(|state| state.node.fill(pipe, room))
    }

    fn next_timeout(&self) -> Option<Instant> {
        self.state.lock().next_timeout()
    }
}
