//! What is run: every shipped scenario as it is, and under a nemesis where nobody attacks, seed by seed.

use crate::child::{self, Outcome, Task};
use crate::read;
use serde::Deserialize;
use std::path::{Path, PathBuf};

/// A scenario of more events than this runs under one seed, without a nemesis, after all others.
const EVENTS_MAX: u64 = 400_000;
/// A scenario of more nodes than this is left out: one run of it takes as long as all others.
const NODES_MAX: i64 = 400;
const PROFILES: [&str; 2] = ["rough", "hostile"];

/// One scenario.
#[derive(Clone, Debug)]
pub(crate) struct Scenario {
    pub(crate) name: String,
    pub(crate) path: PathBuf,
    /// Attacks, and what people do at their times, are as their scenario has them: no nemesis adds to them.
    is_attacked: bool,
    /// Of its run under seed 1.
    events: u64,
}

/// One run of the suite.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Unit<'a> {
    pub(crate) scenario: &'a Scenario,
    pub(crate) nemesis: Option<&'static str>,
    pub(crate) seed: u64,
}

impl Unit<'_> {
    pub(crate) fn task<'a>(&'a self, mutant: Option<(usize, &'a str)>) -> Task<'a> {
        Task { scenario: &self.scenario.path, nemesis: self.nemesis, seed: self.seed, mutant }
    }
}

/// All scenarios, those of few events first.
#[derive(Clone, Debug)]
pub(crate) struct Suite {
    scenarios: Vec<Scenario>,
}

#[derive(Deserialize)]
struct Plain {
    events: u64,
}

impl Suite {
    /// The scenarios of the repository, each run once for its number of events.
    pub(crate) fn load(root: &Path, program: &Path) -> Result<Self, String> {
        let dir = root.join("scenarios");
        let entries = std::fs::read_dir(&dir).map_err(|error| format!("{}: {error}", dir.display()))?;
        let mut paths: Vec<_> = entries.filter_map(|entry| entry.ok().map(|entry| entry.path())).collect();
        paths.retain(|path| path.extension().is_some_and(|extension| extension == "toml"));
        paths.sort();
        let mut scenarios = Vec::new();
        for path in paths {
            scenarios.extend(one(path, program)?);
        }
        scenarios.sort_by_key(|scenario| scenario.events);
        Ok(Self { scenarios })
    }

    pub(crate) fn len(&self) -> usize {
        self.scenarios.len()
    }

    /// The runs in their order: of each seed the plain ones, then those under each nemesis.
    pub(crate) fn units(&self) -> impl Iterator<Item = Unit<'_>> {
        let round = |seed: u64| {
            let plain = move |scenario| Unit { scenario, nemesis: None, seed };
            let small = self.scenarios.iter().filter(|scenario| scenario.events <= EVENTS_MAX);
            let large = self.scenarios.iter().filter(move |scenario| scenario.events > EVENTS_MAX && seed == 1);
            let calm = small.clone().filter(|scenario| !scenario.is_attacked);
            let drawn = PROFILES.into_iter().flat_map(move |profile| {
                calm.clone().map(move |scenario| Unit { scenario, nemesis: Some(profile), seed })
            });
            small.map(plain).chain(drawn).chain(large.map(plain))
        };
        (1..).flat_map(round)
    }

    /// Without a mutant the first so many runs must hold, else what fails with one says nothing.
    pub(crate) fn check_sound(&self, program: &Path, runs: usize) -> Result<(), String> {
        for unit in self.units().take(runs) {
            if let (outcome @ (Outcome::Caught { .. } | Outcome::Hung | Outcome::Broke(_)), _) =
                child::run(program, unit.task(None))?
            {
                let (name, nemesis) = (&unit.scenario.name, unit.nemesis.unwrap_or("no"));
                return Err(format!(
                    "without a mutant, {name} under seed {} and {nemesis} nemesis: {outcome:?}",
                    unit.seed
                ));
            }
        }
        Ok(())
    }
}

/// The scenario at `path`; none if the file is something else, or too large.
fn one(path: PathBuf, program: &Path) -> Result<Option<Scenario>, String> {
    let text = read(&path)?;
    let table: toml::Table = toml::from_str(&text).map_err(|error| format!("{}: {error}", path.display()))?;
    let Some(name) = table.get("name").and_then(toml::Value::as_str) else { return Ok(None) };
    let hostile = |node: &toml::Value| node.get("hostile").is_some();
    let nodes = table.get("nodes").and_then(toml::Value::as_table);
    let is_attacked = table.contains_key("attackers")
        || table.contains_key("acts")
        || nodes.is_some_and(|nodes| nodes.values().any(hostile));
    let count = |table: &toml::Value| table.get("count").and_then(toml::Value::as_integer).unwrap_or(1);
    let sites = table.get("sites").and_then(toml::Value::as_table);
    let sites: i64 = sites.map_or(1, |sites| sites.values().map(count).sum());
    let all = |node: &toml::Value| count(node) * if node.get("each_site").is_some() { sites } else { 1 };
    if nodes.is_some_and(|nodes| nodes.values().map(all).sum::<i64>() > NODES_MAX) {
        return Ok(None);
    }
    let words = ["run", "--suite", "model", "--format", "json"];
    let output = child::start(program, &words, &path, None)?;
    let plain: Plain = serde_json::from_slice(&output.stdout).map_err(|error| format!("{name}: {error}"))?;
    Ok(Some(Scenario { name: name.to_owned(), path, is_attacked, events: plain.events }))
}
