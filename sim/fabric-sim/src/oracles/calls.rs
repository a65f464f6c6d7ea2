//! See [`DenialsAudited`].

use super::{Check, Outcome, Seen, count};
use crate::scenario::Scenario;
use crate::scenario::resolved::NodeId;
use scenario_actor::{Expect, Observation, WorkSeen};
use std::collections::BTreeMap;

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
