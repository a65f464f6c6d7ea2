//! A scenario's text as a tree in which each key and value knows its place. Knows no keys, only shapes.

use super::problem::Problems;
use super::source::Span;
use std::collections::BTreeMap;
use toml::de::{DeTable, DeValue};

/// Deeper than any scenario nests; keeps recursion off the stack's end.
pub(super) const DEPTH_MAX: usize = 16;

/// A value and its place.
#[derive(Clone, Debug)]
pub(crate) struct Node {
    pub(crate) span: Span,
    pub(crate) value: Value,
}

/// A value of TOML or JSON.
#[derive(Clone, Debug)]
pub(crate) enum Value {
    String(String),
    Integer(i64),
    Boolean(bool),
    Array(Vec<Node>),
    Table(Table),
    /// What no key takes, by its name: a float, a date, a number that is too large.
    Other(&'static str),
}

/// Values by key.
pub(crate) type Table = BTreeMap<String, Entry>;

/// A value and the place of its key.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub(crate) key: Span,
    pub(crate) node: Node,
}

/// How two trees become one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Merge {
    /// A file over the files that it includes: lists of tables add up.
    Include,
    /// An argument over the files: the last word.
    Override,
}

impl Value {
    /// With its article, for messages.
    pub(crate) const fn kind(&self) -> &'static str {
        match self {
            Self::String(_) => "a string",
            Self::Integer(_) => "an integer",
            Self::Boolean(_) => "a boolean",
            Self::Array(_) => "an array",
            Self::Table(_) => "a table",
            Self::Other(kind) => kind,
        }
    }
}

/// Parses TOML. `span` is that of the whole text.
pub(crate) fn parse(text: &str, span: Span, problems: &mut Problems) -> Option<Table> {
    if let Some(at) = deep_key(text) {
        problems.at(span.at(&(at..at + 1)), "this key has too many parts", "more than 16 dots");
        return None;
    }
    let (table, errors) = DeTable::parse_recoverable(text);
    for error in &errors {
        let range = error.span().unwrap_or(0..0);
        let problem = problems.at(span.at(&range), format!("invalid TOML: {}", first_line(error.message())), "here");
        problem.fix("see https://toml.io for the syntax");
    }
    let depth_before = problems.len();
    let table = convert_table(table.into_inner(), span, 0, problems);
    (errors.is_empty() && problems.len() == depth_before).then_some(table)
}

fn first_line(message: &str) -> &str {
    message.lines().next().unwrap_or("not understood")
}

/// Where a line has more dots in a row of key parts than any key. A dotted key nests without brackets to bound it.
fn deep_key(text: &str) -> Option<usize> {
    let mut start = 0;
    for line in text.split_inclusive('\n') {
        let key = line.split(['=', '"', '\'', '#']).next().unwrap_or_default();
        if key.matches('.').count() > DEPTH_MAX {
            return Some(start);
        }
        start += line.len();
    }
    None
}

fn convert_table(table: DeTable<'_>, span: Span, depth: usize, problems: &mut Problems) -> Table {
    let mut converted = Table::new();
    for (key, value) in table {
        let key_span = span.at(&key.span());
        let node = convert(value.span(), value.into_inner(), span, depth + 1, problems);
        converted.insert(key.into_inner().into_owned(), Entry { key: key_span, node });
    }
    converted
}

fn convert(
    range: core::ops::Range<usize>,
    value: DeValue<'_>,
    span: Span,
    depth: usize,
    problems: &mut Problems,
) -> Node {
    let here = span.at(&range);
    if depth > DEPTH_MAX {
        problems.at(here, "this is nested too deep", "more than 16 levels");
        return Node { span: here, value: Value::Other("a value nested too deep") };
    }
    let value = match value {
        DeValue::String(text) => Value::String(text.into_owned()),
        DeValue::Integer(number) => match i64::from_str_radix(number.as_str(), number.radix()) {
            Ok(number) => Value::Integer(number),
            Err(_) => Value::Other("an integer beyond 64 bits"),
        },
        DeValue::Float(_) => Value::Other("a float"),
        DeValue::Boolean(flag) => Value::Boolean(flag),
        DeValue::Datetime(_) => Value::Other("a date or time"),
        DeValue::Array(array) => Value::Array(
            array.into_iter().map(|item| convert(item.span(), item.into_inner(), span, depth + 1, problems)).collect(),
        ),
        DeValue::Table(table) => Value::Table(convert_table(table, span, depth, problems)),
    };
    Node { span: here, value }
}

/// Lays `over` on `base`: tables key by key, all else replaced. On [`Merge::Include`], arrays of tables are appended.
pub(crate) fn merge(base: &mut Table, over: Table, how: Merge) {
    for (key, entry) in over {
        match base.get_mut(&key) {
            Some(existing) => merge_entry(existing, entry, how),
            None => {
                base.insert(key, entry);
            }
        }
    }
}

fn merge_entry(existing: &mut Entry, over: Entry, how: Merge) {
    match (&mut existing.node.value, over.node.value) {
        (Value::Table(base), Value::Table(over)) => merge(base, over, how),
        (Value::Array(base), Value::Array(over)) if how == Merge::Include && is_tables(base) && is_tables(&over) => {
            base.extend(over);
        }
        (Value::Array(items), Value::Table(over)) if how == Merge::Override && indexes(&over, items.len()) => {
            for (index, entry) in over {
                let item = index.parse::<usize>().ok().and_then(|index| items.get_mut(index));
                let Some(item) = item else { continue };
                let mut kept = Entry { key: item.span, node: item.clone() };
                merge_entry(&mut kept, entry, how);
                *item = kept.node;
            }
        }
        (_, value) => {
            *existing = Entry { key: over.key, node: Node { span: over.node.span, value } };
        }
    }
}

fn is_tables(items: &[Node]) -> bool {
    items.iter().all(|item| matches!(item.value, Value::Table(_)))
}

/// Whether every key is the index of an item: `work.0.send` reaches into an array.
fn indexes(table: &Table, length: usize) -> bool {
    table.keys().all(|key| key.parse::<usize>().is_ok_and(|index| index < length))
}
