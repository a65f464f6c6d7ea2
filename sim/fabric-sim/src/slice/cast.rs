//! Whom a failure is about.

use super::view::View;
use crate::capsule::Fingerprint;
use crate::scenario::resolved::{Fault, NodeId, What};
use scenario_actor::Observation;
use std::collections::BTreeSet;

/// Where nobody is named, all of a few nodes matter.
const EVERYBODY_MAX: usize = 3;
/// How far back a failure of one node is followed to find the other that had a part in it.
const STEPS_MAX: usize = 64;

/// The nodes that matter, and the pieces of work, where the failure is about some.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Cast {
    nodes: BTreeSet<NodeId>,
    works: BTreeSet<u32>,
}

impl Cast {
    pub(super) fn of(view: &View<'_>, fingerprint: &Fingerprint, detail: &str, anchor: Option<u64>) -> Self {
        let scenario = view.scenario;
        let title = &fingerprint.subject;
        let works =
            (0..scenario.work.len()).filter(|id| scenario.work_title(*id) == *title).map(|id| id as u32).collect();
        let mut nodes = named(view, title);
        if nodes.is_empty() {
            nodes.extend(anchor.and_then(|event| view.get(event)).and_then(|it| view.node(it.record.node)));
        }
        if nodes.is_empty() {
            nodes = named(view, detail);
        }
        if nodes.is_empty() && scenario.nodes.len() <= EVERYBODY_MAX {
            nodes = (0..scenario.nodes.len() as NodeId).collect();
        }
        if nodes.len() == 1 {
            nodes.extend(partner(view, &nodes, anchor));
        }
        Self { nodes, works }
    }

    pub(super) fn has(&self, node: Option<NodeId>) -> bool {
        node.is_some_and(|node| self.nodes.contains(&node))
    }

    pub(super) fn nodes(&self) -> impl Iterator<Item = NodeId> {
        self.nodes.iter().copied()
    }

    /// The one node that it is about, if it is about one.
    pub(super) fn only(&self) -> Option<NodeId> {
        self.nodes.first().copied().filter(|_| self.nodes.len() == 1)
    }

    /// Whether a fault strikes between these nodes.
    pub(super) fn is_struck_by(&self, fault: &Fault) -> bool {
        let is = |node: &NodeId| self.nodes.contains(node);
        match &fault.what {
            What::Partition { from, to, .. } => {
                let hit = |side: &[NodeId]| side.iter().filter(|node| is(node)).count();
                (hit(from) > 0 && hit(to) > 0) || (self.nodes.len() == 1 && hit(from) + hit(to) > 0)
            }
            What::Restart(node)
            | What::Crash(node)
            | What::Pause(node)
            | What::ClockJump(node, _)
            | What::ClockRate(node, _)
            | What::Disk(node, _) => is(node),
            What::Link(from, to, _) | What::Reset(from, to) => is(from) && is(to),
        }
    }

    /// Whether something that `node` saw tells of these.
    pub(super) fn is_told_of_by(&self, view: &View<'_>, node: Option<NodeId>, what: &Observation) -> bool {
        let knows = |peer: &String| self.has(view.named(peer));
        self.has(node)
            && match what {
                Observation::Discovered { peer }
                | Observation::SessionUp { peer }
                | Observation::SessionDown { peer, .. }
                | Observation::SessionFailed { peer, .. }
                | Observation::Digits { peer, .. }
                | Observation::Answered { peer, .. }
                | Observation::Paired { peer }
                | Observation::Trusted { peer }
                | Observation::Revoked { peer }
                | Observation::Left { peer }
                | Observation::Audited { peer, .. } => knows(peer),
                Observation::PairingFailed { peer, .. } => peer.as_ref().is_none_or(knows),
                Observation::Work { id, .. } if !self.works.is_empty() => self.works.contains(id),
                Observation::Work { id, .. } => {
                    view.scenario.work.get(*id as usize).is_some_and(|work| self.has(Some(work.to)))
                }
                // There are too many of them, and those that matter are on the way to the failure.
                Observation::Received { .. } | Observation::Refused { .. } => false,
                Observation::Marked { .. }
                | Observation::Remembered { .. }
                | Observation::TrustDurable { .. }
                | Observation::KeyRotated => true,
            }
    }
}

/// The nodes that a text names.
fn named(view: &View<'_>, text: &str) -> BTreeSet<NodeId> {
    let is_part = |letter: char| !(letter.is_ascii_alphanumeric() || "-_.".contains(letter));
    text.split(is_part).filter_map(|word| view.named(word)).collect()
}

/// The node from which something came that led to the failure or, where nothing did, that was last heard.
fn partner(view: &View<'_>, nodes: &BTreeSet<NodeId>, anchor: Option<u64>) -> Option<NodeId> {
    let other =
        |event: u64| view.get(event).and_then(|it| view.node(it.record.peer)).filter(|peer| !nodes.contains(peer));
    let led = anchor.and_then(|anchor| view.chain(anchor).take(STEPS_MAX).find_map(other));
    led.or_else(|| {
        let mine =
            view.all().iter().rev().filter(|it| view.node(it.record.node).is_some_and(|node| nodes.contains(&node)));
        mine.take(STEPS_MAX).find_map(|it| other(it.event))
    })
}
