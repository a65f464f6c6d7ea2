//! See [`NoFalseOffence`].

use super::{Check, Outcome, Seen, count};
use crate::scenario::Scenario;
use crate::scenario::resolved::NodeId;
use scenario_actor::Observation;

/// What nobody but an offender is told or called: see [`fabric::mux::Reject`].
const OFFENCE: &str = "mux.reject.";
const FORGED: &str = "RecordInvalid";

/// No honest node ends a session over what another honest one said.
#[derive(Default)]
pub(super) struct NoFalseOffence {
    ends: u64,
}

/// Whether this end says that the other side broke the contract.
fn is_offence(scenario: &Scenario, reason: &str) -> bool {
    reason.contains(OFFENCE) || reason == FORGED && scenario.attackers.is_empty()
}

fn is_honest(scenario: &Scenario, name: &str) -> bool {
    scenario.nodes.iter().any(|node| node.name == name && node.hostile.is_none())
}

fn judge(scenario: &Scenario, node: NodeId, peer: &str, reason: &str) -> Result<(), String> {
    if !is_honest(scenario, peer) || !is_offence(scenario, reason) {
        return Ok(());
    }
    Err(format!("{} has lost its session with {peer}, and both are honest: {reason}", scenario.node_name(node)))
}

impl Check for NoFalseOffence {
    fn observe(&mut self, scenario: &Scenario, seen: &Seen) -> Result<(), String> {
        match &seen.what {
            Observation::SessionDown { peer, reason } | Observation::SessionFailed { peer, reason } => {
                self.ends += 1;
                judge(scenario, seen.node, peer, reason)
            }
            _ => Ok(()),
        }
    }

    fn conclude(&self, _: &Scenario) -> Outcome {
        match self.ends {
            0 => Outcome::NotJudged("no session has ended".into()),
            ends => Outcome::Held(count(ends, "end")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::*;
    use super::*;

    fn down(reason: &str) -> Observation {
        Observation::SessionDown { peer: "phone-1".to_owned(), reason: reason.to_owned() }
    }

    #[test]
    fn ends_that_nobody_is_to_blame_for_hold() {
        let bench = Bench::new(NoFalseOffence::default());
        bench.sees("hub", down("Truncated")).sees("hub", down("ended by the peer: duplicate")).holds();
    }

    #[test]
    fn honest_nodes_that_call_each_other_offenders_are_caught() {
        for reason in ["mux.reject.flood", "ended by the peer: mux.reject.flood", "RecordInvalid"] {
            Bench::new(NoFalseOffence::default()).sees("hub", down(reason)).breaks("both are honest");
        }
    }
}
