//! What work sends: bytes that its reader can make for itself, so that a wrong one shows. Knows no states of streams.
//!
//! A stream opens with a preamble that names the work and the try. Each message after it starts with its number, as far
//! as it is long enough, and goes on with bytes drawn from work, try and number.

use crate::Work;
use alloc::vec::Vec;
use fabric::mux::StreamError;
use fabric::{CallError, Node, StreamKey};
use machine::Instant;

/// Bytes of the preamble.
pub(crate) const PREAMBLE: usize = 8;
/// The longest message that a service takes.
pub(crate) const MESSAGE_MAX: usize = 1 << 20;

const GOLDEN: u64 = 0x9E37_79B9_7F4A_7C15;

/// Which try of which work a stream carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Try {
    pub(crate) work: u32,
    pub(crate) attempt: u32,
}

impl Try {
    pub(crate) fn preamble(self) -> [u8; PREAMBLE] {
        ((u64::from(self.work) << 32) | u64::from(self.attempt)).to_be_bytes()
    }

    pub(crate) fn parse(preamble: &[u8]) -> Option<Self> {
        let number = u64::from_be_bytes(preamble.try_into().ok()?);
        Some(Self { work: (number >> 32) as u32, attempt: number as u32 })
    }

    /// Writes message `index`, `length` bytes of it, over `message`.
    pub(crate) fn write(self, index: u32, length: usize, message: &mut Vec<u8>) {
        message.clear();
        message.extend(index.to_be_bytes());
        // The length is part of the draw, so that a message without its tail is not one.
        let mut state =
            mix(mix(u64::from(self.work) ^ length as u64) ^ ((u64::from(self.attempt) << 32) | u64::from(index)));
        while message.len() < length {
            state = state.wrapping_add(GOLDEN);
            message.extend(mix(state).to_le_bytes());
        }
        message.truncate(length);
    }

    /// Which message this says to be, `expected` where it is too short to say, and whether it is that one to the byte.
    /// `scratch` is overwritten.
    pub(crate) fn judge(self, expected: u32, message: &[u8], scratch: &mut Vec<u8>) -> (u32, bool) {
        let index = message.first_chunk().map_or(expected, |bytes| u32::from_be_bytes(*bytes));
        self.write(index, message.len(), scratch);
        (index, scratch == message)
    }
}

/// The bytes of a transfer without streams, in order: what the speed of work on a stream is held against, since its two
/// ends draw and compare as much.
#[derive(Clone, Debug, Default)]
pub struct Content {
    message: Vec<u8>,
    /// How much of the message is used.
    used: usize,
    messages: u32,
}

impl Content {
    const MESSAGE_BYTES: usize = 64 * 1024;

    /// The next bytes, at most `count` of them, and none only when `count` is 0.
    pub fn take(&mut self, count: usize) -> &[u8] {
        if self.used == self.message.len() {
            Try { work: 0, attempt: 0 }.write(self.messages, Self::MESSAGE_BYTES, &mut self.message);
            (self.used, self.messages) = (0, self.messages.wrapping_add(1));
        }
        let from = self.used;
        self.used = self.message.len().min(from.saturating_add(count));
        &self.message[from..self.used]
    }

    /// Whether these are the next bytes. After a wrong one it means nothing any more.
    pub fn passes(&mut self, mut bytes: &[u8]) -> bool {
        while !bytes.is_empty() {
            let Some(rest) = bytes.strip_prefix(self.take(bytes.len())) else { return false };
            bytes = rest;
        }
        true
    }
}

/// `SplitMix64`'s finaliser (Steele, Lea, Flood, 2014).
const fn mix(z: u64) -> u64 {
    let z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

/// Hands over a message, or the rest of one, as far as there is room, and says how many bytes; `None` when there is no room
/// even for an empty message's end.
pub(crate) fn hand_over(
    now: Instant,
    node: &mut Node,
    stream: StreamKey,
    rest: &[u8],
) -> Result<Option<usize>, CallError> {
    match node.write(now, stream, rest, true) {
        Err(CallError::Stream(StreamError::Full)) => Ok(None),
        taken => taken.map(Some),
    }
}

/// How long message `index` of the work is when so many bytes are left to send: the same in every try and every world.
pub(crate) fn length(work: &Work, index: u32, left: u64) -> usize {
    let (least, most) = (u64::from(work.message_bytes.0), u64::from(work.message_bytes.1));
    let span = most.saturating_sub(least) + 1;
    let drawn = mix(mix(u64::from(work.id) ^ GOLDEN) ^ u64::from(index));
    let length = least + ((u128::from(drawn) * u128::from(span)) >> 64) as u64;
    length.min(left).min(MESSAGE_MAX as u64) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    const TRY: Try = Try { work: 3, attempt: 1 };

    #[test]
    fn a_message_is_known_by_its_bytes_and_no_other_passes_for_it() {
        let (mut message, mut scratch) = (Vec::new(), Vec::new());
        for length in [0, 1, 3, 4, 12, 1000] {
            TRY.write(7, length, &mut message);
            assert_eq!(message.len(), length);
            assert_eq!(TRY.judge(7, &message, &mut scratch), (7, true), "{length}");
            for at in [0, length / 2, length.saturating_sub(1)].into_iter().filter(|at| *at < length) {
                let mut damaged = message.clone();
                damaged[at] ^= 1;
                assert_ne!(TRY.judge(7, &damaged, &mut scratch), (7, true), "{length} {at}");
            }
        }
        TRY.write(7, 100, &mut message);
        assert!(!TRY.judge(7, &message[..99], &mut scratch).1, "without its tail");
        assert!(!Try { attempt: 2, ..TRY }.judge(7, &message, &mut scratch).1, "another try has other bytes");
    }

    #[test]
    fn a_transfer_passes_however_it_is_cut_and_with_a_wrong_byte_does_not() {
        let mut sent = Vec::new();
        let mut sender = Content::default();
        while sent.len() < 3 * Content::MESSAGE_BYTES {
            sent.extend_from_slice(sender.take(1000));
        }
        for size in [1, 7, 1460, 65_536, sent.len()] {
            let mut receiver = Content::default();
            assert!(sent.chunks(size).all(|bytes| receiver.passes(bytes)), "{size}");
        }
        for at in [0, Content::MESSAGE_BYTES, sent.len() - 1] {
            let mut damaged = sent.clone();
            damaged[at] ^= 1;
            let mut receiver = Content::default();
            assert!(!damaged.chunks(1460).all(|bytes| receiver.passes(bytes)), "{at}");
        }
    }

    #[test]
    fn the_preamble_parses_back() {
        assert_eq!(Try::parse(&TRY.preamble()), Some(TRY));
        assert_eq!(Try::parse(&[0; 7]), None);
    }
}
