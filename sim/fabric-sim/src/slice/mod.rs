//! The causal slice of a run that failed: from the broken promise back through sends, deliveries, timers and faults to the
//! few events that explain it.
//!
//! Who matters is told by the failure's subject ([`cast`]). Of what happened between those, [`pick`] keeps faults, losses,
//! what applications saw, and the steps that led to the broken promise or, where something never came, the last steps of
//! both sides. All else is routine, and counted. [`view`] finds what follows from what; [`words`] and [`show`] say it. An
//! explanation is a guess at what matters: the whole truth is the trace.

mod cast;
mod pick;
mod show;
mod view;
mod words;

use crate::capsule::Fingerprint;
use crate::oracles::NO_PANIC;
use crate::scenario::Scenario;
use crate::scenario::resolved::NodeId;
use crate::worlds::sim::Run;
use ::sim::Time;
use cast::Cast;
use pick::Picked;
use serde::Serialize;
use view::View;

pub(crate) use show::{json, text};

/// How much is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Size {
    /// What fits below the report of a run: about a dozen lines.
    Short,
    /// What a person reads in one go: at most about thirty.
    Whole,
}

/// What one line tells of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Kind {
    /// A planned fault, or the restart after one.
    Fault,
    /// What an application saw.
    Observation,
    /// What was lost or damaged, refused or reset.
    Mishap,
    /// A delivery, a sending, a timer: on the way to the failure.
    Step,
    /// What is left out between the lines around it.
    Routine,
    /// The broken promise.
    Violation,
}

/// One line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Line {
    pub(crate) kind: Kind,
    /// What it stands for, in order; empty when it stands for something that did not happen.
    pub(crate) events: Vec<u64>,
    pub(crate) at: Time,
    pub(crate) until: Time,
    pub(crate) node: Option<NodeId>,
    pub(crate) peer: Option<NodeId>,
    pub(crate) text: String,
    /// The lines that it follows from, by place.
    pub(crate) parents: Vec<usize>,
    /// The line before it on the same node, where nothing else leads to it: the order of a program, not a cause.
    pub(crate) after: Option<usize>,
}

/// See the module.
#[derive(Clone, Debug)]
pub(crate) struct Slice {
    pub(crate) fingerprint: Fingerprint,
    pub(crate) detail: String,
    /// In the order of time; the last one is the broken promise.
    pub(crate) lines: Vec<Line>,
}

impl Slice {
    /// Why `run` failed; `None` when it did not, or when its causes were not kept.
    pub(crate) fn of(scenario: &Scenario, run: &Run, size: Size) -> Option<Self> {
        let story = run.story.as_ref()?;
        let (fingerprint, detail) = Fingerprint::of_run(run)?;
        let view = View::new(scenario, story);
        let panicked = (fingerprint.check == NO_PANIC).then(|| view.last()).flatten();
        let anchor = story.broken_at.or(panicked);
        let cast = Cast::of(&view, &fingerprint, &detail, anchor);
        let picked = pick::trim(pick::pick(&view, &cast, anchor), size);
        let mut lines: Vec<_> = picked.iter().map(|picked| line(&view, picked)).collect();
        lines.push(violation(&fingerprint, &detail, anchor, run.ended, &cast));
        connect(&view, &mut lines);
        Some(Self { fingerprint, detail, lines: with_routine(&view, &cast, lines) })
    }
}

fn line(view: &View<'_>, picked: &Picked) -> Line {
    let of = |event: Option<&u64>| event.and_then(|event| view.get(*event));
    let (first, last) = (of(picked.events.first()), of(picked.events.last()));
    let at = |happening: Option<&::sim::causes::Happening>| happening.map_or(Time::ZERO, |it| it.record.at);
    Line {
        kind: picked.kind,
        events: picked.events.clone(),
        at: at(first),
        until: at(last),
        node: first.and_then(|it| view.node(it.record.node)),
        peer: first.and_then(|it| view.node(it.record.peer)),
        text: first.map(|it| words::text(view, it, picked)).unwrap_or_default(),
        parents: Vec::new(),
        after: None,
    }
}

fn violation(fingerprint: &Fingerprint, detail: &str, anchor: Option<u64>, ended: Time, cast: &Cast) -> Line {
    let verb = if anchor.is_some() { "is broken" } else { "was due" };
    Line {
        kind: Kind::Violation,
        events: Vec::new(),
        at: ended,
        until: ended,
        node: cast.only(),
        peer: None,
        text: format!("{} {verb}: {detail}", fingerprint.check),
        parents: Vec::new(),
        after: None,
    }
}

/// Finds which line follows from which.
fn connect(view: &View<'_>, lines: &mut [Line]) {
    let Some(last) = lines.len().checked_sub(1) else { return };
    let places = (0..).zip(lines.iter()).flat_map(|(place, line)| line.events.iter().map(move |event| (*event, place)));
    let places = places.collect();
    for (place, line) in lines.iter_mut().enumerate().take(last) {
        (line.parents, line.after) = view.parents(&line.events, &places, place);
    }
    lines[last].parents = explains(&lines[..last]);
}

/// What the broken promise follows from: the step that broke it, or what was last seen of each side and all that went wrong
/// since.
fn explains(lines: &[Line]) -> Vec<usize> {
    if let Some(broken) = lines.iter().rposition(|line| line.kind == Kind::Step && line.text.ends_with(pick::BROKEN)) {
        return vec![broken];
    }
    let mut seen_of = std::collections::BTreeMap::new();
    for (place, line) in (0..).zip(lines).filter(|(_, line)| line.kind == Kind::Observation) {
        seen_of.insert(line.node, place);
    }
    let since = seen_of.values().min().copied().unwrap_or_default();
    let went_wrong = |place: &usize| matches!(lines[*place].kind, Kind::Fault | Kind::Mishap | Kind::Step);
    let mut all: Vec<_> = seen_of.into_values().chain((since..lines.len()).filter(went_wrong)).collect();
    all.sort_unstable();
    all.dedup();
    all
}

/// Puts what is left out between the lines.
fn with_routine(view: &View<'_>, cast: &Cast, lines: Vec<Line>) -> Vec<Line> {
    let mut told = std::collections::BTreeSet::new();
    for line in &lines {
        told.extend(line.events.iter().copied());
    }
    let (mut all, mut moved, mut from): (Vec<Line>, Vec<usize>, u64) = (Vec::new(), Vec::new(), 0);
    for mut line in lines {
        let until = line.events.first().copied().unwrap_or(u64::MAX);
        all.extend(view.routine(cast, &told, from, until));
        from = until;
        line.parents = line.parents.iter().map(|parent| moved.get(*parent).copied().unwrap_or_default()).collect();
        line.after = line.after.and_then(|after| moved.get(after).copied());
        moved.push(all.len());
        all.push(line);
    }
    all
}

#[cfg(test)]
mod tests;
