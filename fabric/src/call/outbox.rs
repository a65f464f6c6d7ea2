//! Messages that wait for room in a stream. Bounded by whoever fills it.

use super::Streams;
use crate::{CallError, StreamKey};
use alloc::collections::VecDeque;
use alloc::vec::Vec;
use machine::Instant;

/// Whole messages in order, the first of them partly written.
#[derive(Debug, Default)]
pub(super) struct Outbox {
    messages: VecDeque<(u64, Vec<u8>)>,
    /// How much of the first one the stream has taken.
    written: usize,
}

impl Outbox {
    /// How many are not written whole.
    pub(super) fn len(&self) -> usize {
        self.messages.len()
    }

    pub(super) fn push(&mut self, correlation: u64, message: Vec<u8>) {
        self.messages.push_back((correlation, message));
    }

    /// Takes out the message of this correlation if the stream has nothing of it yet: whether it was there.
    pub(super) fn withdraw(&mut self, correlation: u64) -> bool {
        let place = self.messages.iter().position(|(each, _)| *each == correlation);
        let place = place.filter(|place| *place > 0 || self.written == 0);
        place.is_some_and(|place| self.messages.remove(place).is_some())
    }

    /// Writes as much as the stream takes.
    pub(super) fn flush(&mut self, now: Instant, node: &mut dyn Streams, stream: StreamKey) -> Result<(), CallError> {
        while let Some((_, message)) = self.messages.front() {
            self.written += node.write(now, stream, &message[self.written..], true)?;
            if self.written < message.len() {
                return Ok(());
            }
            self.messages.pop_front();
            self.written = 0;
        }
        Ok(())
    }
}
