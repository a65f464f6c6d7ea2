//! What a side has granted, by its frames alone: an oracle that shares nothing with the code under test.

use crate::wire::{Seen, frames};
use std::collections::BTreeMap;

/// Credit that one side has granted and the other not used.
pub(crate) struct Ledger {
    session: u64,
    streams: BTreeMap<u32, u64>,
}

impl Ledger {
    pub(crate) fn new() -> Self {
        Self { session: 1 << 20, streams: BTreeMap::new() }
    }

    /// The side says this.
    pub(crate) fn sends(&mut self, record: &[u8]) {
        let mut data_seen = false;
        for frame in frames(record) {
            let is_data = matches!(frame.kind, 3) || frame.kind == 8 && frame.stream != 0;
            assert!(is_data || !data_seen, "control goes ahead of data: {frame:?}");
            data_seen |= is_data;
            self.grants(&frame);
        }
    }

    fn grants(&mut self, frame: &Seen) {
        let stream = self.streams.entry(frame.stream).or_default();
        match (frame.kind, frame.stream) {
            (1 | 2, _) => *stream = u64::from(frame.number()),
            (4, 0) => self.session += u64::from(frame.number()),
            (4, _) => *stream += u64::from(frame.number()),
            (5, _) => *stream = 0,
            _ => return,
        }
        assert!(self.session < 1 << 31 && self.streams.values().all(|credit| *credit < 1 << 31));
        if frame.kind != 5 {
            let sum: u64 = self.streams.values().sum();
            assert!(sum <= self.session, "streams may use {sum} of {}", self.session);
        }
    }

    /// What the other side may still send, and what of it on streams.
    pub(crate) fn unused(&self) -> (u64, u64) {
        (self.session, self.streams.values().sum())
    }

    /// The other side says this.
    pub(crate) fn hears(&mut self, record: &[u8]) {
        for frame in frames(record) {
            let cost = 8 + frame.payload.len() as u64;
            match frame.kind {
                3 => {
                    self.session = self.session.checked_sub(cost).expect("the session has credit");
                    let stream = self.streams.entry(frame.stream).or_default();
                    // A stream that was reset may still bring what crossed the RST.
                    *stream = stream.saturating_sub(cost);
                }
                5 | 8 if frame.stream != 0 => {
                    self.streams.insert(frame.stream, 0);
                }
                _ => {}
            }
        }
    }
}
