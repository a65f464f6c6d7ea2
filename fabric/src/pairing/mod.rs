//! Two people compare six digits: the exchange of one pairing (wire contract, 6). Knows no stream, no clock and no store:
//! the node carries the messages, sees to it that one entry into pairing mode buys one exchange, and keeps the time.
//!
//! A man in the middle has two sessions, and so two handshake hashes. The side that commits first cannot choose its nonce
//! by the other's, and the other cannot by one that it has not seen: the two numbers that such a man makes people compare
//! are equal by chance only, once in a million. So he must not be given many tries, nor one of which nobody hears.

mod exchange;

pub use exchange::{Exchange, MESSAGE_BYTES_MAX, Offence, Step};

use core::fmt;

/// The number that both people see: six digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct PairingNumber(u32);

impl PairingNumber {
    /// 0 to 999,999.
    pub const fn as_u32(self) -> u32 {
        self.0
    }
}

impl fmt::Display for PairingNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:06}", self.0)
    }
}

/// Why a pairing came to nothing. People are told of each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PairingEnd {
    /// The peer broke the exchange's rules, or showed another nonce than it had committed to: somebody may be in between.
    Offence(Offence),
    /// A person said that the numbers differ, or nothing more should come of it.
    Rejected,
    /// The stream or its session ended.
    PeerGone,
    /// The time of pairing mode is over.
    TimedOut,
    /// Both people said yes, but there is no place for the device in the trust store.
    NotTrusted(crate::trust::TrustError),
}

impl fmt::Display for PairingEnd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Offence(offence) => offence.fmt(f),
            Self::Rejected => f.write_str("it was rejected here"),
            Self::PeerGone => f.write_str("the other side ended it"),
            Self::TimedOut => f.write_str("the time is over"),
            Self::NotTrusted(error) => error.fmt(f),
        }
    }
}

/// Why a call about pairing did nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PairingError {
    /// The configuration does not let strangers in: see [`Admitting`](crate::Admitting).
    Off,
    /// The node is not in pairing mode.
    NotPairing,
    /// This entry into pairing mode has had its exchange.
    Spent,
    /// There is no number that a person could have seen.
    NoNumber,
    /// The device cannot be trusted under this label.
    Trust(crate::trust::TrustError),
}

impl fmt::Display for PairingError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Off => f.write_str("pairing is off in this device's configuration"),
            Self::NotPairing => f.write_str("not in pairing mode"),
            Self::Spent => f.write_str("pairing mode has had its one exchange: enter it again"),
            Self::NoNumber => f.write_str("there is no number to confirm"),
            Self::Trust(error) => error.fmt(f),
        }
    }
}

impl core::error::Error for PairingError {}

#[cfg(test)]
mod middle;
