//! See [`Policy`].

use super::{Check, Outcome, Seen, count};
use crate::scenario::Scenario;
use crate::scenario::resolved::NodeId;
use scenario_actor::{Expect, Observation, WorkSeen};

/// Nothing reaches a service that the node's policy does not allow.
#[derive(Default)]
pub(super) struct Policy {
    messages: u64,
    denials: u64,
}

/// Whether `node` serves `service` and lets `peer` open it.
pub(super) fn allows(scenario: &Scenario, node: NodeId, peer: &str, service: &str) -> bool {
    let node = &scenario.nodes[node as usize];
    let allowed = node.allow.iter().any(|(who, what)| scenario.node_name(*who) == peer && what == service);
    allowed && node.serves.iter().any(|served| served == service)
}

impl Check for Policy {
    fn observe(&mut self, scenario: &Scenario, seen: &Seen) -> Result<(), String> {
        match &seen.what {
            Observation::Received { peer, service, work, .. } => {
                self.messages += 1;
                let me = scenario.node_name(seen.node);
                if !allows(scenario, seen.node, peer, service) {
                    return Err(format!("{peer} reached {me}/{service}, which {me} does not allow"));
                }
                let denied = scenario.work.get(*work as usize).is_some_and(|work| work.expect == Expect::Denied);
                if denied {
                    return Err(format!("a message of work {work}, which is to be denied, reached {me}/{service}"));
                }
            }
            Observation::Work { seen: WorkSeen::Done { as_expected: Expect::Denied, .. }, .. } => self.denials += 1,
            _ => {}
        }
        Ok(())
    }

    fn conclude(&self, _: &Scenario) -> Outcome {
        match (self.messages, self.denials) {
            (0, 0) => Outcome::NotJudged("nothing was delivered or denied".into()),
            (messages, denials) => {
                Outcome::Held(format!("{} allowed, {}", count(messages, "message"), count(denials, "denial")))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::*;
    use super::*;

    #[test]
    fn what_is_allowed_and_what_is_denied_hold() {
        let bench = Bench::new(Policy::default());
        bench.sees("hub", message(0, 0, 0).from("phone-1")).sees("phone-1", done(DENIED, Expect::Denied, 0, 0)).holds();
    }

    #[test]
    fn a_denied_service_that_gets_a_message_is_caught() {
        let bench = Bench::new(Policy::default());
        bench.sees("hub", message(DENIED, 0, 0).from("phone-1").at_service("admin")).breaks("does not allow");
    }

    #[test]
    fn denied_work_that_arrives_at_an_allowed_service_is_caught() {
        let bench = Bench::new(Policy::default());
        bench.sees("hub", message(DENIED, 0, 0).from("phone-1")).breaks("which is to be denied");
    }
}
