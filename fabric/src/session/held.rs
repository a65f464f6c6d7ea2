//! Bytes for the pipe that found no room yet: a handshake message, or one small record.

use alloc::vec::Vec;

/// One message on its way out. Empty most of the time.
#[derive(Default)]
pub(super) struct Held {
    bytes: Vec<u8>,
    sent: usize,
}

impl Held {
    pub(super) const fn is_empty(&self) -> bool {
        self.bytes.len() == self.sent
    }

    /// Holds a handshake message behind its length, after whatever is still held.
    pub(super) fn hold_message(&mut self, message: &[u8]) {
        self.bytes.extend_from_slice(&(message.len() as u16).to_be_bytes());
        self.bytes.extend_from_slice(message);
    }

    /// Holds what `write` writes into `length` bytes of room.
    pub(super) fn hold(&mut self, length: usize, write: impl FnOnce(&mut [u8]) -> usize) {
        assert!(self.is_empty(), "one message at a time");
        self.clear();
        self.bytes.resize(length, 0);
        let written = write(&mut self.bytes);
        self.bytes.truncate(written);
    }

    /// Moves as much as fits into `room`, and returns how many bytes.
    pub(super) fn take(&mut self, room: &mut [u8]) -> usize {
        let rest = &self.bytes[self.sent..];
        let count = rest.len().min(room.len());
        room[..count].copy_from_slice(&rest[..count]);
        self.sent += count;
        count
    }

    pub(super) fn clear(&mut self) {
        self.bytes.clear();
        self.sent = 0;
    }

    /// Gives the buffer back, unless something is in it.
    pub(super) fn release(&mut self) {
        if self.is_empty() {
            *self = Self::default();
        }
    }
}
