//! Frames that a peer with a valid key may think of, and what a side's frames grant and cost (wire contract, 4), decoded
//! apart from the core.

use crate::choices::Choices;
use std::collections::BTreeMap;

const OPEN: u8 = 1;
const OPEN_ACK: u8 = 2;
const DATA: u8 = 3;
pub(crate) const WINDOW_UPDATE: u8 = 4;
const HEADER_BYTES: usize = 8;

/// One frame, well formed or nearly so.
pub(crate) fn invent(choices: &mut Choices<'_>) -> Vec<u8> {
    let kind = choices.u8() % 10;
    let stream = match choices.u8() {
        small @ 0..=63 => u32::from(small),
        64 => u32::MAX,
        65 => choices.u32(),
        odd => u32::from(odd) * 2 + 1,
    };
    match kind {
        OPEN => {
            let (priority, credit) = (choices.u8() % 9, credit(choices));
            let service = choices.pick(&["echo", "mute", "call", "pair", "admin", "", "a\n"]);
            frame(OPEN, priority, stream, &[&credit.to_be_bytes(), service.as_bytes()].concat())
        }
        OPEN_ACK => frame(OPEN_ACK, 0, stream, &credit(choices).to_be_bytes()),
        DATA => {
            let flags = choices.u8() & 1;
            let payload = payload(choices);
            frame(DATA, flags, stream, &payload)
        }
        WINDOW_UPDATE => frame(WINDOW_UPDATE, 0, stream, &credit(choices).to_be_bytes()),
        5 => frame(5, 0, stream, &u32::from(choices.u8()).to_be_bytes()),
        6 | 7 => frame(kind, 0, 0, &u64::from(choices.u8()).to_be_bytes()),
        8 => frame(8, 0, stream, &u32::from(choices.u8()).to_be_bytes()),
        _ => {
            let (kind, flags, length) = (choices.u8(), choices.u8(), choices.u8());
            frame(kind, flags, stream, choices.bytes(usize::from(length)))
        }
    }
}

fn credit(choices: &mut Choices<'_>) -> u32 {
    match choices.u8() % 8 {
        0 => 0,
        1 => 1,
        2 => 4_096,
        3 => 1 << 20,
        4 => (1 << 31) - 1,
        5 => 1 << 31,
        6 => u32::from(choices.u16()),
        _ => choices.u32(),
    }
}

fn payload(choices: &mut Choices<'_>) -> Vec<u8> {
    match choices.u8() % 8 {
        // A call, of a method that there may be.
        0 => {
            let (correlation, method, length) =
                (u64::from(choices.u8()), choices.pick(&["get", "fail", "late", "hidden", ""]), choices.u8());
            let head = [&correlation.to_be_bytes()[..], &[method.len() as u8], method.as_bytes()].concat();
            [&head, choices.bytes(usize::from(length))].concat()
        }
        // A message of pairing: a commitment that cannot be opened is the most that a guess comes to.
        1 => {
            let (kind, length) = (choices.u8() % 5, choices.pick(&[32_usize, 0, 31]));
            let mut message = vec![kind];
            message.resize(1 + length, choices.u8());
            message
        }
        2 => vec![choices.u8(); usize::from(choices.u16())],
        _ => {
            let length = choices.u8();
            choices.bytes(usize::from(length)).to_vec()
        }
    }
}

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let payload = &payload[..payload.len().min(40_000)];
    let [high, low] = (payload.len() as u16).to_be_bytes();
    [&[kind, flags, high, low][..], &stream.to_be_bytes(), payload].concat()
}

/// A decoded frame: kind, flags, stream, payload.
pub(crate) type Decoded<'a> = (u8, u8, u32, &'a [u8]);

/// The whole frames at the front of a record, and what is left.
pub(crate) fn decode(mut record: &[u8]) -> (Vec<Decoded<'_>>, &[u8]) {
    let mut frames = Vec::new();
    while let Some((&[kind, flags, high, low, s0, s1, s2, s3], rest)) = record.split_first_chunk::<HEADER_BYTES>() {
        let length = usize::from(u16::from_be_bytes([high, low]));
        let Some((payload, rest)) = rest.split_at_checked(length) else { break };
        frames.push((kind, flags, u32::from_be_bytes([s0, s1, s2, s3]), payload));
        record = rest;
    }
    (frames, record)
}

fn number(payload: &[u8]) -> u64 {
    payload.first_chunk().map_or(0, |bytes| u64::from(u32::from_be_bytes(*bytes)))
}

/// What one side may send: what it was granted, less what it has sent. A peer that breaks the contract may grant too much
/// here, never too little.
pub(crate) struct Ledger {
    session: u64,
    streams: BTreeMap<u32, u64>,
}

impl Ledger {
    /// A session starts with 1 MiB.
    pub(crate) const fn new() -> Self {
        Self { session: 1 << 20, streams: BTreeMap::new() }
    }

    /// The other side has said this.
    pub(crate) fn hear(&mut self, record: &[u8]) {
        for (kind, _, stream, payload) in decode(record).0 {
            match kind {
                WINDOW_UPDATE if stream == 0 => self.session += number(payload),
                OPEN | OPEN_ACK | WINDOW_UPDATE => *self.streams.entry(stream).or_default() += number(payload),
                _ => {}
            }
        }
    }

    /// This side has said this, which must be whole frames, and covered.
    pub(crate) fn say(&mut self, record: &[u8]) {
        let (frames, rest) = decode(record);
        assert!(rest.is_empty() && !frames.is_empty(), "a record of our own that is not whole frames: {record:?}");
        for (kind, flags, stream, payload) in frames {
            assert!((1..=8).contains(&kind), "a frame of our own of kind {kind}");
            if kind == DATA {
                let cost = payload.len() as u64 + HEADER_BYTES as u64;
                assert!(payload.len() <= 32_768 && flags <= 1, "a DATA frame of our own out of bounds");
                let credit = self.streams.get(&stream).copied().unwrap_or_default();
                assert!(cost <= credit && cost <= self.session, "stream {stream} sends without credit");
                self.session -= cost;
                self.streams.insert(stream, credit - cost);
            }
        }
    }
}
