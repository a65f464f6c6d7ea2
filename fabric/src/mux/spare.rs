//! Buffers that were emptied, for the streams that need some next: a session that works allocates nothing.

#![expect(
    clippy::vec_box,
    clippy::unnecessary_box_returns,
    reason = "the boxes go from stream to stream: moving what is in them would allocate"
)]

use super::buffer::{ReceiveBuffer, SendBuffer};
use alloc::boxed::Box;
use alloc::vec::Vec;

/// The most that is kept: what a hundred streams of a message of 16 KiB use in turn. Silence gives all of it back.
const BYTES_MAX: usize = 2 * 1024 * 1024;
/// Segments are powers of two, from this one on.
const SEGMENT_BYTES_MIN: usize = 64;
/// Up to 64 KiB; longer ones are not kept.
const SIZES: usize = 11;

/// The spare buffers of one session.
#[derive(Debug, Default)]
pub(super) struct Spare {
    /// By size.
    segments: Option<Box<[Vec<Vec<u8>>; SIZES]>>,
    outgoing: Vec<Box<SendBuffer>>,
    incoming: Vec<Box<ReceiveBuffer>>,
    /// What all of them hold.
    bytes: usize,
}

impl Spare {
    /// An empty segment with room for so many bytes, and less than twice as many.
    pub(super) fn segment(&mut self, bytes: usize) -> Vec<u8> {
        let wanted = bytes.next_power_of_two().max(SEGMENT_BYTES_MIN);
        let found = self.segments.as_mut().and_then(|sizes| sizes.get_mut(size(wanted))?.pop());
        self.bytes -= found.as_ref().map_or(0, Vec::capacity);
        found.unwrap_or_else(|| Vec::with_capacity(wanted))
    }

    /// Keeps a segment, emptied.
    pub(super) fn put_segment(&mut self, mut segment: Vec<u8>) {
        let size = size(segment.capacity());
        if size >= SIZES || !self.makes_place(segment.capacity(), size) {
            return;
        }
        segment.clear();
        self.segments.get_or_insert_default()[size].push(segment);
    }

    /// Drops segments of other sizes until there is place for so many bytes, which is taken then: what is kept follows what
    /// is needed.
    fn makes_place(&mut self, bytes: usize, size: usize) -> bool {
        while !self.keeps(bytes) {
            let others = self.segments.iter_mut().flat_map(|sizes| sizes.iter_mut().enumerate());
            let mut others = others.filter(|(other, _)| *other != size);
            let Some(dropped) = others.find_map(|(_, segments)| segments.pop()) else { return false };
            self.bytes -= dropped.capacity();
        }
        true
    }

    pub(super) fn outgoing(&mut self) -> Box<SendBuffer> {
        let Some(buffer) = self.outgoing.pop() else { return Box::default() };
        self.bytes -= buffer.bytes();
        buffer
    }

    /// Keeps a buffer, which is empty.
    pub(super) fn put_outgoing(&mut self, buffer: Box<SendBuffer>) {
        if self.keeps(buffer.bytes()) {
            self.outgoing.push(buffer);
        }
    }

    pub(super) fn incoming(&mut self) -> Box<ReceiveBuffer> {
        let Some(buffer) = self.incoming.pop() else { return Box::default() };
        self.bytes -= buffer.bytes();
        buffer
    }

    /// Keeps a buffer, which is empty.
    pub(super) fn put_incoming(&mut self, buffer: Box<ReceiveBuffer>) {
        if self.keeps(buffer.bytes()) {
            self.incoming.push(buffer);
        }
    }

    /// Whether there is place for so many bytes, which is taken then.
    const fn keeps(&mut self, bytes: usize) -> bool {
        let keeps = self.bytes + bytes <= BYTES_MAX;
        if keeps {
            self.bytes += bytes;
        }
        keeps
    }
}

/// Which of the sizes a segment is of.
const fn size(capacity: usize) -> usize {
    (capacity / SEGMENT_BYTES_MIN).ilog2() as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_segment_is_used_again_for_what_it_fits() {
        let mut spare = Spare::default();
        let first = spare.segment(1000);
        let at = first.as_ptr();
        assert_eq!(first.capacity(), 1024);
        spare.put_segment(first);
        assert_ne!(spare.segment(100).capacity(), 1024);
        let again = spare.segment(513);
        assert_eq!(again.as_ptr(), at);
        assert_eq!(spare.bytes, 0);
    }

    #[test]
    fn what_is_kept_is_bounded_and_follows_what_is_needed() {
        let mut spare = Spare::default();
        for bytes in [64, 16 * 1024] {
            let segments: Vec<_> = (0..2 * BYTES_MAX / bytes).map(|_| spare.segment(bytes)).collect();
            for segment in segments {
                spare.put_segment(segment);
            }
            assert_eq!(spare.bytes, BYTES_MAX);
            assert_eq!(spare.segments.as_ref().unwrap()[size(bytes)].len(), BYTES_MAX / bytes);
        }
        spare.put_segment(Vec::with_capacity(128 * 1024));
        assert_eq!(spare.bytes, BYTES_MAX, "no stream's own segment is so long");
    }
}
