//! A slice as text for people, and as JSON for whoever draws it.

use super::{Kind, Line, Slice};
use crate::report::{hang, seconds};
use crate::scenario::Scenario;
use crate::scenario::resolved::NodeId;
use crate::terminal::{Paint, Terminal};
use serde_json::{Value, json};

/// The version of the JSON.
const SCHEMA: u32 = 1;
/// A line that follows from more than this says so of the last ones.
const PARENTS_SHOWN: usize = 6;

/// One line for each event or group of events; `<- 3` says that it follows from line 3.
pub(crate) fn text(slice: &Slice, scenario: &Scenario, terminal: &Terminal) -> Vec<String> {
    let mut number = 0;
    let numbers: Vec<Option<usize>> = slice
        .lines
        .iter()
        .map(|line| {
            number += usize::from(line.kind != Kind::Routine);
            (line.kind != Kind::Routine).then_some(number)
        })
        .collect();
    let names = scenario.nodes.iter().map(|node| node.name.len()).max().unwrap_or_default();
    let shown = |(line, number): (&Line, &Option<usize>)| {
        let time = terminal.paint(Paint::Dim, &format!("{:>9}", seconds(line.at.as_nanos())));
        let (Some(number), false) = (number, line.kind == Kind::Routine) else {
            return terminal.paint(Paint::Dim, &format!("      {:>9}  {:names$}  {}", "...", "", line.text));
        };
        let prefix = format!("  {number:>2}  {time}  {:names$}  ", name(scenario, line.node).unwrap_or_default());
        let text = format!("{}{}{}", line.text, until(line), because(&line.parents, &numbers));
        let text = hang(&prefix, 2 + 2 + 2 + 9 + 2 + names + 2, &text, terminal.width());
        match line.kind {
            Kind::Fault | Kind::Mishap => terminal.paint(Paint::Warn, &text),
            Kind::Violation => terminal.paint(Paint::Bad, &text),
            _ => text,
        }
    };
    slice.lines.iter().zip(&numbers).map(shown).collect()
}

fn until(line: &Line) -> String {
    if line.events.len() > 1 { format!(", until {}", seconds(line.until.as_nanos())) } else { String::new() }
}

fn because(parents: &[usize], numbers: &[Option<usize>]) -> String {
    let known: Vec<_> = parents.iter().filter_map(|place| numbers.get(*place).copied().flatten()).collect();
    let shown = &known[known.len().saturating_sub(PARENTS_SHOWN)..];
    let text: Vec<_> = shown.iter().map(usize::to_string).collect();
    if text.is_empty() { String::new() } else { format!("  <- {}", text.join(", ")) }
}

fn name(scenario: &Scenario, node: Option<NodeId>) -> Option<&str> {
    node.map(|node| scenario.node_name(node))
}

/// See `docs/failures.md`.
pub(crate) fn json(slice: &Slice, scenario: &Scenario, seed: u64) -> Value {
    let told = slice.lines.iter().filter(|line| line.kind != Kind::Routine);
    let trace_events: std::collections::BTreeSet<_> = told.flat_map(|line| &line.events).collect();
    let line = |(place, line): (usize, &Line)| {
        json!({
            "id": place,
            "kind": line.kind,
            "at_ns": line.at.as_nanos(),
            "until_ns": line.until.as_nanos(),
            "node": name(scenario, line.node),
            "peer": name(scenario, line.peer),
            "what": line.text,
            "parents": line.parents,
            "after": line.after,
            "count": line.events.len(),
            "first_event": line.events.first(),
            "last_event": line.events.last(),
        })
    };
    json!({
        "schema": SCHEMA,
        "scenario": scenario.name,
        "seed": seed,
        "check": slice.fingerprint.check,
        "place": slice.fingerprint.place,
        "subject": slice.fingerprint.subject,
        "detail": slice.detail,
        "events": slice.lines.iter().enumerate().map(line).collect::<Vec<_>>(),
        "trace_events": trace_events,
    })
}
