//! Every misfortune that chance brings has an address; a ledger overrides some of them.
//!
//! Scenario, seed and ledger are a whole run. Entries can be taken out one by one, which is what shrinking does. What is
//! left to the seed alone: how long acknowledgements take, and the sizes of chunks and rooms.

mod named;
mod realign;

use crate::disk::{CrashFate, StoreFate};
use crate::link::PacketFate;
use crate::{NodeIndex, Time};
use machine::Duration;
use realign::Realign;
use std::collections::BTreeMap;

pub use named::{Decided, Interrupted, Named, NamedEntry, Names, Packet};

/// What a decision was about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Address {
    /// The `number`-th datagram of a direction.
    Datagram {
        /// Sender.
        from: NodeIndex,
        /// Receiver.
        to: NodeIndex,
        /// From 0.
        number: u64,
    },
    /// The copy for one receiver of the `number`-th group datagram of a sender.
    Group {
        /// Sender.
        from: NodeIndex,
        /// Receiver.
        to: NodeIndex,
        /// From 0.
        number: u64,
    },
    /// One sending of one segment of a pipe.
    Segment {
        /// Who opened the pipe.
        dialler: NodeIndex,
        /// Who accepted it.
        acceptor: NodeIndex,
        /// The how-manieth pipe from the one to the other, from 0.
        dial: u64,
        /// Whether it travels from dialler to acceptor.
        forward: bool,
        /// Which segment of that direction, from 0.
        number: u64,
        /// Which sending of it, from 0.
        attempt: u32,
    },
    /// Whether a dial is refused although somebody listens.
    Refuse {
        /// Who opened the pipe.
        dialler: NodeIndex,
        /// Who was to accept it.
        acceptor: NodeIndex,
        /// As in [`Address::Segment`].
        dial: u64,
    },
    /// Whether a dial is never answered.
    Silent {
        /// Who opened the pipe.
        dialler: NodeIndex,
        /// Who was to accept it.
        acceptor: NodeIndex,
        /// As in [`Address::Segment`].
        dial: u64,
    },
    /// Whether the arrival of a segment resets its pipe; the fields are those of [`Address::Segment`].
    Reset {
        /// Who opened the pipe.
        dialler: NodeIndex,
        /// Who accepted it.
        acceptor: NodeIndex,
        /// The how-manieth pipe from the one to the other.
        dial: u64,
        /// Whether the segment travels from dialler to acceptor.
        forward: bool,
        /// Which segment.
        number: u64,
        /// Which sending of it.
        attempt: u32,
    },
    /// The `number`-th write of a node.
    Store {
        /// Whose.
        node: NodeIndex,
        /// From 0.
        number: u64,
    },
    /// What a crash leaves of the `number`-th write of a node, which it interrupts.
    Interrupted {
        /// Whose.
        node: NodeIndex,
        /// As in [`Address::Store`].
        number: u64,
    },
    /// Whether a stored value has rotted by some start of its node.
    Rot {
        /// Whose.
        node: NodeIndex,
        /// Which start, from 1: the first finds nothing stored.
        incarnation: u64,
        /// The hash of the value's key.
        key: u64,
    },
}

/// What was decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// For [`Address::Datagram`] and [`Address::Group`].
    Packet(PacketFate),
    /// For [`Address::Segment`]: how long it takes, or `None` when it is lost.
    Segment(Option<Duration>),
    /// For [`Address::Refuse`], [`Address::Silent`] and [`Address::Reset`]: whether it happens.
    Strike(bool),
    /// For [`Address::Store`].
    Store(StoreFate),
    /// For [`Address::Interrupted`].
    Interrupted(CrashFate),
    /// For [`Address::Rot`]: the bit that is flipped, if one is.
    Rot(Option<u32>),
}

impl Decision {
    /// Whether it is anything but what a good network and a good disk do: what a shrunk run is asked to do without.
    pub const fn is_misfortune(&self) -> bool {
        match self {
            Self::Packet(fate) => {
                fate.lost
                    || fate.reordered
                    || fate.duplicate.is_some()
                    || fate.flipped_bit.is_some()
                    || fate.truncated_to.is_some()
            }
            Self::Segment(delay) => delay.is_none(),
            Self::Strike(strikes) => *strikes,
            Self::Store(fate) => fate.failed,
            Self::Interrupted(fate) => !matches!(fate, CrashFate::Kept),
            Self::Rot(bit) => bit.is_some(),
        }
    }
}

/// One decision as it was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry {
    /// What it was about.
    pub address: Address,
    /// When.
    pub at: Time,
    /// How many bytes were decided on.
    pub length: u32,
    /// The digest of those bytes, by which a replay can find its place again after the code has changed.
    pub digest: u64,
    /// What was decided.
    pub decision: Decision,
}

/// Overrides by address, and on request a record of all that was decided.
#[derive(Debug, Default)]
pub struct Ledger {
    overrides: BTreeMap<Address, Decision>,
    realign: Option<Realign>,
    recorded: Option<Vec<Entry>>,
}

impl Ledger {
    /// A ledger that replaces what the seed would decide at these addresses. A decision of another kind than its
    /// address is ignored.
    pub fn overriding(overrides: impl IntoIterator<Item = (Address, Decision)>) -> Self {
        Self { overrides: overrides.into_iter().collect(), ..Self::default() }
    }

    /// A ledger of another run, made by code that may have sent other things in another order. Each entry is used once, by
    /// the decision of its own flow that resembles its own most: by content and time, then by address, then by length and
    /// time. See [`Ledger::placed`].
    pub fn realigning(entries: impl IntoIterator<Item = Entry>) -> Self {
        Self { realign: Some(Realign::new(entries)), ..Self::default() }
    }

    /// Keeps every decision of the run; see [`Ledger::recorded`].
    #[must_use]
    pub fn recording(mut self) -> Self {
        self.recorded = Some(Vec::new());
        self
    }

    /// The decisions made so far, in order; empty unless [`Ledger::recording`].
    pub fn recorded(&self) -> &[Entry] {
        self.recorded.as_deref().unwrap_or_default()
    }

    /// How many of the entries of [`Ledger::realigning`] have found their place so far.
    pub fn placed(&self) -> usize {
        self.realign.as_ref().map_or(0, Realign::placed)
    }

    /// Whether there is nothing to look up and nothing to keep.
    #[inline]
    pub(crate) fn is_idle(&self) -> bool {
        self.overrides.is_empty() && self.recorded.is_none() && self.realign.is_none()
    }

    pub(crate) fn packet(&mut self, what: Subject, drawn: PacketFate) -> PacketFate {
        match self.decide(what, Decision::Packet(drawn)) {
            Decision::Packet(fate) => fate,
            _ => drawn,
        }
    }

    pub(crate) fn segment(&mut self, what: Subject, drawn: Option<Duration>) -> Option<Duration> {
        match self.decide(what, Decision::Segment(drawn)) {
            Decision::Segment(delay) => delay,
            _ => drawn,
        }
    }

    pub(crate) fn strike(&mut self, what: Subject, drawn: bool) -> bool {
        match self.decide(what, Decision::Strike(drawn)) {
            Decision::Strike(strikes) => strikes,
            _ => drawn,
        }
    }

    pub(crate) fn store(&mut self, what: Subject, drawn: StoreFate) -> StoreFate {
        match self.decide(what, Decision::Store(drawn)) {
            Decision::Store(fate) => fate,
            _ => drawn,
        }
    }

    pub(crate) fn interrupted(&mut self, what: Subject, drawn: CrashFate) -> CrashFate {
        match self.decide(what, Decision::Interrupted(drawn)) {
            Decision::Interrupted(fate) => fate,
            _ => drawn,
        }
    }

    pub(crate) fn rot(&mut self, what: Subject, drawn: Option<u32>) -> Option<u32> {
        match self.decide(what, Decision::Rot(drawn)) {
            Decision::Rot(bit) => bit,
            _ => drawn,
        }
    }

    fn decide(&mut self, what: Subject, drawn: Decision) -> Decision {
        if self.is_idle() {
            return drawn;
        }
        let overriding = match &mut self.realign {
            Some(realign) => realign.take(&what),
            None => self.overrides.get(&what.address).copied(),
        };
        let decision = overriding
            .filter(|other| core::mem::discriminant(other) == core::mem::discriminant(&drawn))
            .unwrap_or(drawn);
        if let Some(recorded) = &mut self.recorded {
            let Subject { address, at, length, digest } = what;
            recorded.push(Entry { address, at, length, digest, decision });
        }
        decision
    }
}

/// What a decision is to be made about.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Subject {
    pub(crate) address: Address,
    pub(crate) at: Time,
    pub(crate) length: u32,
    pub(crate) digest: u64,
}

impl Subject {
    pub(crate) fn of(address: Address, at: Time, bytes: &[u8]) -> Self {
        Self { address, at, length: bytes.len() as u32, digest: crate::digest(bytes) }
    }
}
