//! See [`WorkDone`].

use super::{Check, Outcome, Seen};
use crate::scenario::Scenario;
use scenario_actor::{Observation, WorkSeen};
use std::collections::BTreeMap;

/// More pieces of stuck work would hide the rest of the report.
const STUCK_SHOWN: usize = 8;

/// Every piece of work has ended as expected; what has not is named.
#[derive(Default)]
pub(super) struct WorkDone {
    /// The last that was seen of each, by id.
    last: BTreeMap<u32, WorkSeen>,
}

impl Check for WorkDone {
    fn observe(&mut self, scenario: &Scenario, seen: &Seen) -> Result<(), String> {
        let Observation::Work { id, seen: what } = &seen.what else { return Ok(()) };
        let Some(work) = scenario.work.get(*id as usize) else {
            return Err(format!("{} reports work {id}, which does not exist", scenario.node_name(seen.node)));
        };
        let title = scenario.work_title(*id as usize);
        match what {
            WorkSeen::Unexpected { seen } => return Err(format!("work {id} ({title}): {seen}")),
            WorkSeen::Done { as_expected, .. } if *as_expected != work.expect => {
                return Err(format!("work {id} ({title}) ended {as_expected:?}, not {:?}", work.expect));
            }
            _ => {}
        }
        // Work that is done stays done, whatever a node that forgot it does again.
        if !matches!(self.last.get(id), Some(WorkSeen::Done { .. })) {
            self.last.insert(*id, what.clone());
        }
        Ok(())
    }

    fn conclude(&self, scenario: &Scenario) -> Outcome {
        let all = scenario.work.len();
        let stuck: Vec<_> = (0..all as u32).filter_map(|id| self.stuck(scenario, id)).collect();
        if all == 0 {
            return Outcome::NotJudged("there is no work".into());
        }
        if stuck.is_empty() {
            return Outcome::Held(format!("{all} of {all}"));
        }
        let more = stuck.len().saturating_sub(STUCK_SHOWN);
        let text = stuck[..stuck.len() - more].join("; ");
        let more = if more > 0 { format!("; {more} more") } else { String::new() };
        Outcome::Failed(format!("{} of {all} not done: {text}{more}", stuck.len()))
    }

    /// How far the first piece of stuck work had come.
    fn place(&self, scenario: &Scenario) -> String {
        let stuck =
            (0..scenario.work.len() as u32).find(|id| !matches!(self.last.get(id), Some(WorkSeen::Done { .. })));
        let state = match stuck.map(|id| self.last.get(&id)) {
            Some(Some(WorkSeen::Started { .. })) => "started",
            Some(Some(WorkSeen::Failed { .. })) => "failed",
            Some(None) => "never-started",
            _ => "",
        };
        state.to_owned()
    }
}

impl WorkDone {
    fn stuck(&self, scenario: &Scenario, id: u32) -> Option<String> {
        let state = match self.last.get(&id) {
            Some(WorkSeen::Done { .. }) => return None,
            Some(last) => last.to_string(),
            None => "never started".to_owned(),
        };
        Some(format!("work {id} ({}) {state}", scenario.work_title(id as usize)))
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::*;
    use super::*;
    use scenario_actor::Expect;

    #[test]
    fn all_done_as_expected_holds() {
        let bench = Bench::new(WorkDone::default()).sees("phone-1", done(0, Expect::Echoed, 2, 2 * MESSAGE));
        bench.sees("phone-1", done(DENIED, Expect::Denied, 0, 0)).holds();
    }

    #[test]
    fn what_is_stuck_is_named_with_what_was_last_seen_of_it() {
        let bench = Bench::new(WorkDone::default()).sees("phone-1", start(0, 3));
        bench.fails(
            "2 of 2 not done: work 0 (phone-1 -> hub/echo) started, try 3; work 1 (phone-1 -> hub/admin) never started",
        );
    }

    #[test]
    fn an_end_against_what_was_expected_is_caught_at_once() {
        let bench = Bench::new(WorkDone::default()).sees("phone-1", unexpected(0, "denied"));
        bench.breaks("work 0 (phone-1 -> hub/echo): denied");
        let bench = Bench::new(WorkDone::default()).sees("phone-1", done(DENIED, Expect::Delivered, 0, 0));
        bench.breaks("ended Delivered, not Denied");
    }
}
