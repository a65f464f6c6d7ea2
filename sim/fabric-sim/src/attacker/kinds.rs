//! What attackers can be told to do, by the names that scenarios use.

use serde::Serialize;

fn name<T: PartialEq>(all: &[(&'static str, T)], kind: &T) -> &'static str {
    all.iter().find(|(_, known)| known == kind).map_or("", |(name, _)| name)
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
    pub(crate) const ALL: [(&'static str, Self); 8] = [
        ("observe", Self::Observe),
        ("replay", Self::Replay),
        ("splice", Self::Splice),
        ("truncate", Self::Truncate),
        ("reflect", Self::Reflect),
        ("relay", Self::Relay),
        ("identity-swap", Self::IdentitySwap),
        ("drip", Self::Drip),
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
    pub(crate) const ALL: [(&'static str, Self); 23] = [
        ("out-of-turn", Self::OutOfTurn),
        ("bad-frames", Self::BadFrames),
        ("credit-lies", Self::CreditLies),
        ("flood-ping", Self::FloodPing),
        ("flood-pong", Self::FloodPong),
        ("flood-window-update", Self::FloodWindowUpdate),
        ("flood-open", Self::FloodOpen),
        ("flood-churn", Self::FloodChurn),
        ("flood-empty-data", Self::FloodEmptyData),
        ("flood-reset", Self::FloodReset),
        ("crowding", Self::Crowding),
        ("miser", Self::Miser),
        ("false-commitment", Self::FalseCommitment),
        ("half-open", Self::HalfOpen),
        ("drip", Self::Drip),
        ("garbage", Self::Garbage),
        ("storm", Self::Storm),
        ("hoard", Self::Hoard),
        ("forged-proof", Self::ForgedProof),
        ("low-order", Self::LowOrder),
        ("promise", Self::Promise),
        ("announce-flood", Self::AnnounceFlood),
        ("impostor", Self::Impostor),
    ];

    pub(crate) fn name(self) -> &'static str {
        name(&Self::ALL, &self)
    }
}
