//! The moments of a run that tell its story: what applications saw, and when planned faults struck.

use crate::scenario::Scenario;
use crate::scenario::resolved::{Begin, Fault, NodeId, What};
use crate::worlds::sim::Run;
use ::sim::Time;
use scenario_actor::{MarkKind, Observation};

pub(super) struct Moment {
    pub(super) at: Time,
    /// Whose; empty for the world's own.
    pub(super) node: String,
    pub(super) text: String,
    pub(super) is_fault: bool,
}

/// All moments, in the order of their times; at one time, causes come first.
pub(super) fn moments(scenario: &Scenario, run: &Run) -> Vec<Moment> {
    let seen = run.seen.iter().map(|seen| Moment {
        at: seen.at,
        node: scenario.node_name(seen.node).to_owned(),
        text: text(scenario, &seen.what),
        is_fault: false,
    });
    let (timed, triggered): (Vec<_>, Vec<_>) =
        scenario.faults.iter().partition(|fault| matches!(fault.begin, Begin::At(_)));
    let struck = |fault: &Fault| struck(fault, scenario, run);
    let mut all: Vec<_> = timed.into_iter().filter_map(struck).chain(seen).collect();
    all.extend(triggered.into_iter().filter_map(struck));
    all.sort_by_key(|moment| moment.at);
    all
}

/// A number says little to a reader, so work is named with its service.
pub(crate) fn text(scenario: &Scenario, what: &Observation) -> String {
    match what {
        Observation::Work { id, seen } => match scenario.work.get(*id as usize) {
            Some(work) => {
                format!("work {id} ({}/{}) {seen}", scenario.node_name(work.to), work.service)
            }
            None => what.to_string(),
        },
        Observation::Marked { id } => match scenario.marks.get(*id as usize) {
            Some(mark) => format!("{} {} by now", verb(mark.kind), mark.bytes),
            None => what.to_string(),
        },
        _ => what.to_string(),
    }
}

const fn verb(kind: MarkKind) -> &'static str {
    match kind {
        MarkKind::Sent => "sent",
        MarkKind::Received => "received",
    }
}

/// When and how a fault struck, if it did.
fn struck(fault: &Fault, scenario: &Scenario, run: &Run) -> Option<Moment> {
    let reached = |id: u32| run.seen.iter().find(|seen| seen.what == Observation::Marked { id }).map(|seen| seen.at);
    let at = match fault.begin {
        Begin::At(at) => Time::from_nanos(at.0),
        Begin::Mark(mark) => reached(mark)?,
    };
    let lasts = fault.lasts.map(|lasts| format!(" for {lasts}")).unwrap_or_default();
    let (node, what) = describe(&fault.what, scenario);
    let node = node.map(|node| scenario.node_name(node).to_owned()).unwrap_or_default();
    (at <= run.ended).then(|| Moment { at, node, text: format!("{what}{lasts}"), is_fault: true })
}

/// What a fault does, to whom and for how long.
pub(crate) fn fault(fault: &Fault, scenario: &Scenario) -> String {
    let lasts = fault.lasts.map(|lasts| format!(" for {lasts}")).unwrap_or_default();
    let (node, what) = describe(&fault.what, scenario);
    let node = node.map(|node| format!("{} ", scenario.node_name(node))).unwrap_or_default();
    format!("{node}{what}{lasts}")
}

/// Whom a fault strikes, and what it does, in words.
fn describe(what: &What, scenario: &Scenario) -> (Option<NodeId>, String) {
    let name = |node: &NodeId| scenario.node_name(*node);
    match what {
        What::Partition { from, to, one_way, flap } => {
            let (from, to) = (side(from, scenario), side(to, scenario));
            let how = match (one_way, flap) {
                (true, _) => format!("{from} cannot reach {to}"),
                (false, Some(every)) => format!("{from} and {to} are cut off every {every}"),
                (false, None) => format!("{from} and {to} are cut off"),
            };
            (None, how)
        }
        What::Restart(node) => (Some(*node), "restarts: down".into()),
        What::Crash(node) => (Some(*node), "loses power".into()),
        What::Pause(node) => (Some(*node), "stands still".into()),
        What::ClockJump(node, by) => (Some(*node), format!("clock leaps by {by}")),
        What::ClockRate(node, by) => (Some(*node), format!("clock runs at {by}")),
        What::Link(from, to, _) => (None, format!("link {} -> {} changes", name(from), name(to))),
        What::Reset(a, b) => (None, format!("connections of {} and {} are reset", name(a), name(b))),
        What::Disk(node, _) => (Some(*node), "storage changes".into()),
    }
}

/// The names of a side, as long as they are few.
fn side(nodes: &[NodeId], scenario: &Scenario) -> String {
    if nodes.len() > 3 {
        return format!("{} nodes", nodes.len());
    }
    nodes.iter().map(|node| scenario.node_name(*node)).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::worlds::sim::script::play;

    #[test]
    fn a_fault_is_told_when_it_struck_and_not_when_it_did_not() {
        let told = |marked: bool| {
            let (scenario, run) = play("tests/scenarios/trigger.toml", move |node, lines| {
                lines.clear();
                if marked && node == "phone-1" {
                    lines.push((1, Some(Observation::Marked { id: 0 })));
                }
            });
            let line = |moment: Moment| format!("{} {} {}", moment.at.as_nanos() / 1_000_000, moment.node, moment.text);
            moments(&scenario, &run).into_iter().map(line).collect::<Vec<_>>()
        };
        assert_eq!(told(true), ["1000 phone-1 sent 1KiB by now", "1000 phone-1 restarts: down for 100ms"]);
        assert!(told(false).is_empty());
    }
}
