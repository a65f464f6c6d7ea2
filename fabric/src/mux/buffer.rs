//! What waits on one stream, to be sent and to be read. Knows messages' ends and frames' costs, no credit.

use super::Chunk;
use super::frame::HEADER_BYTES;
use alloc::collections::VecDeque;
use bytes::{Buf, Bytes, BytesMut};

/// What a frame costs beyond its payload.
const FRAME_COST: usize = HEADER_BYTES;

/// Bytes that the application has written, with the ends of messages among them.
#[derive(Debug, Default)]
pub(super) struct SendBuffer {
    bytes: VecDeque<u8>,
    /// The length of each whole message that is left, first to last; what lies behind belongs to an unfinished one.
    messages: VecDeque<u32>,
    /// How long that unfinished one is, as far as it is here.
    unfinished: usize,
}

impl SendBuffer {
    pub(super) fn is_empty(&self) -> bool {
        self.bytes.is_empty() && self.messages.is_empty()
    }

    /// What it counts as. An end of a message costs as a frame does, so that empty messages are bounded too.
    pub(super) fn cost(&self) -> usize {
        self.bytes.len() + self.messages.len() * FRAME_COST
    }

    /// Takes what fits below a cost of `limit`: how many bytes, and whether the end of the message too.
    pub(super) fn write(&mut self, bytes: &[u8], end_of_message: bool, limit: usize) -> (usize, bool) {
        let room = limit.saturating_sub(self.cost());
        if end_of_message && bytes.len() + FRAME_COST <= room {
            self.bytes.extend(bytes);
            self.messages.push_back((self.unfinished + bytes.len()) as u32);
            self.unfinished = 0;
            return (bytes.len(), true);
        }
        // The last byte stays with its end, so that a short count always says that the end was not taken.
        let offered = bytes.len() - usize::from(end_of_message && !bytes.is_empty());
        let taken = offered.min(room);
        self.bytes.extend(&bytes[..taken]);
        self.unfinished += taken;
        (taken, false)
    }

    /// The payload of the next frame, up to a message's end: its length, and whether that is the end.
    pub(super) fn next_frame(&self, payload_max: usize) -> (usize, bool) {
        let length = self.frame_length();
        let taken = length.min(payload_max);
        (taken, taken == length && !self.messages.is_empty())
    }

    /// How long the next frame would be without limits.
    pub(super) fn frame_length(&self) -> usize {
        self.messages.front().map_or(self.unfinished, |length| *length as usize)
    }

    /// Moves the payload of the next frame to `room`, which is as long as it.
    pub(super) fn take(&mut self, room: &mut [u8], end_of_message: bool) {
        self.bytes.copy_to_slice(room);
        if end_of_message {
            self.messages.pop_front();
        } else if let Some(length) = self.messages.front_mut() {
            *length -= room.len() as u32;
        } else {
            self.unfinished -= room.len();
        }
    }
}

/// Segments that take small frames together are at least and at most so long, so that a frame of one byte costs no page
/// and a million of them no million allocations.
const SEGMENT_BYTES: core::ops::RangeInclusive<usize> = 64..=4096;

/// Payload that came in and was not read.
#[derive(Debug, Default)]
pub(super) struct ReceiveBuffer {
    full: VecDeque<Bytes>,
    last: BytesMut,
    /// Each frame that is left: twice the bytes that are left of it, plus one if a message ends with it.
    frames: VecDeque<u32>,
}

impl ReceiveBuffer {
    pub(super) fn is_empty(&self) -> bool {
        self.frames.is_empty()
    }

    pub(super) fn push(&mut self, payload: &[u8], end_of_message: bool) {
        if self.last.capacity() - self.last.len() < payload.len() {
            let filled = self.last.len();
            if filled > 0 {
                self.full.push_back(core::mem::take(&mut self.last).freeze());
            }
            let segment = (2 * filled).clamp(*SEGMENT_BYTES.start(), *SEGMENT_BYTES.end());
            let segment = if self.frames.is_empty() { 0 } else { segment };
            self.last = BytesMut::with_capacity(segment.max(payload.len()));
        }
        self.last.extend_from_slice(payload);
        self.frames.push_back((payload.len() as u32) << 1 | u32::from(end_of_message));
    }

    /// Takes up to `bytes_max` bytes that lie together, not beyond a message's end, and says what they cost in credit.
    pub(super) fn read(&mut self, bytes_max: usize) -> Option<(Chunk, u32)> {
        let together = self.full.front().map_or(self.last.len(), Bytes::len).min(bytes_max);
        let (mut taken, mut cost, mut end_of_message) = (0, 0, false);
        while let Some(frame) = self.frames.front_mut() {
            let left = (*frame >> 1) as usize;
            let here = left.min(together - taken);
            taken += here;
            if here < left {
                *frame -= (here as u32) << 1;
                break;
            }
            end_of_message = *frame & 1 == 1;
            cost += FRAME_COST;
            self.frames.pop_front();
            if end_of_message {
                break;
            }
        }
        let read = taken > 0 || end_of_message;
        read.then(|| (Chunk { bytes: self.split(taken), end_of_message }, (cost + taken) as u32))
    }

    fn split(&mut self, length: usize) -> Bytes {
        let Some(first) = self.full.front_mut() else {
            let whole = length == self.last.len();
            return if whole { core::mem::take(&mut self.last) } else { self.last.split_to(length) }.freeze();
        };
        if length < first.len() {
            return first.split_to(length);
        }
        self.full.pop_front().unwrap_or_default()
    }
}
