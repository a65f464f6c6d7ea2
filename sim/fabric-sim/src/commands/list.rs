//! `list`: the scenarios in a directory and below, each with its first sentence.

use crate::cli::Exit;
use crate::scenario;
use crate::terminal::Terminal;
use std::fs;
use std::path::{Path, PathBuf};

/// Deeper directories do not hold scenarios.
const DEPTH_MAX: usize = 4;
/// A directory with more files is not one of scenarios.
const FILES_MAX: usize = 10_000;

/// One line of the list.
struct Found {
    path: PathBuf,
    name: String,
    sentence: String,
}

pub(super) fn list(dir: &Path, terminal: &Terminal) -> Result<(), Exit> {
    let mut files = Vec::new();
    if let Err(error) = collect(dir, 0, &mut files) {
        terminal.say(&format!("error: `{}` cannot be listed: {error}", dir.display()));
        return Err(Exit::Usage);
    }
    files.sort();
    let found: Vec<_> = files.into_iter().filter_map(describe).collect();
    if found.is_empty() {
        terminal.say(&format!("no scenario in `{}`; `fabric-sim new NAME` writes one", dir.display()));
        return Err(Exit::Nothing);
    }
    let width = |text: fn(&Found) -> usize| found.iter().map(text).max().unwrap_or_default();
    let (names, paths) = (width(|found| found.name.len()), width(|found| found.path.display().to_string().len()));
    let line = |found: &Found| {
        let path = found.path.display().to_string();
        format!("{:names$}  {path:paths$}  {}", found.name, found.sentence).trim_end().to_owned() + "\n"
    };
    terminal.result(&found.iter().map(line).collect::<String>())
}

fn collect(dir: &Path, depth: usize, files: &mut Vec<PathBuf>) -> std::io::Result<()> {
    for entry in fs::read_dir(dir)? {
        let path = entry?.path();
        let is_scenario = path.extension().is_some_and(|extension| extension == "toml" || extension == "json");
        if is_scenario && files.len() < FILES_MAX {
            files.push(path);
        } else if path.is_dir() && depth < DEPTH_MAX {
            // What cannot be read below is left out; the directory that was asked for is not.
            let _ = collect(&path, depth + 1, files);
        }
    }
    Ok(())
}

/// `None` for files that are not scenarios by themselves.
fn describe(path: PathBuf) -> Option<Found> {
    let text = scenario::read_text(&path).ok()?;
    let sentence = first_sentence(&text);
    match scenario::load(&path, &[]) {
        Ok(loaded) => Some(Found { path, name: loaded.name, sentence }),
        Err(_) if !looks_like_one(&text) => None,
        Err(invalid) => {
            let name = path.file_stem()?.to_string_lossy().into_owned();
            let sentence = format!("(does not load: `fabric-sim check` shows {} problems)", invalid.count());
            Some(Found { path, name, sentence })
        }
    }
}

fn looks_like_one(text: &str) -> bool {
    let starts = |line: &str, key: &str| {
        let line = line.trim_start().trim_start_matches('"');
        line.strip_prefix(key).is_some_and(|rest| rest.trim_start_matches(['"', ' ']).starts_with(['=', ':']))
    };
    ["schema", "name"].iter().all(|key| text.lines().any(|line| starts(line, key)))
}

/// The first sentence of the comment at the top.
fn first_sentence(text: &str) -> String {
    let comment = text.lines().skip_while(|line| line.trim().is_empty() || line.starts_with("#:"));
    let lines: Vec<_> = comment.map_while(|line| line.strip_prefix('#')).map(str::trim).collect();
    let all = lines.join(" ");
    let end = all.find(". ").map_or(all.len(), |at| at + 1);
    all[..end].to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_sentence_ends_at_its_full_stop() {
        let text = "#:schema schema.json\n\n# Two phones find a hub,\n# and it is cut off. Then it is back.\n\nname = 1\n# not this";
        assert_eq!(first_sentence(text), "Two phones find a hub, and it is cut off.");
        assert_eq!(first_sentence("name = \"x\""), "");
    }
}
