//! How a session fails. What ends a session in order is in the frames of [`mux`](crate::mux).

use core::fmt;

/// Why no session came to be. The first five are judged in this order (wire contract, 3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum HandshakeError {
    /// A message announced another length than its own, before its body was there.
    HandshakeLength,
    /// A message did not open, or a key in it is of low order: it was not made for this handshake.
    NoiseFailed,
    /// The peer's identity proof was not signed by the key in it, for this role, Noise static and handshake.
    ProofInvalid,
    /// The peer is this device itself.
    SelfConnect,
    /// The peer has proven another id than the one that was dialled.
    IdentityMismatch,
    /// The handshake was not over at its deadline.
    HandshakeTimeout,
    /// The owner of the session gave its place to another.
    Evicted,
    /// The pipe ended before the handshake did.
    PeerClosed,
}

impl HandshakeError {
    /// Its name in the wire contract.
    pub const fn label(self) -> &'static str {
        match self {
            Self::HandshakeLength => "HandshakeLength",
            Self::NoiseFailed => "NoiseFailed",
            Self::ProofInvalid => "ProofInvalid",
            Self::SelfConnect => "SelfConnect",
            Self::IdentityMismatch => "IdentityMismatch",
            Self::HandshakeTimeout => "HandshakeTimeout",
            Self::Evicted => "Evicted",
            Self::PeerClosed => "PeerClosed",
        }
    }
}

impl fmt::Display for HandshakeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.label())
    }
}

impl core::error::Error for HandshakeError {}

/// Why a session ended without a word to the peer. Its owner closes the pipe.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SessionError {
    /// It never came to be.
    Handshake(HandshakeError),
    /// A record did not open, or was too short to: forged, replayed, reordered or cut. Nothing after it is read.
    RecordInvalid,
}

impl fmt::Display for SessionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Handshake(error) => error.label(),
            Self::RecordInvalid => "RecordInvalid",
        })
    }
}

impl core::error::Error for SessionError {}

impl From<HandshakeError> for SessionError {
    fn from(error: HandshakeError) -> Self {
        Self::Handshake(error)
    }
}
