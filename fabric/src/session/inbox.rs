//! Puts one handshake message together, however the pipe has cut it, and judges its length before its body is there.

use super::HandshakeError;
use super::handshake::MESSAGE_3_BYTES;
use super::record::HEADER_BYTES;

/// The message that is coming in. The longest is message 3.
pub(super) struct Inbox {
    bytes: [u8; HEADER_BYTES + MESSAGE_3_BYTES],
    filled: usize,
}

impl Default for Inbox {
    fn default() -> Self {
        Self { bytes: [0; HEADER_BYTES + MESSAGE_3_BYTES], filled: 0 }
    }
}

impl Inbox {
    /// Takes bytes off the front of `bytes` until the message of `length` bytes is whole, and gives it.
    pub(super) fn advance(&mut self, length: usize, bytes: &mut &[u8]) -> Result<Option<&[u8]>, HandshakeError> {
        self.take(HEADER_BYTES, bytes);
        if self.filled < HEADER_BYTES {
            return Ok(None);
        }
        if usize::from(u16::from_be_bytes([self.bytes[0], self.bytes[1]])) != length {
            return Err(HandshakeError::HandshakeLength);
        }
        self.take(HEADER_BYTES + length, bytes);
        let message = &self.bytes[HEADER_BYTES..self.filled];
        Ok((message.len() == length).then_some(message))
    }

    /// Fills up to `length`.
    fn take(&mut self, length: usize, bytes: &mut &[u8]) {
        let missing = length.saturating_sub(self.filled).min(bytes.len());
        let (taken, rest) = bytes.split_at(missing);
        self.bytes[self.filled..self.filled + missing].copy_from_slice(taken);
        self.filled += missing;
        *bytes = rest;
    }
}
