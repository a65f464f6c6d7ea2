//! What an application can see of a run: the one thing that all worlds must agree on.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use serde::{Deserialize, Serialize};

/// One thing that a node's application saw.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Observation {
    /// An announce named this peer, and none that still lives did before.
    Discovered {
        /// The peer, by its name in the scenario.
        peer: String,
    },
    /// A session with the peer is authenticated on both sides.
    SessionUp {
        /// The peer.
        peer: String,
    },
    /// A session with the peer has ended.
    SessionDown {
        /// The peer.
        peer: String,
        /// Why, in the fabric's words.
        reason: String,
    },
    /// No session with the peer came up.
    SessionFailed {
        /// The peer.
        peer: String,
        /// Why, in the fabric's words.
        reason: String,
    },
    /// What somebody tried who had not proven who he is was refused.
    Refused {
        /// Why, in the fabric's words.
        reason: String,
    },
    /// A service of this node got the next message of a stream.
    Received {
        /// Who sent it, as authenticated.
        peer: String,
        /// To which service.
        service: String,
        /// The sender's work, as the message says.
        work: u32,
        /// Which try of it, as the message says.
        attempt: u32,
        /// Which message of the try, as the message says.
        index: u32,
        /// How long it was.
        bytes: u32,
        /// Whether every byte was the one that the sender makes for this work, try and index.
        intact: bool,
    },
    /// Something happened to a piece of this node's work.
    Work {
        /// Which.
        id: u32,
        /// What.
        seen: WorkSeen,
    },
    /// A [`Mark`](crate::Mark) was reached.
    Marked {
        /// Which.
        id: u32,
    },
    /// Digits are shown, to be compared with those of the peer.
    Digits {
        /// The peer.
        peer: String,
        /// Six digits.
        number: String,
    },
    /// The person has said something of the digits.
    Answered {
        /// Whose they are to be, besides this node's.
        peer: String,
        /// Whether they are equal.
        yes: bool,
    },
    /// Both people said yes.
    Paired {
        /// The peer.
        peer: String,
    },
    /// Pairing mode has ended otherwise.
    PairingFailed {
        /// The peer, if digits were exchanged with one.
        peer: Option<String>,
        /// Why, in the fabric's words.
        reason: String,
    },
    /// Storage told at a start whom the node trusts, by name.
    Remembered {
        /// The peers.
        peers: Vec<String>,
    },
    /// All that the node's trust store says is durable.
    TrustDurable {
        /// The peers that it trusts.
        peers: Vec<String>,
    },
    /// A peer is trusted from now on, because somebody said so at this node.
    Trusted {
        /// The peer.
        peer: String,
    },
    /// A peer is trusted no more.
    Revoked {
        /// The peer.
        peer: String,
    },
    /// The node has another Noise static.
    KeyRotated,
    /// A peer that was to leave is not known any more.
    Left {
        /// The peer.
        peer: String,
    },
    /// The node has decided about a call.
    Audited {
        /// Who calls, as authenticated.
        peer: String,
        /// Which service.
        service: String,
        /// Which method, as the peer says.
        method: String,
        /// Whether the policy lets it.
        allowed: bool,
    },
}

/// What can happen to a piece of work.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum WorkSeen {
    /// A stream is being opened for it.
    Started {
        /// Which try, from 0, counted anew in each start of the node.
        attempt: u32,
    },
    /// It ended as expected.
    Done {
        /// As which of the expectations.
        as_expected: crate::Expect,
        /// How many messages were sent.
        messages: u32,
        /// How many bytes they had.
        bytes: u64,
    },
    /// A try ended otherwise; another follows.
    Failed {
        /// Which try.
        attempt: u32,
        /// Why, in the fabric's words.
        reason: String,
    },
    /// It ended against what was expected, and no other try can change that.
    Unexpected {
        /// What was seen.
        seen: String,
    },
}

/// What an observation is about: worlds are compared subject by subject.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Subject {
    /// Whether a peer was found, and a session with it came up.
    Peer(String),
    /// A piece of work.
    Work(u32),
    /// A stream that others opened.
    Served(String),
    /// A mark.
    Mark(u32),
    /// Whether a peer is trusted; without a name, all of them.
    Trust(String),
    /// Attempts of whoever it was.
    Strangers,
}

impl Observation {
    /// What it is about.
    pub fn subject(&self) -> Subject {
        match self {
            Self::Discovered { peer }
            | Self::SessionUp { peer }
            | Self::SessionDown { peer, .. }
            | Self::SessionFailed { peer, .. }
            | Self::Left { peer } => Subject::Peer(peer.clone()),
            Self::Digits { peer, .. }
            | Self::Answered { peer, .. }
            | Self::Paired { peer }
            | Self::Trusted { peer }
            | Self::Revoked { peer }
            | Self::PairingFailed { peer: Some(peer), .. } => Subject::Trust(peer.clone()),
            Self::PairingFailed { peer: None, .. }
            | Self::Remembered { .. }
            | Self::TrustDurable { .. }
            | Self::KeyRotated => Subject::Trust(String::new()),
            Self::Refused { .. } => Subject::Strangers,
            Self::Audited { service, .. } | Self::Received { service, .. } => Subject::Served(service.clone()),
            Self::Work { id, .. } => Subject::Work(*id),
            Self::Marked { id } => Subject::Mark(*id),
        }
    }

    /// Whether every world must show it, each subject's in the same order. Retries, partial lengths and the ends of
    /// sessions depend on timing, and so does how often a session comes up; a comparison takes the first `SessionUp`.
    pub const fn is_stable(&self) -> bool {
        match self {
            Self::Discovered { .. } | Self::SessionUp { .. } | Self::Paired { .. } | Self::Revoked { .. } => true,
            Self::Work { seen, .. } => matches!(seen, WorkSeen::Done { .. } | WorkSeen::Unexpected { .. }),
            Self::SessionDown { .. }
            | Self::SessionFailed { .. }
            | Self::Refused { .. }
            | Self::Received { .. }
            | Self::Marked { .. }
            | Self::Digits { .. }
            | Self::Answered { .. }
            | Self::PairingFailed { .. }
            | Self::Remembered { .. }
            | Self::TrustDurable { .. }
            | Self::Trusted { .. }
            | Self::KeyRotated
            | Self::Left { .. }
            | Self::Audited { .. } => false,
        }
    }
}

/// One line, as a summary shows it.
impl fmt::Display for Observation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Discovered { peer } => write!(f, "discovered {peer}"),
            Self::SessionUp { peer } => write!(f, "session with {peer} is up"),
            Self::SessionDown { peer, reason } => write!(f, "session with {peer} is down: {reason}"),
            Self::SessionFailed { peer, reason } => write!(f, "no session with {peer}: {reason}"),
            Self::Refused { reason } => write!(f, "refused: {reason}"),
            Self::Received { peer, service, work, attempt, index, bytes, intact } => {
                let state = if *intact { "" } else { ", damaged" };
                write!(
                    f,
                    "{service} got message {index} of work {work} try {attempt} from {peer}: {bytes} bytes{state}"
                )
            }
            Self::Work { id, seen } => write!(f, "work {id} {seen}"),
            Self::Marked { id } => write!(f, "mark {id} reached"),
            Self::Digits { peer, number } => write!(f, "shows {number}, to compare with {peer}"),
            Self::Answered { peer, yes: true } => write!(f, "its person says that {peer} shows the same"),
            Self::Answered { peer, yes: false } => write!(f, "its person says that {peer} shows something else"),
            Self::Paired { peer } => write!(f, "paired with {peer}"),
            Self::PairingFailed { peer: Some(peer), reason } => write!(f, "not paired with {peer}: {reason}"),
            Self::PairingFailed { peer: None, reason } => write!(f, "not paired: {reason}"),
            Self::Remembered { peers } => write!(f, "remembers that it trusts {}", listed(peers)),
            Self::TrustDurable { peers } => write!(f, "trusts {}, durably", listed(peers)),
            Self::Trusted { peer } => write!(f, "trusts {peer} from now on"),
            Self::Revoked { peer } => write!(f, "trusts {peer} no more"),
            Self::KeyRotated => f.write_str("has another Noise static"),
            Self::Left { peer } => write!(f, "{peer} has left"),
            Self::Audited { peer, service, method, allowed } => {
                let verdict = if *allowed { "lets" } else { "denies" };
                write!(f, "{verdict} {peer} call {service}/{method}")
            }
        }
    }
}

fn listed(peers: &[String]) -> String {
    if peers.is_empty() { String::from("nobody") } else { peers.join(", ") }
}

impl fmt::Display for WorkSeen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Started { attempt } => write!(f, "started, try {attempt}"),
            Self::Done { as_expected, messages, bytes } => {
                write!(f, "done: {as_expected:?}, {messages} messages, {bytes} bytes")
            }
            Self::Failed { attempt, reason } => write!(f, "try {attempt} failed: {reason}"),
            Self::Unexpected { seen } => write!(f, "ended against what was expected: {seen}"),
        }
    }
}
