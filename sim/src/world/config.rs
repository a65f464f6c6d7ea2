//! What a world is made from, apart from its machines.

use super::hosts::host_of;
use crate::disk::DiskProfile;
use crate::fate::{Chance, NameHash};
use crate::fault::Planned;
use crate::ledger::Ledger;
use crate::link::LinkProfile;
use crate::pipe::PipeProfile;
use crate::{Clock, Time};
use machine::{Addr, Duration};

/// A node, by its place among all nodes in the order of their names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeIndex(pub(crate) u32);

impl NodeIndex {
    /// No node: the world itself.
    pub const NONE: Self = Self(0x0FFF_FFFF);

    /// The `index`-th node in name order.
    pub const fn new(index: u32) -> Self {
        Self(index)
    }

    /// Its place, from 0.
    pub const fn as_usize(self) -> usize {
        self.0 as usize
    }
}

/// One node.
#[derive(Clone, Debug)]
pub struct NodeConfig {
    /// Unique in its world. All that chance does to the node is keyed by it.
    pub name: String,
    /// Where it receives datagrams and accepts pipes.
    pub port: u16,
    /// When it boots first.
    pub starts_at: Time,
    /// Its own idea of time.
    pub clock: Clock,
    /// Its storage.
    pub disk: DiskProfile,
    /// The network segments that it is on, by numbers of the caller's: a datagram to the group reaches those who share one
    /// with its sender. Addresses are reached across segments.
    pub segments: Vec<u32>,
}

impl NodeConfig {
    /// A node with a true clock and a perfect disk that boots at once, on port 7000 and segment 0.
    pub fn new(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            port: 7_000,
            starts_at: Time::ZERO,
            clock: Clock::new(Duration::ZERO, 0),
            disk: DiskProfile::default(),
            segments: vec![0],
        }
    }

    /// Where others reach the node: it follows from its name and its port, so that it is known before the world is.
    pub fn addr(&self) -> Addr {
        Addr::new(host_of(NameHash::of(&self.name).as_u64()), self.port)
    }
}

/// Liberties that `machine`'s contract gives every driver, taken at random: no event may depend on them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Perturb {
    /// A `Timeout` before its time is handed in after an input.
    pub spurious_timeout: Chance,
    /// After an input, outputs are drained up to 1 ms later, together with those of the inputs until then.
    pub late_drain: Chance,
}

/// All that a world is made from, apart from its machines.
#[derive(Debug)]
pub struct Config {
    /// Decides everything that is left to chance.
    pub seed: u64,
    /// In any order; the world sorts them by name.
    pub nodes: Vec<NodeConfig>,
    /// How links behave.
    pub link: LinkProfile,
    /// Directions that behave otherwise: sender's name, receiver's name, behaviour.
    pub links: Vec<(String, String, LinkProfile)>,
    /// How pipes behave.
    pub pipes: PipeProfile,
    /// What goes wrong and when. Node indexes are places in name order.
    pub plan: Vec<Planned>,
    /// Legal liberties to take.
    pub perturb: Perturb,
    /// Overrides what the seed decides.
    pub ledger: Ledger,
    /// From this time on chance is drawn from another seed.
    pub reseed_at: Option<(Time, u64)>,
    /// More events than this at one time are a livelock.
    pub events_per_instant_max: u64,
}

impl Config {
    /// A perfect network of these nodes.
    pub fn new(seed: u64, nodes: impl IntoIterator<Item = NodeConfig>) -> Self {
        let nodes: Vec<_> = nodes.into_iter().collect();
        Self {
            seed,
            events_per_instant_max: 100_000 + 1_000 * nodes.len() as u64,
            nodes,
            link: LinkProfile::default(),
            links: Vec::new(),
            pipes: PipeProfile::default(),
            plan: Vec::new(),
            perturb: Perturb::default(),
            ledger: Ledger::default(),
            reseed_at: None,
        }
    }
}
