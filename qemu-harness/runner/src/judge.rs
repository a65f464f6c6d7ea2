//! What was seen against what had to be: every node finds every other, both ends of each piece of work have a session, and
//! the work ends as the part expects. Starts nothing, waits for nothing.

use crate::plan::Plan;
use crate::{Failure, Kind};
use scenario_actor::{Expect, Observation, Part, Subject, Work, WorkSeen};
use std::collections::{BTreeMap, BTreeSet};

/// The words of the fabric for a peer that is not who was meant, or not trusted.
const IDENTITY: [&str; 6] =
    ["IdentityMismatch", "ProofInvalid", "SelfConnect", "NoiseFailed", "not_trusted", "revoked"];

/// How far one node has come.
#[derive(Clone, Debug, Default)]
pub(crate) struct Progress {
    discovered: BTreeSet<String>,
    sessions: BTreeSet<String>,
    over: BTreeMap<u32, WorkSeen>,
    /// The last word on a session that is down, by peer.
    downs: BTreeMap<String, String>,
    /// The last word on a try that failed.
    failed: BTreeMap<u32, String>,
    damaged: Option<Observation>,
}

impl Progress {
    pub(crate) fn see(&mut self, what: &Observation) {
        match what {
            Observation::Discovered { peer } => {
                self.discovered.insert(peer.clone());
            }
            Observation::SessionUp { peer } => {
                self.sessions.insert(peer.clone());
            }
            Observation::SessionDown { peer, reason } | Observation::SessionFailed { peer, reason } => {
                self.downs.insert(peer.clone(), reason.clone());
            }
            Observation::Received { intact: false, .. } => self.damaged = Some(what.clone()),
            Observation::Work { id, seen } => self.work(*id, seen),
            // Neither of what arrived well, nor of trust and calls, is there anything to wait for.
            _ => {}
        }
    }

    fn work(&mut self, id: u32, seen: &WorkSeen) {
        match seen {
            WorkSeen::Started { .. } => {}
            WorkSeen::Failed { reason, .. } => {
                self.failed.insert(id, reason.clone());
            }
            WorkSeen::Done { .. } | WorkSeen::Unexpected { .. } => {
                self.over.insert(id, seen.clone());
            }
        }
    }
}

/// Whether nothing more is to come that matters.
pub(crate) fn is_done(plan: &Plan, progress: &[Progress]) -> bool {
    plan.parts.iter().zip(progress).all(|(part, progress)| {
        let found = others(part).all(|peer| progress.discovered.contains(peer));
        let met = partners(plan, &part.name).all(|peer| progress.sessions.contains(peer));
        found && met && part.work.iter().all(|work| progress.over.contains_key(&work.id))
    })
}

/// The names of all nodes but the part's own.
fn others(part: &Part) -> impl Iterator<Item = &String> {
    part.peers.iter().map(|peer| &peer.name).filter(|name| **name != part.name)
}

/// What failed, the deepest cause of each node first.
pub(crate) fn judge(plan: &Plan, progress: &[Progress]) -> Vec<Failure> {
    let each = plan.parts.iter().zip(progress);
    let mut failures: Vec<_> = each.flat_map(|(part, progress)| judge_node(plan, part, progress)).collect();
    failures.sort_by_key(|failure| failure.kind);
    failures
}

fn judge_node(plan: &Plan, part: &Part, progress: &Progress) -> Vec<Failure> {
    let fail = |kind, detail: String| Failure::of(kind, &part.name, detail);
    let mut failures = Vec::new();
    for peer in others(part).filter(|peer| !progress.discovered.contains(*peer)) {
        failures.push(fail(Kind::DiscoveryTimeout, format!("did not find {peer}")));
    }
    for peer in partners(plan, &part.name).filter(|peer| !progress.sessions.contains(*peer)) {
        if !progress.discovered.contains(peer) {
            continue; // said above
        }
        let last = progress.downs.get(peer).map_or("nothing was heard", String::as_str);
        let is_identity = IDENTITY.iter().any(|word| last.contains(word));
        let kind = if is_identity { Kind::Identity } else { Kind::Session };
        failures.push(fail(kind, format!("no session with {peer}: {last}")));
    }
    let met = part.work.iter().filter(|work| progress.sessions.contains(&work.peer));
    failures.extend(met.filter_map(|work| judge_work(work, progress)).map(|(kind, detail)| fail(kind, detail)));
    if let Some(damaged) = &progress.damaged {
        failures.push(fail(Kind::ObservationMismatch, damaged.to_string()));
    }
    failures
}

fn judge_work(work: &Work, progress: &Progress) -> Option<(Kind, String)> {
    let Work { id, peer, service, expect, .. } = work;
    let tell = |what: &str| format!("work {id} on {peer}/{service} was to be {expect:?}: {what}");
    match progress.over.get(id) {
        Some(WorkSeen::Done { .. }) => None,
        Some(seen) => {
            let is_policy = *expect == Expect::Denied || seen.to_string().ends_with("denied");
            let kind = if is_policy { Kind::Policy } else { Kind::ObservationMismatch };
            Some((kind, tell(&seen.to_string())))
        }
        None => {
            let last = progress.failed.get(id).map_or("it did not end in time", String::as_str);
            Some((Kind::ObservationMismatch, tell(last)))
        }
    }
}

/// With whom the node called `name` has work, from either side.
fn partners<'a>(plan: &'a Plan, name: &'a str) -> impl Iterator<Item = &'a str> {
    let own = plan.parts.iter().filter(move |part| part.name == name).flat_map(|part| &part.work);
    let asked = plan.parts.iter().filter(move |part| part.work.iter().any(|work| work.peer == name));
    let all: BTreeSet<&str> = own.map(|work| work.peer.as_str()).chain(asked.map(|part| part.name.as_str())).collect();
    all.into_iter()
}

/// What every world must show, subject by subject: the stable observations, of which a peer's are taken once, as how often
/// it is found and met depends on timing.
pub fn stable<'a>(seen: impl IntoIterator<Item = &'a Observation>) -> BTreeMap<Subject, Vec<Observation>> {
    let mut subjects: BTreeMap<Subject, Vec<Observation>> = BTreeMap::new();
    for what in seen.into_iter().filter(|what| what.is_stable()) {
        let same = subjects.entry(what.subject()).or_default();
        if !matches!(what.subject(), Subject::Peer(_)) || !same.contains(what) {
            same.push(what.clone());
        }
    }
    // A session can come up at the peer's wish before its announce is heard.
    for same in subjects.values_mut() {
        same.sort_by_key(|what| !matches!(what, Observation::Discovered { .. }));
    }
    subjects
}

/// Where the stable observations of the node called `name` are not those that were expected.
pub(crate) fn compare(name: &str, expected: &[Observation], seen: &[Observation]) -> Vec<Failure> {
    let (expected, seen) = (stable(expected), stable(seen));
    let subjects: BTreeSet<_> = expected.keys().chain(seen.keys()).collect();
    let differing = subjects.into_iter().filter(|subject| expected.get(subject) != seen.get(subject));
    let tell = |list: Option<&Vec<Observation>>| {
        list.map_or_else(
            || "nothing".to_owned(),
            |list| list.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "),
        )
    };
    differing
        .map(|subject| {
            let detail =
                format!("{subject:?}: expected {}, saw {}", tell(expected.get(subject)), tell(seen.get(subject)));
            Failure::of(Kind::ObservationMismatch, name, detail)
        })
        .collect()
}

#[cfg(test)]
mod tests;
