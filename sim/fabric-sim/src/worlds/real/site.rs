//! What a world in real time is made of: where nodes live, and what carries their bytes.

use super::medium::Medium;
use crate::scenario::resolved::NodeId;
use ::sim::Time;
use mio::event::Event;
use scenario_actor::Observation;
use serde::{Deserialize, Serialize};
use std::io;

/// Tokens below are of nodes, by their numbers; those above are the site's own.
pub(super) const NODES_TOKENS: usize = 1 << 8;

/// What a node tells.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) enum Told {
    Booted(u64),
    Saw(Observation),
    Panicked(String),
    /// What is below the node does not do what it must.
    Failed(String),
}

pub(super) trait Site {
    /// Starts the node, with what it has stored. What it tells makes its token ready.
    fn boot(&mut self, now: Time, node: NodeId) -> Result<(), String>;

    /// Whether it was started, and not killed since.
    fn is_up(&self, node: NodeId) -> bool;

    /// Lets it stand still (`true`) or go on.
    fn stand_still(&self, node: NodeId, still: bool) -> io::Result<()>;

    /// What it has told since the last time.
    fn listen(&mut self, node: NodeId) -> Result<Vec<Told>, String>;

    /// Kills it at once. What it told before counts.
    fn kill(&mut self, node: NodeId) -> Result<Vec<Told>, String>;

    /// One of the site's own tokens is ready.
    fn on_ready(&mut self, now: Time, event: &Event);

    /// Does what is due by `now`.
    fn advance(&mut self, now: Time);

    /// When, after `now`, [`Site::advance`] has something to do.
    fn next_due(&self, now: Time) -> Option<Time>;

    /// What lies between the nodes.
    fn medium(&mut self) -> &mut Medium;

    /// The node loses power, and nothing says so to anybody.
    fn darken(&mut self, node: NodeId);

    /// Resets every connection between the two.
    fn reset(&mut self, a: NodeId, b: NodeId);

    /// An attacker that has not done what it came for.
    fn idle(&self) -> Option<String>;

    /// The nodes did not do all that they had to: an error when what is below them is to blame.
    fn blame(&self) -> Result<(), String>;
}
