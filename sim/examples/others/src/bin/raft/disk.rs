//! What a node must not forget, as bytes: term, vote, commit index and log. Two slots, written in turn, so that a write which
//! a crash tears leaves the one before it.

use protobuf::Message as _;
use raft::eraftpb::{Entry, HardState};
use std::collections::BTreeMap;

/// Durable state, and how many there were before it.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Durable {
    pub(crate) generation: u64,
    pub(crate) hard: HardState,
    pub(crate) log: Vec<Entry>,
}

pub(crate) const SLOTS: [&str; 2] = ["slot-0", "slot-1"];

impl Durable {
    /// The newest whole slot; the beginning of all things when there is none.
    pub(crate) fn read(stored: &BTreeMap<String, Vec<u8>>) -> Self {
        let slots = SLOTS.iter().filter_map(|slot| Self::parse(unsealed(stored.get(*slot)?)?));
        slots.max_by_key(|slot| slot.generation).unwrap_or_default()
    }

    /// Where it is written.
    pub(crate) fn slot(&self) -> &'static str {
        SLOTS[(self.generation % 2) as usize]
    }

    pub(crate) fn bytes(&self) -> Vec<u8> {
        let mut body = self.generation.to_be_bytes().to_vec();
        let hard = self.hard.write_to_bytes();
        let parts = core::iter::once(hard).chain(self.log.iter().map(protobuf::Message::write_to_bytes));
        for part in parts {
            let part = part.expect("a message in memory can be written");
            body.extend((part.len() as u32).to_be_bytes());
            body.extend(part);
        }
        sealed(&body)
    }

    fn parse(body: &[u8]) -> Option<Self> {
        let (generation, mut rest) = body.split_first_chunk::<8>()?;
        let mut parts = Vec::new();
        while let Some((length, after)) = rest.split_first_chunk::<4>() {
            let (part, after) = after.split_at_checked(u32::from_be_bytes(*length) as usize)?;
            parts.push(part);
            rest = after;
        }
        let (hard, log) = parts.split_first()?;
        let log = log.iter().map(|entry| Entry::parse_from_bytes(entry).ok()).collect::<Option<_>>()?;
        Some(Self { generation: u64::from_be_bytes(*generation), hard: HardState::parse_from_bytes(hard).ok()?, log })
    }

    /// Puts entries at the end of the log, in place of what is there from the first of them on.
    pub(crate) fn append(&mut self, entries: &[Entry]) {
        if let Some(first) = entries.first() {
            self.log.retain(|entry| entry.index < first.index);
            self.log.extend_from_slice(entries);
        }
    }
}

/// With a checksum before it: networks and disks give back other bytes than they got, and Raft believes what it hears.
pub(crate) fn sealed(body: &[u8]) -> Vec<u8> {
    [&sim::digest(body).to_be_bytes()[..], body].concat()
}

/// What was [`sealed`], if it is whole.
pub(crate) fn unsealed(bytes: &[u8]) -> Option<&[u8]> {
    let (checksum, body) = bytes.split_first_chunk::<8>()?;
    (sim::digest(body).to_be_bytes() == *checksum).then_some(body)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(index: u64, data: &[u8]) -> Entry {
        let mut entry = Entry::default();
        (entry.index, entry.term, entry.data) = (index, 3, data.to_vec().into());
        entry
    }

    #[test]
    fn a_torn_slot_leaves_the_one_before_it() {
        let mut hard = HardState::default();
        (hard.term, hard.vote) = (3, 2);
        let first = Durable { generation: 1, hard, log: vec![entry(1, b"a"), entry(2, b"")] };
        let mut second = Durable { generation: 2, ..first.clone() };
        second.append(&[entry(2, b"b"), entry(3, b"c")]);
        assert_eq!(second.log, [entry(1, b"a"), entry(2, b"b"), entry(3, b"c")]);
        let mut stored: BTreeMap<_, _> =
            [&first, &second].map(|durable| (durable.slot().to_owned(), durable.bytes())).into();
        assert_eq!(Durable::read(&stored), second);
        stored.get_mut(second.slot()).expect("it was stored").truncate(20);
        assert_eq!(Durable::read(&stored), first);
        assert_eq!(Durable::read(&BTreeMap::new()), Durable::default());
    }
}
