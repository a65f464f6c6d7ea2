//! Frames by hand, so that a hostile peer can say anything, and what a mux says can be judged by other code than its own.

use fabric::mux::Mux;
use machine::Instant;

pub(crate) fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = (payload.len() as u16).to_be_bytes();
    [&[kind, flags, length[0], length[1]][..], &stream.to_be_bytes(), payload].concat()
}

pub(crate) fn open(stream: u32, service: &str) -> Vec<u8> {
    open_with(stream, 8192, service)
}

pub(crate) fn open_with(stream: u32, credit: u32, service: &str) -> Vec<u8> {
    frame(1, 4, stream, &[&credit.to_be_bytes()[..], service.as_bytes()].concat())
}

pub(crate) fn open_ack(stream: u32) -> Vec<u8> {
    frame(2, 0, stream, &8192u32.to_be_bytes())
}

pub(crate) fn data(stream: u32, payload: &[u8]) -> Vec<u8> {
    frame(3, 1, stream, payload)
}

pub(crate) fn window_update(stream: u32, delta: u32) -> Vec<u8> {
    frame(4, 0, stream, &delta.to_be_bytes())
}

pub(crate) fn rst(stream: u32) -> Vec<u8> {
    frame(5, 0, stream, &7u32.to_be_bytes())
}

pub(crate) fn ping(token: u64) -> Vec<u8> {
    frame(6, 0, 0, &token.to_be_bytes())
}

pub(crate) fn pong(token: u64) -> Vec<u8> {
    frame(7, 0, 0, &token.to_be_bytes())
}

pub(crate) fn close(stream: u32, code: u32) -> Vec<u8> {
    frame(8, 0, stream, &code.to_be_bytes())
}

/// One frame as it lies on the wire.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Seen {
    pub(crate) kind: u8,
    pub(crate) flags: u8,
    pub(crate) stream: u32,
    pub(crate) payload: Vec<u8>,
}

impl Seen {
    /// The first field of most payloads: a code, a credit, a delta.
    pub(crate) fn number(&self) -> u32 {
        u32::from_be_bytes(self.payload[..4].try_into().unwrap())
    }
}

pub(crate) fn frames(mut record: &[u8]) -> Vec<Seen> {
    let mut frames = Vec::new();
    while !record.is_empty() {
        let length = usize::from(u16::from_be_bytes([record[2], record[3]]));
        let stream = u32::from_be_bytes(record[4..8].try_into().unwrap());
        frames.push(Seen { kind: record[0], flags: record[1], stream, payload: record[8..8 + length].to_vec() });
        record = &record[8 + length..];
    }
    frames
}

/// All that a mux has to say.
pub(crate) fn said(mux: &mut Mux, now: Instant) -> Vec<Seen> {
    let mut room = vec![0; 65_519];
    let mut said = Vec::new();
    loop {
        let length = mux.fill(now, &mut room);
        if length == 0 {
            return said;
        }
        said.extend(frames(&room[..length]));
    }
}

/// The streams of the DATA frames that a mux sends now.
pub(crate) fn data_streams(mux: &mut Mux, now: Instant) -> Vec<u32> {
    said(mux, now).into_iter().filter(|frame| frame.kind == 3).map(|frame| frame.stream).collect()
}
