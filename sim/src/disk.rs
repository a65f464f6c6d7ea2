//! A node's storage: values by key that may fail, tear and rot, as `machine`'s contract allows.

use crate::fate::{Chance, Delay, Key, NameHash};
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

/// What a crash leaves of a write that it interrupts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CrashFate {
    /// The new value.
    Kept,
    /// The old value.
    Lost,
    /// So many bytes of the new value, and then the old one's.
    Torn(u32),
}

/// A value about which a [`Ledger`](crate::ledger::Ledger) may have the last word.
pub(crate) struct Value<'a> {
    /// The number of its write, or the hash of its key.
    pub(crate) number: u64,
    pub(crate) bytes: &'a [u8],
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

    /// Power is lost: each pending write is there, not there, or torn, as `decide` has it.
    pub(crate) fn crash(&mut self, root: Key, mut decide: impl FnMut(&Value<'_>, CrashFate) -> CrashFate) -> Damage {
        let mut damage = Damage::default();
        while let Some(write) = self.pending.pop_front() {
            if write.failed {
                continue;
            }
            let drawn = self.profile.interrupts(root.number(write.number), write.bytes.len());
            match decide(&Value { number: write.number, bytes: &write.bytes }, drawn) {
                CrashFate::Torn(at) => {
                    let at = at as usize;
                    let mut torn = write.bytes;
                    let old = self.durable.remove(&write.key).unwrap_or_default();
                    torn.truncate(at);
                    torn.extend_from_slice(old.get(at..).unwrap_or_default());
                    self.durable.insert(write.key, torn);
                    damage.torn += 1;
                }
                CrashFate::Kept => {
                    self.durable.insert(write.key, write.bytes);
                }
                CrashFate::Lost => damage.lost += 1,
            }
        }
        damage
    }

    /// Time has gnawed at the values by the `incarnation`-th start, as `decide` has it.
    pub(crate) fn rot(
        &mut self,
        root: Key,
        incarnation: u64,
        mut decide: impl FnMut(&Value<'_>, Option<u32>) -> Option<u32>,
    ) -> Damage {
        let mut damage = Damage::default();
        for (name, value) in self.durable.iter_mut().filter(|(_, value)| !value.is_empty()) {
            let drawn = self.profile.rots(root.named(name).number(incarnation), value.len());
            let number = NameHash::of(name).as_u64();
            let bit = decide(&Value { number, bytes: value }, drawn);
            if let Some((bit, byte)) = bit.and_then(|bit| Some((bit, value.get_mut(bit as usize / 8)?))) {
                *byte ^= 1 << (bit % 8);
                damage.rotten += 1;
            }
        }
        damage
    }
}

impl DiskProfile {
    /// What `key`'s write of `length` bytes meets when a crash interrupts it.
    fn interrupts(&self, key: Key, length: usize) -> CrashFate {
        if self.torn.hits(key.draw(lane::TORN)) {
            CrashFate::Torn(key.within(lane::TORN_AT, 0, length as u64) as u32)
        } else if Chance::from_percent(50).hits(key.draw(lane::KEPT)) {
            CrashFate::Kept
        } else {
            CrashFate::Lost
        }
    }

    /// Which bit of `key`'s value of `length` bytes is flipped, if one is.
    fn rots(&self, key: Key, length: usize) -> Option<u32> {
        self.rot.hits(key.draw(lane::ROT)).then(|| key.within(lane::ROT_BIT, 0, length as u64 * 8 - 1) as u32)
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
        let damage = disk.crash(Key::root(seed), |_, drawn| drawn);
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
        assert_eq!(disk.rot(Key::root(1), 1, |_, drawn| drawn).rotten, 1);
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
