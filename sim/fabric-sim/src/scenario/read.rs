//! From the tree to plain structs, saying everything that is wrong on the way.
//!
//! [`section!`] declares a table's keys once; the reader, the list for "did you mean" and the JSON Schema follow from it.
//! (Serde would stop at the first error, and loses places where tables merge.)

use super::problem::Problems;
use super::source::Span;
use super::tree::{Node, Table, Value};
use super::units::Unit;
use schemars::{JsonSchema, Schema, SchemaGenerator};
use std::borrow::Cow;

/// Made from a node of the tree, or not, with the reason among the problems.
pub(crate) trait Read: Sized {
    fn read(node: &Node, problems: &mut Problems) -> Option<Self>;
}

/// A value and its place.
#[derive(Clone, Debug)]
pub(crate) struct At<T> {
    pub(crate) value: T,
    pub(crate) span: Span,
}

/// Where a table is, and which keys it has, right or wrong.
#[derive(Clone, Debug, Default)]
pub(crate) struct Place {
    span: Span,
    keys: Vec<String>,
}

impl Place {
    pub(crate) fn of(node: &Node, table: &Table) -> Self {
        Self { span: node.span, keys: table.keys().cloned().collect() }
    }

    /// Its first letter: marking all of it would hide the message.
    pub(crate) fn start(&self) -> Span {
        let range = self.span.range();
        self.span.at(&(range.start..range.end.min(range.start + 1)))
    }

    pub(crate) fn has(&self, key: &str) -> bool {
        self.keys.iter().any(|known| known == key)
    }
}

/// Values by names that the user chose, in the order of the names; the place is the key's.
#[derive(Clone, Debug)]
pub(crate) struct Named<T>(pub(crate) Vec<(At<String>, T)>);

impl<T> Default for Named<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

/// A value to be read when it is known what it is for.
#[derive(Clone, Debug)]
pub(crate) struct Raw(pub(crate) Node);

impl<T: Read> Read for At<T> {
    fn read(node: &Node, problems: &mut Problems) -> Option<Self> {
        T::read(node, problems).map(|value| Self { value, span: node.span })
    }
}

impl<U: Unit> Read for U {
    fn read(node: &Node, problems: &mut Problems) -> Option<Self> {
        let wrong = match &node.value {
            Value::String(text) => match U::parse(text) {
                Ok(value) => return Some(value),
                Err(wrong) => wrong,
            },
            Value::Integer(number) => match U::from_integer(*number) {
                Some(value) => return Some(value),
                None => "this is a bare number".into(),
            },
            other => format!("this is {}", other.kind()),
        };
        problems.at(node.span, format!("expected {}", U::EXPECTED), wrong);
        None
    }
}

fn expected<T>(what: &str, node: &Node, problems: &mut Problems) -> Option<T> {
    problems.at(node.span, format!("expected {what}"), format!("this is {}", node.value.kind()));
    None
}

impl Read for String {
    fn read(node: &Node, problems: &mut Problems) -> Option<Self> {
        match &node.value {
            Value::String(text) => Some(text.clone()),
            _ => expected("a string", node, problems),
        }
    }
}

impl Read for bool {
    fn read(node: &Node, problems: &mut Problems) -> Option<Self> {
        match &node.value {
            Value::Boolean(value) => Some(*value),
            _ => expected("`true` or `false`", node, problems),
        }
    }
}

impl Read for u32 {
    fn read(node: &Node, problems: &mut Problems) -> Option<Self> {
        match &node.value {
            Value::Integer(number) => match Self::try_from(*number) {
                Ok(number) => Some(number),
                Err(_) => expected("an integer from 0 to 4294967295", node, problems),
            },
            _ => expected("an integer", node, problems),
        }
    }
}

impl<T: Read> Read for Vec<T> {
    fn read(node: &Node, problems: &mut Problems) -> Option<Self> {
        match &node.value {
            // What is wrong with one item must not hide what is wrong with the next.
            Value::Array(items) => Some(items.iter().filter_map(|item| T::read(item, problems)).collect()),
            _ => expected("an array", node, problems),
        }
    }
}

impl<T: Read> Read for Named<T> {
    fn read(node: &Node, problems: &mut Problems) -> Option<Self> {
        let table = table(node, problems)?;
        let read = |(name, entry): (&String, &super::tree::Entry)| {
            let value = T::read(&entry.node, problems)?;
            Some((At { value: name.clone(), span: entry.key }, value))
        };
        Some(Self(table.iter().filter_map(read).collect()))
    }
}

impl Read for Raw {
    fn read(node: &Node, _: &mut Problems) -> Option<Self> {
        Some(Self(node.clone()))
    }
}

/// The table that `node` is.
pub(crate) fn table<'a>(node: &'a Node, problems: &mut Problems) -> Option<&'a Table> {
    match &node.value {
        Value::Table(table) => Some(table),
        _ => expected("a table", node, problems),
    }
}

/// Reads one key of a table, if it is there.
pub(crate) fn key<T: Read>(table: &Table, key: &str, problems: &mut Problems) -> Option<T> {
    table.get(key).and_then(|entry| T::read(&entry.node, problems))
}

/// Refuses every key that is not known.
pub(crate) fn only(table: &Table, known: &[&str], problems: &mut Problems) {
    for (key, entry) in table.iter().filter(|(key, _)| !known.contains(&key.as_str())) {
        let problem = problems.at(entry.key, format!("unknown key `{key}`"), "not a key of this table");
        problem.fix(did_you_mean(key, known.iter().copied()));
    }
}

/// The nearest of the known words, or all of them.
pub(crate) fn did_you_mean<'a>(word: &str, known: impl Iterator<Item = &'a str> + Clone) -> String {
    let nearest = known.clone().map(|candidate| (distance(word, candidate), candidate)).min();
    match nearest {
        // A third of the letters may be wrong.
        Some((distance, candidate)) if distance <= (word.len() + 1).max(3) / 3 => {
            format!("did you mean `{candidate}`?")
        }
        _ => {
            const SHOWN: usize = 16;
            let mut all: Vec<_> = known.clone().take(SHOWN).collect();
            if known.count() > SHOWN {
                all.push("...");
            }
            format!("one of: {}", all.join(", "))
        }
    }
}

/// Levenshtein's, on bytes; words are short.
fn distance(a: &str, b: &str) -> usize {
    let (a, b) = (a.as_bytes(), b.as_bytes());
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, from) in a.iter().take(64).enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, to) in b.iter().enumerate() {
            let substituted = diagonal + usize::from(from != to);
            diagonal = row[j + 1];
            row[j + 1] = substituted.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[b.len()]
}

/// Declares a table of the scenario: every key is optional here, and what must be there is said when it is resolved.
macro_rules! section {
    ($(#[$meta:meta])* $name:ident { $($(#[$field_meta:meta])* $field:ident: $type:ty,)* }) => {
        $(#[$meta])*
        #[derive(Clone, Debug, Default, schemars::JsonSchema)]
        #[schemars(deny_unknown_fields)]
        pub(crate) struct $name {
            $($(#[$field_meta])* pub(crate) $field: Option<$type>,)*
            /// Where the table is.
            #[schemars(skip)]
            #[allow(dead_code, reason = "not every table has problems of its own")]
            pub(crate) place: $crate::scenario::read::Place,
        }

        impl $name {
            /// Its keys as users write them.
            pub(crate) const KEYS: &'static [&'static str] = &[$(section!(@key $field)),*];
        }

        impl $crate::scenario::read::Read for $name {
            fn read(
                node: &$crate::scenario::tree::Node,
                problems: &mut $crate::scenario::problem::Problems,
            ) -> Option<Self> {
                let table = $crate::scenario::read::table(node, problems)?;
                $crate::scenario::read::only(table, Self::KEYS, problems);
                Some(Self {
                    $($field: $crate::scenario::read::key(table, section!(@key $field), problems),)*
                    place: $crate::scenario::read::Place::of(node, table),
                })
            }
        }
    };
    (@key lasts) => { "for" };
    (@key $field:ident) => { stringify!($field) };
}
pub(crate) use section;

macro_rules! same_schema {
    ($($wrapper:ident => $inner:ty;)*) => {$(
        impl<T: JsonSchema> JsonSchema for $wrapper<T> {
            fn schema_name() -> Cow<'static, str> {
                <$inner>::schema_name()
            }
            fn json_schema(generator: &mut SchemaGenerator) -> Schema {
                <$inner>::json_schema(generator)
            }
            fn inline_schema() -> bool {
                <$inner>::inline_schema()
            }
        }
    )*};
}
same_schema! {
    At => T;
    Named => std::collections::BTreeMap<String, T>;
}

impl JsonSchema for Raw {
    fn schema_name() -> Cow<'static, str> {
        "Value".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        Schema::default()
    }
    fn inline_schema() -> bool {
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_word_is_offered_and_a_far_one_is_not() {
        let known = ["delay", "loss", "reorder", "duplicate"];
        assert_eq!(did_you_mean("dealy", known.into_iter()), "did you mean `delay`?");
        assert_eq!(did_you_mean("los", known.into_iter()), "did you mean `loss`?");
        assert_eq!(did_you_mean("temperature", known.into_iter()), "one of: delay, loss, reorder, duplicate");
    }
}
