//! The keys that a sweep draws anew: each extreme of each range must itself be a scenario that loads, and each seed draws
//! one value for each key.

use super::file::File;
use super::include::{put, whole};
use super::problem::Problems;
use super::read::{At, Raw, did_you_mean};
use super::resolve::resolve;
use super::source::{Sources, Span};
use super::tree::{self, Merge, Node, Table, Value};
use super::units::{BitRate, Bytes, Nanos, Percent, Skew, Unit};
use super::{Invalid, Scenario};
use crate::nemesis::Dice;
use core::fmt::Display;
use std::collections::BTreeMap;

/// More choices than this belong in a range.
const CHOICES_MAX: usize = 64;
/// More keys than this say nothing about any of them.
const KEYS_MAX: usize = 64;

/// The whole file as it was written, to be tried with other values.
pub(super) struct Trial<'a> {
    pub(super) table: &'a Table,
    pub(super) span: Span,
    pub(super) sources: &'a Sources,
}

/// Checks every key and value of `[swarm]` and gives them as plain data.
pub(super) fn check(file: &File, trial: &Trial<'_>, problems: &mut Problems) -> BTreeMap<String, serde_json::Value> {
    let mut kept = BTreeMap::new();
    let keys = file.swarm.iter().flat_map(|named| &named.0);
    for (count, (key, value)) in keys.enumerate() {
        if count >= KEYS_MAX {
            problems.at(key.span, format!("a swarm has at most {KEYS_MAX} keys"), "one too many");
            break;
        }
        let Some(path) = path(key, trial, problems) else { continue };
        let before = problems.len();
        for extreme in &extremes(value, problems) {
            try_value(&path, extreme, key, trial, problems);
        }
        if problems.len() == before {
            check_range(value, problems);
        }
        kept.insert(key.value.clone(), plain(&value.0));
    }
    kept
}

/// The key as a tree of one branch.
fn path(key: &At<String>, trial: &Trial<'_>, problems: &mut Problems) -> Option<Table> {
    let text = format!("{} = 0", key.value);
    let parsed = tree::parse(&text, key.span, &mut Problems::default());
    let Some(path) = parsed.filter(|path| path.len() == 1 && !key.value.contains(['\n', '='])) else {
        let problem = problems.at(key.span, "this is not a key", "not understood");
        problem.fix("write it as \"links.default.loss\" or \"nodes.phone.count\"");
        return None;
    };
    if path.keys().any(|first| ["schema", "name", "include", "swarm", "check"].contains(&first.as_str())) {
        problems.at(key.span, "this key cannot be drawn", "not by a swarm");
        return None;
    }
    is_there(&path, key, trial, problems).then_some(path)
}

/// Whether the node or link that it changes is there: another one would be made up. Other keys are judged by trying them.
fn is_there(path: &Table, key: &At<String>, trial: &Trial<'_>, problems: &mut Problems) -> bool {
    let Some((group @ ("nodes" | "links"), Value::Table(rest))) =
        path.iter().next().map(|(part, entry)| (part.as_str(), &entry.node.value))
    else {
        return true;
    };
    let Some(name) = rest.keys().next().filter(|name| group == "nodes" || *name != "default") else { return true };
    let Some(Value::Table(known)) = trial.table.get(group).map(|entry| &entry.node.value) else { return true };
    if !known.contains_key(name) {
        let problem = problems.at(key.span, format!("there is no `{group}.{name}` in this scenario"), "leads nowhere");
        problem.fix(did_you_mean(name, known.keys().map(String::as_str)));
    }
    known.contains_key(name)
}

/// The values that must all load: both ends of a range, or every choice.
fn extremes(value: &Raw, problems: &mut Problems) -> Vec<Node> {
    let span = value.0.span;
    match &value.0.value {
        Value::Array(choices) if (1..=CHOICES_MAX).contains(&choices.len()) => choices.clone(),
        Value::String(text) if text.contains("..") => {
            let end = |text: &str| {
                let text = text.trim();
                let value = text.parse().map_or_else(|_| Value::String(text.to_owned()), Value::Integer);
                Node { span, value }
            };
            text.splitn(2, "..").map(end).collect()
        }
        _ => {
            let problem = problems.at(span, "a range or a list of choices is meant here", "neither");
            problem.fix(format!("write \"0%..20%\" or [1, 2, 5] with at most {CHOICES_MAX} choices"));
            Vec::new()
        }
    }
}

/// Ends that both load may still have nothing between them.
fn check_range(value: &Raw, problems: &mut Problems) {
    let Value::String(text) = &value.0.value else { return };
    if between(text, |min, _| min).is_none() {
        let problem = problems.at(value.0.span, "nothing can be drawn between the ends of this range", "not a range");
        problem.fix("write two integers, or two quantities with one kind of unit, the smaller one first");
    }
}

/// The value that `draw` takes between the ends of `text`, in its smallest unit.
fn between(text: &str, draw: impl FnMut(u64, u64) -> u64) -> Option<Value> {
    /// Moves the signed ends of every unit to where `draw` works, and back.
    fn shifted(min: i64, max: i64, mut draw: impl FnMut(u64, u64) -> u64) -> Option<i64> {
        let flip = |value: i64| value.cast_unsigned() ^ (1 << 63);
        (min <= max).then(|| (draw(flip(min), flip(max)) ^ (1 << 63)).cast_signed())
    }
    fn unit<T: Unit + Display>(
        (min, max): (&str, &str),
        number: fn(&T) -> i64,
        back: fn(i64) -> T,
        draw: &mut impl FnMut(u64, u64) -> u64,
    ) -> Option<Value> {
        let (min, max) = (T::parse(min).ok()?, T::parse(max).ok()?);
        Some(Value::String(back(shifted(number(&min), number(&max), draw)?).to_string()))
    }
    let ends = text.split_once("..")?;
    let ends = (ends.0.trim(), ends.1.trim());
    let mut draw = draw;
    if let (Ok(min), Ok(max)) = (ends.0.parse(), ends.1.parse()) {
        return shifted(min, max, draw).map(Value::Integer);
    }
    unit(ends, |value: &Percent| i64::from(value.0), |value| Percent(value.cast_unsigned() as u32), &mut draw)
        .or_else(|| unit(ends, |value: &Nanos| value.0.cast_signed(), |value| Nanos(value.cast_unsigned()), &mut draw))
        .or_else(|| unit(ends, |value: &Bytes| value.0.cast_signed(), |value| Bytes(value.cast_unsigned()), &mut draw))
        .or_else(|| {
            unit(ends, |value: &BitRate| value.0.cast_signed(), |value| BitRate(value.cast_unsigned()), &mut draw)
        })
        .or_else(|| unit(ends, |value: &Skew| i64::from(value.0), |value| Skew(value as i32), &mut draw))
}

/// The scenario with a value of `seed`'s for each key of `[swarm]`, and each key with that value.
pub(super) fn draw(trial: &Trial<'_>, seed: u64) -> Result<(Scenario, Vec<(String, String)>), Invalid> {
    let mut table = trial.table.clone();
    let keys = match table.remove("swarm").map(|entry| entry.node.value) {
        Some(Value::Table(keys)) => keys,
        _ => Table::new(),
    };
    let mut told = Vec::new();
    for (key, entry) in keys {
        let mut dice = Dice::new(seed, &format!("swarm {key}"));
        let span = entry.node.span;
        let drawn = match &entry.node.value {
            Value::Array(choices) if !choices.is_empty() => Some(dice.pick(choices).clone()),
            Value::String(text) => between(text, |min, max| dice.within(min, max)).map(|value| Node { span, value }),
            _ => None,
        };
        let path = tree::parse(&format!("{key} = 0"), span, &mut Problems::default());
        let (Some(drawn), Some(mut over)) = (drawn, path) else { continue };
        told.push((key, shown(&drawn)));
        put(&mut over, drawn);
        tree::merge(&mut table, over, Merge::Override);
    }
    let mut problems = Problems::default();
    let scenario = whole(table, trial.span, &mut problems)
        .and_then(|file| resolve(&file, trial.sources, &mut problems))
        .filter(|_| problems.is_empty());
    scenario.map(|scenario| (scenario, told)).ok_or_else(|| Invalid { sources: trial.sources.clone(), problems })
}

/// Loads the scenario with the key at this value; whatever is wrong then is wrong with the swarm.
fn try_value(path: &Table, value: &Node, key: &At<String>, trial: &Trial<'_>, problems: &mut Problems) {
    let mut table = trial.table.clone();
    table.remove("swarm");
    let mut over = path.clone();
    put(&mut over, value.clone());
    tree::merge(&mut table, over, Merge::Override);
    let mut found = Problems::default();
    if let Some(file) = whole(table, trial.span, &mut found) {
        resolve(&file, trial.sources, &mut found);
    }
    if let Some(first) = found.first() {
        let message = format!("with `{}` = {} the scenario does not load", key.value, shown(value));
        let problem = problems.at(value.span, message, format!("then {}", first.line(trial.sources)));
        problem.fix("leave this value out, or mend what does not fit it");
    }
}

fn shown(value: &Node) -> String {
    match &value.value {
        Value::String(text) => format!("\"{text}\""),
        Value::Integer(number) => number.to_string(),
        Value::Boolean(flag) => flag.to_string(),
        other => other.kind().to_owned(),
    }
}

fn plain(node: &Node) -> serde_json::Value {
    match &node.value {
        Value::String(text) => text.as_str().into(),
        Value::Integer(number) => (*number).into(),
        Value::Boolean(flag) => (*flag).into(),
        Value::Array(items) => items.iter().map(plain).collect(),
        Value::Table(table) => table.iter().map(|(key, entry)| (key.clone(), plain(&entry.node))).collect(),
        Value::Other(_) => serde_json::Value::Null,
    }
}
