//! A session that its peer ends in order is over soon: its streams finish, or end with an error after the time to drain
//! (wire contract, 4, Draining). Told who learns that a session ends, and which sessions are over; knows no records.
//!
//! A node whose clock leaps, or which stands still, is not judged by world time.

use super::count;
use crate::scenario::Scenario;
use crate::scenario::resolved::{NodeId, What};
use machine::Duration;
use sim::Time;
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// What the last words of a session may take beyond the time to drain.
const MARGIN: Duration = Duration::from_secs(5);

#[derive(Debug)]
pub(crate) struct Drains {
    /// Nodes that world time says nothing about.
    exempt: BTreeSet<NodeId>,
    /// By whose sessions, and with whom: when those that end must be over.
    due: BTreeMap<(NodeId, NodeId), VecDeque<Time>>,
    judged: u64,
}

impl Drains {
    pub(crate) fn new(scenario: &Scenario) -> Self {
        let exempt = scenario.faults.iter().filter_map(|fault| match fault.what {
            What::Pause(node) | What::ClockJump(node, _) => Some(node),
            _ => None,
        });
        Self { exempt: exempt.collect(), due: BTreeMap::new(), judged: 0 }
    }

    /// `node`, which gives a session so long to drain, learns that `peer` ends one in order.
    pub(crate) fn begins(&mut self, at: Time, node: NodeId, peer: NodeId, drain_timeout: Duration) {
        if !self.exempt.contains(&node) {
            // Its clock runs at most half as slow.
            self.due.entry((node, peer)).or_default().push_back(at + drain_timeout.saturating_mul(2) + MARGIN);
        }
    }

    /// A session of `node` with `peer` is over, whichever.
    pub(crate) fn over(&mut self, node: NodeId, peer: NodeId) {
        let due = self.due.get_mut(&(node, peer));
        self.judged += u64::from(due.and_then(VecDeque::pop_front).is_some());
    }

    /// `node` has lost its memory.
    pub(crate) fn crashed(&mut self, node: NodeId) {
        self.due.retain(|(owner, _), _| *owner != node);
    }

    /// Time has come to `at`; the error says which session goes on.
    pub(crate) fn pass(&self, scenario: &Scenario, at: Time) -> Result<(), String> {
        let late = self.due.iter().find(|(_, due)| due.front().is_some_and(|by| *by < at));
        let Some(((node, peer), _)) = late else { return Ok(()) };
        let (node, peer) = (scenario.node_name(*node), scenario.node_name(*peer));
        Err(format!("{node} still has a session that {peer} has ended long ago"))
    }

    /// What was judged; `None` if nothing was.
    pub(crate) fn held(&self) -> Option<String> {
        (self.judged > 0).then(|| count(self.judged, "end"))
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::scenario;
    use super::*;

    #[test]
    fn a_session_that_is_over_in_time_holds() {
        let scenario = scenario();
        let mut drains = Drains::new(&scenario);
        drains.begins(Time::from_secs(1), 0, 2, Duration::from_secs(10));
        drains.pass(&scenario, Time::from_secs(20)).unwrap();
        drains.over(0, 2);
        drains.pass(&scenario, Time::from_secs(100)).unwrap();
        assert_eq!(drains.held().as_deref(), Some("1 end"));
    }

    #[test]
    fn a_session_that_goes_on_is_caught_and_one_that_was_forgotten_is_not() {
        let scenario = scenario();
        let mut drains = Drains::new(&scenario);
        drains.begins(Time::from_secs(1), 0, 2, Duration::from_secs(10));
        let how = drains.pass(&scenario, Time::from_secs(27)).unwrap_err();
        assert_eq!(how, "hub still has a session that phone-1 has ended long ago");
        drains.crashed(0);
        drains.pass(&scenario, Time::from_secs(27)).unwrap();
    }
}
