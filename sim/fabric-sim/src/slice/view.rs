//! A run's graph, as it is looked at: what follows from what, and what is routine.

use super::cast::Cast;
use super::{Kind as LineKind, Line};
use crate::oracles::count;
use crate::scenario::Scenario;
use crate::scenario::resolved::NodeId;
use crate::worlds::sim::Story;
use ::sim::causes::Happening;
use ::sim::{Kind, NodeIndex};
use scenario_actor::Observation;
use std::collections::{BTreeMap, BTreeSet};

/// Fewer deliveries than this are not worth a line.
const ROUTINE_MIN: u64 = 3;

/// See the module.
pub(super) struct View<'a> {
    pub(super) scenario: &'a Scenario,
    story: &'a Story,
    names: BTreeMap<&'a str, NodeId>,
}

impl<'a> View<'a> {
    pub(super) fn new(scenario: &'a Scenario, story: &'a Story) -> Self {
        Self { scenario, story, names: (0..).zip(&scenario.nodes).map(|(id, node)| (node.name.as_str(), id)).collect() }
    }

    pub(super) fn all(&self) -> &'a [Happening] {
        &self.story.happenings
    }

    pub(super) fn last(&self) -> Option<u64> {
        self.all().last().map(|it| it.event)
    }

    pub(super) fn get(&self, event: u64) -> Option<&'a Happening> {
        let first = self.all().first()?.event;
        self.all().get(usize::try_from(event.checked_sub(first)?).ok()?)
    }

    /// The events from the first to just before the second.
    fn between(&self, from: u64, until: u64) -> &'a [Happening] {
        let all = self.all();
        let place = |event: u64| all.partition_point(|it| it.event < event);
        all.get(place(from)..place(until)).unwrap_or_default()
    }

    pub(super) fn seen(&self, event: u64) -> Option<&'a Observation> {
        self.story.seen.get(&event)
    }

    pub(super) fn node(&self, node: NodeIndex) -> Option<NodeId> {
        Some(node.as_usize() as NodeId).filter(|id| (*id as usize) < self.scenario.nodes.len())
    }

    pub(super) fn named(&self, name: &str) -> Option<NodeId> {
        self.names.get(name).copied()
    }

    pub(super) fn name(&self, node: NodeIndex) -> &'a str {
        self.node(node).map_or("nobody", |id| self.scenario.node_name(id))
    }

    /// An event, what brought it about, what brought that about, and so on.
    pub(super) fn chain(&self, event: u64) -> impl Iterator<Item = u64> {
        core::iter::successors(Some(event), |event| self.get(*event)?.cause)
    }

    /// The nearest lines that events follow from, by the place of each event that has a line; and, where there is none, the
    /// nearest line before them on the way that the node's program went.
    pub(super) fn parents(
        &self,
        events: &[u64],
        places: &BTreeMap<u64, usize>,
        mine: usize,
    ) -> (Vec<usize>, Option<usize>) {
        let mut found = BTreeSet::new();
        let mut visited: BTreeSet<u64> = events.iter().copied().collect();
        let mut open: Vec<u64> = events.iter().flat_map(|event| self.causes(*event)).collect();
        while let Some(event) = open.pop() {
            if !visited.insert(event) {
                continue;
            }
            match places.get(&event).filter(|place| **place != mine) {
                Some(place) => drop(found.insert(*place)),
                None => open.extend(self.causes(event)),
            }
        }
        let after = if found.is_empty() { self.before(events, places, mine) } else { None };
        (found.into_iter().filter(|place| *place < mine).collect(), after)
    }

    fn causes(&self, event: u64) -> impl Iterator<Item = u64> {
        self.get(event).into_iter().flat_map(|it| it.cause.into_iter().chain(it.fault))
    }

    fn before(&self, events: &[u64], places: &BTreeMap<u64, usize>, mine: usize) -> Option<usize> {
        let first = self.get(*events.first()?)?;
        let node = first.record.node;
        let earlier = places.range(..first.event).rev();
        let is_same = |event: u64| self.get(event).is_some_and(|it| it.record.node == node);
        earlier.filter(|(event, place)| is_same(**event) && **place < mine).map(|(_, place)| *place).next()
    }

    /// A line for the deliveries within the cast from one event to just before another of which no line tells.
    pub(super) fn routine(&self, cast: &Cast, told: &BTreeSet<u64>, from: u64, until: u64) -> Option<Line> {
        let is_delivery = |it: &&Happening| {
            matches!(it.record.kind, Kind::DatagramIn | Kind::PipeBytes)
                && cast.has(self.node(it.record.node))
                && cast.has(self.node(it.record.peer))
                && !told.contains(&it.event)
        };
        let left_out: Vec<_> = self.between(from, until).iter().filter(is_delivery).collect();
        let mut counts: BTreeMap<(NodeIndex, NodeIndex), u64> = BTreeMap::new();
        for it in &left_out {
            *counts.entry((it.record.peer, it.record.node)).or_default() += 1;
        }
        let (first, last) = (left_out.first()?, left_out.last()?);
        let direction = |((from, to), number): (&(NodeIndex, NodeIndex), &u64)| {
            format!("{} {} -> {}", count(*number, "record"), self.name(*from), self.name(*to))
        };
        let text = counts.iter().map(direction).collect::<Vec<_>>().join(", ");
        (left_out.len() as u64 >= ROUTINE_MIN).then(|| Line {
            kind: LineKind::Routine,
            events: left_out.iter().map(|it| it.event).collect(),
            at: first.record.at,
            until: last.record.at,
            node: None,
            peer: None,
            text: format!("{text}, all delivered"),
            parents: Vec::new(),
            after: None,
        })
    }
}
