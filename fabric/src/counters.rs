//! How often a node has refused something, and why. What discovery and calls refuse they count themselves:
//! [`discovery::Counters`](crate::discovery::Counters), [`call::Counters`](crate::call::Counters).

use crate::event::SessionEnd;
use crate::mux::{OpensRefused, Reject, code};
use crate::session::HandshakeError;

/// What is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Count {
    /// [`HandshakeError::HandshakeLength`].
    HandshakeLength,
    /// [`HandshakeError::NoiseFailed`].
    NoiseFailed,
    /// [`HandshakeError::ProofInvalid`].
    ProofInvalid,
    /// [`HandshakeError::SelfConnect`].
    SelfConnect,
    /// [`HandshakeError::IdentityMismatch`].
    IdentityMismatch,
    /// [`HandshakeError::HandshakeTimeout`].
    HandshakeTimeout,
    /// [`HandshakeError::Evicted`]: a bound of handshakes, or of sessions that are over, was passed.
    Evicted,
    /// [`HandshakeError::PeerClosed`].
    PeerClosed,
    /// A device proved itself, and is not trusted.
    NotTrusted,
    /// A trusted device proved itself, and all places are taken.
    NoPlace,
    /// A session ended because its device was revoked.
    Revoked,
    /// A record was forged, replayed, reordered or cut.
    RecordInvalid,
    /// Nothing came from a peer for too long.
    Dead,
    /// A pipe ended without a word.
    Truncated,
    /// [`Reject::FrameInvalid`].
    FrameInvalid,
    /// [`Reject::FrameOversize`].
    FrameOversize,
    /// [`Reject::InvalidStreamStateTransition`].
    InvalidStreamStateTransition,
    /// [`Reject::UnknownStreamFrame`].
    UnknownStreamFrame,
    /// [`Reject::WindowCreditOverflowOrUnderflow`].
    WindowCreditOverflowOrUnderflow,
    /// [`Reject::Flood`]: a budget was spent.
    Flood,
    /// [`Reject::StreamLimitExceeded`].
    StreamLimitExceeded,
    /// [`Reject::InvalidStreamName`].
    InvalidStreamName,
    /// [`Reject::ServiceDenied`].
    ServiceDenied,
    /// An OPEN that came while the session was ending, or while too many closed streams were not read.
    OpenRefused,
    /// A value could not be made durable.
    StoreFailed,
    /// A pairing ended without success.
    PairingFailed,
}

impl Count {
    /// All of them, in the order of their numbers.
    pub const ALL: [Self; 26] = [
        Self::HandshakeLength,
        Self::NoiseFailed,
        Self::ProofInvalid,
        Self::SelfConnect,
        Self::IdentityMismatch,
        Self::HandshakeTimeout,
        Self::Evicted,
        Self::PeerClosed,
        Self::NotTrusted,
        Self::NoPlace,
        Self::Revoked,
        Self::RecordInvalid,
        Self::Dead,
        Self::Truncated,
        Self::FrameInvalid,
        Self::FrameOversize,
        Self::InvalidStreamStateTransition,
        Self::UnknownStreamFrame,
        Self::WindowCreditOverflowOrUnderflow,
        Self::Flood,
        Self::StreamLimitExceeded,
        Self::InvalidStreamName,
        Self::ServiceDenied,
        Self::OpenRefused,
        Self::StoreFailed,
        Self::PairingFailed,
    ];

    /// Its name in logs: that of the wire contract where it has one.
    pub const fn label(self) -> &'static str {
        match self {
            Self::HandshakeLength => HandshakeError::HandshakeLength.label(),
            Self::NoiseFailed => HandshakeError::NoiseFailed.label(),
            Self::ProofInvalid => HandshakeError::ProofInvalid.label(),
            Self::SelfConnect => HandshakeError::SelfConnect.label(),
            Self::IdentityMismatch => HandshakeError::IdentityMismatch.label(),
            Self::HandshakeTimeout => HandshakeError::HandshakeTimeout.label(),
            Self::Evicted => HandshakeError::Evicted.label(),
            Self::PeerClosed => HandshakeError::PeerClosed.label(),
            Self::NotTrusted => "not_trusted",
            Self::NoPlace => "no_place",
            Self::Revoked => "revoked",
            Self::RecordInvalid => "RecordInvalid",
            Self::Dead => "dead",
            Self::Truncated => "Truncated",
            Self::FrameInvalid => Reject::FrameInvalid.label(),
            Self::FrameOversize => Reject::FrameOversize.label(),
            Self::InvalidStreamStateTransition => Reject::InvalidStreamStateTransition.label(),
            Self::UnknownStreamFrame => Reject::UnknownStreamFrame.label(),
            Self::WindowCreditOverflowOrUnderflow => Reject::WindowCreditOverflowOrUnderflow.label(),
            Self::Flood => Reject::Flood.label(),
            Self::StreamLimitExceeded => Reject::StreamLimitExceeded.label(),
            Self::InvalidStreamName => Reject::InvalidStreamName.label(),
            Self::ServiceDenied => Reject::ServiceDenied.label(),
            Self::OpenRefused => "open_refused",
            Self::StoreFailed => "store_failed",
            Self::PairingFailed => "pairing_failed",
        }
    }
}

/// What a node has counted since its start.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counters([u64; Count::ALL.len()]);

impl Counters {
    /// How often it was.
    pub const fn get(&self, count: Count) -> u64 {
        self.0[count as usize]
    }

    /// All of it, by name.
    pub fn iter(&self) -> impl Iterator<Item = (&'static str, u64)> {
        Count::ALL.into_iter().map(|count| (count.label(), self.get(count)))
    }

    pub(crate) const fn add(&mut self, count: Count, times: u64) {
        let counted = &mut self.0[count as usize];
        *counted = counted.saturating_add(times);
    }

    pub(crate) const fn add_opens(&mut self, refused: OpensRefused) {
        let OpensRefused { past_limit, misnamed, denied, refused } = refused;
        self.add(Count::StreamLimitExceeded, past_limit);
        self.add(Count::InvalidStreamName, misnamed);
        self.add(Count::ServiceDenied, denied);
        self.add(Count::OpenRefused, refused);
    }

    /// A session ended so, or none came to be.
    pub(crate) const fn session_ended(&mut self, end: SessionEnd, was_up: bool) {
        if let Some(count) = count_of(end, was_up) {
            self.add(count, 1);
        }
    }
}

/// What an end says that this node refused; what the peer or the network did is its own to count.
const fn count_of(end: SessionEnd, was_up: bool) -> Option<Count> {
    Some(match end {
        SessionEnd::Handshake(error) => match error {
            HandshakeError::HandshakeLength => Count::HandshakeLength,
            HandshakeError::NoiseFailed => Count::NoiseFailed,
            HandshakeError::ProofInvalid => Count::ProofInvalid,
            HandshakeError::SelfConnect => Count::SelfConnect,
            HandshakeError::IdentityMismatch => Count::IdentityMismatch,
            HandshakeError::HandshakeTimeout => Count::HandshakeTimeout,
            HandshakeError::Evicted => Count::Evicted,
            HandshakeError::PeerClosed => Count::PeerClosed,
        },
        SessionEnd::Rejected(reject) => match reject {
            Reject::FrameInvalid => Count::FrameInvalid,
            Reject::FrameOversize => Count::FrameOversize,
            Reject::InvalidStreamStateTransition => Count::InvalidStreamStateTransition,
            Reject::UnknownStreamFrame => Count::UnknownStreamFrame,
            Reject::WindowCreditOverflowOrUnderflow => Count::WindowCreditOverflowOrUnderflow,
            Reject::Flood => Count::Flood,
            Reject::StreamLimitExceeded | Reject::InvalidStreamName | Reject::ServiceDenied => return None,
        },
        SessionEnd::RecordInvalid => Count::RecordInvalid,
        SessionEnd::Dead => Count::Dead,
        SessionEnd::Truncated => Count::Truncated,
        SessionEnd::Local(code::NOT_TRUSTED) => Count::NotTrusted,
        SessionEnd::Local(code::REVOKED) => Count::Revoked,
        SessionEnd::Local(code::GOING_AWAY) if !was_up => Count::NoPlace,
        SessionEnd::Local(_) | SessionEnd::Peer(_) | SessionEnd::Unreachable(_) => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::collections::BTreeSet;

    #[test]
    fn every_count_has_a_number_and_a_name_of_its_own() {
        let names: BTreeSet<_> = Counters::default().iter().map(|(name, _)| name).collect();
        assert_eq!(names.len(), Count::ALL.len());
        for (number, count) in Count::ALL.into_iter().enumerate() {
            assert_eq!(count as usize, number);
            let mut counters = Counters::default();
            counters.add(count, 2);
            assert_eq!(counters.iter().filter(|(_, times)| *times == 2).count(), 1);
            assert_eq!(counters.get(count), 2);
        }
    }

    #[test]
    fn what_this_node_ended_is_counted_and_what_the_peer_ended_is_not() {
        let mut counters = Counters::default();
        counters.session_ended(SessionEnd::Local(code::GOING_AWAY), false);
        counters.session_ended(SessionEnd::Local(code::GOING_AWAY), true);
        counters.session_ended(SessionEnd::Peer(code::NOT_TRUSTED), false);
        counters.session_ended(SessionEnd::Rejected(Reject::Flood), true);
        counters.session_ended(SessionEnd::Handshake(HandshakeError::ProofInvalid), false);
        let counted: alloc::vec::Vec<_> = counters.iter().filter(|(_, times)| *times > 0).collect();
        assert_eq!(counted, [("ProofInvalid", 1), ("no_place", 1), ("mux.reject.flood", 1)]);
    }
}
