//! A stored counter that never falls. Knows the two stored values, no pipes.
//!
//! A write that a crash interrupts may tear its value, so writes go to two keys in turn, never over the newest value
//! that is known to be durable.

use alloc::vec::Vec;

use machine::{Boot, Duration, Instant, StoreFailed};

use crate::wire::{self, Reader};

const KEYS: [&str; 2] = ["counter-0", "counter-1"];
const RETRY_AFTER: Duration = Duration::from_millis(100);
const RETRY_AFTER_MAX: Duration = Duration::from_millis(1_600);

#[derive(Debug)]
pub(super) struct Counter {
    /// The last value given to a request.
    given: u64,
    /// The last value known to be durable.
    durable: u64,
    /// Which key the next write replaces: not the one that holds `durable`.
    slot: usize,
    write: Write,
    retry_after: Duration,
}

#[derive(Clone, Copy, Debug)]
enum Write {
    Idle,
    Running { value: u64 },
    Failed { retry: Instant },
}

impl Counter {
    pub(super) fn new(boot: &Boot) -> Self {
        let [first, second] = KEYS.map(|key| boot.stored.get(key).and_then(|bytes| decode(bytes)).unwrap_or(0));
        let durable = first.max(second);
        let slot = usize::from(first >= second);
        Self { given: durable, durable, slot, write: Write::Idle, retry_after: RETRY_AFTER }
    }

    pub(super) fn durable(&self) -> u64 {
        self.durable
    }

    /// A new value for one request.
    pub(super) fn next(&mut self) -> u64 {
        self.given += 1;
        self.given
    }

    /// The write to start now: a key and its value.
    pub(super) fn start_write(&mut self) -> Option<(&'static str, Vec<u8>)> {
        if !matches!(self.write, Write::Idle) || self.given == self.durable {
            return None;
        }
        self.write = Write::Running { value: self.given };
        Some((KEYS[self.slot], encode(self.given)))
    }

    pub(super) fn on_stored(&mut self, now: Instant, key: &str, result: Result<(), StoreFailed>) {
        let Write::Running { value } = self.write else { return };
        if key != KEYS[self.slot] {
            return;
        }
        if result.is_ok() {
            self.durable = value;
            self.slot = 1 - self.slot;
            self.write = Write::Idle;
            self.retry_after = RETRY_AFTER;
        } else {
            self.write = Write::Failed { retry: now + self.retry_after };
            self.retry_after = self.retry_after.saturating_mul(2).min(RETRY_AFTER_MAX);
        }
    }

    pub(super) fn on_timeout(&mut self, now: Instant) {
        if self.next_timeout().is_some_and(|retry| retry <= now) {
            self.write = Write::Idle;
        }
    }

    pub(super) fn next_timeout(&self) -> Option<Instant> {
        match self.write {
            Write::Failed { retry } => Some(retry),
            Write::Idle | Write::Running { .. } => None,
        }
    }
}

fn encode(value: u64) -> Vec<u8> {
    let mut bytes = value.to_be_bytes().to_vec();
    wire::seal(&mut bytes);
    bytes
}

fn decode(stored: &[u8]) -> Option<u64> {
    let mut reader = Reader(wire::open(stored)?);
    let value = reader.u64()?;
    reader.0.is_empty().then_some(value)
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;

    fn boot(values: [Option<&[u8]>; 2]) -> Counter {
        let stored = KEYS.iter().zip(values).filter_map(|(key, value)| Some((key.to_string(), value?.to_vec())));
        Counter::new(&Boot { stored: stored.collect(), ..Boot::default() })
    }

    #[test]
    fn the_stored_layout_is_fixed() {
        assert_eq!(encode(7), [0, 0, 0, 0, 0, 0, 0, 7, 0xA8, 0xC7, 0xF1, 0x32, 0x28, 0x1A, 0x2D, 0xE0]);
    }

    #[test]
    fn a_torn_write_leaves_the_durable_value() {
        let torn = &encode(9)[..11];
        let mut counter = boot([Some(torn), Some(&encode(8))]);
        assert_eq!(counter.durable(), 8);
        counter.next();
        assert_eq!(counter.start_write().map(|(key, _)| key), Some(KEYS[0]), "the durable value is not overwritten");
    }

    #[test]
    fn the_newer_of_two_whole_values_counts() {
        let mut counter = boot([Some(&encode(9)), Some(&encode(8))]);
        assert_eq!(counter.next(), 10);
        assert_eq!(counter.start_write(), Some((KEYS[1], encode(10))));
    }

    #[test]
    fn a_failed_write_is_tried_again_on_the_same_key() {
        let mut counter = boot([None, None]);
        counter.next();
        let first = counter.start_write();
        counter.on_stored(Instant::ZERO, KEYS[1], Err(StoreFailed));
        assert_eq!(counter.start_write(), None, "not before its time");
        counter.on_timeout(Instant::ZERO + RETRY_AFTER);
        assert_eq!(counter.start_write(), first);
        assert_eq!(counter.durable(), 0);
    }
}
