//! Whether worlds agree: of each node's every subject, all of them must have shown the same stable observations.
//!
//! When a session comes up first at one end and first at the other, and how often, is timing; that it came up is not. Of a
//! peer the set of what was seen is compared, of a piece of work the sequence.

use crate::oracles::Seen;
use crate::scenario::Scenario;
use crate::scenario::resolved::NodeId;
use scenario_actor::{Observation, Subject, WorkSeen};
use std::collections::{BTreeMap, BTreeSet};

/// What one world showed of each node's subjects, in words.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Shown(BTreeMap<(NodeId, Subject), Vec<String>>);

/// A subject of which two worlds showed different things.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Difference {
    pub(crate) node: String,
    /// What it is about, and for work where it is written.
    pub(crate) subject: String,
    pub(crate) first: Vec<String>,
    pub(crate) second: Vec<String>,
}

impl Shown {
    pub(crate) fn of(scenario: &Scenario, seen: &[Seen]) -> Self {
        let mut shown: BTreeMap<_, Vec<String>> = BTreeMap::new();
        for Seen { node, what, .. } in seen.iter().filter(|seen| seen.what.is_stable()) {
            let lines = shown.entry((*node, what.subject())).or_default();
            let line = line(scenario, what);
            // A node that forgot what it did does it again, and a session that broke comes up again.
            let is_news = match what {
                Observation::Work { .. } => lines.last() != Some(&line),
                _ => !lines.contains(&line),
            };
            if is_news {
                lines.push(line);
            }
        }
        for ((_, subject), lines) in &mut shown {
            if matches!(subject, Subject::Peer(_)) {
                lines.sort_unstable();
            }
        }
        Self(shown)
    }

    pub(crate) fn subjects(&self) -> usize {
        self.0.len()
    }

    pub(crate) fn observations(&self) -> usize {
        self.0.values().map(Vec::len).sum()
    }

    /// Where this world and `other` differ, in the order of nodes and subjects.
    pub(crate) fn differences(&self, other: &Self, scenario: &Scenario) -> Vec<Difference> {
        let places: BTreeSet<_> = self.0.keys().chain(other.0.keys()).collect();
        let of = |shown: &Self, place: &_| shown.0.get(place).cloned().unwrap_or_default();
        let difference = |place: &(NodeId, Subject)| {
            let (first, second) = (of(self, place), of(other, place));
            let (node, subject) = (scenario.node_name(place.0).to_owned(), title(scenario, &place.1));
            (first != second).then_some(Difference { node, subject, first, second })
        };
        places.into_iter().filter_map(difference).collect()
    }
}

/// An observation without what chance and timing decide. How many messages a try has depends on which try it was, unless all
/// are of one size.
fn line(scenario: &Scenario, what: &Observation) -> String {
    match what {
        Observation::Work { id, seen: WorkSeen::Done { as_expected, messages, bytes } } => {
            let is_fixed = scenario.work.get(*id as usize).is_some_and(|work| work.message.min == work.message.max);
            let messages = if is_fixed { format!("{messages} messages, ") } else { String::new() };
            format!("done: {as_expected:?}, {messages}{bytes} bytes")
        }
        Observation::Work { seen, .. } => seen.to_string(),
        _ => what.to_string(),
    }
}

fn title(scenario: &Scenario, subject: &Subject) -> String {
    match subject {
        Subject::Peer(peer) => format!("peer {peer}"),
        Subject::Work(id) => match scenario.work.get(*id as usize) {
            Some(work) => format!("work {id} ({}), {}", scenario.work_title(*id as usize), work.place),
            None => format!("work {id}, which the scenario does not have"),
        },
        Subject::Served(service) => format!("service {service}"),
        Subject::Mark(id) => format!("mark {id}"),
        Subject::Trust(peer) if peer.is_empty() => "trust".to_owned(),
        Subject::Trust(peer) => format!("trust in {peer}"),
        Subject::Strangers => "strangers".to_owned(),
    }
}

#[cfg(test)]
mod tests;
