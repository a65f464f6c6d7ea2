//! What a node tells its application, and the names it uses for sessions and streams.

use crate::identity::{DeviceId, NoisePublic};
use crate::mux::{self, Priority, StreamId, code};
use crate::pairing::{PairingEnd, PairingNumber};
use crate::probe::Probe;
use crate::session::HandshakeError;
use crate::trust::Label;
use alloc::string::String;
use core::fmt;
use machine::{Addr, PipeEnd, PipeId, StoreFailed};

/// One session of this node: the pipe that carries it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SessionId(PipeId);

impl SessionId {
    pub(crate) const fn of(pipe: PipeId) -> Self {
        Self(pipe)
    }

    /// The pipe.
    pub const fn pipe(self) -> PipeId {
        self.0
    }
}

/// One stream of this node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StreamKey {
    /// The session that it belongs to.
    pub session: SessionId,
    /// Its id there.
    pub stream: StreamId,
}

/// Something that the application may want to know. No event carries payload: [`Node::read`](crate::Node::read) does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// A device announced itself, and was not known. A claim: only a session proves it.
    Discovered {
        /// Which, as it claims.
        device: DeviceId,
        /// What it is said to serve.
        services: crate::discovery::Services<'static>,
    },
    /// A discovered device is not known any more.
    Lost {
        /// Which.
        device: DeviceId,
    },
    /// A session is authenticated on both sides, and trusted on both.
    SessionUp {
        /// Which.
        session: SessionId,
        /// With whom, as proven.
        device: DeviceId,
        /// Whether this side dialled.
        dialled: bool,
    },
    /// A session that was up has ended, and all its streams.
    SessionDown {
        /// Which.
        session: SessionId,
        /// With whom it was.
        device: DeviceId,
        /// Why.
        reason: SessionEnd,
    },
    /// No session came to be.
    SessionFailed {
        /// Whom this node dialled, or who has proven itself on a pipe that it accepted.
        device: Option<DeviceId>,
        /// The other end of the pipe.
        addr: Addr,
        /// Why.
        reason: SessionEnd,
    },
    /// A peer opened a stream, and the policy allows it.
    Accepted {
        /// Which.
        stream: StreamKey,
        /// Who, as proven.
        device: DeviceId,
        /// For what.
        service: String,
        /// How urgent, as the opener says.
        priority: Priority,
    },
    /// The peer admitted a stream that this node opened.
    Opened {
        /// Which.
        stream: StreamKey,
    },
    /// There is something to read; told again only after a read found nothing.
    Readable {
        /// Where.
        stream: StreamKey,
    },
    /// There is room to write, after a write that was not taken whole.
    Writable {
        /// Where.
        stream: StreamKey,
    },
    /// The peer has closed its half; what it sent before can still be read.
    Finished {
        /// Which.
        stream: StreamKey,
    },
    /// The stream has ended at once, both halves.
    Reset {
        /// Which.
        stream: StreamKey,
        /// Why: [`mux::code`] and [`mux::Reject::code`].
        code: u32,
    },
    /// Two people are to compare this number. A yes is [`Node::confirm_pairing`](crate::Node::confirm_pairing), a no is
    /// [`Node::leave_pairing`](crate::Node::leave_pairing).
    PairingNumber {
        /// With whom: its id is proven, but only the number says that it is the device in sight.
        device: DeviceId,
        /// What both devices show.
        number: PairingNumber,
    },
    /// Both people said yes: the device is trusted, and pairing mode is over.
    Paired {
        /// Which.
        device: DeviceId,
        /// Its label.
        label: Label,
    },
    /// Pairing mode is over without success; to be shown to a person.
    PairingFailed {
        /// With whom, if an exchange had begun.
        device: Option<DeviceId>,
        /// Why.
        reason: PairingEnd,
    },
    /// A write of the trust store has ended. While it fails it is tried again every 10 s, and what it would say is lost with
    /// the node's memory.
    TrustStored {
        /// Whether what was to be written then is durable.
        result: Result<(), StoreFailed>,
    },
}

/// Why a session ended, or why none came to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SessionEnd {
    /// The pipe was not connected.
    Unreachable(PipeEnd),
    /// The handshake failed.
    Handshake(HandshakeError),
    /// A record was forged, replayed, reordered or cut.
    RecordInvalid,
    /// This node ended it.
    Local(u32),
    /// The peer ended it.
    Peer(u32),
    /// The peer broke the contract, and was told.
    Rejected(mux::Reject),
    /// Nothing came from the peer for too long.
    Dead,
    /// The pipe ended without a word: bytes may be missing.
    Truncated,
}

impl From<mux::Ended> for SessionEnd {
    fn from(ended: mux::Ended) -> Self {
        match ended {
            mux::Ended::Local(code) => Self::Local(code),
            mux::Ended::Peer(code) => Self::Peer(code),
            mux::Ended::Rejected(reject) => Self::Rejected(reject),
            mux::Ended::Dead => Self::Dead,
            mux::Ended::Truncated => Self::Truncated,
        }
    }
}

impl SessionEnd {
    /// What a node that sees such an end has reached.
    pub(crate) const fn probe(self) -> Option<Probe> {
        Some(match self {
            Self::Unreachable(_) => Probe::DialFailed,
            Self::Handshake(error) => match error {
                HandshakeError::HandshakeLength => Probe::HandshakeLengthWrong,
                HandshakeError::NoiseFailed => Probe::HandshakeNoiseFailed,
                HandshakeError::ProofInvalid => Probe::ProofInvalid,
                HandshakeError::SelfConnect => Probe::SelfConnected,
                HandshakeError::IdentityMismatch => Probe::IdentityMismatched,
                HandshakeError::HandshakeTimeout => Probe::HandshakeTimedOut,
                HandshakeError::Evicted => Probe::HandshakeEvicted,
                HandshakeError::PeerClosed => Probe::HandshakeCutOff,
            },
            Self::RecordInvalid => Probe::RecordInvalid,
            Self::Dead => Probe::PeerDied,
            Self::Truncated => Probe::SessionTruncated,
            // Their own places are marked.
            Self::Local(_) | Self::Peer(_) | Self::Rejected(_) => return None,
        })
    }
}

impl fmt::Display for SessionEnd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreachable(end) => write!(f, "unreachable: {end:?}"),
            Self::Handshake(error) => error.fmt(f),
            Self::RecordInvalid => f.write_str("RecordInvalid"),
            Self::Local(code) => write!(f, "ended here: {}", CodeName(*code)),
            Self::Peer(code) => write!(f, "ended by the peer: {}", CodeName(*code)),
            Self::Rejected(reject) => reject.fmt(f),
            Self::Dead => f.write_str("dead"),
            Self::Truncated => f.write_str("Truncated"),
        }
    }
}

impl core::error::Error for SessionEnd {}

/// A code of CLOSE or RST as people read it.
#[derive(Clone, Copy, Debug)]
pub struct CodeName(pub u32);

impl fmt::Display for CodeName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            code::DONE => "done",
            code::DUPLICATE => "duplicate",
            code::GOING_AWAY => "going_away",
            code::REFUSED => "refused",
            code::NOT_TRUSTED => "not_trusted",
            code::REVOKED => "revoked",
            code::KEEPALIVE => "keepalive",
            code::CANCELLED => "cancelled",
            code::MESSAGE_TOO_LARGE => "message_too_large",
            number => match mux::Reject::from_code(number) {
                Some(reject) => reject.label(),
                None => return write!(f, "code {number}"),
            },
        })
    }
}

/// What an application may ask of a node without an answer; what cannot be done is not. Work on streams, which has answers, is done by the methods of
/// [`Node`](crate::Node): a machine that holds a node and its application records no more than a driver's inputs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Command {
    /// See [`Node::connect`](crate::Node::connect).
    Connect(DeviceId),
    /// See [`Node::connect_to`](crate::Node::connect_to).
    ConnectTo(DeviceId, Addr, NoisePublic),
    /// See [`Node::disconnect`](crate::Node::disconnect).
    Disconnect(DeviceId),
    /// See [`Node::trust`](crate::Node::trust).
    Trust(DeviceId),
    /// See [`Node::revoke`](crate::Node::revoke).
    Revoke(DeviceId),
    /// Trusts a device over restarts, under this label, since this time: see [`Node::trust_as`](crate::Node::trust_as).
    TrustAs(DeviceId, Label, u64),
    /// See [`Node::enter_pairing`](crate::Node::enter_pairing).
    EnterPairing,
    /// See [`Node::pair`](crate::Node::pair).
    Pair(DeviceId),
    /// See [`Node::confirm_pairing`](crate::Node::confirm_pairing).
    ConfirmPairing(Label, u64),
    /// See [`Node::leave_pairing`](crate::Node::leave_pairing).
    LeavePairing,
    /// See [`Node::shut_down`](crate::Node::shut_down).
    ShutDown,
}

/// Why a call for work on a session failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CallError {
    /// No session with the device is up: `mux.reject.unauthenticated_session`.
    UnauthenticatedSession,
    /// No stream was opened.
    Open(mux::OpenError),
    /// The stream does not take the call.
    Stream(mux::StreamError),
}

impl fmt::Display for CallError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnauthenticatedSession => f.write_str("mux.reject.unauthenticated_session"),
            Self::Open(error) => error.fmt(f),
            Self::Stream(error) => error.fmt(f),
        }
    }
}

impl core::error::Error for CallError {}

impl From<mux::OpenError> for CallError {
    fn from(error: mux::OpenError) -> Self {
        Self::Open(error)
    }
}

impl From<mux::StreamError> for CallError {
    fn from(error: mux::StreamError) -> Self {
        Self::Stream(error)
    }
}
