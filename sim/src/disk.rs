//! A node's storage: values by key that may fail, tear and rot, as `machine`'s contract allows.

use crate::fate::{Chance, Delay, Key};
use std::collections::{BTreeMap, VecDeque};

/// How one node's storage behaves. The default is perfect and immediate.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DiskProfile {
    /// From the request to the answer.
    pub delay: Delay,
    /// A write fails; the old value stands.
    pub fail: Chance,
    /// A write that a crash interrupts leaves a mix of the new and the old value.
    pub torn: Chance,
    /// At a restart, each value has one bit flipped with this chance, although it was acknowledged.
    pub rot: Chance,
}

mod lane {
    pub(super) const DELAY: u64 = 0;
    pub(super) const FAIL: u64 = 1;
    pub(super) const KEPT: u64 = 2;
    pub(super) const TORN: u64 = 3;
    pub(super) const TORN_AT: u64 = 4;
    pub(super) const ROT: u64 = 5;
    pub(super) const ROT_BIT: u64 = 6;
}

/// What happens to one write.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StoreFate {
    /// When the answer comes.
    pub delay: machine::Duration,
    /// It is refused.
    pub failed: bool,
}

#[derive(Debug)]
pub(crate) struct Write {
    pub(crate) key: String,
    bytes: Vec<u8>,
    number: u64,
    failed: bool,
}

#[derive(Debug, Default)]
pub(crate) struct Disk {
    pub(crate) profile: DiskProfile,
    durable: BTreeMap<String, Vec<u8>>,
    /// Asked for and not yet answered, in order.
    pending: VecDeque<Write>,
    writes: u64,
}

/// What a crash or a restart did to the values: how many of each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Damage {
    pub(crate) lost: u64,
    pub(crate) torn: u64,
    pub(crate) rotten: u64,
}

impl Disk {
    pub(crate) fn new(profile: DiskProfile) -> Self {
        Self { profile, ..Self::default() }
    }

    pub(crate) fn stored(&self) -> &BTreeMap<String, Vec<u8>> {
        &self.durable
    }

    pub(crate) fn next_number(&self) -> u64 {
        self.writes
    }

    pub(crate) fn fate(&self, key: Key) -> StoreFate {
        let key = key.number(self.writes);
        StoreFate {
            delay: self.profile.delay.draw(key, lane::DELAY),
            failed: self.profile.fail.hits(key.draw(lane::FAIL)),
        }
    }

    pub(crate) fn begin(&mut self, key: &str, bytes: &[u8], fate: StoreFate) {
        self.pending.push_back(Write {
            key: key.to_owned(),
            bytes: bytes.to_vec(),
            number: self.writes,
            failed: fate.failed,
        });
        self.writes += 1;
    }

    /// Completes the oldest write: its key, and whether it is durable.
    pub(crate) fn complete(&mut self) -> Option<(String, bool)> {
        let Write { key, bytes, failed, .. } = self.pending.pop_front()?;
        if !failed {
            self.durable.insert(key.clone(), bytes);
        }
        Some((key, !failed))
    }

    /// Power is lost: each pending write is there, not there, or torn.
    pub(crate) fn crash(&mut self, root: Key) -> Damage {
        let mut damage = Damage::default();
        while let Some(write) = self.pending.pop_front() {
            let key = root.number(write.number);
            let half = Chance::from_percent(50);
            if write.failed {
                continue;
            }
            if self.profile.torn.hits(key.draw(lane::TORN)) {
                let at = key.within(lane::TORN_AT, 0, write.bytes.len() as u64) as usize;
                let mut torn = write.bytes;
                let old = self.durable.remove(&write.key).unwrap_or_default();
                torn.truncate(at);
                torn.extend_from_slice(old.get(at..).unwrap_or_default());
                self.durable.insert(write.key, torn);
                damage.torn += 1;
            } else if half.hits(key.draw(lane::KEPT)) {
                self.durable.insert(write.key, write.bytes);
            } else {
                damage.lost += 1;
            }
        }
        damage
    }

    /// Time has gnawed at the values by the `incarnation`-th start.
    pub(crate) fn rot(&mut self, root: Key, incarnation: u64) -> Damage {
        let mut damage = Damage::default();
        for (name, value) in &mut self.durable {
            let key = root.named(name).number(incarnation);
            if !value.is_empty() && self.profile.rot.hits(key.draw(lane::ROT)) {
                let bit = key.within(lane::ROT_BIT, 0, value.len() as u64 * 8 - 1) as usize;
                value[bit / 8] ^= 1 << (bit % 8);
                damage.rotten += 1;
            }
        }
        damage
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn disk_after_a_crash(profile: DiskProfile, seed: u64) -> (Vec<u8>, Damage) {
        let mut disk = Disk::new(profile);
        disk.begin("k", &[1; 8], StoreFate::default());
        disk.complete();
        disk.begin("k", &[2; 8], StoreFate::default());
        let damage = disk.crash(Key::root(seed));
        (disk.stored()["k"].clone(), damage)
    }

    #[test]
    fn an_interrupted_write_is_old_or_new_and_both_happen() {
        let outcomes: Vec<_> = (0..50).map(|seed| disk_after_a_crash(DiskProfile::default(), seed).0).collect();
        assert!(outcomes.iter().all(|value| *value == [1; 8] || *value == [2; 8]));
        assert!(outcomes.contains(&vec![1; 8]) && outcomes.contains(&vec![2; 8]));
    }

    #[test]
    fn a_torn_write_mixes_both_values() {
        let profile = DiskProfile { torn: Chance::ALWAYS, ..DiskProfile::default() };
        let mixed = (0..50).map(|seed| disk_after_a_crash(profile, seed)).filter(|(value, damage)| {
            assert_eq!(damage.torn, 1);
            value.contains(&1) && value.contains(&2)
        });
        assert!(mixed.count() > 30);
    }

    #[test]
    fn rot_flips_one_bit_of_an_acknowledged_value() {
        let mut disk = Disk::new(DiskProfile { rot: Chance::ALWAYS, ..DiskProfile::default() });
        disk.begin("k", &[0; 8], StoreFate::default());
        disk.complete();
        assert_eq!(disk.rot(Key::root(1), 1).rotten, 1);
        assert_eq!(disk.stored()["k"].iter().map(|byte| byte.count_ones()).sum::<u32>(), 1);
    }

    #[test]
    fn a_failed_write_leaves_the_old_value() {
        let mut disk = Disk::new(DiskProfile::default());
        disk.begin("k", &[1], StoreFate::default());
        disk.begin("k", &[2], StoreFate { failed: true, ..StoreFate::default() });
        assert_eq!(disk.complete(), Some(("k".into(), true)));
        assert_eq!(disk.complete(), Some(("k".into(), false)));
        assert_eq!(disk.stored()["k"], [1]);
    }
}
