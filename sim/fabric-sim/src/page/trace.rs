//! A full trace, read line by line and kept as columns.

use super::Window;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, VecDeque};
use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;

/// A page holds so many events, the last ones of its window: browsers stay quick.
const EVENTS_MAX: usize = 200_000;
/// A longer line is not one of ours.
const LINE_BYTES_MAX: u64 = 1 << 20;

/// A line as `run --trace` writes it.
#[derive(Debug, Deserialize)]
struct Line {
    event: u64,
    at: u64,
    kind: String,
    node: Option<String>,
    peer: Option<String>,
    number: u64,
    digest: String,
    bytes: Option<u64>,
    detail: Option<String>,
}

struct Event {
    id: u64,
    at: u64,
    kind: usize,
    node: Option<usize>,
    peer: Option<usize>,
    number: u64,
    digest: String,
    bytes: Option<u64>,
    detail: Option<String>,
}

/// The events of a window, and how many there are besides.
#[derive(Default)]
pub(super) struct Trace {
    events: VecDeque<Event>,
    pub(super) nodes: Vec<String>,
    pub(super) kinds: Vec<String>,
    pub(super) before: u64,
    pub(super) after: u64,
}

/// Names by the order in which they first came.
#[derive(Default)]
struct Names {
    list: Vec<String>,
    places: BTreeMap<String, usize>,
}

impl Names {
    fn place(&mut self, name: String) -> usize {
        let next = self.list.len();
        *self.places.entry(name).or_insert_with_key(|name| {
            self.list.push(name.clone());
            next
        })
    }
}

/// Reads the trace at `path`. The error is for people.
pub(super) fn read(path: &Path, window: Window) -> Result<Trace, String> {
    let shown = path.display();
    let unread = |error| format!("`{shown}` cannot be read: {error}; `fabric-sim run SCENARIO --out DIR` writes it");
    let mut file = BufReader::new(File::open(path).map_err(unread)?);
    let (mut trace, mut nodes, mut kinds) = (Trace::default(), Names::default(), Names::default());
    let mut text = String::new();
    for number in 1_u64.. {
        text.clear();
        if (&mut file).take(LINE_BYTES_MAX).read_line(&mut text).map_err(unread)? == 0 {
            break;
        }
        let line: Line = serde_json::from_str(&text)
            .map_err(|error| format!("`{shown}` line {number} is not of a trace: {error}"))?;
        let (node, peer) = (line.node.map(|name| nodes.place(name)), line.peer.map(|name| nodes.place(name)));
        let Line { event: id, at, number, digest, bytes, detail, .. } = line;
        let kind = kinds.place(line.kind);
        trace.take(Event { id, at, kind, node, peer, number, digest, bytes, detail }, window);
    }
    (trace.nodes, trace.kinds) = (nodes.list, kinds.list);
    Ok(trace)
}

impl Trace {
    fn take(&mut self, event: Event, window: Window) {
        if window.until.is_some_and(|until| event.at > until.0) {
            self.after += 1;
        } else if window.from.is_some_and(|from| event.at < from.0) {
            self.before += 1;
        } else {
            self.events.push_back(event);
            if self.events.len() > EVENTS_MAX {
                self.events.pop_front();
                self.before += 1;
            }
        }
    }

    /// One array for each field, which is a third of the size of an object for each event. Times are differences.
    pub(super) fn columns(&self) -> Value {
        let place = |place: Option<usize>| place.map_or(-1, |place| i64::try_from(place).unwrap_or(-1));
        let mut at = 0;
        let mut since = |event: &Event| {
            let delta = event.at.saturating_sub(at);
            at = event.at;
            delta
        };
        let column = |of: &dyn Fn(&Event) -> Value| self.events.iter().map(of).collect::<Vec<_>>();
        let sparse = |of: &dyn Fn(&Event) -> Option<Value>| {
            let known = self.events.iter().enumerate();
            known.filter_map(|(index, event)| Some((index.to_string(), of(event)?))).collect::<Map<_, _>>()
        };
        json!({
            "first": self.events.front().map_or(0, |event| event.id),
            "at": self.events.iter().map(&mut since).collect::<Vec<_>>(),
            "kind": column(&|event| event.kind.into()),
            "node": column(&|event| place(event.node).into()),
            "peer": column(&|event| place(event.peer).into()),
            "number": column(&|event| event.number.into()),
            "digest": column(&|event| event.digest.as_str().into()),
            "bytes": sparse(&|event| event.bytes.map(Value::from)),
            "text": sparse(&|event| event.detail.as_deref().map(Value::from)),
        })
    }
}
