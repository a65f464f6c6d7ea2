//! JSON as the same tree as TOML: for scenarios that a tool writes.

use super::problem::Problems;
use super::source::Span;
use super::tree::{DEPTH_MAX, Entry, Node, Table, Value};

/// Parses JSON. `span` is that of the whole text.
pub(crate) fn parse(text: &str, span: Span, problems: &mut Problems) -> Option<Table> {
    // Judged by `serde_json`; what is walked below is known to be valid.
    if let Err(error) = serde_json::from_str::<serde::de::IgnoredAny>(text) {
        let at = offset(text, error.line(), error.column());
        let message = error.to_string();
        let message = message.split(" at line ").next().unwrap_or_default();
        problems.at(span.at(&(at..at)), format!("invalid JSON: {message}"), "here");
        return None;
    }
    let before = problems.len();
    let node = Walk { text, at: 0, span, problems: &mut *problems }.value(0);
    match node.value {
        Value::Table(table) if problems.len() == before => Some(table),
        Value::Table(_) => None,
        other => {
            problems.at(node.span, "a scenario is a JSON object", format!("this is {}", other.kind()));
            None
        }
    }
}

fn offset(text: &str, line: usize, column: usize) -> usize {
    let start: usize = text.split_inclusive('\n').take(line.saturating_sub(1)).map(str::len).sum();
    let mut at = (start + column.saturating_sub(1)).min(text.len());
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}

struct Walk<'a> {
    text: &'a str,
    at: usize,
    span: Span,
    problems: &'a mut Problems,
}

impl Walk<'_> {
    fn peek(&self) -> u8 {
        self.text.as_bytes().get(self.at).copied().unwrap_or(b'}')
    }

    fn skip(&mut self) {
        while matches!(self.peek(), b' ' | b'\n' | b'\r' | b'\t' | b',' | b':') && self.at < self.text.len() {
            self.at += 1;
        }
    }

    fn value(&mut self, depth: usize) -> Node {
        self.skip();
        let start = self.at;
        let value = match self.peek() {
            _ if depth > DEPTH_MAX => self.too_deep(),
            b'{' => Value::Table(self.table(depth)),
            b'[' => Value::Array(self.array(depth)),
            b'"' => Value::String(self.string()),
            _ => self.word(),
        };
        Node { span: self.span.at(&(start..self.at)), value }
    }

    fn too_deep(&mut self) -> Value {
        let here = self.span.at(&(self.at..self.at + 1));
        self.problems.at(here, "this is nested too deep", "more than 16 levels");
        // Nothing after it is read: the scenario is refused.
        self.at = self.text.len();
        Value::Other("a value nested too deep")
    }

    fn table(&mut self, depth: usize) -> Table {
        let mut table = Table::new();
        self.at += 1;
        loop {
            self.skip();
            if self.peek() != b'"' {
                self.at = (self.at + 1).min(self.text.len());
                return table;
            }
            let start = self.at;
            let name = self.string();
            let key = self.span.at(&(start..self.at));
            let node = self.value(depth + 1);
            if table.insert(name, Entry { key, node }).is_some() {
                self.problems.at(key, "this key is there twice", "the second one");
            }
        }
    }

    fn array(&mut self, depth: usize) -> Vec<Node> {
        let mut items = Vec::new();
        self.at += 1;
        loop {
            self.skip();
            if self.peek() == b']' || self.at >= self.text.len() {
                self.at = (self.at + 1).min(self.text.len());
                return items;
            }
            items.push(self.value(depth + 1));
        }
    }

    fn string(&mut self) -> String {
        let start = self.at;
        self.at += 1;
        while self.peek() != b'"' {
            self.at += if self.peek() == b'\\' { 2 } else { 1 };
        }
        self.at += 1;
        serde_json::from_str(&self.text[start..self.at]).unwrap_or_default()
    }

    /// `true`, `false`, `null` or a number.
    fn word(&mut self) -> Value {
        let start = self.at;
        while self.at < self.text.len() && !matches!(self.peek(), b',' | b']' | b'}' | b' ' | b'\n' | b'\r' | b'\t') {
            self.at += 1;
        }
        match &self.text[start..self.at] {
            "true" => Value::Boolean(true),
            "false" => Value::Boolean(false),
            "null" => Value::Other("null"),
            number => number.parse().map_or(Value::Other("a float or a number beyond 64 bits"), Value::Integer),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::source::Sources;
    use super::*;
    use proptest::prelude::*;

    fn parsed(text: &str) -> Option<Table> {
        let span = Sources::default().add("test".into(), text.into());
        parse(text, span, &mut Problems::default())
    }

    #[test]
    fn values_have_their_places() {
        let text = r#" { "a" : [1, -2, true], "b\n": { "c": "x\"y" } } "#;
        let table = parsed(text).unwrap();
        let of = |node: &Node| text[node.span.range()].to_owned();
        assert_eq!(of(&table["a"].node), "[1, -2, true]");
        let Value::Table(inner) = &table["b\n"].node.value else { panic!("a table") };
        assert_eq!(of(&inner["c"].node), r#""x\"y""#);
        assert!(matches!(&inner["c"].node.value, Value::String(text) if text == "x\"y"));
    }

    #[test]
    fn a_key_twice_and_a_list_for_a_scenario_are_refused() {
        assert!(parsed(r#"{"a": 1, "a": 2}"#).is_none());
        assert!(parsed("[]").is_none());
        assert!(parsed(&("[".repeat(100) + &"]".repeat(100))).is_none());
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in r#"[\[\]{}",:0-9a-z\\ ]{0,40}"#) {
            let _ = parsed(&text);
        }
    }
}
