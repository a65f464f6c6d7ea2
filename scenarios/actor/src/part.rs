//! What one node is to do, with every name, count and size already resolved. Plain data that goes to any world as JSON.

use crate::Directory;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use fabric::identity::DeviceId;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};

/// One node's part of a resolved scenario.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Part {
    /// The node's name in the scenario.
    pub name: String,
    /// The seed of its device key.
    pub device_seed: Bytes32,
    /// The secret half of its Noise static key.
    pub noise_secret: Bytes32,
    /// The UDP port of discovery and the port its sessions are accepted at.
    pub port: u16,
    /// Every node, itself included.
    pub peers: Directory,
    /// The names of the nodes that it trusts: dials them unasked and accepts their sessions. `None`: every other one.
    pub trusts: Option<Vec<String>>,
    /// Which services it serves. `echo` sends every message back; any other takes messages and says nothing: `slow` reads
    /// 8 KiB ten times a second, `unread` nothing at all, and those of any other name whatever there is. `samgrd` and
    /// `bundlemgrd` are called: they answer by the fabric's own services.
    pub serves: Vec<String>,
    /// Who may open what; all else is denied.
    pub allow: Vec<Allow>,
    /// What it does itself, in the order of its times.
    pub work: Vec<Work>,
    /// What it reports once.
    pub marks: Vec<Mark>,
}

/// A node, by the name that the scenario has for it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Peer {
    /// Its name; local, like a label.
    pub name: String,
    /// Its device id.
    pub device: Bytes32,
}

impl Peer {
    /// Its device id.
    pub const fn device_id(&self) -> DeviceId {
        DeviceId::from_bytes(self.device.0)
    }
}

/// One permission.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Allow {
    /// The peer, by name.
    pub peer: String,
    /// The service.
    pub service: String,
}

/// One thing to do: open a stream, send so many bytes as messages, and see what is expected.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Work {
    /// Unique in the scenario.
    pub id: u32,
    /// When, in nanoseconds of the node's own time after its first boot. A restarted node does undone work again.
    pub at_nanos: u64,
    /// With whom, by name.
    pub peer: String,
    /// Which service to open.
    pub service: String,
    /// 0 (first) to 7.
    pub priority: u8,
    /// How many bytes to send in all.
    pub bytes: u64,
    /// The least and the most bytes of one message, the second at least 1; the last message may be shorter.
    pub message_bytes: (u32, u32),
    /// What ends it well.
    pub expect: Expect,
}

/// How a piece of work ends well. Anything else that happens makes the actor try again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Expect {
    /// Every message came back whole and in order, and both halves ended cleanly.
    Echoed,
    /// Every message was taken, and both halves ended cleanly.
    Delivered,
    /// The service was denied.
    Denied,
    /// The stream was admitted. It stays open, and as much is sent as the peer gives credit for.
    Opened,
    /// The service was called, and gave the right answer.
    Answered,
}

/// A report that is made once, when the node's application has sent or received so much: what triggered faults wait for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Mark {
    /// Unique in the scenario.
    pub id: u32,
    /// What is counted.
    pub kind: MarkKind,
    /// How many bytes of messages, over all streams and all starts of the node that remember it.
    pub bytes: u64,
}

/// What a [`Mark`] counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum MarkKind {
    /// Bytes that the application handed to the fabric.
    Sent,
    /// Bytes that it read from the fabric.
    Received,
}

/// 32 bytes, as 64 lower-case hex digits in JSON. `Debug` does not show them: some are secret.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Bytes32(pub [u8; 32]);

impl fmt::Debug for Bytes32 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Bytes32(..)")
    }
}

impl Serialize for Bytes32 {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&DeviceId::from_bytes(self.0))
    }
}

impl<'de> Deserialize<'de> for Bytes32 {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <alloc::borrow::Cow<'_, str>>::deserialize(deserializer)?;
        let id: DeviceId = text.parse().map_err(D::Error::custom)?;
        Ok(Self(*id.as_bytes()))
    }
}
