//! What a node stores, and what crashes and time do to it.

use super::net::{Event, Net};
use crate::NodeIndex;
use crate::disk::Damage;
use crate::ledger::{Address, Subject};
use crate::trace::{Kind, digest};

impl Net {
    /// The node's machine stores a value.
    pub(super) fn store(&mut self, node: u32, incarnation: u64, key: &str, bytes: &[u8]) {
        let root = self.roots.disk.named(&self.names[node as usize]);
        let disk = &mut self.disks[node as usize];
        let number = disk.next_number();
        let mut fate = disk.fate(root);
        let content = digest(bytes);
        if !self.ledger.is_idle() {
            let address = Address::Store { node: NodeIndex(node), number };
            let what = Subject { address, at: self.now, length: bytes.len() as u32, digest: content };
            fate = self.ledger.store(what, fate);
        }
        disk.begin(key, bytes, fate);
        self.counts.stores_failed += u64::from(fate.failed);
        self.record(Kind::Store, node, NodeIndex::NONE, number, content ^ digest(key.as_bytes()), Some(bytes.len()));
        let pending = self.stores.insert((node, incarnation)) as u32;
        // A disk answers in order: none overtakes the one before it.
        self.push_for(node, fate.delay, Event::Stored(pending));
    }

    /// Power is lost while the node's disk writes.
    pub(super) fn interrupt_writes(&mut self, node: u32) {
        let Self { ledger, now, disks, .. } = self;
        let root = self.roots.disk.named(&self.names[node as usize]);
        let damage = disks[node as usize].crash(root, |write, drawn| {
            let address = Address::Interrupted { node: NodeIndex(node), number: write.number };
            ledger.interrupted(Subject::of(address, *now, write.bytes), drawn)
        });
        self.count_damage(damage);
    }

    /// The node's values have rotted by its `incarnation`-th start.
    pub(super) fn rot(&mut self, node: u32, incarnation: u64) {
        let Self { ledger, now, disks, .. } = self;
        let root = self.roots.disk.named(&self.names[node as usize]);
        let damage = disks[node as usize].rot(root, incarnation, |value, drawn| {
            let address = Address::Rot { node: NodeIndex(node), incarnation, key: value.number };
            ledger.rot(Subject::of(address, *now, value.bytes), drawn)
        });
        self.count_damage(damage);
    }

    fn count_damage(&mut self, damage: Damage) {
        self.counts.stores_lost += damage.lost;
        self.counts.stores_torn += damage.torn;
        self.counts.stores_rotten += damage.rotten;
    }
}
