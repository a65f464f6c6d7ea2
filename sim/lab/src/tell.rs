//! Runs in words: what happened, what went wrong on purpose, and what is left of it.

use serde_json::{Map, Value, json};
use sim::ledger::{Decided, Named, NamedEntry};
use sim::workload::{Outcome, Workload};
use sim::{Begin, Counts, Fault, NodeIndex, Planned, Time};

/// A result as JSON, with the keys that `fabric-sim report` reads.
pub(crate) fn json(name: &str, seed: u64, outcome: &Outcome) -> Value {
    let broken = outcome.verdict.as_ref().err();
    let check = |broken: &sim::Violation| json!({ "name": broken.check, "kind": "always", "verdict": "failed", "detail": broken.detail });
    json!({
        "schema": 1,
        "scenario": name,
        "seed": seed,
        "build": env!("CARGO_PKG_VERSION"),
        "world": "sim",
        "verdict": if broken.is_some() { "fail" } else { "pass" },
        "virtual_ns": outcome.ended.as_nanos(),
        "events": outcome.events,
        "trace_hash": format!("{:016x}", outcome.trace_hash),
        "faults": counts(&outcome.counts),
        "checks": broken.into_iter().map(check).collect::<Vec<_>>(),
        "drawn": {},
    })
}

fn counts(counts: &Counts) -> Value {
    Value::Object(counts.list().into_iter().map(|(name, count)| (name.to_owned(), count.into())).collect::<Map<_, _>>())
}

/// A result for people.
pub(crate) fn human(name: &str, seed: u64, outcome: &Outcome) -> String {
    let verdict = match &outcome.verdict {
        Ok(()) => "PASSED  every promise held".to_owned(),
        Err(broken) => format!("FAILED  {}: {}", broken.check, broken.detail),
    };
    let (ended, events, hash) = (outcome.ended, grouped(outcome.events), outcome.trace_hash);
    let mut text = format!("{name}, seed {seed}\n\n{verdict}\n{ended} virtual, {events} events, trace {hash:016x}\n");
    let list = outcome.counts.list();
    if !list.is_empty() {
        text += "\nwhat went wrong on purpose\n";
        text += &columns(&list);
    }
    text
}

/// Names and numbers, three pairs a line.
pub(crate) fn columns(list: &[(&str, u64)]) -> String {
    let cells: Vec<_> = list.iter().map(|(name, count)| format!("{name:<19}{:>9}", grouped(*count))).collect();
    let rows: Vec<_> = cells.chunks(3).map(|row| format!("  {}\n", row.join("    "))).collect();
    rows.concat()
}

/// What is left of what went wrong, one line each, in order of time.
pub(crate) fn misfortunes(
    workload: &impl Workload,
    names: &[String],
    seed: u64,
    faults: Option<&[usize]>,
    befell: Option<&[NamedEntry]>,
) -> String {
    let plan = workload.config(seed).plan;
    let happens = |place: usize| faults.is_none_or(|kept| kept.contains(&place));
    let planned =
        plan.iter().enumerate().filter(|(place, _)| happens(*place)).map(|(_, planned)| fault(planned, names));
    let chance = befell.into_iter().flatten().map(|entry| (entry.at_ns, misfortune(entry)));
    let mut all: Vec<_> = planned.chain(chance).collect();
    all.sort();
    let lines = all.into_iter().map(|(at, what)| format!("{:>12}  {what}\n", Time::from_nanos(at).to_string()));
    lines.collect::<Vec<_>>().concat()
}

fn fault(planned: &Planned, names: &[String]) -> (u64, String) {
    let name = |node: &NodeIndex| names.get(node.as_usize()).map_or("?", String::as_str);
    let side = |nodes: &[NodeIndex]| nodes.iter().map(name).collect::<Vec<_>>().join(" ");
    let lasts = planned.lasts.map(|lasts| format!(", for {}ms", lasts.as_millis())).unwrap_or_default();
    let what = match &planned.fault {
        Fault::Partition { from, to, one_way, flap } => {
            let way = if *one_way { "cannot reach" } else { "is cut off from" };
            format!("{} {way} {}{}", side(from), side(to), if flap.is_some() { ", on and off" } else { "" })
        }
        Fault::Crash { node, kind } => format!("{} crashes ({kind:?})", name(node)),
        Fault::Pause(node) => format!("{} stands still", name(node)),
        Fault::ClockJump(node, by) => format!("the clock of {} leaps by {}ms", name(node), by.as_millis()),
        Fault::ClockRate(node, ppb) => format!("the clock of {} is {} ppm fast", name(node), ppb / 1_000),
        Fault::Link { from, to, .. } => format!("the link {} -> {} changes", name(from), name(to)),
        Fault::ResetPipes(a, b) => format!("pipes between {} and {} are reset", name(a), name(b)),
        Fault::Disk(node, _) => format!("the disk of {} changes", name(node)),
    };
    let at = match planned.begin {
        Begin::At(at) => at.as_nanos(),
        Begin::Trigger(_) => 0,
    };
    (at, what + &lasts)
}

fn misfortune(entry: &NamedEntry) -> String {
    let what = match &entry.what {
        Named::Datagram { from, to, number } | Named::Group { from, to, number } => {
            format!("datagram {number} {from} -> {to}")
        }
        Named::Segment { dialler, acceptor, forward, number, .. }
        | Named::Reset { dialler, acceptor, forward, number, .. } => {
            let (from, to) = if *forward { (dialler, acceptor) } else { (acceptor, dialler) };
            format!("segment {number} {from} -> {to}")
        }
        Named::Refuse { dialler, acceptor, dial } | Named::Silent { dialler, acceptor, dial } => {
            format!("dial {dial} {dialler} -> {acceptor}")
        }
        Named::Store { node, number } | Named::Interrupted { node, number } => format!("write {number} of {node}"),
        Named::Rot { node, incarnation, .. } => format!("a value of {node}, by start {incarnation}"),
    };
    let fate = match &entry.decision {
        Decided::Packet(packet) if packet.lost => "lost".to_owned(),
        Decided::Packet(packet) => packet.misfortunes().join(", "),
        Decided::Segment(_) => "lost".to_owned(),
        Decided::Strike(_) => match entry.what {
            Named::Refuse { .. } => "refused",
            Named::Silent { .. } => "never answered",
            _ => "resets the pipe",
        }
        .to_owned(),
        Decided::Store { .. } => "fails".to_owned(),
        Decided::Interrupted(fate) => format!("interrupted: {fate:?}"),
        Decided::Rot(_) => "rots".to_owned(),
    };
    format!("{what}: {fate}")
}

/// `1,234,567`.
pub(crate) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let groups: Vec<_> = digits.as_bytes().rchunks(3).rev().map(String::from_utf8_lossy).collect();
    groups.join(",")
}
