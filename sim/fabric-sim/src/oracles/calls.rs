//! See [`DenialsAudited`] and [`CallsInTime`].

use super::{Check, Outcome, Seen, count};
use crate::scenario::Scenario;
use crate::scenario::resolved::{NodeId, What};
use machine::Duration;
use scenario_actor::{CALL_WITHIN, Expect, Observation, WorkSeen};
use sim::{Clock, Time};
use std::collections::BTreeMap;

/// What a caller may take to notice that its time is over.
const MARGIN: Duration = Duration::from_secs(1);

/// A callee, a caller, and the service and method that he named.
type Decided = (NodeId, String, String, String);

/// Every call that was denied is in its callee's audit, and only calls that the policy allows are let through.
#[derive(Default)]
pub(super) struct DenialsAudited {
    /// Denials in the audit of which no caller has heard yet.
    denied: BTreeMap<Decided, u64>,
    allowed: u64,
    denials: u64,
}

impl Check for DenialsAudited {
    fn observe(&mut self, scenario: &Scenario, seen: &Seen) -> Result<(), String> {
        match &seen.what {
            Observation::Audited { peer, service, method, allowed } => {
                let me = scenario.node_name(seen.node);
                if *allowed && !scenario.may_call(seen.node, peer, service, method) {
                    return Err(format!("{me} lets {peer} call {service}/{method}, which it does not allow"));
                }
                if *allowed {
                    self.allowed += 1;
                } else {
                    let decided = (seen.node, peer.clone(), service.clone(), method.clone());
                    *self.denied.entry(decided).or_default() += 1;
                }
                Ok(())
            }
            Observation::Work { id, seen: WorkSeen::Done { as_expected: Expect::Denied, .. } } => {
                self.denied(scenario, *id)
            }
            _ => Ok(()),
        }
    }

    fn conclude(&self, _: &Scenario) -> Outcome {
        match (self.allowed, self.denials) {
            (0, 0) => Outcome::NotJudged("nothing was called".into()),
            (allowed, denials) => {
                Outcome::Held(format!("{} allowed, {} audited", count(allowed, "call"), count(denials, "denial")))
            }
        }
    }
}

impl DenialsAudited {
    /// A caller was denied. A service that it may not open at all is no call yet.
    fn denied(&mut self, scenario: &Scenario, id: u32) -> Result<(), String> {
        let Some(work) = scenario.work.get(id as usize) else { return Ok(()) };
        let Some(call) = &work.call else { return Ok(()) };
        let caller = scenario.node_name(work.from);
        if !scenario.may_open(work.to, caller, &work.service) {
            return Ok(());
        }
        let decided = (work.to, caller.to_owned(), work.service.clone(), call.method.clone());
        match self.denied.get_mut(&decided).filter(|left| **left > 0) {
            Some(left) => {
                *left -= 1;
                self.denials += 1;
                Ok(())
            }
            None => Err(format!("{} was denied, and no audit says so", scenario.work_title(id as usize))),
        }
    }
}

/// Each call is over within the time that its caller gives it: an answer that comes later counts for nothing.
///
/// A caller whose clock leaps or changes its rate, or which stands still, is not judged by world time.
#[derive(Default)]
pub(super) struct CallsInTime {
    /// Calls that are not over, by their caller and its work: in which of its starts, and when they must be.
    due: BTreeMap<(NodeId, u32), (u64, Time)>,
    judged: u64,
}

impl Check for CallsInTime {
    fn observe(&mut self, scenario: &Scenario, seen: &Seen) -> Result<(), String> {
        self.pass(scenario, seen)?;
        let Observation::Work { id, seen: what } = &seen.what else { return Ok(()) };
        let key = (seen.node, *id);
        if !matches!(what, WorkSeen::Started { .. }) {
            self.judged += u64::from(self.due.remove(&key).is_some());
        } else if scenario.work.get(*id as usize).is_some_and(|work| work.call.is_some())
            && keeps_time(scenario, seen.node)
        {
            self.due.insert(key, (seen.incarnation, due(scenario, seen.node, seen.at)));
        }
        Ok(())
    }

    fn conclude(&self, _: &Scenario) -> Outcome {
        match self.judged {
            0 => Outcome::NotJudged("nothing was called".into()),
            judged => Outcome::Held(count(judged, "call")),
        }
    }
}

impl CallsInTime {
    /// Time has come to that of what a node saw; what it called before it lost its memory is not waited for any more.
    fn pass(&mut self, scenario: &Scenario, seen: &Seen) -> Result<(), String> {
        self.due.retain(|(node, _), (start, _)| *node != seen.node || *start == seen.incarnation);
        match self.due.range((seen.node, 0)..=(seen.node, u32::MAX)).find(|(_, (_, by))| *by < seen.at) {
            Some(((_, id), _)) => {
                Err(format!("{} was not over when its caller's time for it was", scenario.work_title(*id as usize)))
            }
            None => Ok(()),
        }
    }
}

/// Whether world time says how long it is to the node.
fn keeps_time(scenario: &Scenario, node: NodeId) -> bool {
    !scenario.faults.iter().any(|fault| match fault.what {
        What::Pause(struck) | What::ClockJump(struck, _) | What::ClockRate(struck, _) => struck == node,
        _ => false,
    })
}

/// When what a node calls now must be over, by world time.
fn due(scenario: &Scenario, node: NodeId, now: Time) -> Time {
    let clock = Clock::new(Duration::ZERO, scenario.nodes[node as usize].clock_skew.0);
    clock.when(clock.read(now) + CALL_WITHIN, now) + MARGIN
}

#[cfg(test)]
mod tests {
    use super::super::testing::{done, start};
    use super::*;
    use std::path::Path;

    const PHONE: NodeId = 1;

    /// What the check says once the phone, whose clock runs at half the rate and which is struck so, has seen these, each at
    /// its second and in its start.
    fn judge(faults: &str, story: &[(u64, u64, Observation)]) -> Result<Outcome, String> {
        let overrides = ["nodes.phone.clock_skew='-500000ppm'".to_owned(), format!("faults.timeline=[{faults}]")];
        let scenario = crate::scenario::load(Path::new("../../scenarios/late-answer.toml"), &overrides).unwrap();
        let mut check = CallsInTime::default();
        for (at, incarnation, what) in story.iter().cloned() {
            check.observe(&scenario, &Seen { at: Time::from_secs(at), node: PHONE, incarnation, what })?;
        }
        Ok(check.conclude(&scenario))
    }

    #[test]
    fn a_call_that_is_over_in_its_callers_time_holds() {
        let story = [(2, 0, start(0, 0)), (22, 0, done(0, Expect::Answered, 1, 9))];
        assert_eq!(judge("", &story), Ok(Outcome::Held("1 call".into())));
    }

    #[test]
    fn an_answer_past_its_callers_time_is_caught_and_so_is_none_at_all() {
        let other = Observation::Discovered { peer: "hub".into() };
        for late in [done(0, Expect::Answered, 1, 9), other] {
            let broken = judge("", &[(2, 0, start(0, 0)), (24, 0, late)]).unwrap_err();
            assert!(broken.contains("was not over when its caller's time for it was"), "{broken}");
        }
    }

    #[test]
    fn what_a_node_has_forgotten_or_slept_through_is_not_judged() {
        let restarted = [(2, 0, start(0, 0)), (30, 1, done(0, Expect::Answered, 1, 9))];
        let paused = [(2, 0, start(0, 0)), (30, 0, done(0, Expect::Answered, 1, 9))];
        let nothing = Outcome::NotJudged("nothing was called".into());
        assert_eq!(judge("", &restarted), Ok(nothing.clone()));
        assert_eq!(judge("{ at = '3s', pause = 'phone', for = '9s' }", &paused), Ok(nothing));
    }
}
