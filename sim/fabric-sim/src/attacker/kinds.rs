//! What attackers can be told to do, by the names that scenarios use.

use serde::Serialize;

fn name<T: PartialEq>(all: &[(&'static str, T, &str)], kind: &T) -> &'static str {
    all.iter().find(|(_, known, _)| known == kind).map_or("", |(name, ..)| name)
}

/// What a man in the middle does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum TapKind {
    Observe,
    Replay,
    Splice,
    Truncate,
    Reflect,
    Relay,
    IdentitySwap,
    Drip,
}

impl TapKind {
    /// Its name, itself, and what it does.
    pub(crate) const ALL: [(&'static str, Self, &'static str); 8] = [
        (
            "observe",
            Self::Observe,
            "listens, and looks for the names of services (of 8 letters or more) in what should be sealed",
        ),
        ("replay", Self::Replay, "says again a record, then a whole handshake, and every announce"),
        ("splice", Self::Splice, "puts an answer and a record of one session into a later one"),
        ("truncate", Self::Truncate, "cuts a handshake, then the last byte of a record, then the connection"),
        (
            "reflect",
            Self::Reflect,
            "sends the dialler its own message, then its own record, and announces back to where they are from",
        ),
        ("relay", Self::Relay, "swaps the proofs of two diallers, then their whole sessions"),
        (
            "identity-swap",
            Self::IdentitySwap,
            "sends with each announce others with another's id, another key, another port, forged ones under its signature, a \
             goodbye among them, and tells each node that the others are where it is itself",
        ),
        ("drip", Self::Drip, "lets a byte of one session's records through now and then, and never a whole one"),
    ];

    pub(crate) fn name(self) -> &'static str {
        name(&Self::ALL, &self)
    }
}

/// What a hostile peer does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Conduct {
    OutOfTurn,
    BadFrames,
    CreditLies,
    FloodPing,
    FloodPong,
    FloodWindowUpdate,
    FloodOpen,
    FloodChurn,
    FloodEmptyData,
    FloodReset,
    Crowding,
    Miser,
    FalseCommitment,
    HalfOpen,
    Drip,
    Garbage,
    Storm,
    Hoard,
    ForgedProof,
    LowOrder,
    Promise,
    AnnounceFlood,
    Impostor,
}

impl Conduct {
    /// Its name, itself, and what it does.
    pub(crate) const ALL: [(&'static str, Self, &'static str); 23] = [
        (
            "out-of-turn",
            Self::OutOfTurn,
            "frames that do not fit the state of their stream, a session each, and checks the code of each answer",
        ),
        ("bad-frames", Self::BadFrames, "frames that are none, a session each, and checks the code of each answer"),
        (
            "credit-lies",
            Self::CreditLies,
            "more than its credit, and grants that are none, a session each, and checks the code of each answer",
        ),
        ("flood-ping", Self::FloodPing, "too many PINGs"),
        ("flood-pong", Self::FloodPong, "too many PONGs that nobody asked for"),
        ("flood-window-update", Self::FloodWindowUpdate, "credit a byte at a time"),
        ("flood-open", Self::FloodOpen, "OPENs of what nobody serves"),
        ("flood-churn", Self::FloodChurn, "too many streams opened and reset, and frames for a closed stream"),
        ("flood-empty-data", Self::FloodEmptyData, "too many empty messages"),
        ("flood-reset", Self::FloodReset, "DATA that nobody reads: its credit comes back, once"),
        ("crowding", Self::Crowding, "more streams than there may be"),
        (
            "miser",
            Self::Miser,
            "grants next to nothing: to a stream, and then to the session beside streams that may have all",
        ),
        ("false-commitment", Self::FalseCommitment, "pairs, and reveals another nonce than it committed to"),
        ("half-open", Self::HalfOpen, "handshakes that never begin"),
        ("drip", Self::Drip, "handshakes that never end"),
        ("garbage", Self::Garbage, "handshakes that make no sense"),
        ("storm", Self::Storm, "handshakes that succeed, by the hundred"),
        ("hoard", Self::Hoard, "sessions, by the hundred, that stay for as long as they are borne"),
        ("forged-proof", Self::ForgedProof, "shows another device's public key, which it cannot sign with"),
        ("low-order", Self::LowOrder, "handshakes with a key of low order, ephemeral or static"),
        ("promise", Self::Promise, "sessions that announce the longest record, and send next to none of it"),
        ("announce-flood", Self::AnnounceFlood, "announces 20,000 devices that are not there"),
        ("impostor", Self::Impostor, "announces itself as every other device, and answers who dials"),
    ];

    pub(crate) fn name(self) -> &'static str {
        name(&Self::ALL, &self)
    }
}
