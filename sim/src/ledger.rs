//! Every decision that chance makes has an address; a ledger overrides some of them.
//!
//! Scenario, seed and ledger are a whole run. Entries can be taken out one by one, which is what shrinking does.

use crate::disk::StoreFate;
use crate::link::PacketFate;
use crate::{NodeIndex, Time};
use machine::Duration;
use std::collections::BTreeMap;

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
    /// The `number`-th write of a node.
    Store {
        /// Whose.
        node: NodeIndex,
        /// From 0.
        number: u64,
    },
}

/// What was decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// For [`Address::Datagram`] and [`Address::Group`].
    Packet(PacketFate),
    /// For [`Address::Segment`]: how long it takes, or `None` when it is lost.
    Segment(Option<Duration>),
    /// For [`Address::Store`].
    Store(StoreFate),
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
    recorded: Option<Vec<Entry>>,
}

impl Ledger {
    /// A ledger that replaces what the seed would decide at these addresses. A decision of another kind than its
    /// address is ignored.
    pub fn overriding(overrides: impl IntoIterator<Item = (Address, Decision)>) -> Self {
        Self { overrides: overrides.into_iter().collect(), recorded: None }
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

    /// Whether there is nothing to look up and nothing to keep.
    #[inline]
    pub(crate) fn is_idle(&self) -> bool {
        self.overrides.is_empty() && self.recorded.is_none()
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

    pub(crate) fn store(&mut self, what: Subject, drawn: StoreFate) -> StoreFate {
        match self.decide(what, Decision::Store(drawn)) {
            Decision::Store(fate) => fate,
            _ => drawn,
        }
    }

    fn decide(&mut self, what: Subject, drawn: Decision) -> Decision {
        let overriding = self.overrides.get(&what.address).copied();
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
