//! All streams of a session, found by id. Ids rise, so each side's streams lie in order of their opening.

use super::stream::{State, Stream};
use super::{Role, StreamId};
use alloc::vec::Vec;

/// The streams that one side opened.
#[derive(Debug, Default)]
pub(super) struct Side {
    streams: Vec<Stream>,
    /// The highest id that was opened; 0 before the first.
    pub(super) highest: u32,
    /// How many count as open between the two sides; others are here until they are read.
    pub(super) live: usize,
}

impl Side {
    /// How many are open, or not read to their end.
    pub(super) fn len(&self) -> usize {
        self.streams.len()
    }

    fn position(&self, stream: StreamId) -> Option<usize> {
        self.streams.binary_search_by_key(&stream, |stream| stream.id).ok()
    }
}

#[derive(Debug)]
pub(super) struct Streams {
    role: Role,
    pub(super) own: Side,
    pub(super) peers: Side,
}

impl Streams {
    pub(super) fn new(role: Role) -> Self {
        Self { role, own: Side::default(), peers: Side::default() }
    }

    /// Whether this side opens streams with such an id.
    pub(super) fn is_own(&self, stream: StreamId) -> bool {
        (stream.0 % 2 == 1) == (self.role == Role::Initiator)
    }

    /// The id for the next stream of this side; `None` when they are used up.
    pub(super) fn next_own(&self) -> Option<StreamId> {
        let first = if self.role == Role::Initiator { 1 } else { 2 };
        let next = if self.own.highest == 0 { Some(first) } else { self.own.highest.checked_add(2) };
        next.map(StreamId)
    }

    /// How many are open, or not read to their end, of both sides.
    pub(super) fn len(&self) -> usize {
        self.own.len() + self.peers.len()
    }

    /// How many count as open, of both sides.
    pub(super) fn live(&self) -> usize {
        self.own.live + self.peers.live
    }

    pub(super) fn is_empty(&self) -> bool {
        self.own.streams.is_empty() && self.peers.streams.is_empty()
    }

    pub(super) fn get(&self, stream: StreamId) -> Option<&Stream> {
        let side = if self.is_own(stream) { &self.own } else { &self.peers };
        side.position(stream).map(|position| &side.streams[position])
    }

    pub(super) fn get_mut(&mut self, stream: StreamId) -> Option<&mut Stream> {
        let side = self.side(stream);
        side.position(stream).map(|position| &mut side.streams[position])
    }

    /// The stream's row of the state table.
    pub(super) fn state(&self, stream: StreamId) -> State {
        let side = if self.is_own(stream) { &self.own } else { &self.peers };
        match side.position(stream) {
            Some(position) => side.streams[position].state,
            None if stream.0 > side.highest => State::Idle,
            None => State::Closed,
        }
    }

    /// Adds a stream with the highest id of its side.
    pub(super) fn insert(&mut self, stream: Stream) {
        let side = self.side(stream.id);
        side.highest = stream.id.0;
        side.live += 1;
        side.streams.push(stream);
    }

    /// A stream does not count as open any more.
    pub(super) fn closed(&mut self, stream: StreamId) {
        self.side(stream).live -= 1;
    }

    pub(super) fn remove(&mut self, stream: StreamId) {
        let side = self.side(stream);
        if let Some(position) = side.position(stream) {
            side.streams.remove(position);
        }
        if side.streams.len() < side.streams.capacity() / 4 {
            side.streams.shrink_to(side.streams.capacity() / 2);
        }
    }

    pub(super) fn clear(&mut self) {
        for side in [&mut self.own, &mut self.peers] {
            side.streams = Vec::new();
            side.live = 0;
        }
    }

    fn side(&mut self, stream: StreamId) -> &mut Side {
        if self.is_own(stream) { &mut self.own } else { &mut self.peers }
    }
}
