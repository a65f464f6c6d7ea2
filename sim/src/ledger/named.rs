//! One decision of a ledger as JSON: with names, since a node's place changes when another is taken out.

use super::{Address, Decision, Entry};
use crate::{CrashFate, NodeIndex, PacketFate, StoreFate, Time};
use machine::Duration;
use serde::{Deserialize, Serialize};

/// Whose places names are for.
pub trait Names {
    /// The name of the node at this place; empty when there is none.
    fn name(&self, node: NodeIndex) -> &str;

    /// The place of the node with this name.
    fn find(&self, name: &str) -> Option<NodeIndex>;
}

/// The names of a world, in order: [`World::names`](crate::World::names).
impl Names for [String] {
    fn name(&self, node: NodeIndex) -> &str {
        self.get(node.as_usize()).map_or("", String::as_str)
    }

    fn find(&self, name: &str) -> Option<NodeIndex> {
        let place = self.binary_search_by(|other| other.as_str().cmp(name)).ok()?;
        Some(NodeIndex::new(place as u32))
    }
}

/// An [`Entry`] with the names of its nodes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NamedEntry {
    /// When, in nanoseconds since the start of the run.
    pub at_ns: u64,
    /// What was decided on.
    pub what: Named,
    length: u32,
    /// 16 hex digits.
    digest: String,
    /// What was decided.
    pub decision: Decided,
}

/// What was decided on. The fields are those of [`Address`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
#[expect(missing_docs, reason = "each is the one of `Address` that has its name")]
pub enum Named {
    Datagram { from: String, to: String, number: u64 },
    Group { from: String, to: String, number: u64 },
    Segment { dialler: String, acceptor: String, dial: u64, forward: bool, number: u64, attempt: u32 },
    Refuse { dialler: String, acceptor: String, dial: u64 },
    Silent { dialler: String, acceptor: String, dial: u64 },
    Reset { dialler: String, acceptor: String, dial: u64, forward: bool, number: u64, attempt: u32 },
    Store { node: String, number: u64 },
    Interrupted { node: String, number: u64 },
    Rot { node: String, incarnation: u64, key: u64 },
}

/// What was decided: [`Decision`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
#[expect(missing_docs, reason = "each is the one of `Decision` that has its name")]
pub enum Decided {
    Packet(Packet),
    /// How long it takes; null when it is lost.
    Segment(Option<u64>),
    Strike(bool),
    Store {
        delay_ns: u64,
        failed: bool,
    },
    Interrupted(Interrupted),
    /// Which bit is flipped.
    Rot(Option<u32>),
}

/// What a crash left of a write: [`CrashFate`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Interrupted {
    /// The new value.
    Kept,
    /// The old value.
    Lost,
    /// So many bytes of the new value.
    Torn(u32),
}

/// [`PacketFate`], of which most is usually left out.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Packet {
    delay_ns: u64,
    #[serde(skip_serializing_if = "core::ops::Not::not")]
    /// It does not arrive.
    pub lost: bool,
    #[serde(skip_serializing_if = "core::ops::Not::not")]
    reordered: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    duplicate_ns: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    flipped_bit: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    truncated_to: Option<u32>,
}

impl Packet {
    /// What befell the packet besides its delay and its loss, in words.
    pub fn misfortunes(&self) -> Vec<&'static str> {
        let all = [
            (self.reordered, "held back"),
            (self.duplicate_ns.is_some(), "duplicated"),
            (self.flipped_bit.is_some(), "corrupted"),
            (self.truncated_to.is_some(), "truncated"),
        ];
        all.into_iter().filter(|(is_so, _)| *is_so).map(|(_, name)| name).collect()
    }
}

impl NamedEntry {
    /// With the names that its nodes have.
    pub fn of(entry: &Entry, names: &(impl Names + ?Sized)) -> Self {
        Self {
            at_ns: entry.at.as_nanos(),
            what: Named::of(entry.address, names),
            length: entry.length,
            digest: format!("{:016x}", entry.digest),
            decision: Decided::of(entry.decision),
        }
    }

    /// As the simulator has it; `None` when a node that it names is not there.
    pub fn entry(&self, names: &(impl Names + ?Sized)) -> Option<Entry> {
        Some(Entry {
            address: self.what.address(names)?,
            at: Time::from_nanos(self.at_ns),
            length: self.length,
            digest: u64::from_str_radix(&self.digest, 16).ok()?,
            decision: self.decision.decision(),
        })
    }
}

impl Named {
    fn of(address: Address, names: &(impl Names + ?Sized)) -> Self {
        let name = |node: NodeIndex| names.name(node).to_owned();
        match address {
            Address::Datagram { from, to, number } => Self::Datagram { from: name(from), to: name(to), number },
            Address::Group { from, to, number } => Self::Group { from: name(from), to: name(to), number },
            Address::Segment { dialler, acceptor, dial, forward, number, attempt } => {
                Self::Segment { dialler: name(dialler), acceptor: name(acceptor), dial, forward, number, attempt }
            }
            Address::Refuse { dialler, acceptor, dial } => {
                Self::Refuse { dialler: name(dialler), acceptor: name(acceptor), dial }
            }
            Address::Silent { dialler, acceptor, dial } => {
                Self::Silent { dialler: name(dialler), acceptor: name(acceptor), dial }
            }
            Address::Reset { dialler, acceptor, dial, forward, number, attempt } => {
                Self::Reset { dialler: name(dialler), acceptor: name(acceptor), dial, forward, number, attempt }
            }
            Address::Store { node, number } => Self::Store { node: name(node), number },
            Address::Interrupted { node, number } => Self::Interrupted { node: name(node), number },
            Address::Rot { node, incarnation, key } => Self::Rot { node: name(node), incarnation, key },
        }
    }

    fn address(&self, names: &(impl Names + ?Sized)) -> Option<Address> {
        let find = |name: &String| names.find(name);
        Some(match *self {
            Self::Datagram { ref from, ref to, number } => {
                Address::Datagram { from: find(from)?, to: find(to)?, number }
            }
            Self::Group { ref from, ref to, number } => Address::Group { from: find(from)?, to: find(to)?, number },
            Self::Segment { ref dialler, ref acceptor, dial, forward, number, attempt } => {
                let (dialler, acceptor) = (find(dialler)?, find(acceptor)?);
                Address::Segment { dialler, acceptor, dial, forward, number, attempt }
            }
            Self::Refuse { ref dialler, ref acceptor, dial } => {
                Address::Refuse { dialler: find(dialler)?, acceptor: find(acceptor)?, dial }
            }
            Self::Silent { ref dialler, ref acceptor, dial } => {
                Address::Silent { dialler: find(dialler)?, acceptor: find(acceptor)?, dial }
            }
            Self::Reset { ref dialler, ref acceptor, dial, forward, number, attempt } => {
                let (dialler, acceptor) = (find(dialler)?, find(acceptor)?);
                Address::Reset { dialler, acceptor, dial, forward, number, attempt }
            }
            Self::Store { ref node, number } => Address::Store { node: find(node)?, number },
            Self::Interrupted { ref node, number } => Address::Interrupted { node: find(node)?, number },
            Self::Rot { ref node, incarnation, key } => Address::Rot { node: find(node)?, incarnation, key },
        })
    }
}

impl Decided {
    fn of(decision: Decision) -> Self {
        match decision {
            Decision::Packet(fate) => Self::Packet(Packet {
                delay_ns: fate.delay.as_nanos(),
                lost: fate.lost,
                reordered: fate.reordered,
                duplicate_ns: fate.duplicate.map(Duration::as_nanos),
                flipped_bit: fate.flipped_bit,
                truncated_to: fate.truncated_to,
            }),
            Decision::Segment(delay) => Self::Segment(delay.map(Duration::as_nanos)),
            Decision::Strike(strikes) => Self::Strike(strikes),
            Decision::Store(fate) => Self::Store { delay_ns: fate.delay.as_nanos(), failed: fate.failed },
            Decision::Interrupted(fate) => Self::Interrupted(match fate {
                CrashFate::Kept => Interrupted::Kept,
                CrashFate::Lost => Interrupted::Lost,
                CrashFate::Torn(at) => Interrupted::Torn(at),
            }),
            Decision::Rot(bit) => Self::Rot(bit),
        }
    }

    fn decision(&self) -> Decision {
        match *self {
            Self::Packet(ref packet) => Decision::Packet(PacketFate {
                lost: packet.lost,
                delay: Duration::from_nanos(packet.delay_ns),
                reordered: packet.reordered,
                duplicate: packet.duplicate_ns.map(Duration::from_nanos),
                flipped_bit: packet.flipped_bit,
                truncated_to: packet.truncated_to,
            }),
            Self::Segment(delay) => Decision::Segment(delay.map(Duration::from_nanos)),
            Self::Strike(strikes) => Decision::Strike(strikes),
            Self::Store { delay_ns, failed } => {
                Decision::Store(StoreFate { delay: Duration::from_nanos(delay_ns), failed })
            }
            Self::Interrupted(ref fate) => Decision::Interrupted(match fate {
                Interrupted::Kept => CrashFate::Kept,
                Interrupted::Lost => CrashFate::Lost,
                Interrupted::Torn(at) => CrashFate::Torn(*at),
            }),
            Self::Rot(bit) => Decision::Rot(bit),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One entry of each kind, between the first and the last of three nodes.
    fn entries() -> Vec<Entry> {
        let (a, b) = (NodeIndex::new(0), NodeIndex::new(2));
        let (dialler, acceptor, dial, forward, number, attempt) = (a, b, 3, true, 4, 5);
        let some = Duration::from_nanos(7);
        let packet = PacketFate {
            lost: true,
            delay: some,
            reordered: true,
            duplicate: Some(some),
            flipped_bit: Some(1),
            truncated_to: Some(2),
        };
        let store = StoreFate { delay: some, failed: true };
        let interrupted = Address::Interrupted { node: a, number };
        let all = [
            (Address::Datagram { from: a, to: b, number }, Decision::Packet(packet)),
            (Address::Group { from: b, to: a, number }, Decision::Packet(PacketFate::default())),
            (Address::Segment { dialler, acceptor, dial, forward, number, attempt }, Decision::Segment(None)),
            (Address::Segment { dialler, acceptor, dial, forward, number, attempt: 0 }, Decision::Segment(Some(some))),
            (Address::Refuse { dialler, acceptor, dial }, Decision::Strike(true)),
            (Address::Silent { dialler, acceptor, dial }, Decision::Strike(false)),
            (Address::Reset { dialler, acceptor, dial, forward, number, attempt }, Decision::Strike(true)),
            (Address::Store { node: b, number }, Decision::Store(store)),
            (interrupted, Decision::Interrupted(CrashFate::Kept)),
            (interrupted, Decision::Interrupted(CrashFate::Lost)),
            (interrupted, Decision::Interrupted(CrashFate::Torn(3))),
            (Address::Rot { node: a, incarnation: 1, key: u64::MAX }, Decision::Rot(Some(9))),
        ];
        let entry = |(address, decision)| Entry { address, decision, at: Time::from_millis(5), length: 6, digest: 8 };
        all.into_iter().map(entry).collect()
    }

    #[test]
    fn every_kind_of_decision_survives_being_written() {
        let names = ["a", "b", "c"].map(str::to_owned);
        for entry in entries() {
            let text = serde_json::to_string(&NamedEntry::of(&entry, &names[..])).unwrap();
            let read: NamedEntry = serde_json::from_str(&text).unwrap();
            assert_eq!(read.entry(&names[..]), Some(entry), "{text}");
        }
    }
}
