//! Mutants as files: a sentence, and which exact texts of the sources become which others.

use crate::read;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// In a mutant's text: whether the mutant is on. An edit without it changes nothing by itself.
const SWITCH: &str = "on!()";

/// One planted bug.
#[derive(Clone, Debug)]
pub(crate) struct Mutant {
    /// The name of its file.
    pub(crate) name: String,
    /// By which it is switched on; from 1.
    pub(crate) number: usize,
    /// What is wrong, in one sentence.
    pub(crate) says: String,
    /// Why no run can tell it from sound code, if so.
    pub(crate) equivalent: Option<String>,
    pub(crate) edits: Vec<Edit>,
}

/// A text that is in its file exactly once, and what it becomes.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Edit {
    pub(crate) file: PathBuf,
    pub(crate) find: String,
    pub(crate) with: String,
    /// Whose edit it is.
    #[serde(skip)]
    pub(crate) of: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    says: String,
    equivalent: Option<String>,
    edit: Vec<Edit>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Harness {
    edit: Vec<Edit>,
}

/// What the copy needs besides the mutants.
pub(crate) fn harness(root: &Path) -> Result<Vec<Edit>, String> {
    let path = root.join("ci/mutants/harness/edits.toml");
    let harness: Harness = parse(&path)?;
    Ok(harness.edit.into_iter().map(|edit| Edit { of: "harness/edits.toml".into(), ..edit }).collect())
}

/// All mutants, in the order of their names.
pub(crate) fn load(root: &Path) -> Result<Vec<Mutant>, String> {
    let dir = root.join("ci/mutants/mutants");
    let entries = std::fs::read_dir(&dir).map_err(|error| format!("{}: {error}", dir.display()))?;
    let mut paths: Vec<_> = entries.filter_map(|entry| entry.ok().map(|entry| entry.path())).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "toml"));
    paths.sort();
    paths.iter().zip(1..).map(|(path, number)| one(path, number)).collect()
}

fn one(path: &Path, number: usize) -> Result<Mutant, String> {
    let name = path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
    let File { says, equivalent, edit } = parse(path)?;
    if !edit.iter().any(|edit| edit.with.contains(SWITCH)) {
        return Err(format!("{name} is always on: none of its edits has `{SWITCH}`"));
    }
    let switch = format!("crate::mutant::on({number})");
    let with_switch = |edit: Edit| Edit { with: edit.with.replace(SWITCH, &switch), of: name.clone(), ..edit };
    let edits = edit.into_iter().map(with_switch).collect();
    Ok(Mutant { name, number, says, equivalent, edits })
}

fn parse<T: for<'a> Deserialize<'a>>(path: &Path) -> Result<T, String> {
    toml::from_str(&read(path)?).map_err(|error| format!("{}: {error}", path.display()))
}

/// Makes the edits of one file.
pub(crate) fn apply(text: &str, edits: &[&Edit]) -> Result<String, String> {
    let mut places = BTreeMap::new();
    for edit in edits {
        let found: Vec<_> = text.match_indices(&edit.find).map(|(at, _)| at).collect();
        let [at] = found[..] else {
            let (of, file, find) = (&edit.of, edit.file.display(), &edit.find);
            return Err(format!("{of}: found {} times, not once, in {file}:\n{find}", found.len()));
        };
        if let Some(other) = places.insert(at, edit) {
            return Err(format!("{} and {} change the same text of {}", other.of, edit.of, edit.file.display()));
        }
    }
    let (mut changed, mut done, mut last) = (String::new(), 0, "");
    for (at, edit) in places {
        let Some(between) = text.get(done..at) else {
            return Err(format!("{last} and {} change the same text of {}", edit.of, edit.file.display()));
        };
        changed.push_str(between);
        changed.push_str(&edit.with);
        (done, last) = (at + edit.find.len(), &edit.of);
    }
    changed.push_str(&text[done..]);
    Ok(changed)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn edit(of: &str, find: &str, with: &str) -> Edit {
        Edit { file: "a.rs".into(), find: find.into(), with: with.into(), of: of.into() }
    }

    fn refused(edits: &[&Edit]) -> String {
        apply("one two three two", edits).unwrap_err()
    }

    #[test]
    fn texts_that_are_there_once_are_changed_all_at_once() {
        let edits = [edit("b", "three", "one"), edit("a", "one", "1")];
        assert_eq!(apply("one two three two", &[&edits[0], &edits[1]]).unwrap(), "1 two one two");
    }

    #[test]
    fn a_text_that_is_not_there_once_is_refused_with_mutant_and_file() {
        assert!(refused(&[&edit("a", "two", "2")]).starts_with("a: found 2 times, not once, in a.rs:"));
        assert!(refused(&[&edit("a", "four", "4")]).starts_with("a: found 0 times, not once, in a.rs:"));
    }

    #[test]
    fn two_edits_of_one_text_are_refused() {
        let (one, same, across) = (edit("a", "one", "1"), edit("b", "one two", "1 2"), edit("c", "e two t", ""));
        assert_eq!(refused(&[&one, &same]), "a and b change the same text of a.rs");
        assert_eq!(refused(&[&one, &across]), "a and c change the same text of a.rs");
    }
}
