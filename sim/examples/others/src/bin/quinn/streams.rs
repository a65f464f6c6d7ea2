//! The streams of one connection: a client's pieces of work, or what a server sends back.

use crate::node::Event;
use quinn_proto::{Connection, Dir, ReadError, StreamId, VarInt, WriteError};
use std::collections::{BTreeMap, VecDeque};

/// What a client has to do: the bytes of each piece of work, and which are done.
pub(crate) type Works<'a> = (&'a [u64], &'a [bool]);

/// A server holds no more than this of a stream: more is read when it has been sent back.
const HELD_MAX: usize = 16 * 1024;
/// Written at a time.
const CHUNK: u64 = 4 * 1024;

#[derive(Debug, Default)]
struct Stream {
    /// The piece of work, at a client.
    work: usize,
    written: u64,
    read: u64,
    /// Read and not yet sent back.
    held: VecDeque<u8>,
    /// The peer's half is over.
    has_ended: bool,
    is_finished: bool,
}

#[derive(Debug)]
pub(crate) struct Streams {
    of: BTreeMap<StreamId, Stream>,
    /// Whether all works have been given a stream, or the next one that has not.
    next_work: usize,
    unordered: bool,
}

/// The content of a stream: each of its bytes is a function of its place.
pub(crate) fn content(stream: u64, offset: u64, length: u64) -> Vec<u8> {
    let key = sim::fate::Key::root(stream);
    (offset..offset + length).map(|place| (key.number(place / 8).draw(0) >> (place % 8 * 8)) as u8).collect()
}

impl Streams {
    pub(crate) const fn new(unordered: bool) -> Self {
        Self { of: BTreeMap::new(), next_work: 0, unordered }
    }

    /// Reads and writes what can be. Whether anything could.
    pub(crate) fn serve(
        &mut self,
        connection: &mut Connection,
        number: u64,
        works: Option<Works<'_>>,
        events: &mut VecDeque<Event>,
    ) -> bool {
        if connection.is_handshaking() {
            return false;
        }
        match works {
            Some(works) => self.open(connection, works),
            None => self.accept(connection),
        }
        let mut moved = false;
        for (id, stream) in &mut self.of {
            moved |= stream.receive(connection, *id, number, self.unordered, works.is_some(), events);
            moved |= match works {
                Some((lengths, _)) => stream.send(connection, *id, lengths[stream.work]),
                None => stream.send_back(connection, *id),
            };
        }
        moved
    }

    fn open(&mut self, connection: &mut Connection, (lengths, done): Works<'_>) {
        while self.next_work < lengths.len() {
            if !done[self.next_work] {
                let Some(id) = connection.streams().open(Dir::Bi) else { return };
                self.of.insert(id, Stream { work: self.next_work, ..Stream::default() });
            }
            self.next_work += 1;
        }
    }

    fn accept(&mut self, connection: &mut Connection) {
        while let Some(id) = connection.streams().accept(Dir::Bi) {
            self.of.insert(id, Stream::default());
        }
    }
}

impl Stream {
    fn receive(
        &mut self,
        connection: &mut Connection,
        id: StreamId,
        number: u64,
        unordered: bool,
        is_client: bool,
        events: &mut VecDeque<Event>,
    ) -> bool {
        if self.has_ended || self.held.len() >= HELD_MAX {
            return false;
        }
        let mut receiver = connection.recv_stream(id);
        let Ok(mut chunks) = receiver.read(!unordered) else { return false };
        let mut moved = false;
        loop {
            match chunks.next(HELD_MAX) {
                Ok(Some(chunk)) => {
                    moved = true;
                    let (offset, length, digest) = (self.read, chunk.bytes.len() as u64, sim::digest(&chunk.bytes));
                    self.read += length;
                    events.push_back(Event::Read { connection: number, stream: raw(id), offset, length, digest });
                    if !is_client {
                        self.held.extend(&chunk.bytes);
                        if self.held.len() >= HELD_MAX {
                            break;
                        }
                    }
                }
                Ok(None) => {
                    moved = true;
                    self.has_ended = true;
                    if is_client {
                        events.push_back(Event::Done { work: self.work, length: self.read });
                    }
                    break;
                }
                Err(ReadError::Blocked) => break,
                Err(ReadError::Reset(_)) => {
                    self.has_ended = true;
                    break;
                }
            }
        }
        // What has to be sent for it is sent with everything else.
        let _ = chunks.finalize();
        moved
    }

    /// A client's half: so many bytes.
    fn send(&mut self, connection: &mut Connection, id: StreamId, length: u64) -> bool {
        let mut moved = false;
        while self.written < length {
            let bytes = content(raw(id), self.written, CHUNK.min(length - self.written));
            match connection.send_stream(id).write(&bytes) {
                Ok(count) => self.written += count as u64,
                Err(WriteError::Blocked) => return moved,
                Err(_) => {
                    self.is_finished = true;
                    return moved;
                }
            }
            moved = true;
        }
        moved | self.finish(connection, id)
    }

    /// A server's half: what it holds.
    fn send_back(&mut self, connection: &mut Connection, id: StreamId) -> bool {
        let mut moved = false;
        while !self.held.is_empty() {
            match connection.send_stream(id).write(self.held.make_contiguous()) {
                Ok(count) => drop(self.held.drain(..count)),
                Err(WriteError::Blocked) => return moved,
                Err(_) => {
                    (self.is_finished, self.has_ended) = (true, true);
                    self.held.clear();
                }
            }
            moved = true;
        }
        moved | (self.has_ended && self.finish(connection, id))
    }

    fn finish(&mut self, connection: &mut Connection, id: StreamId) -> bool {
        // A peer that has stopped reading has ended it already.
        let is_first = !core::mem::replace(&mut self.is_finished, true);
        is_first && connection.send_stream(id).finish().is_ok()
    }
}

fn raw(id: StreamId) -> u64 {
    VarInt::from(id).into_inner()
}
