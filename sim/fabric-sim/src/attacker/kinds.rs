//! What attackers can be told to do, by the names that scenarios use.

use serde::Serialize;

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
}

impl TapKind {
    pub(crate) const ALL: [(&'static str, Self); 7] = [
        ("observe", Self::Observe),
        ("replay", Self::Replay),
        ("splice", Self::Splice),
        ("truncate", Self::Truncate),
        ("reflect", Self::Reflect),
        ("relay", Self::Relay),
        ("identity-swap", Self::IdentitySwap),
    ];
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
    HalfOpen,
    Drip,
    Garbage,
    Storm,
    Hoard,
    ForgedProof,
    AnnounceFlood,
    Impostor,
}

impl Conduct {
    pub(crate) const ALL: [(&'static str, Self); 17] = [
        ("out-of-turn", Self::OutOfTurn),
        ("bad-frames", Self::BadFrames),
        ("credit-lies", Self::CreditLies),
        ("flood-ping", Self::FloodPing),
        ("flood-pong", Self::FloodPong),
        ("flood-window-update", Self::FloodWindowUpdate),
        ("flood-open", Self::FloodOpen),
        ("flood-churn", Self::FloodChurn),
        ("flood-empty-data", Self::FloodEmptyData),
        ("half-open", Self::HalfOpen),
        ("drip", Self::Drip),
        ("garbage", Self::Garbage),
        ("storm", Self::Storm),
        ("hoard", Self::Hoard),
        ("forged-proof", Self::ForgedProof),
        ("announce-flood", Self::AnnounceFlood),
        ("impostor", Self::Impostor),
    ];
}
