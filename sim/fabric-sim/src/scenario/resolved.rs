//! A scenario with every name, count and default settled: plain data, the same for every world, and what is hashed.
//!
//! Nodes are named by their place in the order of names, which is also the simulator's.

use super::units::{BitRate, Bytes, Delay, Nanos, Percent, Range, Skew};
use crate::attacker::{Conduct, TapKind};
use crate::worlds::World;
use scenario_actor::{Expect, MarkKind};
use serde::Serialize;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::io;

/// A node's place in name order.
pub(crate) type NodeId = u32;

/// A site's place among all of them.
pub(crate) type SiteId = u32;

/// All of a scenario but the seed.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Scenario {
    pub(crate) name: String,
    pub(crate) stop_at: Nanos,
    /// The names of the network segments, if nodes do not share one.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) sites: Vec<String>,
    /// Sorted by name.
    pub(crate) nodes: Vec<Node>,
    pub(crate) link: Link,
    /// Directions that differ from `link`.
    pub(crate) links: BTreeMap<(NodeId, NodeId), Link>,
    pub(crate) pipes: Pipes,
    pub(crate) perturb: Perturb,
    pub(crate) attackers: Vec<Attacker>,
    pub(crate) work: Vec<Work>,
    pub(crate) marks: Vec<Mark>,
    pub(crate) faults: Vec<Fault>,
    pub(crate) checks: Checks,
    pub(crate) swarm: BTreeMap<String, serde_json::Value>,
    /// Where it is meant to run; the run itself does not depend on it.
    #[serde(skip)]
    pub(crate) worlds: Vec<World>,
}

#[derive(Clone, Debug, Serialize)]
pub(crate) struct Node {
    pub(crate) name: String,
    /// The places of its sites in [`Scenario::sites`], in order; `None` where all share one network.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) sites: Option<Vec<SiteId>>,
    pub(crate) starts_at: Nanos,
    pub(crate) clock_offset: Nanos,
    pub(crate) clock_skew: Skew,
    pub(crate) disk: Disk,
    pub(crate) serves: Vec<String>,
    /// Who may open which of its services.
    pub(crate) allow: Vec<(NodeId, String)>,
    /// `None`: every node.
    pub(crate) trusts: Option<Vec<NodeId>>,
    pub(crate) hostile: Option<Hostile>,
}

/// What a hostile node does.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Hostile {
    pub(crate) conduct: Conduct,
    pub(crate) victims: Vec<NodeId>,
    /// Whose public key it shows as its own.
    pub(crate) guise: Option<NodeId>,
}

/// A man in the middle of all links between two sides.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Attacker {
    pub(crate) name: String,
    pub(crate) tap: TapKind,
    pub(crate) between: [Vec<NodeId>; 2],
    pub(crate) from: Nanos,
    pub(crate) until: Option<Nanos>,
}

impl Node {
    /// Whether the two hear each other's announces: others never talk.
    pub(crate) fn meets(&self, other: &Self) -> bool {
        match (&self.sites, &other.sites) {
            (Some(mine), Some(its)) => mine.iter().any(|site| its.binary_search(site).is_ok()),
            _ => true,
        }
    }
}

impl Attacker {
    /// The links that are his, of nodes that talk.
    pub(crate) fn links(&self, nodes: &[Node]) -> impl Iterator<Item = (NodeId, NodeId)> {
        let [one, other] = &self.between;
        let all = one.iter().flat_map(move |a| other.iter().map(move |b| (*a, *b)));
        all.filter(|(a, b)| nodes[*a as usize].meets(&nodes[*b as usize]))
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub(crate) struct Disk {
    pub(crate) delay: Delay,
    pub(crate) fail: Percent,
    pub(crate) torn: Percent,
    pub(crate) rot: Percent,
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub(crate) struct Link {
    pub(crate) delay: Delay,
    pub(crate) loss: Percent,
    /// Chances to enter and to leave a burst.
    pub(crate) burst: Option<(Percent, Percent)>,
    pub(crate) duplicate: Percent,
    pub(crate) reorder: Percent,
    pub(crate) corrupt: Percent,
    pub(crate) truncate: Percent,
    pub(crate) rate: Option<BitRate>,
    pub(crate) queue: u32,
    pub(crate) mtu: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub(crate) struct Pipes {
    pub(crate) buffer: u32,
    pub(crate) segment: u32,
    pub(crate) room_max: u32,
    pub(crate) chunk_max: Option<u32>,
    pub(crate) refuse: Percent,
    pub(crate) silent: Percent,
    pub(crate) reset: Percent,
    pub(crate) patience: Nanos,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub(crate) struct Perturb {
    pub(crate) spurious_timeout: Percent,
    pub(crate) late_drain: Percent,
}

/// One piece of work; its id is its place.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Work {
    pub(crate) at: Nanos,
    pub(crate) from: NodeId,
    pub(crate) to: NodeId,
    pub(crate) service: String,
    pub(crate) bytes: Bytes,
    pub(crate) message: Range<Bytes>,
    pub(crate) priority: u8,
    pub(crate) expect: Expect,
    /// Where it is written, as `file.toml:12`.
    #[serde(skip)]
    pub(crate) place: String,
}

/// What a node reports once; its id is its place, and the number of the trigger that it fires.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub(crate) struct Mark {
    pub(crate) node: NodeId,
    pub(crate) kind: MarkKind,
    pub(crate) bytes: Bytes,
}

#[derive(Clone, Debug, Serialize)]
pub(crate) struct Fault {
    pub(crate) begin: Begin,
    pub(crate) lasts: Option<Nanos>,
    pub(crate) what: What,
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Begin {
    At(Nanos),
    /// The mark of this place is reached.
    Mark(u32),
}

#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum What {
    Partition { from: Vec<NodeId>, to: Vec<NodeId>, one_way: bool, flap: Option<Nanos> },
    Restart(NodeId),
    Crash(NodeId),
    Pause(NodeId),
    ClockJump(NodeId, Nanos),
    ClockRate(NodeId, Skew),
    Link(NodeId, NodeId, Link),
    Reset(NodeId, NodeId),
    Disk(NodeId, Disk),
}

/// What is judged. Names are those of [`crate::oracles`].
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Checks {
    pub(crate) always: Vec<&'static str>,
    pub(crate) eventually: Vec<(&'static str, Nanos)>,
    pub(crate) felt: Vec<Felt>,
    pub(crate) sometimes: Vec<String>,
}

/// What a node must feel of the attacks on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Felt {
    pub(crate) node: NodeId,
    /// One of [`crate::oracles::EFFECTS`].
    pub(crate) effect: &'static str,
}

impl Default for Link {
    fn default() -> Self {
        Self {
            delay: Delay::default(),
            loss: Percent(0),
            burst: None,
            duplicate: Percent(0),
            reorder: Percent(0),
            corrupt: Percent(0),
            truncate: Percent(0),
            rate: None,
            queue: 256 * 1024,
            mtu: 65_535,
        }
    }
}

impl Default for Pipes {
    fn default() -> Self {
        Self {
            buffer: 256 * 1024,
            segment: 1_460,
            room_max: 64 * 1024,
            chunk_max: None,
            refuse: Percent(0),
            silent: Percent(0),
            reset: Percent(0),
            patience: Nanos(120_000_000_000),
        }
    }
}

/// What is written here is hashed, and not kept.
struct Hashing<'a>(&'a mut Sha256);

impl io::Write for Hashing<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Scenario {
    /// The first 16 hex digits of the SHA-256 of all that the scenario says: formatting and comments do not count.
    pub(crate) fn hash(&self) -> String {
        // A map keyed by pairs is no JSON object; as a list it is.
        let links: Vec<_> = self.links.iter().collect();
        let rest = Self { links: BTreeMap::new(), ..self.clone() };
        let mut hasher = Sha256::new();
        // Plain data of our own always has a JSON form, and a hasher takes all of it.
        let _ = serde_json::to_writer(Hashing(&mut hasher), &rest);
        let _ = serde_json::to_writer(Hashing(&mut hasher), &links);
        let digest = hasher.finalize();
        let first = digest.iter().take(8).fold(0_u64, |number, byte| number << 8 | u64::from(*byte));
        format!("{first:016x}")
    }

    /// The name of a node.
    pub(crate) fn node_name(&self, node: NodeId) -> &str {
        &self.nodes[node as usize].name
    }

    /// What the node of this name does, if it is hostile.
    pub(crate) fn hostile(&self, name: &str) -> Option<&Hostile> {
        let place = self.nodes.binary_search_by(|node| node.name.as_str().cmp(name)).ok()?;
        self.nodes[place].hostile.as_ref()
    }

    /// Whether anybody here does not keep to the rules.
    pub(crate) fn is_attacked(&self) -> bool {
        !self.attackers.is_empty() || self.nodes.iter().any(|node| node.hostile.is_some())
    }

    /// `phone-1 -> hub/echo`.
    pub(crate) fn work_title(&self, id: usize) -> String {
        let work = &self.work[id];
        format!("{} -> {}/{}", self.node_name(work.from), self.node_name(work.to), work.service)
    }
}
