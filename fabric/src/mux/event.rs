//! What the application of a session learns.

use super::{Priority, Reject, StreamId};
use alloc::string::String;

/// Something happened on one session. Events carry no payload: reading does, and returns credit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// The peer opened a stream, and it was admitted.
    Accepted {
        /// Its id.
        stream: StreamId,
        /// The service that it is for.
        service: String,
        /// What the opener asked for.
        priority: Priority,
    },
    /// The peer admitted a stream that this side opened: from now on its bytes are sent.
    Opened {
        /// Which.
        stream: StreamId,
    },
    /// There is something to read. Told again only after a read found nothing.
    Readable {
        /// Which.
        stream: StreamId,
    },
    /// There is room to write. Told only after a write was taken in part or not at all.
    Writable {
        /// Which.
        stream: StreamId,
    },
    /// The peer has closed its half; what it sent before can still be read.
    Finished {
        /// Which.
        stream: StreamId,
    },
    /// The stream has ended by RST, before or after it was open: both halves, and what was not read is gone.
    Reset {
        /// Which.
        stream: StreamId,
        /// Why: see [`code`](super::code) and [`Reject::code`](super::Reject::code).
        code: u32,
    },
    /// The peer has begun to end the session, and streams may finish: see [`code::drains`](super::code::drains).
    Draining {
        /// Why.
        code: u32,
    },
    /// The session has ended, and every stream that was left with it. Nothing comes after this. What
    /// [`Mux::fill`](super::Mux::fill) still gives is to be sent, and then the pipe finished.
    Ended {
        /// Why.
        reason: Ended,
    },
}

/// Why a session's streams are over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Ended {
    /// This side ended it with this code, and what had to drain has drained.
    Local(u32),
    /// The peer ended it with this code, and what had to drain has drained.
    Peer(u32),
    /// The peer broke the contract.
    Rejected(super::Reject),
    /// No record came for too long.
    Dead,
    /// The pipe ended without a CLOSE of stream 0.
    Truncated,
}

/// How many streams of the peer's were refused, each for its own fault.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OpensRefused {
    /// [`Reject::StreamLimitExceeded`].
    pub past_limit: u64,
    /// [`Reject::InvalidStreamName`].
    pub misnamed: u64,
    /// [`Reject::ServiceDenied`].
    pub denied: u64,
    /// [`code::REFUSED`](super::code::REFUSED): the session is ending, or too many closed streams are not read.
    pub refused: u64,
}

impl OpensRefused {
    pub(super) fn count(&mut self, code: u32) {
        *match Reject::from_code(code) {
            Some(Reject::StreamLimitExceeded) => &mut self.past_limit,
            Some(Reject::InvalidStreamName) => &mut self.misnamed,
            Some(Reject::ServiceDenied) => &mut self.denied,
            _ => &mut self.refused,
        } += 1;
    }
}
