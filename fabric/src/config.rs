//! Every limit of a node in one plain place. All of them are the wire contract's defaults until somebody says otherwise.

use crate::policy::Policy;
use crate::{discovery, mux, session};
use alloc::collections::BTreeSet;
use alloc::string::String;
use alloc::vec::Vec;
use machine::Duration;

/// What a node is told at its start.
#[derive(Clone, Debug)]
pub struct Config {
    /// The port that sessions are accepted at, as announced.
    pub port: u16,
    /// Services to announce: 1 to 64 bytes of UTF-8 each, at most 16, or 15 where announces are
    /// signed, none twice.
    pub services: Vec<String>,
    /// Whether and how to announce this device: ids link it across networks.
    pub announce: Announcing,
    /// Who gets in that is not trusted.
    pub admitting: Admitting,
    /// Whose sessions are accepted, besides those of the trust store. All others learn `not_trusted`.
    pub trusted: BTreeSet<crate::identity::DeviceId>,
    /// Whether trusted devices are dialled as soon as they are discovered, without being asked for.
    pub dial_trusted: bool,
    /// Who may open what.
    pub policy: Policy,
    /// Bounds of discovery (section 2).
    pub discovery: discovery::Limits,
    /// Bounds of a session (section 3).
    pub session: session::Limits,
    /// Bounds of a session's streams (section 4).
    pub mux: mux::Limits,
    /// Bounds over all sessions.
    pub limits: Limits,
}

impl Default for Config {
    /// Trusts nobody, serves nothing, and announces that.
    fn default() -> Self {
        Self {
            port: crate::discovery::PORT,
            services: Vec::new(),
            announce: Announcing::default(),
            admitting: Admitting::default(),
            trusted: BTreeSet::new(),
            dial_trusted: false,
            policy: Policy::default(),
            discovery: discovery::Limits::default(),
            session: session::Limits::default(),
            mux: mux::Limits::default(),
            limits: Limits::default(),
        }
    }
}

/// Which devices get a session (sections 3 and 6).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Admitting {
    /// Trusted ones only.
    #[default]
    Closed,
    /// Trusted ones, and for as long as the node is in pairing mode others too, to pair and for nothing else.
    Pairing,
    /// For tests only: every device counts as trusted.
    Open,
}

/// How a node announces itself (section 2).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Announcing {
    /// Not at all: it can be dialled only by those who know its address.
    Off,
    /// Unsigned only. It needs no storage, and anybody can say the same.
    V1,
    /// Signed, and then unsigned for those who know no better, as the wire contract has it. The first announce waits for a
    /// write to storage; while that fails, announces are unsigned.
    #[default]
    V2,
}

/// Bounds of a node over all its sessions (section 3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Sessions at a time, dialled and accepted; and as many more that are over, or were refused, and whose last words are
    /// still being sent.
    pub sessions_max: u16,
    /// Of those, with one device. A peer that follows the wire contract has two for a moment, and one more for each time
    /// that it lost its memory of late; past the bound the oldest ends.
    pub sessions_per_device_max: u16,
    /// Inbound handshakes that are not finished.
    pub handshakes_max: u16,
    /// Of those, from one source address.
    pub handshakes_per_source_max: u16,
    /// How long an ended session's pipe is read on and its bytes discarded before it is closed.
    pub linger: Duration,
    /// The first wait before a lost or refused session is dialled again; it doubles, less up to half of it by chance.
    pub redial_after: Duration,
    /// The longest such wait.
    pub redial_after_max: Duration,
    /// The next candidate of a device is dialled so long after the one before.
    pub next_candidate_after: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            sessions_max: 256,
            sessions_per_device_max: 4,
            handshakes_max: 64,
            handshakes_per_source_max: 4,
            linger: Duration::from_secs(1),
            redial_after: Duration::from_millis(250),
            redial_after_max: Duration::from_secs(10),
            next_candidate_after: Duration::from_secs(1),
        }
    }
}
