//! Records: sealed messages after the handshake, each behind its length (wire contract, 3). Knows no frames and no
//! handshake.

use super::SessionError;
use crate::suite::{Cipher, Suite, TAG_BYTES};
use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::num::NonZeroU64;
use zeroize::Zeroizing;

/// Bytes of the length before each message.
pub(super) const HEADER_BYTES: usize = 2;
/// What a record is longer than its plaintext.
const OVERHEAD_BYTES: usize = HEADER_BYTES + TAG_BYTES;
/// The most that a header can announce, and itself.
const RECORD_BYTES_MAX: usize = HEADER_BYTES + u16::MAX as usize;

/// One direction's key and message number (Noise, 5.1), and when the key changes.
pub(super) struct CipherState {
    suite: Arc<dyn Suite>,
    cipher: Box<dyn Cipher>,
    nonce: u64,
    rekey_after: NonZeroU64,
}

impl CipherState {
    pub(super) fn new(suite: Arc<dyn Suite>, key: &[u8; 32], rekey_after: NonZeroU64) -> Self {
        let cipher = suite.cipher(key);
        Self { suite, cipher, nonce: 0, rekey_after }
    }

    /// The number of the next message, for which the key is made ready: it changes before every `rekey_after`-th.
    fn next_nonce(&mut self) -> u64 {
        let nonce = self.nonce;
        assert!(nonce < u64::MAX, "the last nonce is for rekeying, and no session lives to see it");
        if nonce > 0 && nonce.is_multiple_of(self.rekey_after.get()) {
            self.rekey();
        }
        self.nonce += 1;
        nonce
    }

    /// Whether the key is not the first.
    pub(super) const fn has_rekeyed(&self) -> bool {
        self.nonce > self.rekey_after.get()
    }

    /// Noise, 4.2: the new key is what the old one seals zeros into.
    fn rekey(&mut self) {
        let mut key = Zeroizing::new([0; 32]);
        let _tag = self.cipher.seal(u64::MAX, &[], &mut *key);
        self.cipher = self.suite.cipher(&key);
    }

    /// Writes one record into `room`, whose plaintext `source` writes, and returns its bytes; 0 when there is none.
    pub(super) fn seal(&mut self, room: &mut [u8], source: &mut dyn FnMut(&mut [u8]) -> usize) -> usize {
        let room_bytes = room.len().min(RECORD_BYTES_MAX);
        assert!(room_bytes > OVERHEAD_BYTES, "room for a record was made before");
        let (header, body) = room[..room_bytes].split_at_mut(HEADER_BYTES);
        let space = body.len() - TAG_BYTES;
        let length = source(&mut body[..space]);
        assert!(length <= space, "the source of plaintext wrote no more than it had room for");
        if length == 0 {
            return 0;
        }
        let (text, rest) = body.split_at_mut(length);
        let nonce = self.next_nonce();
        rest[..TAG_BYTES].copy_from_slice(&self.cipher.seal(nonce, &[], text));
        header.copy_from_slice(&((length + TAG_BYTES) as u16).to_be_bytes());
        length + OVERHEAD_BYTES
    }

    fn open<'a>(&mut self, sealed: &'a mut [u8]) -> Result<&'a [u8], SessionError> {
        let (text, tag) = sealed.split_last_chunk_mut().ok_or(SessionError::RecordInvalid)?;
        let nonce = self.next_nonce();
        self.cipher.open(nonce, &[], text, tag).map_err(|_| SessionError::RecordInvalid)?;
        Ok(text)
    }
}

/// Assembles and opens the records of the other direction, one at a time.
pub(super) struct Opener {
    state: CipherState,
    /// The record that is coming in, or the one that was opened last.
    buffer: Vec<u8>,
    is_open: bool,
}

impl Opener {
    pub(super) const fn new(state: CipherState) -> Self {
        Self { state, buffer: Vec::new(), is_open: false }
    }

    /// Takes bytes off the front of `bytes` until a record is complete; whether one is, and has opened.
    ///
    /// The one before is gone then.
    pub(super) fn advance(&mut self, bytes: &mut &[u8]) -> Result<bool, SessionError> {
        if self.is_open {
            self.buffer.clear();
            self.is_open = false;
        }
        self.take(HEADER_BYTES, bytes);
        let Some(header) = self.buffer.first_chunk() else { return Ok(false) };
        let length = usize::from(u16::from_be_bytes(*header));
        if length < TAG_BYTES {
            return Err(SessionError::RecordInvalid);
        }
        self.take(HEADER_BYTES + length, bytes);
        if self.buffer.len() < HEADER_BYTES + length {
            return Ok(false);
        }
        self.state.open(&mut self.buffer[HEADER_BYTES..])?;
        self.is_open = true;
        Ok(true)
    }

    /// Whether the other direction's key is not the first.
    pub(super) const fn has_rekeyed(&self) -> bool {
        self.state.has_rekeyed()
    }

    /// How many bytes its buffer has room for.
    pub(super) const fn memory(&self) -> usize {
        self.buffer.capacity()
    }

    /// The plaintext of the record that opened last.
    pub(super) fn plaintext(&self) -> &[u8] {
        assert!(self.is_open, "read after a record has opened");
        &self.buffer[HEADER_BYTES..self.buffer.len() - TAG_BYTES]
    }

    /// Gives the buffer back, unless a record is in it.
    pub(super) fn release(&mut self) {
        if self.is_open || self.buffer.is_empty() {
            self.buffer = Vec::new();
            self.is_open = false;
        }
    }

    /// Fills the buffer up to `length`. Memory follows what came in, not what a header announces.
    fn take(&mut self, length: usize, bytes: &mut &[u8]) {
        let missing = length.saturating_sub(self.buffer.len()).min(bytes.len());
        let (taken, rest) = bytes.split_at(missing);
        let needed = self.buffer.len() + missing;
        if needed > self.buffer.capacity() {
            let grown = self.buffer.capacity().saturating_mul(2).clamp(needed, length.max(needed));
            self.buffer.reserve_exact(grown - self.buffer.len());
        }
        self.buffer.extend_from_slice(taken);
        *bytes = rest;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::suite::RealSuite;
    use alloc::vec;

    fn state() -> CipherState {
        CipherState::new(Arc::new(RealSuite), &[1; 32], NonZeroU64::MAX)
    }

    #[test]
    fn memory_follows_what_came_in_and_ends_at_the_record() {
        let mut record = vec![0; RECORD_BYTES_MAX];
        assert_eq!(state().seal(&mut record, &mut |space| space.len()), RECORD_BYTES_MAX);
        let mut opener = Opener::new(state());
        for (at, byte) in record.iter().enumerate() {
            assert!(opener.buffer.capacity() <= (2 * at).max(HEADER_BYTES), "after {at} bytes");
            let is_whole = opener.advance(&mut core::slice::from_ref(byte)).unwrap();
            assert_eq!(is_whole, at + 1 == RECORD_BYTES_MAX);
        }
        assert_eq!(opener.buffer.capacity(), RECORD_BYTES_MAX);
    }
}
