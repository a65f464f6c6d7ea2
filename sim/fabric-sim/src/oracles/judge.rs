//! Runs all checks of a scenario side by side and keeps their verdicts.

use super::{
    ALWAYS, ATTACKS_FAIL, Check, EVENTUALLY, NO_LIVELOCK, NO_PANIC, Seen, TABLES_BOUNDED, TAPPED, count, tables,
};
use crate::scenario::Scenario;
use crate::scenario::resolved::NodeId;
use crate::scenario::units::Nanos;
use fabric::probe::Probes;
use scenario_actor::{Observation, WorkSeen};
use serde::Serialize;
use sim::Time;
use std::rc::Rc;

/// How a check ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// The promise was kept: on what.
    Held(String),
    /// It was broken: how.
    Failed(String),
    /// Nothing could show whether it was kept: why.
    NotJudged(String),
}

/// When a promise must hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Kind {
    Always,
    Eventually,
    Sometimes,
}

/// One line of the result.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Verdict {
    pub(crate) name: String,
    pub(crate) kind: Kind,
    /// For an eventual promise.
    pub(crate) by: Option<Nanos>,
    pub(crate) outcome: Outcome,
    /// Where it was broken: see [`Check::place`].
    pub(crate) place: String,
    /// Whose it was: see [`Check::subject`].
    pub(crate) subject: String,
}

/// What is said of a check that needs a tap, where there is none.
pub(super) const UNTAPPED: &str = "not tapped";

/// The checks that others than observations judge: they hold unless those say otherwise.
pub(super) struct Engine(pub(super) &'static str);

impl Check for Engine {
    fn observe(&mut self, _: &Scenario, _: &Seen) -> Result<(), String> {
        Ok(())
    }

    fn conclude(&self, _: &Scenario) -> Outcome {
        Outcome::Held(self.0.to_owned())
    }
}

struct Judged {
    name: &'static str,
    by: Option<Nanos>,
    check: Box<dyn Check>,
    outcome: Option<Outcome>,
    place: String,
    subject: String,
}

/// Whom an observation is about: a piece of work, two nodes, or one.
fn subject(scenario: &Scenario, seen: &Seen) -> String {
    let me = scenario.node_name(seen.node);
    match &seen.what {
        Observation::Received { work: id, .. } | Observation::Work { id, .. }
            if (*id as usize) < scenario.work.len() =>
        {
            scenario.work_title(*id as usize)
        }
        Observation::Discovered { peer }
        | Observation::SessionUp { peer }
        | Observation::SessionDown { peer, .. }
        | Observation::SessionFailed { peer, .. }
        | Observation::Received { peer, .. }
        | Observation::Digits { peer, .. }
        | Observation::Answered { peer, .. }
        | Observation::Paired { peer }
        | Observation::PairingFailed { peer: Some(peer), .. }
        | Observation::Trusted { peer }
        | Observation::Revoked { peer }
        | Observation::Left { peer }
        | Observation::Audited { peer, .. } => format!("{me} with {peer}"),
        Observation::Work { .. }
        | Observation::Refused { .. }
        | Observation::Marked { .. }
        | Observation::PairingFailed { peer: None, .. }
        | Observation::Remembered { .. }
        | Observation::TrustDurable { .. }
        | Observation::KeyRotated => me.to_owned(),
    }
}

/// What an observation is about, without whose it is.
pub(crate) const fn kind(what: &Observation) -> &'static str {
    match what {
        Observation::Discovered { .. } => "discovered",
        Observation::SessionUp { .. } => "session-up",
        Observation::SessionDown { .. } => "session-down",
        Observation::SessionFailed { .. } => "session-failed",
        Observation::Refused { .. } => "refused",
        Observation::Received { .. } => "received",
        Observation::Work { seen: WorkSeen::Started { .. }, .. } => "work-started",
        Observation::Work { seen: WorkSeen::Done { .. }, .. } => "work-done",
        Observation::Work { seen: WorkSeen::Failed { .. }, .. } => "work-failed",
        Observation::Work { seen: WorkSeen::Unexpected { .. }, .. } => "work-unexpected",
        Observation::Marked { .. } => "marked",
        Observation::Digits { .. } => "digits",
        Observation::Answered { .. } => "answered",
        Observation::Paired { .. } => "paired",
        Observation::PairingFailed { .. } => "pairing-failed",
        Observation::Remembered { .. } => "remembered",
        Observation::TrustDurable { .. } => "trust-durable",
        Observation::Trusted { .. } => "trusted",
        Observation::Revoked { .. } => "revoked",
        Observation::KeyRotated => "key-rotated",
        Observation::Left { .. } => "left",
        Observation::Audited { .. } => "audited",
    }
}

/// The `src/file.rs:12` at the end of what a panic says.
fn source_line(how: &str) -> Option<&str> {
    let place = how.strip_suffix(')')?.rsplit_once('(')?.1;
    place.rsplit_once(':').filter(|(file, line)| file.contains(".rs") && line.parse::<u32>().is_ok())?;
    // Only what is below the package: where a checkout lies is no part of a failure.
    Some(place.rfind("/src/").map_or(place, |at| &place[at + 1..]))
}

/// Every check of one run.
pub(crate) struct Judge {
    scenario: Rc<Scenario>,
    checks: Vec<Judged>,
}

impl Judge {
    /// The checks that the scenario names, and those that every run has.
    pub(crate) fn new(scenario: Rc<Scenario>) -> Self {
        let checks = &scenario.checks;
        let built_in = [NO_PANIC, NO_LIVELOCK].into_iter().filter(|name| !checks.always.contains(name));
        let is_judged = |name: &&str| *name != ATTACKS_FAIL || scenario.is_attacked();
        let always = checks.always.iter().copied().chain(built_in).filter(is_judged).map(|name| (name, None));
        let eventually = checks.eventually.iter().map(|(name, by)| (*name, Some(*by)));
        let known = || ALWAYS.iter().chain(EVENTUALLY);
        let build = |(name, by)| {
            let known = known().find(|known| known.name == name)?;
            Some(Judged {
                name,
                by,
                check: (known.build)(),
                outcome: None,
                place: String::new(),
                subject: String::new(),
            })
        };
        let checks = always.chain(eventually).filter_map(build).collect();
        Self { scenario, checks }
    }

    /// Shows an observation to every check. The first promise that it breaks: its name, and how.
    pub(crate) fn observe(&mut self, seen: &Seen) -> Option<(&'static str, String)> {
        let mut broken = None;
        for judged in self.checks.iter_mut().filter(|judged| judged.outcome.is_none()) {
            if let Err(how) = judged.check.observe(&self.scenario, seen) {
                judged.outcome = Some(Outcome::Failed(how.clone()));
                kind(&seen.what).clone_into(&mut judged.place);
                judged.subject = subject(&self.scenario, seen);
                broken.get_or_insert((judged.name, how));
            }
        }
        broken
    }

    /// Judges what a node holds.
    pub(crate) fn load(&mut self, node: NodeId, load: &fabric::Load) -> Option<(&'static str, String)> {
        let how = tables::judge(load, self.scenario.nodes.len()).err()?;
        Some((TABLES_BOUNDED, format!("{} holds {how}", self.scenario.node_name(node))))
    }

    /// The times at which an eventual promise is due, in order.
    pub(crate) fn deadlines(&self) -> Vec<Nanos> {
        let mut times: Vec<_> = self.checks.iter().filter_map(|judged| judged.by).collect();
        times.sort_unstable();
        times.dedup();
        times
    }

    /// Judges what is due at `at`. Whether all of it held.
    pub(crate) fn due(&mut self, at: Nanos) -> bool {
        let mut held = true;
        for judged in self.checks.iter_mut().filter(|judged| judged.by == Some(at) && judged.outcome.is_none()) {
            let outcome = judged.check.conclude(&self.scenario);
            if matches!(outcome, Outcome::Failed(_)) {
                judged.place = judged.check.place(&self.scenario);
                judged.subject = judged.check.subject(&self.scenario);
                held = false;
            }
            judged.outcome = Some(outcome);
        }
        held
    }

    /// The tap has seen so many records, and nothing that breaks a promise.
    pub(crate) fn tapped(&mut self, records: u64) {
        let outcome = match records {
            0 => Outcome::NotJudged("no record was sealed".into()),
            records => Outcome::Held(count(records, "record")),
        };
        for name in TAPPED {
            self.settle(name, outcome.clone());
        }
    }

    /// How a check ended that others judge, unless it was broken.
    pub(crate) fn settle(&mut self, name: &str, outcome: Outcome) {
        if let Some(judged) = self.checks.iter_mut().find(|judged| judged.name == name && judged.outcome.is_none()) {
            judged.outcome = Some(outcome);
        }
    }

    /// Whether every promise that must come about some day has: no deadline needs to be waited for.
    pub(crate) fn is_content(&self) -> bool {
        let holds = |judged: &Judged| match &judged.outcome {
            Some(outcome) => !matches!(outcome, Outcome::Failed(_)),
            None => !matches!(judged.check.conclude(&self.scenario), Outcome::Failed(_)),
        };
        self.checks.iter().filter(|judged| judged.by.is_some()).all(holds)
    }

    /// Nothing in this world can show whether these promises are kept.
    pub(crate) fn cannot(&mut self, names: &[&str], why: &str) {
        for judged in self.checks.iter_mut().filter(|judged| names.contains(&judged.name)) {
            judged.outcome.get_or_insert_with(|| Outcome::NotJudged(why.to_owned()));
        }
    }

    /// Others saw a promise broken, by that node if it is known; whether it is one that is judged in this run.
    pub(crate) fn fail(&mut self, name: &str, how: String, node: Option<NodeId>) -> bool {
        let node = node.and_then(|node| self.scenario.nodes.get(node as usize));
        let subject = node.map(|node| node.name.clone()).unwrap_or_default();
        let Some(judged) = self.checks.iter_mut().find(|judged| judged.name == name) else { return false };
        if !matches!(judged.outcome, Some(Outcome::Failed(_))) {
            source_line(&how).unwrap_or_default().clone_into(&mut judged.place);
            judged.subject = subject;
            judged.outcome = Some(Outcome::Failed(how));
        }
        true
    }

    /// All verdicts of a run that ended at `end`, in the scenario's order. `probes` are those that were reached, where that
    /// is known.
    pub(crate) fn verdicts(self, end: Time, probes: Option<Probes>) -> Vec<Verdict> {
        let scenario = &self.scenario;
        let judged = self.checks.into_iter().map(|judged| {
            let conclude = || match judged.by {
                Some(by) => Outcome::NotJudged(format!("the run ended at {}, before {by}", Nanos(end.as_nanos()))),
                None => judged.check.conclude(scenario),
            };
            let kind = if judged.by.is_some() { Kind::Eventually } else { Kind::Always };
            let outcome = judged.outcome.unwrap_or_else(conclude);
            Verdict {
                name: judged.name.to_owned(),
                kind,
                by: judged.by,
                outcome,
                place: judged.place,
                subject: judged.subject,
            }
        });
        let sometimes = scenario.checks.sometimes.iter().map(|name| Verdict {
            name: name.clone(),
            kind: Kind::Sometimes,
            by: None,
            outcome: sometimes(name, probes),
            place: String::new(),
            subject: String::new(),
        });
        judged.chain(sometimes).collect()
    }
}

/// A single run may or may not reach what some run of a sweep must.
fn sometimes(name: &str, probes: Option<Probes>) -> Outcome {
    match probes {
        None => Outcome::NotJudged("nodes are looked into in the simulator only".into()),
        Some(probes) if probes.iter().any(|probe| probe.label() == name) => Outcome::Held("reached".into()),
        Some(_) => Outcome::NotJudged("not reached; a sweep judges whether it ever is".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::source_line;

    #[test]
    fn a_panic_is_told_by_its_line() {
        assert_eq!(source_line("no (really) (/home/a/fabric/src/mux/mod.rs:12)"), Some("src/mux/mod.rs:12"));
        assert_eq!(source_line("no (tests/engine.rs:1)"), Some("tests/engine.rs:1"));
        for other in ["", "no", "no (really)", "4 events (of 5:6)"] {
            assert_eq!(source_line(other), None, "{other}");
        }
    }
}
