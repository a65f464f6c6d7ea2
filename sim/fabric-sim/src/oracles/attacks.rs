//! See [`AttacksFail`] and [`AttacksFelt`].

use super::{Check, Outcome, Seen, count};
use crate::scenario::Scenario;
use crate::scenario::resolved::NodeId;
use fabric::discovery::Counters;
use scenario_actor::Observation;
use std::collections::BTreeSet;

/// What is told of a hostile node that has done all it came for.
pub(crate) const THROUGH: &str = "the attack is through";

/// What a victim can feel of an attack: why a handshake or a session ended, or an announce was refused.
pub(crate) const EFFECTS: &[&str] = &[
    "HandshakeLength",
    "NoiseFailed",
    "ProofInvalid",
    "SelfConnect",
    "IdentityMismatch",
    "HandshakeTimeout",
    "Evicted",
    "PeerClosed",
    "RecordInvalid",
    "Truncated",
    "dead",
    "ended here: not_trusted",
    "unreachable: Refused",
    "mux.reject.frame_invalid",
    "mux.reject.frame_oversize",
    "mux.reject.invalid_stream_state_transition",
    "mux.reject.unknown_stream_frame",
    "mux.reject.window_credit_overflow_or_underflow",
    "mux.reject.flood",
    "announce.own_device",
    "announce.signature_invalid",
    "announce.stale",
    "announce.source_full",
    "announce.candidates_full",
    "announce.table_full",
];

/// What of [`EFFECTS`] a node's discovery has refused.
pub(crate) fn announces_refused(counters: &Counters) -> impl Iterator<Item = &'static str> {
    let all = [
        (counters.own_device, "announce.own_device"),
        (counters.signature_invalid, "announce.signature_invalid"),
        (counters.stale, "announce.stale"),
        (counters.source_full, "announce.source_full"),
        (counters.candidates_full, "announce.candidates_full"),
        (counters.table_full, "announce.table_full"),
    ];
    all.into_iter().filter(|(count, _)| *count > 0).map(|(_, name)| name)
}

/// Nobody gets in under another's name, each offence gets its answer, and no plaintext is on the wire.
///
/// Attackers know best: it is they who complain.
pub(super) struct AttacksFail;

impl Check for AttacksFail {
    fn observe(&mut self, _: &Scenario, _: &Seen) -> Result<(), String> {
        Ok(())
    }

    /// It is judged only where somebody attacks.
    fn conclude(&self, _: &Scenario) -> Outcome {
        Outcome::Held("no attacker got further than anybody should".to_owned())
    }
}

/// Every attacker has done what it came for, and every victim has felt what the scenario says.
#[derive(Default)]
pub(super) struct AttacksFelt {
    seen: BTreeSet<(NodeId, String)>,
}

impl Check for AttacksFelt {
    fn observe(&mut self, _: &Scenario, seen: &Seen) -> Result<(), String> {
        if let Observation::Refused { reason }
        | Observation::SessionDown { reason, .. }
        | Observation::SessionFailed { reason, .. } = &seen.what
        {
            self.seen.insert((seen.node, reason.clone()));
        }
        Ok(())
    }

    fn conclude(&self, scenario: &Scenario) -> Outcome {
        let has_seen = |node: NodeId, what: &str| self.seen.contains(&(node, what.to_owned()));
        let hostile = (0..).zip(&scenario.nodes).filter(|(_, node)| node.hostile.is_some());
        let idle = hostile.filter(|(id, _)| !has_seen(*id, THROUGH));
        let idle = idle.map(|(_, node)| format!("{} never got to do what it came for", node.name));
        let felt = &scenario.checks.felt;
        let unfelt = felt.iter().filter(|felt| !has_seen(felt.node, felt.effect));
        let unfelt = unfelt.map(|felt| format!("{} never saw {}", scenario.node_name(felt.node), felt.effect));
        let missing: Vec<_> = idle.chain(unfelt).collect();
        if !missing.is_empty() {
            return Outcome::Failed(missing.join("; "));
        }
        if !scenario.is_attacked() {
            return Outcome::NotJudged("nobody attacks".to_owned());
        }
        Outcome::Held(count(felt.len() as u64, "effect"))
    }
}
