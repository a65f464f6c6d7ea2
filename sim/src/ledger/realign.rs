//! Finds the place of another run's decisions in this one, after the code has changed.

use super::{Address, Decision, Entry, Subject};
use machine::Duration;
use std::collections::BTreeMap;

/// Equal content sent further apart than this is another sending of it.
const SAME_CONTENT_WITHIN: Duration = Duration::from_millis(100);
/// Other content of the same length, sent longer after than this, is something else. Not sent before: the same content may
/// yet come.
const SAME_LENGTH_WITHIN: Duration = Duration::from_millis(10);

/// Entries by what they share with those of the same kind between the same nodes.
#[derive(Debug)]
pub(super) struct Realign {
    unused: BTreeMap<Address, Vec<Entry>>,
    placed: usize,
}

impl Realign {
    pub(super) fn new(entries: impl IntoIterator<Item = Entry>) -> Self {
        let mut unused: BTreeMap<Address, Vec<Entry>> = BTreeMap::new();
        for entry in entries {
            unused.entry(flow(entry.address)).or_default().push(entry);
        }
        Self { unused, placed: 0 }
    }

    pub(super) const fn placed(&self) -> usize {
        self.placed
    }

    /// The decision of the entry that resembles `what` most, if one does; it is used up.
    pub(super) fn take(&mut self, what: &Subject) -> Option<Decision> {
        let entries = self.unused.get_mut(&flow(what.address))?;
        let (_, place) =
            (0..).zip(entries.iter()).filter_map(|(place, entry)| Some((rank(entry, what)?, place))).min()?;
        self.placed += 1;
        Some(entries.remove(place).decision)
    }
}

/// How well an entry fits: the lower the better, then the nearer in time. `None` when it does not.
fn rank(entry: &Entry, what: &Subject) -> Option<(u8, Duration)> {
    let apart = entry.at.since(what.at).max(what.at.since(entry.at));
    let (same_address, same_content) = (entry.address == what.address, entry.digest == what.digest);
    let rank = match () {
        () if entry.length != what.length => return None,
        () if same_address && same_content => 0,
        () if same_content && apart <= SAME_CONTENT_WITHIN => 1,
        () if same_address => 2,
        () if what.at >= entry.at && apart <= SAME_LENGTH_WITHIN => 3,
        () => return None,
    };
    Some((rank, apart))
}

/// The address without its numbers.
const fn flow(address: Address) -> Address {
    match address {
        Address::Datagram { from, to, .. } => Address::Datagram { from, to, number: 0 },
        Address::Group { from, to, .. } => Address::Group { from, to, number: 0 },
        Address::Segment { dialler, acceptor, forward, .. } => {
            Address::Segment { dialler, acceptor, dial: 0, forward, number: 0, attempt: 0 }
        }
        Address::Refuse { dialler, acceptor, .. } => Address::Refuse { dialler, acceptor, dial: 0 },
        Address::Silent { dialler, acceptor, .. } => Address::Silent { dialler, acceptor, dial: 0 },
        Address::Reset { dialler, acceptor, forward, .. } => {
            Address::Reset { dialler, acceptor, dial: 0, forward, number: 0, attempt: 0 }
        }
        Address::Store { node, .. } => Address::Store { node, number: 0 },
        Address::Interrupted { node, .. } => Address::Interrupted { node, number: 0 },
        Address::Rot { node, .. } => Address::Rot { node, incarnation: 0, key: 0 },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{NodeIndex, PacketFate, Time};

    fn address(number: u64) -> Address {
        Address::Datagram { from: NodeIndex::new(0), to: NodeIndex::new(1), number }
    }

    fn lost(number: u64, millis: u64, length: u32, digest: u64) -> Entry {
        let decision = Decision::Packet(PacketFate { lost: true, ..PacketFate::default() });
        Entry { address: address(number), at: Time::from_millis(millis), length, digest, decision }
    }

    /// Which of the datagrams, given as number, time, length and digest, are lost.
    fn hit(entries: &[Entry], sent: &[(u64, u64, u32, u64)]) -> Vec<u64> {
        let mut realign = Realign::new(entries.iter().copied());
        let mut hits = sent.to_vec();
        hits.retain(|(number, millis, length, digest)| {
            let (at, length, digest) = (Time::from_millis(*millis), *length, *digest);
            realign.take(&Subject { address: address(*number), at, length, digest }).is_some()
        });
        assert_eq!(realign.placed(), hits.len());
        hits.into_iter().map(|(number, ..)| number).collect()
    }

    #[test]
    fn a_datagram_is_found_by_its_content_when_others_came_before_it() {
        let sent = [(4, 10, 50, 0xA), (5, 11, 50, 0xB), (6, 12, 50, 0xC), (7, 20, 50, 0xD)];
        assert_eq!(hit(&[lost(5, 11, 50, 0xC)], &[sent[0], sent[2], sent[3]]), [6]);
    }

    #[test]
    fn what_is_sent_again_and_again_is_found_by_its_time() {
        let sent: Vec<_> = (0..10).map(|number| (number, number * 1_000, 80, 0xA)).collect();
        assert_eq!(hit(&[lost(6, 7_020, 80, 0xA)], &sent), [6], "its own number, though late");
        assert_eq!(hit(&[lost(60, 7_020, 80, 0xA)], &sent), [7], "its own time, though the number is another");
    }

    #[test]
    fn other_content_is_found_by_number_or_by_length_and_time() {
        assert_eq!(hit(&[lost(5, 10, 50, 0xA)], &[(5, 500, 50, 0xB)]), [5]);
        assert_eq!(hit(&[lost(5, 10, 50, 0xA)], &[(6, 12, 50, 0xB)]), [6]);
    }

    #[test]
    fn what_resembles_nothing_finds_no_place_and_no_entry_is_used_twice() {
        assert!(hit(&[lost(5, 10, 50, 0xA)], &[(5, 10, 51, 0xA), (6, 500, 50, 0xB)]).is_empty());
        assert_eq!(hit(&[lost(5, 10, 50, 0xA)], &[(5, 10, 50, 0xA), (5, 10, 50, 0xA)]).len(), 1);
    }
}
