//! See [`AuthenticatedDelivery`].

use super::policy::allows;
use super::{Check, Outcome, Seen, count};
use crate::scenario::Scenario;
use scenario_actor::Observation;

/// A message that a service gets names the device that sent it, and reaches only the one it was meant for.
#[derive(Default)]
pub(super) struct AuthenticatedDelivery {
    messages: u64,
}

impl Check for AuthenticatedDelivery {
    fn observe(&mut self, scenario: &Scenario, seen: &Seen) -> Result<(), String> {
        let Observation::Received { peer, service, work, .. } = &seen.what else { return Ok(()) };
        let me = scenario.node_name(seen.node);
        let Some(meant) = scenario.work.get(*work as usize) else {
            return Err(format!("{me} got a message of work {work}, which does not exist, from {peer}"));
        };
        let (from, to) = (scenario.node_name(meant.from), scenario.node_name(meant.to));
        let title = scenario.work_title(*work as usize);
        if peer != from {
            return Err(format!("{me} got a message of work {work} ({title}) as if from {peer}"));
        }
        if meant.to != seen.node || *service != meant.service {
            return Err(format!("{me}/{service} got a message of work {work}, which is for {to}/{}", meant.service));
        }
        if !allows(scenario, seen.node, peer, service) {
            return Err(format!("{me} let {peer} reach {service}, which its policy does not allow"));
        }
        self.messages += 1;
        Ok(())
    }

    fn conclude(&self, _: &Scenario) -> Outcome {
        match self.messages {
            0 => Outcome::NotJudged("no service got a message".into()),
            messages => Outcome::Held(count(messages, "message")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::*;
    use super::*;

    fn check() -> Bench {
        Bench::new(AuthenticatedDelivery::default())
    }

    #[test]
    fn a_message_to_the_right_service_of_the_right_node_holds() {
        check().sees("hub", message(0, 0, 0).from("phone-1")).holds();
    }

    #[test]
    fn a_message_that_names_another_sender_is_caught() {
        check().sees("hub", message(0, 0, 0).from("other")).breaks("as if from other");
    }

    #[test]
    fn a_message_at_another_node_or_service_is_caught() {
        check().sees("other", message(0, 0, 0).from("phone-1")).breaks("which is for hub/echo");
        check().sees("hub", message(0, 0, 0).from("phone-1").at_service("files")).breaks("which is for hub/echo");
    }

    #[test]
    fn a_message_of_no_work_and_one_that_policy_denies_are_caught() {
        check().sees("hub", message(9, 0, 0).from("phone-1")).breaks("does not exist");
        check().sees("hub", message(DENIED, 0, 0).from("phone-1").at_service("admin")).breaks("policy does not allow");
    }

    #[test]
    fn without_a_message_it_goes_unjudged() {
        check().goes_unjudged();
    }
}
