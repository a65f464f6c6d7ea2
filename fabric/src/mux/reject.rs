//! What a peer can do wrong, and the codes that say so (wire contract, 4).

use crate::probe::Probe;
use core::fmt;

/// An offence of the peer's, or a refusal of one stream. Its code goes over the wire, its label into logs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Reject {
    /// Unknown kind or flag, wrong payload length, priority over 7, empty DATA without EOM, wrong use of stream 0, an
    /// empty record.
    FrameInvalid,
    /// DATA of more than 32768 bytes, or a header or payload past the record's end.
    FrameOversize,
    /// A frame that the stream's state does not allow, or an OPEN whose id has the wrong parity or does not rise.
    InvalidStreamStateTransition,
    /// A frame for a stream that was never opened.
    UnknownStreamFrame,
    /// DATA past either credit, a delta of 0, a window past 2^31 - 1.
    WindowCreditOverflowOrUnderflow,
    /// A budget is spent.
    Flood,
    /// An OPEN past the limit: ends that stream only.
    StreamLimitExceeded,
    /// A service name that is empty, over 64 bytes, not UTF-8, or has control characters: ends that stream only.
    InvalidStreamName,
    /// The policy does not allow this device the service, or nobody serves it: ends that stream only.
    ServiceDenied,
}

impl Reject {
    /// Its number in CLOSE and RST.
    pub const fn code(self) -> u32 {
        match self {
            Self::FrameInvalid => 16,
            Self::FrameOversize => 17,
            Self::InvalidStreamStateTransition => 18,
            Self::UnknownStreamFrame => 19,
            Self::WindowCreditOverflowOrUnderflow => 20,
            Self::Flood => 21,
            Self::StreamLimitExceeded => 22,
            Self::InvalidStreamName => 23,
            Self::ServiceDenied => 24,
        }
    }

    /// What a side that rejects so has reached.
    pub(crate) const fn probe(self) -> Probe {
        match self {
            Self::FrameInvalid => Probe::FrameInvalid,
            Self::FrameOversize => Probe::FrameOversize,
            Self::InvalidStreamStateTransition => Probe::StreamStateInvalid,
            Self::UnknownStreamFrame => Probe::StreamUnknown,
            Self::WindowCreditOverflowOrUnderflow => Probe::CreditViolated,
            Self::Flood => Probe::Flooded,
            Self::StreamLimitExceeded => Probe::StreamLimitExceeded,
            Self::InvalidStreamName => Probe::StreamNameInvalid,
            Self::ServiceDenied => Probe::ServiceDenied,
        }
    }

    /// The reject with this number.
    pub fn from_code(code: u32) -> Option<Self> {
        let all = [
            Self::FrameInvalid,
            Self::FrameOversize,
            Self::InvalidStreamStateTransition,
            Self::UnknownStreamFrame,
            Self::WindowCreditOverflowOrUnderflow,
            Self::Flood,
            Self::StreamLimitExceeded,
            Self::InvalidStreamName,
            Self::ServiceDenied,
        ];
        all.into_iter().find(|reject| reject.code() == code)
    }

    /// Its name in the wire contract.
    pub const fn label(self) -> &'static str {
        match self {
            Self::FrameInvalid => "mux.reject.frame_invalid",
            Self::FrameOversize => "mux.reject.frame_oversize",
            Self::InvalidStreamStateTransition => "mux.reject.invalid_stream_state_transition",
            Self::UnknownStreamFrame => "mux.reject.unknown_stream_frame",
            Self::WindowCreditOverflowOrUnderflow => "mux.reject.window_credit_overflow_or_underflow",
            Self::Flood => "mux.reject.flood",
            Self::StreamLimitExceeded => "mux.reject.stream_limit_exceeded",
            Self::InvalidStreamName => "mux.reject.invalid_stream_name",
            Self::ServiceDenied => "mux.reject.service_denied",
        }
    }
}

impl fmt::Display for Reject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.label())
    }
}

impl core::error::Error for Reject {}

/// The codes of CLOSE and RST that are no rejects.
pub mod code {
    /// CLOSE of stream 0: nothing is left to do.
    pub const DONE: u32 = 0;
    /// CLOSE of stream 0: another session with the same device takes over.
    pub const DUPLICATE: u32 = 1;
    /// CLOSE of stream 0: the device shuts down, or has no place.
    pub const GOING_AWAY: u32 = 2;
    /// RST: nothing was done, and it is safe to try again.
    pub const REFUSED: u32 = 3;
    /// CLOSE of stream 0: the device is not trusted.
    pub const NOT_TRUSTED: u32 = 4;
    /// CLOSE of stream 0: the device is not trusted any more.
    pub const REVOKED: u32 = 5;
    /// CLOSE of stream 0: no record came for too long.
    pub const KEEPALIVE: u32 = 6;
    /// RST: the application does not want it any more.
    pub const CANCELLED: u32 = 7;
    /// RST: a message is longer than its reader takes.
    pub const MESSAGE_TOO_LARGE: u32 = 8;
    /// RST: this and all above are the application's.
    pub const APPLICATION: u32 = 65_536;

    /// Whether a CLOSE of stream 0 with this code lets streams finish.
    pub const fn drains(code: u32) -> bool {
        code <= GOING_AWAY
    }
}
