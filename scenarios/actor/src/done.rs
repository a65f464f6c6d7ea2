//! When the node began and which work is over, kept in storage so that a restarted node neither does it again nor waits for
//! the rest of it anew. A value that does not check is none.

use alloc::collections::BTreeSet;
use alloc::vec::Vec;
use machine::{Boot, Instant};

const KEY: &str = "done";

/// The time of the first boot, 8 bytes, and ids of work that is over, 4 bytes each and rising; all big-endian, after a
/// checksum of 8 bytes.
#[derive(Debug)]
pub(crate) struct DoneList {
    began: Instant,
    ids: BTreeSet<u32>,
    encoded: Vec<u8>,
    has_news: bool,
    is_storing: bool,
}

impl DoneList {
    pub(crate) fn load(boot: &Boot) -> Self {
        let known = boot.stored.get(KEY).and_then(|bytes| decode(bytes));
        let has_news = known.is_none();
        let (began, ids) = known.unwrap_or((boot.now, BTreeSet::new()));
        Self { began, ids, encoded: Vec::new(), has_news, is_storing: false }
    }

    /// When the node booted first, as far as it remembers.
    pub(crate) const fn began(&self) -> Instant {
        self.began
    }

    pub(crate) fn contains(&self, id: u32) -> bool {
        self.ids.contains(&id)
    }

    pub(crate) fn add(&mut self, id: u32) {
        self.has_news |= self.ids.insert(id);
    }

    /// Whether the list is to be stored: one write at a time, the next with all that came meanwhile.
    pub(crate) const fn wants_store(&self) -> bool {
        self.has_news && !self.is_storing
    }

    pub(crate) fn store(&mut self) -> (&'static str, &[u8]) {
        (self.has_news, self.is_storing) = (false, true);
        let mut value = Vec::from(self.began.as_nanos().to_be_bytes());
        value.extend(self.ids.iter().flat_map(|id| id.to_be_bytes()));
        self.encoded.clear();
        self.encoded.extend(checksum(&value).to_be_bytes());
        self.encoded.extend(value);
        (KEY, &self.encoded)
    }

    /// A write has ended. One that failed is forgotten: the work is done again after a restart, which is allowed.
    pub(crate) fn stored(&mut self, key: &str) {
        self.is_storing &= key != KEY;
    }
}

fn decode(bytes: &[u8]) -> Option<(Instant, BTreeSet<u32>)> {
    let (sum, value) = bytes.split_first_chunk()?;
    let (began, ids) = value.split_first_chunk()?;
    if checksum(value) != u64::from_be_bytes(*sum) || !ids.len().is_multiple_of(4) {
        return None;
    }
    let ids =
        ids.chunks_exact(4).map(|id| id.iter().fold(0, |number, byte| (number << 8) | u32::from(*byte))).collect();
    Some((Instant::from_nanos(u64::from_be_bytes(*began)), ids))
}

/// FNV-1a, 64 bits.
fn checksum(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xCBF2_9CE4_8422_2325, |sum, byte| (sum ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01B3))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn booted(value: &[u8]) -> DoneList {
        DoneList::load(&Boot { stored: [(KEY.into(), value.to_vec())].into(), ..Boot::default() })
    }

    #[test]
    fn what_was_done_is_known_after_a_restart_and_torn_values_are_not_believed() {
        let mut list = DoneList::load(&Boot { now: Instant::from_nanos(5), ..Boot::default() });
        assert!(list.wants_store(), "when it began");
        list.add(7);
        list.add(300);
        assert!(list.wants_store());
        let value = list.store().1.to_vec();
        list.add(8);
        assert!(!list.wants_store(), "one write at a time");
        list.stored(KEY);
        assert!(list.wants_store());
        let again = booted(&value);
        assert!(again.contains(7) && again.contains(300) && !again.contains(8));
        assert_eq!(again.began(), Instant::from_nanos(5), "and work is not put off by a restart");
        for cut in 0..value.len() {
            assert!(!booted(&value[..cut]).contains(7), "{cut}");
        }
    }
}
