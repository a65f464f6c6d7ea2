//! Planted faults. A [`Tamper`] stands between a machine and its driver, and can so play a faulty one of either.

use alloc::vec::Vec;

use machine::{Input, Instant, Machine, Output, PipeId};

use crate::outbox::{Action, Outbox};

/// One fault. Every method starts as the faultless one; a fault overrides what it breaks.
pub trait Tamper<M: Machine> {
    /// Hands `input` to the machine, or something else, or nothing.
    fn input(&mut self, inner: &mut M, now: Instant, input: Input<'_, M::Command>) {
        inner.handle(now, input);
    }

    /// Gives what the driver shall do for `action`: the same, something else, nothing.
    fn output(&mut self, inner: &mut M, now: Instant, action: Action<M::Event>) -> Vec<Action<M::Event>> {
        let _ = (inner, now);
        Vec::from([action])
    }

    /// Fills `room`.
    fn fill(&mut self, inner: &mut M, pipe: PipeId, room: &mut [u8]) -> usize {
        inner.fill(pipe, room)
    }

    /// When the driver shall wake the machine.
    fn next_timeout(&self, inner: &M) -> Option<Instant> {
        inner.next_timeout()
    }
}

/// A machine with a fault before it.
#[derive(Debug)]
pub struct Tampered<M: Machine, T> {
    inner: M,
    fault: T,
    now: Instant,
    outbox: Outbox<M::Event>,
}

impl<M: Machine, T: Tamper<M>> Tampered<M, T> {
    /// Puts `fault` before `inner`, which was booted at `now`.
    pub fn new(inner: M, now: Instant, fault: T) -> Self {
        Self { inner, fault, now, outbox: Outbox::default() }
    }
}

impl<M: Machine, T: Tamper<M>> Machine for Tampered<M, T> {
    type Command = M::Command;
    type Event = M::Event;

    fn handle(&mut self, now: Instant, input: Input<'_, Self::Command>) {
        self.now = now;
        self.fault.input(&mut self.inner, now, input);
    }

    fn poll(&mut self) -> Option<Output<'_, Self::Event>> {
        while let Some(action) = self.inner.poll().map(Action::from) {
            for action in self.fault.output(&mut self.inner, self.now, action) {
                self.outbox.push(action);
            }
        }
        self.outbox.poll()
    }

    fn fill(&mut self, pipe: PipeId, room: &mut [u8]) -> usize {
        self.fault.fill(&mut self.inner, pipe, room)
    }

    fn next_timeout(&self) -> Option<Instant> {
        self.fault.next_timeout(&self.inner)
    }
}
