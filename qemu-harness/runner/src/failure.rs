//! How a run fails, by kind, so that a script can tell a broken guest from a broken protocol or a missing QEMU.

use serde::Serialize;
use std::fmt;

/// What went wrong, and where.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Failure {
    /// Of which kind.
    pub kind: Kind,
    /// Which node; none when it is nobody's.
    pub node: Option<String>,
    /// In words.
    pub detail: String,
}

/// The kinds, the deepest cause first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// The runner, QEMU or this computer; the nodes are not to blame.
    Harness,
    /// The guest never said that it booted.
    Boot,
    /// A broken invariant or a processor exception in the guest.
    GuestPanic,
    /// The card or the stack did not start.
    NoNetwork,
    /// A node did not find another in time.
    DiscoveryTimeout,
    /// A peer did not prove to be who was meant, or is not trusted.
    Identity,
    /// A session that somebody needed did not come up in time.
    Session,
    /// Something was denied that had to be allowed, or the reverse.
    Policy,
    /// Anything else that was seen and should not have been, or the reverse.
    ObservationMismatch,
}

impl Failure {
    /// A failure of the node called `node`.
    pub fn of(kind: Kind, node: &str, detail: impl Into<String>) -> Self {
        Self { kind, node: Some(node.to_owned()), detail: detail.into() }
    }

    /// A failure of nobody's.
    pub fn harness(detail: impl Into<String>) -> Self {
        Self { kind: Kind::Harness, node: None, detail: detail.into() }
    }
}

/// As in JSON.
impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.serialize(f)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.kind)?;
        if let Some(node) = &self.node {
            write!(f, "{node}: ")?;
        }
        f.write_str(&self.detail)
    }
}

impl std::error::Error for Failure {}
