//! What waits on one stream, to be sent and to be read. Knows messages' ends and frames' costs, no credit.

use super::frame::HEADER_BYTES;
use super::spare::Spare;
use alloc::collections::VecDeque;
use alloc::vec::Vec;
use bytes::Bytes;
use core::ops::{Deref, RangeInclusive};

/// What a frame costs beyond its payload.
const FRAME_COST: usize = HEADER_BYTES;

/// Segments that take small frames together are at least and at most so long, so that a frame of one byte costs no page
/// and a million of them no million allocations.
const SEGMENT_BYTES: RangeInclusive<usize> = 64..=4096;

/// Shared bytes fewer than this are copied: that is cheaper, and keeps no large buffer for a few bytes.
const SHARED_BYTES_MIN: usize = 1024;

/// Bytes that the application hands over.
#[derive(Clone, Copy)]
pub(super) enum Source<'a> {
    Lent(&'a [u8]),
    Shared(&'a Bytes),
}

impl Deref for Source<'_> {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match self {
            Self::Lent(bytes) => bytes,
            Self::Shared(bytes) => bytes,
        }
    }
}

#[derive(Debug)]
enum Segment {
    /// Grows up to its capacity, and is used again.
    Own(Vec<u8>),
    Shared(Bytes),
}

impl Deref for Segment {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match self {
            Self::Own(bytes) => bytes,
            Self::Shared(bytes) => bytes,
        }
    }
}

/// Bytes in order, in segments that go back to the spare ones as soon as they are used up.
#[derive(Debug, Default)]
struct Chain {
    segments: VecDeque<Segment>,
    /// What is used up of the first.
    used: usize,
    length: usize,
}

impl Chain {
    /// Adds bytes, in one piece.
    fn push(&mut self, bytes: &[u8], spare: &mut Spare) {
        if bytes.is_empty() {
            return;
        }
        let before = self.length;
        self.length += bytes.len();
        if let Some(Segment::Own(last)) = self.segments.back_mut()
            && last.capacity() - last.len() >= bytes.len()
        {
            return last.extend_from_slice(bytes);
        }
        let together = (2 * before).clamp(*SEGMENT_BYTES.start(), *SEGMENT_BYTES.end());
        let together = if self.segments.is_empty() { 0 } else { together };
        let mut segment = spare.segment(together.max(bytes.len()));
        segment.extend_from_slice(bytes);
        self.segments.push_back(Segment::Own(segment));
    }

    /// Adds the first `count` bytes of `source`, without a copy where that pays.
    fn push_from(&mut self, source: Source<'_>, count: usize, spare: &mut Spare) {
        match source {
            Source::Shared(bytes) if count >= SHARED_BYTES_MIN => {
                self.length += count;
                self.segments.push_back(Segment::Shared(bytes.slice(..count)));
            }
            _ => self.push(&source[..count], spare),
        }
    }

    /// The first bytes, as far as they lie together.
    fn front(&self) -> &[u8] {
        self.segments.front().map_or(&[], |first| &first[self.used..])
    }

    /// Drops the first `count` bytes, which lie together.
    fn consume(&mut self, count: usize, spare: &mut Spare) {
        self.used += count;
        self.length -= count;
        if self.segments.front().is_some_and(|first| first.len() == self.used)
            && let Some(first) = self.segments.pop_front()
        {
            self.used = 0;
            if let Segment::Own(first) = first {
                spare.put_segment(first);
            }
        }
    }

    /// Moves the first bytes to `room`, which is no longer than all.
    fn take(&mut self, mut room: &mut [u8], spare: &mut Spare) {
        while !room.is_empty() {
            let front = self.front();
            assert!(!front.is_empty(), "no more is taken than there is");
            let count = front.len().min(room.len());
            let (here, rest) = room.split_at_mut(count);
            here.copy_from_slice(&front[..count]);
            self.consume(count, spare);
            room = rest;
        }
    }
}

/// Bytes that the application has written, with the ends of messages among them.
#[derive(Debug, Default)]
pub(super) struct SendBuffer {
    bytes: Chain,
    /// The length of each whole message that is left, first to last; what lies behind belongs to an unfinished one.
    messages: VecDeque<u32>,
    /// How long that unfinished one is, as far as it is here.
    unfinished: usize,
}

impl SendBuffer {
    pub(super) fn is_empty(&self) -> bool {
        self.bytes.length == 0 && self.messages.is_empty()
    }

    /// What it counts as. An end of a message costs as a frame does, so that empty messages are bounded too.
    pub(super) fn cost(&self) -> usize {
        self.bytes.length + self.messages.len() * FRAME_COST
    }

    /// What an empty one holds.
    pub(super) fn bytes(&self) -> usize {
        size_of::<Self>()
            + self.bytes.segments.capacity() * size_of::<Segment>()
            + self.messages.capacity() * size_of::<u32>()
    }

    /// Takes what fits below a cost of `limit`: how many bytes, and whether the end of the message too.
    pub(super) fn write(
        &mut self,
        bytes: Source<'_>,
        end_of_message: bool,
        limit: usize,
        spare: &mut Spare,
    ) -> (usize, bool) {
        let room = limit.saturating_sub(self.cost());
        if end_of_message && bytes.len() + FRAME_COST <= room {
            self.bytes.push_from(bytes, bytes.len(), spare);
            self.messages.push_back((self.unfinished + bytes.len()) as u32);
            self.unfinished = 0;
            return (bytes.len(), true);
        }
        // The last byte stays with its end, so that a short count always says that the end was not taken.
        let offered = bytes.len() - usize::from(end_of_message && !bytes.is_empty());
        let taken = offered.min(room);
        self.bytes.push_from(bytes, taken, spare);
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
    pub(super) fn take(&mut self, room: &mut [u8], end_of_message: bool, spare: &mut Spare) {
        let taken = room.len();
        self.bytes.take(room, spare);
        if end_of_message {
            self.messages.pop_front();
        } else if let Some(length) = self.messages.front_mut() {
            *length -= taken as u32;
        } else {
            self.unfinished -= taken;
        }
    }
}

/// Payload that came in and was not read.
#[derive(Debug, Default)]
pub(super) struct ReceiveBuffer {
    bytes: Chain,
    /// Each frame that is left: twice the bytes that are left of it, plus one if a message ends with it.
    frames: VecDeque<u32>,
}

/// What a read takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Read {
    /// How many bytes, which lie together.
    pub(super) length: usize,
    pub(super) end_of_message: bool,
    /// What they and the frames that they complete cost in credit.
    pub(super) cost: u32,
}

impl ReceiveBuffer {
    pub(super) fn is_empty(&self) -> bool {
        self.frames.is_empty()
    }

    /// What an empty one holds.
    pub(super) fn bytes(&self) -> usize {
        size_of::<Self>()
            + self.bytes.segments.capacity() * size_of::<Segment>()
            + self.frames.capacity() * size_of::<u32>()
    }

    pub(super) fn push(&mut self, payload: &[u8], end_of_message: bool, spare: &mut Spare) {
        self.bytes.push(payload, spare);
        self.frames.push_back((payload.len() as u32) << 1 | u32::from(end_of_message));
    }

    /// The first bytes, as far as they lie together.
    pub(super) fn front(&self) -> &[u8] {
        self.bytes.front()
    }

    /// Takes up to `bytes_max` bytes that lie together off the frames, not beyond a message's end. They are at the
    /// [`front`](Self::front) until they are [consumed](Self::consume).
    pub(super) fn read(&mut self, bytes_max: usize) -> Option<Read> {
        let together = self.front().len().min(bytes_max);
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
        read.then(|| Read { length: taken, end_of_message, cost: (cost + taken) as u32 })
    }

    /// Drops what was read.
    pub(super) fn consume(&mut self, length: usize, spare: &mut Spare) {
        self.bytes.consume(length, spare);
    }
}
