//! No session is called dead while its peer is heard, and none outlives a peer that has crashed by more than the fabric
//! says. Told who is heard, who crashes and which sessions come and go; knows no records.
//!
//! Nodes count time by clocks of their own: they run at most half as fast again or half as slow, which the bounds allow for.
//! A node whose clock leaps, or which stands still, judges nobody by world time, and is not judged by it; but one that stood
//! still when it was to judge asks once more before it does.

use super::{Seen, count};
use crate::scenario::Scenario;
use crate::scenario::resolved::{Begin, NodeId, What};
use machine::Duration;
use scenario_actor::Observation;
use sim::Time;
use std::collections::{BTreeMap, BTreeSet};

/// What a session that drains, and a node that asks once more, may take beyond the time of death.
const MARGIN: Duration = Duration::from_secs(30);

/// A node that is later than this has stood still, whatever its clock.
const DUE_MARGIN: Duration = Duration::from_secs(2);
/// What a peer has at least to answer in: the least difference between the times of death and of the first PING.
const ANSWERED_WITHIN: Duration = Duration::from_secs(2);
/// A clock that is off by no more than this, in parts per billion.
const SKEW_MAX: u32 = 10_000_000;

/// Who had a session, and with whom.
type Pair = (NodeId, NodeId);

pub(crate) struct Deaths {
    /// Nodes that world time says nothing about.
    exempt: BTreeSet<NodeId>,
    names: BTreeMap<String, NodeId>,
    /// When each session that is up came up.
    sessions: BTreeMap<Pair, Vec<Time>>,
    /// When the first last opened a record of the second.
    heard: BTreeMap<Pair, Time>,
    /// Peers that crashed, and by when sessions with them must be gone.
    overdue_at: BTreeMap<Pair, (Time, Time)>,
    dead_after: BTreeMap<NodeId, Duration>,
    /// Nodes whose clocks are nearly true: when they stand still.
    pauses: BTreeMap<NodeId, Vec<(Time, Time)>>,
    judged: u64,
}

impl Deaths {
    pub(crate) fn new(scenario: &Scenario) -> Self {
        let exempt = scenario.faults.iter().filter_map(|fault| match fault.what {
            What::Pause(node) | What::ClockJump(node, _) => Some(node),
            _ => None,
        });
        Self {
            exempt: exempt.collect(),
            names: (0..).zip(&scenario.nodes).map(|(id, node)| (node.name.clone(), id)).collect(),
            sessions: BTreeMap::new(),
            heard: BTreeMap::new(),
            overdue_at: BTreeMap::new(),
            dead_after: BTreeMap::new(),
            pauses: pauses(scenario),
            judged: 0,
        }
    }

    /// Whether it was told what [`waits`](Self::waits) tells of `node`.
    pub(crate) fn knows(&self, node: NodeId) -> bool {
        self.dead_after.contains_key(&node)
    }

    /// How long `node` waits in silence before it gives a session up.
    pub(crate) fn waits(&mut self, node: NodeId, dead_after: Duration) {
        self.dead_after.insert(node, dead_after);
    }

    /// `node` has opened a record that `peer` sealed.
    pub(crate) fn heard(&mut self, at: Time, node: NodeId, peer: NodeId) {
        self.heard.insert((node, peer), at);
    }

    /// `node` has lost its memory, or has none yet.
    pub(crate) fn crashed(&mut self, at: Time, node: NodeId) {
        self.sessions.retain(|(owner, _), _| *owner != node);
        self.overdue_at.retain(|(owner, _), _| *owner != node);
        let widowed: Vec<_> = self.sessions.keys().copied().filter(|(_, peer)| *peer == node).collect();
        for (owner, peer) in widowed.into_iter().filter(|(owner, _)| !self.exempt.contains(owner)) {
            let Some(dead_after) = self.dead_after.get(&owner) else { continue };
            self.judged += 1;
            let by = at + dead_after.saturating_mul(2) + MARGIN;
            self.overdue_at.entry((owner, peer)).or_insert((at, by));
        }
    }

    /// Looks at one observation; the error says who was given up too soon.
    pub(crate) fn observe(&mut self, scenario: &Scenario, seen: &Seen) -> Result<(), String> {
        match &seen.what {
            Observation::SessionUp { peer } => {
                if let Some(peer) = self.names.get(peer) {
                    self.sessions.entry((seen.node, *peer)).or_default().push(seen.at);
                }
                Ok(())
            }
            Observation::SessionDown { peer, reason } => {
                let Some(peer) = self.names.get(peer).copied() else { return Ok(()) };
                let pair = (seen.node, peer);
                let sessions = self.sessions.entry(pair).or_default();
                let up_since = if sessions.is_empty() { None } else { Some(sessions.remove(0)) };
                match up_since.filter(|_| sessions.is_empty() && reason == "dead") {
                    Some(up_since) => self.judge_death(scenario, pair, up_since, seen.at),
                    None => Ok(()),
                }
            }
            _ => Ok(()),
        }
    }

    fn judge_death(&mut self, scenario: &Scenario, pair: Pair, up_since: Time, at: Time) -> Result<(), String> {
        let (node, peer) = pair;
        self.judge_pause(scenario, pair, up_since, at)?;
        let Some(dead_after) = self.dead_after.get(&node).filter(|_| !self.exempt.contains(&node)) else {
            return Ok(());
        };
        self.judged += 1;
        let last = self.heard.get(&pair).copied().unwrap_or(up_since).max(up_since);
        let silent = at.since(last);
        if silent.saturating_mul(3) >= dead_after.saturating_mul(2) {
            return Ok(());
        }
        let (node, peer) = (scenario.node_name(node), scenario.node_name(peer));
        Err(format!("{node} called {peer} dead after {silent} of silence, not {dead_after}"))
    }

    /// A node that stood still when its peer was due to be called dead asks it once more (wire contract, 4, Keepalive).
    fn judge_pause(&mut self, scenario: &Scenario, pair: Pair, up_since: Time, at: Time) -> Result<(), String> {
        let (node, peer) = pair;
        let (Some(dead_after), Some(pauses)) = (self.dead_after.get(&node), self.pauses.get(&node)) else {
            return Ok(());
        };
        let last = self.heard.get(&pair).copied().unwrap_or(up_since).max(up_since);
        let due = last + *dead_after + DUE_MARGIN;
        // Grace is granted once in a silence.
        let first = pauses.iter().find(|(_, until)| *until > last);
        let Some((_, until)) = first.filter(|(from, until)| (*from..*until).contains(&due) && at >= *until) else {
            return Ok(());
        };
        self.judged += 1;
        let awake = at.since(*until);
        if awake >= ANSWERED_WITHIN {
            return Ok(());
        }
        let (node, peer) = (scenario.node_name(node), scenario.node_name(peer));
        Err(format!("{node} called {peer} dead {awake} after it had stood still itself"))
    }

    /// Time has come to `at`; the error says which session outlives its peer.
    pub(crate) fn pass(&mut self, scenario: &Scenario, at: Time) -> Result<(), String> {
        while let Some((pair, (crashed, _))) =
            self.overdue_at.iter().find(|(_, (_, by))| *by < at).map(|(k, v)| (*k, *v))
        {
            self.overdue_at.remove(&pair);
            if self.sessions.get(&pair).is_some_and(|sessions| sessions.iter().any(|up| *up < crashed)) {
                let (node, peer) = (scenario.node_name(pair.0), scenario.node_name(pair.1));
                return Err(format!("{node} still has a session with the {peer} that crashed at {crashed}"));
            }
        }
        Ok(())
    }

    /// What was judged; `None` if nothing was.
    pub(crate) fn held(&self) -> Option<String> {
        (self.judged > 0).then(|| count(self.judged, "death"))
    }
}

/// When each node stands still, as planned: of those whose clocks are nearly true.
fn pauses(scenario: &Scenario) -> BTreeMap<NodeId, Vec<(Time, Time)>> {
    let mut all: BTreeMap<NodeId, Vec<(Time, Time)>> = BTreeMap::new();
    let is_turned = |id: NodeId| {
        let is_off = scenario.nodes[id as usize].clock_skew.0.unsigned_abs() > SKEW_MAX;
        let turns = |what: &What| matches!(what, What::ClockJump(node, _) | What::ClockRate(node, _) if *node == id);
        is_off || scenario.faults.iter().any(|fault| turns(&fault.what))
    };
    for fault in &scenario.faults {
        if let (What::Pause(node), Begin::At(from), Some(lasts)) = (&fault.what, fault.begin, fault.lasts)
            && !is_turned(*node)
        {
            let from = Time::from_nanos(from.0);
            all.entry(*node).or_default().push((from, from + Duration::from_nanos(lasts.0)));
        }
    }
    for pauses in all.values_mut() {
        pauses.sort_unstable();
    }
    all
}

#[cfg(test)]
mod tests {
    use super::super::testing::{scenario, session_up};
    use super::*;

    const PHONE: NodeId = 2;
    const HUB: NodeId = 0;

    struct Bench(Deaths, Scenario);

    impl Bench {
        /// The hub has had a session with phone-1 since second 1, and gives it up after 45 s.
        fn new() -> Self {
            let scenario = scenario();
            assert_eq!((scenario.node_name(HUB), scenario.node_name(PHONE)), ("hub", "phone-1"));
            let mut bench = Self(Deaths::new(&scenario), scenario);
            bench.0.waits(HUB, Duration::from_secs(45));
            bench.sees(1, session_up("phone-1")).unwrap();
            bench
        }

        fn sees(&mut self, second: u64, what: Observation) -> Result<(), String> {
            let seen = Seen { at: Time::from_secs(second), node: HUB, incarnation: 0, what };
            self.0.observe(&self.1, &seen)
        }

        fn down(&mut self, second: u64, reason: &str) -> Result<(), String> {
            self.sees(second, Observation::SessionDown { peer: "phone-1".into(), reason: reason.into() })
        }

        fn pass(&mut self, second: u64) -> Result<(), String> {
            self.0.pass(&self.1, Time::from_secs(second))
        }
    }

    #[test]
    fn who_was_heard_of_late_is_not_dead() {
        let mut bench = Bench::new();
        bench.0.heard(Time::from_secs(60), HUB, PHONE);
        assert!(bench.down(80, "dead").unwrap_err().contains("hub called phone-1 dead after"));
        let mut bench = Bench::new();
        bench.0.heard(Time::from_secs(60), HUB, PHONE);
        bench.down(105, "dead").unwrap();
        let mut bench = Bench::new();
        bench.down(2, "Truncated").unwrap();
    }

    #[test]
    fn who_stood_still_asks_before_it_judges() {
        let paused = || {
            let mut bench = Bench::new();
            bench.0.pauses.insert(HUB, vec![(Time::from_secs(20), Time::from_secs(60))]);
            bench.0.exempt.insert(HUB);
            bench
        };
        assert!(paused().down(60, "dead").unwrap_err().contains("hub called phone-1 dead 0s after"));
        paused().down(90, "dead").unwrap();
        let mut bench = paused();
        bench.0.heard(Time::from_secs(19), HUB, PHONE);
        bench.down(60, "dead").unwrap();
    }

    #[test]
    fn of_two_sessions_one_may_die_while_the_other_is_heard() {
        let mut bench = Bench::new();
        bench.sees(50, session_up("phone-1")).unwrap();
        bench.0.heard(Time::from_secs(60), HUB, PHONE);
        bench.down(61, "dead").unwrap();
    }

    #[test]
    fn a_session_that_outlives_its_peer_is_caught() {
        let mut bench = Bench::new();
        bench.0.crashed(Time::from_secs(10), PHONE);
        bench.pass(120).unwrap();
        assert!(bench.pass(200).unwrap_err().contains("hub still has a session with the phone-1 that crashed"));
        let mut bench = Bench::new();
        bench.0.crashed(Time::from_secs(10), PHONE);
        bench.down(60, "dead").unwrap();
        bench.sees(70, session_up("phone-1")).unwrap();
        bench.pass(200).unwrap();
    }

    #[test]
    fn a_node_that_forgot_its_sessions_is_not_asked_for_them() {
        let mut bench = Bench::new();
        bench.0.crashed(Time::from_secs(10), PHONE);
        bench.0.crashed(Time::from_secs(11), HUB);
        bench.pass(200).unwrap();
        assert!(bench.0.held().is_some());
    }
}
