//! A scenario file with all that it includes, as one tree.

use super::problem::Problems;
use super::read::{At, Read};
use super::source::{self, Sources, Span};
use super::tree::{self, Merge, Table};
use super::{json, read};
use std::path::{Path, PathBuf};

/// More files than this are a mistake.
const FILES_MAX: usize = 64;
/// A longer chain of includes is a mistake.
const CHAIN_MAX: usize = 8;

/// Reads `path` and what it includes. The included come first, so that the including file has the last word.
pub(super) fn load(path: &Path, sources: &mut Sources, problems: &mut Problems) -> Option<(Table, Span)> {
    let text = match source::read(path) {
        Ok(text) => text,
        Err(unreadable) => {
            problems.nowhere(unreadable.message).fix(unreadable.fix);
            return None;
        }
    };
    let mut chain = vec![identity(path)];
    file(path, &text, &mut chain, sources, problems)
}

/// Two paths to one file have one identity.
fn identity(path: &Path) -> PathBuf {
    path.canonicalize().unwrap_or_else(|_| path.to_owned())
}

fn file(
    path: &Path,
    text: &str,
    chain: &mut Vec<PathBuf>,
    sources: &mut Sources,
    problems: &mut Problems,
) -> Option<(Table, Span)> {
    let span = sources.add(path.display().to_string(), text.to_owned());
    let is_json = path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("json"));
    let parsed = if is_json { json::parse(text, span, problems) } else { tree::parse(text, span, problems) };
    let mut merged = Table::new();
    if let Some(table) = &parsed {
        let listed: Vec<At<String>> = read::key(table, "include", problems).unwrap_or_default();
        for include in listed {
            if let Some(included) = one(path, &include, chain, sources, problems) {
                tree::merge(&mut merged, included, Merge::Include);
            }
        }
    }
    sources.rank(span);
    tree::merge(&mut merged, parsed?, Merge::Include);
    merged.remove("include");
    Some((merged, span))
}

fn one(
    from: &Path,
    include: &At<String>,
    chain: &mut Vec<PathBuf>,
    sources: &mut Sources,
    problems: &mut Problems,
) -> Option<Table> {
    let path = from.parent().unwrap_or(Path::new("")).join(&include.value);
    let id = identity(&path);
    if chain.contains(&id) {
        let cycle: Vec<_> = chain.iter().chain([&id]).filter_map(|path| path.file_name()?.to_str()).collect();
        let problem = problems.at(include.span, "this file includes itself", cycle.join(" -> "));
        problem.fix("take one of these includes out");
        return None;
    }
    if chain.len() >= CHAIN_MAX || sources.len() >= FILES_MAX {
        let message = format!("a scenario has at most {FILES_MAX} files in chains of at most {CHAIN_MAX}");
        problems.at(include.span, message, "one too many");
        return None;
    }
    match source::read(&path) {
        Ok(text) => {
            chain.push(id);
            let table = file(&path, &text, chain, sources, problems);
            chain.pop();
            table.map(|(table, _)| table)
        }
        Err(unreadable) => {
            problems.at(include.span, unreadable.message, "included here").fix(unreadable.fix);
            None
        }
    }
}

/// Reads an argument `KEY=VALUE` as a tree of its own. What is no TOML value is taken for a string: `loss=5%`.
pub(super) fn argument(text: &str, sources: &mut Sources, problems: &mut Problems) -> Option<Table> {
    let span = sources.add(format!("--set {text}"), text.to_owned());
    sources.rank(span);
    if !text.contains('\n')
        && let Some(table) = tree::parse(text, span, &mut Problems::default())
    {
        return Some(table);
    }
    let Some(equals) = outside_quotes(text) else {
        problems.at(span, "this is not KEY=VALUE", "no `=`").fix("write, for example, --set links.default.loss=5%");
        return None;
    };
    let mut ignored = Problems::ignored();
    let key = format!("{} = 0", &text[..equals]);
    let table = if key.contains('\n') { None } else { tree::parse(&key, span, &mut ignored) };
    let Some(mut table) = table else {
        let problem = problems.at(span.at(&(0..equals)), "this is not a key", "not understood");
        problem.fix("join the parts of a key by dots; quote a part that holds other signs: links.\"a <-> b\".loss");
        return None;
    };
    let value = text[equals + 1..].trim();
    let node = tree::Node { span: span.at(&(equals + 1..text.len())), value: tree::Value::String(value.to_owned()) };
    put(&mut table, node);
    Some(table)
}

fn outside_quotes(text: &str) -> Option<usize> {
    let mut quote = None;
    text.char_indices().find_map(|(at, letter)| {
        match (quote, letter) {
            (None, '=') => return Some(at),
            (None, '"' | '\'') => quote = Some(letter),
            (Some(open), _) if open == letter => quote = None,
            _ => {}
        }
        None
    })
}

/// Puts `node` at the end of a tree that has one branch.
pub(super) fn put(table: &mut Table, node: tree::Node) {
    let Some(entry) = table.values_mut().next() else { return };
    match &mut entry.node.value {
        tree::Value::Table(inner) => put(inner, node),
        _ => entry.node = node,
    }
}

/// Reads the whole tree as a file.
pub(super) fn whole(table: Table, span: Span, problems: &mut Problems) -> Option<super::file::File> {
    super::file::File::read(&tree::Node { span, value: tree::Value::Table(table) }, problems)
}
