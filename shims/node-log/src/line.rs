//! One line of a log, as JSON: the first says what was booted.

use crate::settings::Settings;
use crate::text::{Digest, Hex, Text};
use fabric::identity::{DeviceId, NoisePublic};
use fabric::trust::Label;
use machine::PipeEnd;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::net::SocketAddr;

/// How a log begins: what the first line says first.
pub const MAGIC: &[u8] = b"{\"do\":\"boot\",\"log\":1,";

/// What was booted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Start {
    /// The version of the format: 1.
    pub(crate) log: u8,
    pub(crate) now: u64,
    pub(crate) incarnation: u64,
    pub(crate) seed: Hex,
    pub(crate) stored: BTreeMap<String, Hex>,
    pub(crate) verifying_key: Hex,
    pub(crate) noise_static: Text<NoisePublic>,
    pub(crate) settings: Settings,
}

/// One stream: its pipe and its number there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct Stream(pub(crate) u64, pub(crate) u32);

/// One line. A call is written before it is made, its answers and its result after that; times are in nanoseconds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) enum Line {
    Boot(Box<Start>),
    /// What the cryptography answered during the call before: a public key, a shared secret, a signature.
    NoisePublic {
        is: Text<NoisePublic>,
    },
    DiffieHellman {
        is: Hex,
    },
    Sign {
        is: Hex,
    },

    Timeout {
        now: u64,
    },
    Datagram {
        now: u64,
        from: SocketAddr,
        bytes: Hex,
    },
    PipeOpened {
        now: u64,
        pipe: u64,
    },
    PipeAccepted {
        now: u64,
        pipe: u64,
        from: SocketAddr,
    },
    PipeBytes {
        now: u64,
        pipe: u64,
        bytes: Hex,
    },
    PipeFinished {
        now: u64,
        pipe: u64,
    },
    PipeClosed {
        now: u64,
        pipe: u64,
        reason: End,
    },
    Stored {
        now: u64,
        key: String,
        ok: bool,
    },

    Connect {
        now: u64,
        device: Text<DeviceId>,
    },
    ConnectTo {
        now: u64,
        device: Text<DeviceId>,
        addr: SocketAddr,
        noise_static: Text<NoisePublic>,
    },
    Disconnect {
        now: u64,
        device: Text<DeviceId>,
    },
    Trust {
        now: u64,
        device: Text<DeviceId>,
    },
    Revoke {
        now: u64,
        device: Text<DeviceId>,
    },
    TrustAs {
        now: u64,
        device: Text<DeviceId>,
        label: Text<Label>,
        at: u64,
    },
    EnterPairing {
        now: u64,
    },
    Pair {
        now: u64,
        device: Text<DeviceId>,
    },
    ConfirmPairing {
        now: u64,
        label: Text<Label>,
        at: u64,
    },
    LeavePairing {
        now: u64,
    },
    ShutDown {
        now: u64,
    },

    /// From now on it may open the service, or call `service/method`.
    Allow {
        device: Text<DeviceId>,
        service: String,
    },

    Open {
        now: u64,
        device: Text<DeviceId>,
        service: String,
        priority: u8,
    },
    Write {
        now: u64,
        stream: Stream,
        bytes: Hex,
        ends: bool,
    },
    Read {
        now: u64,
        stream: Stream,
        bytes_max: u64,
    },
    Finish {
        now: u64,
        stream: Stream,
    },
    Reset {
        now: u64,
        stream: Stream,
        code: u32,
    },

    /// That gave an event: it changes nothing else, and is written only then.
    PollEvent {},
    PollOutput {},
    Fill {
        pipe: u64,
        room: u64,
    },

    /// The digest of what the last call gave.
    Out {
        is: Text<Digest>,
    },

    /// No more is recorded: the log is as long as it may be.
    Full {},
}

/// [`PipeEnd`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum End {
    Refused,
    TimedOut,
    Reset,
    Finished,
}

impl From<PipeEnd> for End {
    fn from(end: PipeEnd) -> Self {
        match end {
            PipeEnd::Refused => Self::Refused,
            PipeEnd::TimedOut => Self::TimedOut,
            PipeEnd::Reset => Self::Reset,
            PipeEnd::Finished => Self::Finished,
        }
    }
}

impl From<End> for PipeEnd {
    fn from(end: End) -> Self {
        match end {
            End::Refused => Self::Refused,
            End::TimedOut => Self::TimedOut,
            End::Reset => Self::Reset,
            End::Finished => Self::Finished,
        }
    }
}
