//! The result of a run: what a program gets, and `summary.json`. Holds no path and no secret.

use crate::{Counts, Failure};
use scenario_actor::{Observation, WorkSeen};
use serde::Serialize;
use std::path::Path;

/// What came of a run.
#[derive(Clone, Debug, Serialize)]
pub struct Outcome {
    /// The format of this summary; a key is never given another meaning under the same number.
    pub schema: u32,
    /// What went wrong, the deepest cause first; empty when all that had to be seen was.
    pub failures: Vec<Failure>,
    /// From the first start to the last exit.
    pub wall_millis: u64,
    /// What the hub did.
    pub frames: Counts,
    /// The nodes, in the plan's order.
    pub nodes: Vec<NodeSummary>,
}

/// What came of one node.
#[derive(Clone, Debug, Serialize)]
pub struct NodeSummary {
    /// Its name.
    pub name: String,
    /// How often it was started.
    pub starts: u64,
    /// What its application saw, in order, through all starts.
    pub seen: Vec<Seen>,
    /// How many more did not fit.
    pub omitted: u64,
    /// How long its transfer by plain TCP took, if it sent one.
    pub plain_nanos: Option<u64>,
    /// How many bytes that was.
    pub plain_bytes: Option<u64>,
}

/// One observation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Seen {
    /// In which start of the node, from 0.
    pub incarnation: u64,
    /// When, in nanoseconds of the guest's time since that start.
    pub at_nanos: u64,
    /// What.
    pub what: Observation,
}

/// What one node sent to another in one run, in KiB of payload a second.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Speed {
    /// By plain TCP.
    pub plain: u64,
    /// By the fabric, in its first piece of work.
    pub fabric: u64,
}

impl NodeSummary {
    /// How fast it sent, if it sent by plain TCP too.
    pub fn speed(&self) -> Option<Speed> {
        let rate = |bytes: u64, nanos: u64| {
            u64::try_from(u128::from(bytes) * 1_000_000_000 / 1024 / u128::from(nanos.max(1))).unwrap_or(u64::MAX)
        };
        let work = |seen: &Seen| match &seen.what {
            Observation::Work { seen: WorkSeen::Started { .. }, .. } => Some((seen.at_nanos, None)),
            Observation::Work { seen: WorkSeen::Done { bytes, .. }, .. } => Some((seen.at_nanos, Some(*bytes))),
            _ => None,
        };
        let mut work = self.seen.iter().filter_map(work);
        let (began, _) = work.next()?;
        let (ended, bytes) = work.find_map(|(at, bytes)| Some((at, bytes?)))?;
        Some(Speed {
            plain: rate(self.plain_bytes?, self.plain_nanos?),
            fabric: rate(bytes, ended.saturating_sub(began)),
        })
    }
}

impl Outcome {
    /// Whether all that had to be seen was.
    pub fn passed(&self) -> bool {
        self.failures.is_empty()
    }

    /// What the node called `name` saw.
    pub fn observations(&self, name: &str) -> Vec<Observation> {
        let node = self.nodes.iter().find(|node| node.name == name);
        node.map(|node| node.seen.iter().map(|seen| seen.what.clone()).collect()).unwrap_or_default()
    }

    pub(crate) fn write(&self, folder: &Path) -> Result<(), Failure> {
        let text = serde_json::to_string_pretty(self).map_err(|error| Failure::harness(error.to_string()))?;
        let path = folder.join("summary.json");
        std::fs::write(&path, text + "\n")
            .map_err(|error| Failure::harness(format!("{} cannot be written: {error}", path.display())))
    }
}
