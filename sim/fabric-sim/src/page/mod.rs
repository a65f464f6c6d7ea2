//! A run or a sweep as one page to look at: a file of HTML that needs nothing else, no network least of all.
//!
//! Made from what `run --out` and `sweep --out` write, so that a page can be made of what was long ago and far away. What the page
//! shows is worked out in the browser; here the files are read, checked and made small.

mod sweep;
mod trace;

use crate::cli::BUILD;
use crate::scenario::units::Nanos;
use serde_json::{Map, Value, json};
use std::fs::{self, File};
use std::io::{ErrorKind, Read};
use std::path::Path;

pub(crate) use sweep::of_sweep;

const PAGE: &str = include_str!("page.html");
const STYLE: &str = include_str!("page.css");
const SCRIPT: [&str; 5] = [
    include_str!("model.js"),
    include_str!("diagram.js"),
    include_str!("panels.js"),
    include_str!("sweep.js"),
    include_str!("start.js"),
];
/// A longer result is not one of ours.
const RESULT_BYTES_MAX: u64 = 1 << 30;

/// Which events a page shows.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Window {
    pub(crate) from: Option<Nanos>,
    pub(crate) until: Option<Nanos>,
}

/// The page of the run whose result and trace are in `dir`. The error is for people.
pub(crate) fn of_run(dir: &Path, window: Window) -> Result<String, String> {
    let result = result(&dir.join("result.json"))?;
    let trace = trace::read(&dir.join("trace.jsonl"), window)?;
    let text = |key: &str| result.get(key).cloned().unwrap_or(Value::Null);
    let head: Map<_, _> = [
        "scenario",
        "seed",
        "build",
        "verdict",
        "virtual_ns",
        "events",
        "trace_hash",
        "world",
        "suite",
        "mode",
        "drawn",
    ]
    .map(|key| (key.to_owned(), text(key)))
    .into_iter()
    .collect();
    let title = format!("{}, seed {}", text("scenario").as_str().unwrap_or("run"), text("seed"));
    let data = json!({
        "head": head,
        "checks": text("checks"),
        "faults": text("faults"),
        "commands": commands(dir),
        "slice": slice(dir, &result)?,
        "forks": forks(dir, &result)?,
        "nodes": trace.nodes,
        "kinds": trace.kinds,
        "omitted": { "before": trace.before, "after": trace.after },
        "trace": trace.columns(),
    });
    Ok(fill(&title, &data))
}

fn result(path: &Path) -> Result<Value, String> {
    let shown = path.display();
    let unread = |error| format!("`{shown}` cannot be read: {error}; `fabric-sim run SCENARIO --out DIR` writes it");
    let mut text = String::new();
    File::open(path).and_then(|file| file.take(RESULT_BYTES_MAX).read_to_string(&mut text)).map_err(unread)?;
    let result: Value =
        serde_json::from_str(&text).map_err(|error| format!("`{shown}` is not the result of a run: {error}"))?;
    match (&result["schema"], &result["scenario"], &result["checks"]) {
        (Value::Number(schema), Value::String(_), Value::Array(_)) if schema.as_u64() == Some(1) => Ok(result),
        (Value::Number(schema), ..) if schema.as_u64() != Some(1) => {
            Err(format!("`{shown}` has schema {schema}; this program ({BUILD}) reads schema 1"))
        }
        _ => Err(format!("`{shown}` is not the result of a run")),
    }
}

/// The events that explain a failure, by number, where the run left them; `null` elsewhere.
fn slice(dir: &Path, result: &Value) -> Result<Value, String> {
    let slice = beside(&dir.join("slice.json"))?;
    let is_of_it = slice["trace_hash"] == result["trace_hash"] && slice["trace_events"].is_array();
    Ok(if is_of_it { slice["trace_events"].clone() } else { Value::Null })
}

/// When the failure became inevitable, where `fork --out` left that; `null` elsewhere.
fn forks(dir: &Path, result: &Value) -> Result<Value, String> {
    let forks = beside(&dir.join("forks.json"))?;
    let mut checks = result["checks"].as_array().into_iter().flatten();
    let is_its_failure = checks.any(|check| check["name"] == forks["check"] && check["verdict"] == "failed");
    let is_of_it = is_its_failure && forks["seed"] == result["seed"] && forks["scenario"] == result["scenario"];
    Ok(if is_of_it { forks } else { Value::Null })
}

/// What a command wrote beside a run; `null` where it did not.
fn beside(path: &Path) -> Result<Value, String> {
    let shown = path.display();
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Value::Null),
        Err(error) => return Err(format!("`{shown}` cannot be read: {error}")),
    };
    let mut text = String::new();
    let read = file.take(RESULT_BYTES_MAX).read_to_string(&mut text);
    read.map_err(|error| format!("`{shown}` cannot be read: {error}"))?;
    serde_json::from_str(&text).map_err(|error| format!("`{shown}` is not JSON: {error}"))
}

/// What to paste to see the failure again, where one was kept.
fn commands(dir: &Path) -> Vec<String> {
    let capsule = dir.join("failure.capsule.json");
    let is_there = fs::metadata(&capsule).is_ok_and(|found| found.is_file());
    let command = |verb| format!("fabric-sim {verb} {}", capsule.display());
    if is_there { ["slice", "fork", "shrink", "replay"].map(command).to_vec() } else { Vec::new() }
}

fn fill(title: &str, data: &Value) -> String {
    // Nothing in the data can end the element that holds it.
    let data = data.to_string().replace('<', "\\u003c");
    let title = title.replace('&', "&amp;").replace('<', "&lt;");
    // The data comes last: it may hold the names of the other places.
    PAGE.replace("{{title}}", &title)
        .replace("{{style}}", STYLE)
        .replace("{{script}}", &SCRIPT.concat())
        .replacen("{{data}}", &data, 1)
}
