//! The seeds that have failed before, which every sweep of their scenario runs first.
//!
//! Next to a scenario, `regressions/*.toml` may hold files of this shape; complete scenarios may lie there too.
//! ```toml
//! # One sentence of cause.
//! regression_of = "flaky-hub"
//! seeds         = [17, 4411]
//! swarm         = true          # as it was when they failed
//! nemesis       = "rough"
//! ```

use super::examine::Task;
use crate::nemesis::{Mode, Profile};
use crate::scenario;
use clap::ValueEnum;
use serde::Deserialize;
use std::path::Path;

/// More files than this are not read.
const FILES_MAX: usize = 1_000;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    regression_of: String,
    seeds: Vec<u64>,
    #[serde(default)]
    swarm: bool,
    nemesis: Option<String>,
}

/// The regression seeds of the scenario called `name` in the file at `path`, in the order of files. The error is for people.
pub(crate) fn regressions(path: &Path, name: &str) -> Result<Vec<Task>, String> {
    let dir = path.parent().unwrap_or(Path::new("")).join("regressions");
    let Ok(entries) = std::fs::read_dir(&dir) else { return Ok(Vec::new()) };
    let mut files: Vec<_> = entries.filter_map(|entry| Some(entry.ok()?.path())).take(FILES_MAX).collect();
    files.retain(|file| file.extension().is_some_and(|extension| extension == "toml"));
    files.sort();
    let mut tasks = Vec::new();
    for file in files {
        for task in tasks_of(&file, name)? {
            if !tasks.contains(&task) {
                tasks.push(task);
            }
        }
    }
    Ok(tasks)
}

fn tasks_of(file: &Path, name: &str) -> Result<Vec<Task>, String> {
    let text = scenario::read_text(file).map_err(|unreadable| unreadable.message)?;
    let is_regression = text.lines().any(|line| line.trim_start().starts_with("regression_of"));
    if !is_regression {
        return Ok(Vec::new());
    }
    let wrong = |why: String| format!("`{}` is not a file of regression seeds: {why}", file.display());
    let written: File = toml::from_str(&text).map_err(|error| wrong(error.message().to_owned()))?;
    let nemesis = written.nemesis.map(|profile| Profile::from_str(&profile, false)).transpose().map_err(wrong)?;
    let mode = Mode { swarm: written.swarm, nemesis };
    let seeds = if written.regression_of == name { written.seeds } else { Vec::new() };
    Ok(seeds.into_iter().map(|seed| Task { mode, seed }).collect())
}
