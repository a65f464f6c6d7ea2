//! Drivers that break their contract with a machine: a comparison of worlds must show each of them. For tests only.

use alloc::vec::Vec;
use core::convert::Infallible;
use machine::{Input, Instant, Machine, Output, PipeEnd, PipeId};
use serde::{Deserialize, Serialize};

/// How a driver breaks its contract.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ShimFault {
    /// No machine learns that a pipe is gone.
    DropsCloses,
    /// Of two datagrams it makes one.
    MergesDatagrams,
    /// A pipe that was aborted looks finished.
    CallsResetsClean,
}

/// A machine as such a driver treats it; without a fault, as it is.
#[derive(Debug)]
pub struct Shimmed<M> {
    inner: M,
    fault: Option<ShimFault>,
    held: Vec<u8>,
}

impl<M> Shimmed<M> {
    /// `inner`, driven with this fault.
    pub const fn new(inner: M, fault: Option<ShimFault>) -> Self {
        Self { inner, fault, held: Vec::new() }
    }
}

impl<M: Machine<Command = Infallible>> Machine for Shimmed<M> {
    type Command = Infallible;
    type Event = M::Event;

    fn handle(&mut self, now: Instant, input: Input<'_, Infallible>) {
        match (self.fault, input) {
            (Some(ShimFault::DropsCloses), Input::PipeClosed { .. }) => {}
            (Some(ShimFault::MergesDatagrams), Input::Datagram { from, bytes }) => {
                self.held.extend_from_slice(bytes);
                if self.held.len() > bytes.len() {
                    let bytes = core::mem::take(&mut self.held);
                    self.inner.handle(now, Input::Datagram { from, bytes: &bytes });
                }
            }
            (Some(ShimFault::CallsResetsClean), Input::PipeClosed { pipe, .. }) => {
                self.inner.handle(now, Input::PipeFinished { pipe });
                self.inner.handle(now, Input::PipeClosed { pipe, reason: PipeEnd::Finished });
            }
            (_, input) => self.inner.handle(now, input),
        }
    }

    fn poll(&mut self) -> Option<Output<'_, M::Event>> {
        self.inner.poll()
    }

    fn fill(&mut self, pipe: PipeId, room: &mut [u8]) -> usize {
        self.inner.fill(pipe, room)
    }

    fn next_timeout(&self) -> Option<Instant> {
        self.inner.next_timeout()
    }
}
