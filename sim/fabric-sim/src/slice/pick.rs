//! Which of a run's events are told.

use super::cast::Cast;
use super::view::View;
use super::{Kind as LineKind, Size};
use crate::scenario::resolved::NodeId;
use ::sim::causes::{Happening, Mishap};
use ::sim::{Kind, NodeIndex};
use scenario_actor::Observation;
use std::collections::{BTreeMap, BTreeSet};

/// How the step reads that breaks a promise.
pub(super) const BROKEN: &str = ", against the promise";
/// Steps on the way to the failure.
const STEPS_MAX: usize = 12;
/// What strangers lose on the way to those who matter is told when it is no more than this: more of it is the network.
const STRANGE_MAX: usize = 3;

/// What one line will tell of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Picked {
    pub(super) kind: LineKind,
    /// At least one.
    pub(super) events: Vec<u64>,
    pub(super) note: Note,
}

/// What a line says besides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Note {
    Nothing,
    /// It breaks the promise.
    Breaks,
    /// The node sent nothing else to this peer.
    LastSent,
    /// The node got nothing else from this peer, and has answered none of its last so many deliveries.
    LastGot {
        unanswered: u64,
    },
}

/// What losses must share to be told in one line.
type Group = (Kind, NodeIndex, NodeIndex, Option<Mishap>, Option<u64>);

/// What each node's application saw last, and when it began to see that.
#[derive(Default)]
struct Again<'a>(BTreeMap<NodeIndex, (&'a Observation, u64)>);

impl<'a> Again<'a> {
    /// The event from which on the node has seen nothing but this again and again, if it has.
    fn repeats(&mut self, view: &View<'a>, it: &Happening) -> Option<u64> {
        let seen = view.seen(it.event)?;
        match self.0.get(&it.record.node) {
            Some((known, first)) if *known == seen => Some(*first),
            _ => {
                self.0.insert(it.record.node, (seen, it.event));
                None
            }
        }
    }
}

/// Everything worth a line, in order.
pub(super) fn pick(view: &View<'_>, cast: &Cast, anchor: Option<u64>) -> Vec<Picked> {
    let mut all: BTreeMap<u64, Picked> = BTreeMap::new();
    let mut open: BTreeMap<Group, u64> = BTreeMap::new();
    let mut again = Again::default();
    let strange = strange(view, cast);
    for it in view.all() {
        let event = it.event;
        if let Some(kind) = single(view, cast, it) {
            if let Some(first) = again.repeats(view, it)
                && let Some(picked) = all.get_mut(&first)
            {
                picked.events.push(event);
                continue;
            }
            // What is told between losses parts them.
            open.clear();
            all.insert(event, Picked { kind, events: vec![event], note: Note::Nothing });
        } else if is_mishap(it) && (is_within(view, cast, it) || strange.contains(&event)) {
            let group = (it.record.kind, it.record.node, it.record.peer, it.mishap, it.fault);
            let first = *open.entry(group).or_insert(event);
            let picked = Picked { kind: LineKind::Mishap, events: Vec::new(), note: Note::Nothing };
            all.entry(first).or_insert(picked).events.push(event);
        }
    }
    let steps = match anchor {
        Some(anchor) => steps_to(view, cast, anchor),
        None => last_steps(view, cast),
    };
    let told: BTreeSet<u64> = all.values().flat_map(|picked| picked.events.iter().copied()).collect();
    for (event, note) in steps {
        if note == Note::Breaks || !told.contains(&event) {
            all.insert(event, Picked { kind: LineKind::Step, events: vec![event], note });
        }
    }
    all.into_values().collect()
}

/// Of what is told by itself: how.
fn single(view: &View<'_>, cast: &Cast, it: &Happening) -> Option<LineKind> {
    let node = view.node(it.record.node);
    match it.record.kind {
        Kind::FaultBegins => {
            let fault = view.scenario.faults.get(it.record.number as usize)?;
            cast.is_struck_by(fault).then_some(LineKind::Fault)
        }
        Kind::Boot => (it.record.number > 0 && cast.has(node)).then_some(LineKind::Fault),
        Kind::Event => {
            let seen = view.seen(it.event)?;
            cast.is_told_of_by(view, node, seen).then_some(LineKind::Observation)
        }
        _ => None,
    }
}

fn is_mishap(it: &Happening) -> bool {
    match it.record.kind {
        Kind::PipeClosed => it.text.as_deref() != Some("Finished"),
        Kind::Stored => it.record.number == 0,
        _ => it.mishap.is_some_and(|mishap| mishap != Mishap::Duplicated),
    }
}

fn is_within(view: &View<'_>, cast: &Cast, it: &Happening) -> bool {
    let (node, peer) = (view.node(it.record.node), view.node(it.record.peer));
    cast.has(node) && (peer.is_none() || cast.has(peer))
}

/// What others lost on the way to the cast, where that is little.
fn strange(view: &View<'_>, cast: &Cast) -> BTreeSet<u64> {
    let is_strange = |it: &&Happening| {
        let (node, peer) = (view.node(it.record.node), view.node(it.record.peer));
        let is_sending =
            matches!(it.record.kind, Kind::DatagramOut | Kind::GroupOut | Kind::SegmentLost | Kind::OpenPipe);
        is_sending && is_mishap(it) && !cast.has(node) && cast.has(peer)
    };
    let all: BTreeSet<_> = view.all().iter().filter(is_strange).map(|it| it.event).take(STRANGE_MAX + 1).collect();
    if all.len() > STRANGE_MAX { BTreeSet::new() } else { all }
}

/// The steps that led to the event which broke the promise, as long as they stay among the cast.
fn steps_to(view: &View<'_>, cast: &Cast, anchor: u64) -> Vec<(u64, Note)> {
    let is_inside = |event: &u64| view.get(*event).is_some_and(|it| is_within(view, cast, it));
    let steps = view.chain(anchor).take_while(is_inside).take(STEPS_MAX);
    steps.map(|event| (event, if event == anchor { Note::Breaks } else { Note::Nothing })).collect()
}

/// What each of two sides last said to the other, and last heard of it.
fn last_steps(view: &View<'_>, cast: &Cast) -> Vec<(u64, Note)> {
    let nodes: Vec<_> = cast.nodes().collect();
    let [one, other] = nodes.as_slice() else { return Vec::new() };
    [(*one, *other), (*other, *one)].into_iter().flat_map(|(me, peer)| last_of(view, me, peer)).collect()
}

/// What `me` last sent to `peer` and last got of it: through pipes, and as datagrams only where there were no pipes.
fn last_of(view: &View<'_>, me: NodeId, peer: NodeId) -> Vec<(u64, Note)> {
    let is_between = |it: &&Happening| view.node(it.record.node) == Some(me) && view.node(it.record.peer) == Some(peer);
    let last = |kind: Kind| view.all().iter().rev().filter(is_between).find(|it| it.record.kind == kind);
    let (sent, got) = match (last(Kind::Fill), last(Kind::PipeBytes)) {
        (None, None) => (last(Kind::DatagramOut), last(Kind::DatagramIn)),
        pipes => pipes,
    };
    let got = got.map(|got| {
        let is_later = |it: &&Happening| sent.is_none_or(|sent| it.event > sent.event);
        let of_kind = |it: &&Happening| it.record.kind == got.record.kind;
        let unanswered = view.all().iter().rev().take_while(is_later).filter(is_between).filter(of_kind).count() as u64;
        (got.event, Note::LastGot { unanswered })
    });
    sent.map(|sent| (sent.event, Note::LastSent)).into_iter().chain(got).collect()
}

/// The first and the last of each kind.
pub(super) fn trim(all: Vec<Picked>, size: Size) -> Vec<Picked> {
    let most = |kind: LineKind| match (kind, size) {
        (LineKind::Observation, Size::Whole) => (2, 5),
        (LineKind::Mishap, Size::Whole) => (1, 5),
        (LineKind::Fault, Size::Whole) => (0, 6),
        (_, Size::Whole) => (0, 8),
        (LineKind::Observation, Size::Short) => (1, 2),
        (_, Size::Short) => (0, 3),
    };
    let mut of_kind: BTreeMap<LineKind, usize> = BTreeMap::new();
    for picked in &all {
        *of_kind.entry(picked.kind).or_default() += 1;
    }
    let mut place: BTreeMap<LineKind, usize> = BTreeMap::new();
    let mut is_kept = |picked: &Picked| {
        let (first, last) = most(picked.kind);
        let place = place.entry(picked.kind).or_default();
        *place += 1;
        *place <= first || *place + last > of_kind[&picked.kind]
    };
    all.into_iter().filter(|picked| is_kept(picked)).collect()
}
