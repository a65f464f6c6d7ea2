//! What is promised of trust: how it comes about, how it ends, that it lasts, and what does not touch it.

use super::{Check, Outcome, Seen, count};
use crate::scenario::Scenario;
use crate::scenario::resolved::{Act, Deed, NodeId, What};
use scenario_actor::Observation;
use sim::Time;
use std::collections::{BTreeMap, BTreeSet};

/// A node, and the name of another.
type Pair = (NodeId, String);

/// Which start of each node was seen last.
#[derive(Default)]
struct Starts(BTreeMap<NodeId, u64>);

impl Starts {
    /// Whether this is the first that is seen of a later start than the first.
    fn is_again(&mut self, seen: &Seen) -> bool {
        let last = self.0.entry(seen.node).or_default();
        let is_again = *last < seen.incarnation;
        *last = seen.incarnation;
        is_again
    }
}

/// Sessions that are up, by both of their ends.
#[derive(Default)]
struct Sessions {
    starts: Starts,
    up: BTreeMap<Pair, u64>,
}

impl Sessions {
    fn observe(&mut self, seen: &Seen) {
        if self.starts.is_again(seen) {
            self.up.retain(|(node, _), _| *node != seen.node);
        }
        match &seen.what {
            Observation::SessionUp { peer } => *self.up.entry((seen.node, peer.clone())).or_default() += 1,
            Observation::SessionDown { peer, .. } => {
                let up = self.up.entry((seen.node, peer.clone())).or_default();
                *up = up.saturating_sub(1);
            }
            _ => {}
        }
    }

    fn is_up(&self, pair: &Pair) -> bool {
        self.up.get(pair).is_some_and(|up| *up > 0)
    }
}

/// What a node shows, and whether its person said yes to it.
struct Shown {
    incarnation: u64,
    number: String,
    yes: bool,
}

/// Two devices pair only when both people said yes to the same digits.
#[derive(Default)]
pub(super) struct PairedByConsent {
    shown: BTreeMap<(String, String), Shown>,
    /// Whom each node may trust over restarts.
    consented: BTreeSet<Pair>,
    /// How often each node's pairing mode has ended: each entry into it buys one exchange.
    ended: BTreeMap<NodeId, usize>,
    paired: u64,
    refused: u64,
}

impl PairedByConsent {
    fn mode_ends(&mut self, scenario: &Scenario, node: NodeId) -> Result<(), String> {
        let ended = self.ended.entry(node).or_default();
        *ended += 1;
        let enters = |act: &&Act| act.on == node && matches!(act.deed, Deed::Pair(..));
        let entries = scenario.acts.iter().filter(enters).count();
        if *ended <= entries {
            return Ok(());
        }
        let me = scenario.node_name(node);
        Err(format!("{me} has tried to pair {} times, and its person has let it {entries}", *ended))
    }

    fn paired(&self, seen: &Seen, me: &str, peer: &str) -> Result<(), String> {
        let of = |a: &str, b: &str| self.shown.get(&(a.to_owned(), b.to_owned()));
        let Some(own) = of(me, peer).filter(|shown| shown.incarnation == seen.incarnation && shown.yes) else {
            return Err(format!("{me} paired with {peer}, and its person has not said yes"));
        };
        let Some(other) = of(peer, me).filter(|shown| shown.yes) else {
            return Err(format!("{me} paired with {peer}, whose person has not said yes"));
        };
        if own.number == other.number {
            return Ok(());
        }
        Err(format!("{me} paired with {peer}, which showed {}, not {}", other.number, own.number))
    }
}

impl Check for PairedByConsent {
    fn observe(&mut self, scenario: &Scenario, seen: &Seen) -> Result<(), String> {
        let me = scenario.node_name(seen.node).to_owned();
        match &seen.what {
            Observation::Digits { peer, number } => {
                let shown = Shown { incarnation: seen.incarnation, number: number.clone(), yes: false };
                self.shown.insert((me, peer.clone()), shown);
            }
            Observation::Answered { peer, yes } => {
                if let Some(shown) = self.shown.get_mut(&(me, peer.clone())) {
                    shown.yes = *yes;
                }
            }
            Observation::Paired { peer } => {
                self.paired += 1;
                self.consented.insert((seen.node, peer.clone()));
                self.mode_ends(scenario, seen.node)?;
                return self.paired(seen, &me, peer);
            }
            Observation::Trusted { peer } => drop(self.consented.insert((seen.node, peer.clone()))),
            Observation::PairingFailed { .. } => {
                self.refused += 1;
                return self.mode_ends(scenario, seen.node);
            }
            Observation::Remembered { peers } | Observation::TrustDurable { peers } => {
                let is_strange = |peer: &&String| !self.consented.contains(&(seen.node, (*peer).clone()));
                if let Some(peer) = peers.iter().find(is_strange) {
                    return Err(format!("{me} trusts {peer}, and nobody has said so"));
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn conclude(&self, _: &Scenario) -> Outcome {
        if self.paired + self.refused == 0 {
            return Outcome::NotJudged("nobody has tried to pair".into());
        }
        Outcome::Held(format!("{} paired, {} refused", count(self.paired, "side"), self.refused))
    }
}

/// Who is trusted no more has no session from that moment on, and nothing of his arrives.
#[derive(Default)]
pub(super) struct RevokedAtOnce {
    sessions: Sessions,
    starts: Starts,
    revoked: BTreeMap<Pair, Time>,
    seen: u64,
}

impl RevokedAtOnce {
    /// A session that was up when its peer was revoked has to be down before time goes on.
    fn overdue(&self, scenario: &Scenario, now: Time) -> Result<(), String> {
        let is_overdue = |(pair, at): &(&Pair, &Time)| **at < now && self.sessions.is_up(pair);
        match self.revoked.iter().find(is_overdue) {
            None => Ok(()),
            Some(((node, peer), _)) => {
                let me = scenario.node_name(*node);
                Err(format!("{me} still has a session with {peer}, whom it does not trust any more"))
            }
        }
    }
}

impl Check for RevokedAtOnce {
    fn observe(&mut self, scenario: &Scenario, seen: &Seen) -> Result<(), String> {
        self.overdue(scenario, seen.at)?;
        self.sessions.observe(seen);
        if self.starts.is_again(seen) {
            // What is configured is so again at each start.
            let trusts = &scenario.nodes[seen.node as usize].trusts;
            let is_configured = |peer: &String| {
                trusts.as_ref().is_none_or(|trusts| trusts.iter().any(|id| scenario.node_name(*id) == peer))
            };
            self.revoked.retain(|(node, peer), _| *node != seen.node || !is_configured(peer));
        }
        let me = scenario.node_name(seen.node);
        let is_revoked = |peer: &String| self.revoked.contains_key(&(seen.node, peer.clone()));
        match &seen.what {
            Observation::Revoked { peer } => {
                self.seen += 1;
                self.revoked.insert((seen.node, peer.clone()), seen.at);
            }
            // A revocation that was not durable yet is lost with the node's memory; whether it was, `trust-durable` knows.
            Observation::Remembered { peers } => {
                self.revoked.retain(|(node, peer), _| *node != seen.node || !peers.contains(peer));
            }
            Observation::Paired { peer } | Observation::Trusted { peer } => {
                self.revoked.remove(&(seen.node, peer.clone()));
            }
            Observation::SessionUp { peer } if is_revoked(peer) => {
                return Err(format!("{me} has a new session with {peer}, whom it does not trust any more"));
            }
            Observation::Received { peer, service, .. } if is_revoked(peer) => {
                return Err(format!("{peer} reached {me}/{service}, and {me} does not trust it any more"));
            }
            _ => {}
        }
        Ok(())
    }

    fn conclude(&self, scenario: &Scenario) -> Outcome {
        if self.seen == 0 {
            return Outcome::NotJudged("nobody was revoked".into());
        }
        match self.overdue(scenario, Time::MAX) {
            Ok(()) => Outcome::Held(count(self.seen, "revocation")),
            Err(how) => Outcome::Failed(how),
        }
    }
}

/// Of one node's trust store.
#[derive(Default)]
struct Stored {
    durable: BTreeSet<String>,
    /// What has changed since.
    changed: BTreeSet<String>,
}

/// A restart loses nobody of whom it was said that he is durably trusted, and brings back nobody.
#[derive(Default)]
pub(super) struct TrustDurable {
    starts: Starts,
    stored: BTreeMap<NodeId, Stored>,
    restarts: u64,
}

impl Check for TrustDurable {
    fn observe(&mut self, scenario: &Scenario, seen: &Seen) -> Result<(), String> {
        let me = scenario.node_name(seen.node);
        let is_again = self.starts.is_again(seen);
        let stored = self.stored.entry(seen.node).or_default();
        match &seen.what {
            Observation::Remembered { peers } if !rots(scenario, seen.node) => {
                self.restarts += 1;
                let peers: BTreeSet<_> = peers.iter().cloned().collect();
                let mut differ = peers.symmetric_difference(&stored.durable);
                if let Some(peer) = differ.find(|peer| !stored.changed.contains(*peer)) {
                    let how = if peers.contains(peer) { "trusts again" } else { "has forgotten" };
                    return Err(format!("{me} {how} {peer}, though it said otherwise for good"));
                }
                *stored = Stored { durable: peers, changed: BTreeSet::new() };
            }
            Observation::Remembered { peers } => {
                *stored = Stored { durable: peers.iter().cloned().collect(), changed: BTreeSet::new() };
            }
            _ if is_again && !stored.durable.is_empty() => {
                return Err(format!("{me} has forgotten that it ever trusted anybody"));
            }
            Observation::TrustDurable { peers } => {
                *stored = Stored { durable: peers.iter().cloned().collect(), changed: BTreeSet::new() };
            }
            Observation::Paired { peer } | Observation::Trusted { peer } | Observation::Revoked { peer } => {
                stored.changed.insert(peer.clone());
            }
            _ => {}
        }
        Ok(())
    }

    fn conclude(&self, _: &Scenario) -> Outcome {
        match self.restarts {
            0 => Outcome::NotJudged("no node that kept its trust was started again".into()),
            restarts => Outcome::Held(count(restarts, "restart")),
        }
    }
}

/// Whether bits of what the node has stored flip: nothing lasts then.
pub(super) fn rots(scenario: &Scenario, node: NodeId) -> bool {
    let rots = |what: &What| matches!(what, What::Disk(id, disk) if *id == node && disk.rot.0 > 0);
    scenario.nodes[node as usize].disk.rot.0 > 0 || scenario.faults.iter().any(|fault| rots(&fault.what))
}

/// Sessions that are up when a node takes another key go on.
#[derive(Default)]
pub(super) struct RotationKeepsSessions {
    sessions: Sessions,
    /// When each node took another key, and with whom it had sessions then.
    rotated: BTreeMap<NodeId, (Time, BTreeSet<String>)>,
    kept: u64,
}

impl Check for RotationKeepsSessions {
    fn observe(&mut self, scenario: &Scenario, seen: &Seen) -> Result<(), String> {
        match &seen.what {
            Observation::KeyRotated => {
                let up = self.sessions.up.iter().filter(|((node, _), up)| *node == seen.node && **up > 0);
                let up: BTreeSet<_> = up.map(|((_, peer), _)| peer.clone()).collect();
                self.kept += up.len() as u64;
                self.rotated.insert(seen.node, (seen.at, up));
            }
            Observation::SessionDown { peer, reason } => {
                let rotated = self.rotated.get(&seen.node);
                if rotated.is_some_and(|(at, up)| *at == seen.at && up.contains(peer)) {
                    let me = scenario.node_name(seen.node);
                    return Err(format!("{me} took another key, and lost its session with {peer}: {reason}"));
                }
            }
            _ => {}
        }
        self.sessions.observe(seen);
        Ok(())
    }

    fn conclude(&self, _: &Scenario) -> Outcome {
        match self.kept {
            0 => Outcome::NotJudged("no key was changed under a session".into()),
            kept => Outcome::Held(count(kept, "session")),
        }
    }
}

/// Every node that knew a node which has left has heard that it did.
#[derive(Default)]
pub(super) struct GoodbyesHeard {
    starts: Starts,
    known: BTreeSet<Pair>,
    heard: u64,
}

impl GoodbyesHeard {
    fn missing(&self, scenario: &Scenario) -> Vec<String> {
        let leaves =
            |name: &str| scenario.acts.iter().any(|act| act.deed == Deed::Leave && scenario.node_name(act.on) == name);
        let missing = self.known.iter().filter(|(_, peer)| leaves(peer));
        missing.map(|(node, peer)| format!("{} has not heard that {peer} left", scenario.node_name(*node))).collect()
    }
}

impl Check for GoodbyesHeard {
    fn observe(&mut self, _: &Scenario, seen: &Seen) -> Result<(), String> {
        if self.starts.is_again(seen) {
            self.known.retain(|(node, _)| *node != seen.node);
        }
        match &seen.what {
            Observation::Discovered { peer } => drop(self.known.insert((seen.node, peer.clone()))),
            Observation::Left { peer } => {
                self.known.remove(&(seen.node, peer.clone()));
                self.heard += 1;
            }
            _ => {}
        }
        Ok(())
    }

    fn conclude(&self, scenario: &Scenario) -> Outcome {
        let missing = self.missing(scenario);
        if !missing.is_empty() {
            return Outcome::Failed(missing.join("; "));
        }
        match self.heard {
            0 => Outcome::NotJudged("nobody has left".into()),
            heard => Outcome::Held(count(heard, "goodbye")),
        }
    }

    fn subject(&self, scenario: &Scenario) -> String {
        self.missing(scenario).first().cloned().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::*;
    use super::*;

    #[test]
    fn a_try_to_pair_that_no_person_has_begun_is_caught() {
        let failed = Observation::PairingFailed { peer: None, reason: "no".to_owned() };
        let bench = Bench::new(PairedByConsent::default());
        bench.sees("hub", failed).breaks("has tried to pair 1 times, and its person has let it 0");
    }
}
