//! Runs the suite with each mutant until a check fails: in every node, and mixed with sound ones.

use crate::args::Args;
use crate::child::{self, Outcome};
use crate::mutant::Mutant;
use crate::suite::{Suite, Unit};
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Two nodes that share a bug may agree on it: mixed, it is at the scenario's first node, then at all others.
const EVERYWHERE: &[&str] = &["all"];
const MIXED: &[&str] = &["first", "rest"];
/// How long a kill may be made smaller for.
const SHRINK_LIMIT: &str = "5s";

/// What one mutant is scored with.
pub(crate) struct Lab<'a> {
    pub(crate) root: &'a Path,
    pub(crate) program: &'a Path,
    pub(crate) suite: &'a Suite,
    pub(crate) args: &'a Args,
}

/// The run that found a mutant.
#[derive(Clone, Debug)]
pub(crate) struct Kill {
    pub(crate) scenario: String,
    pub(crate) check: String,
    /// `plain`, `swarm`, `rough` and so on.
    pub(crate) mode: String,
    pub(crate) seed: u64,
    pub(crate) whom: &'static str,
    pub(crate) detail: String,
}

/// What came of a mutant planted in one way.
#[derive(Clone, Debug)]
pub(crate) struct Way {
    pub(crate) kill: Option<Kill>,
    /// How many runs that took, the last included.
    pub(crate) runs: u32,
    /// And how many microseconds of CPU time.
    pub(crate) cpu: u64,
}

/// What came of a mutant.
#[derive(Clone, Debug)]
pub(crate) struct Score {
    pub(crate) mutant: Mutant,
    pub(crate) everywhere: Way,
    pub(crate) mixed: Way,
    pub(crate) shrunk: Option<Shrunk>,
}

/// What is left of a run that found a mutant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Shrunk {
    /// In words.
    pub(crate) size: String,
    /// Planned faults and single misfortunes.
    pub(crate) faults: u64,
    /// Whether the slice of it shows a step in which the mutant was on.
    pub(crate) slice: bool,
}

impl Shrunk {
    /// From what `fabric-sim shrink` says; none when it could not.
    fn read(said: &str) -> Option<Self> {
        let size = said.lines().find_map(|line| {
            let (_, rest) = line.split_once("SHRUNK  to ").or_else(|| line.split_once("STOPPED  to "))?;
            Some(rest.split_once(" in ")?.0.to_owned())
        })?;
        let is_fault = |part: &&str| part.contains("fault") || part.contains("misfortune");
        let number = |part: &str| part.trim().split_once(' ')?.0.parse::<u64>().ok();
        let faults = size.split(',').filter(is_fault).filter_map(number).sum();
        Some(Self { faults, slice: said.lines().any(|line| line == "slice true"), size })
    }
}

impl Score {
    /// The way in which it took fewest runs to find it.
    pub(crate) fn best(&self) -> Option<&Way> {
        let found = [&self.everywhere, &self.mixed].into_iter().filter(|way| way.kill.is_some());
        found.min_by_key(|way| way.runs)
    }

    pub(crate) fn is_as_it_should_be(&self) -> bool {
        self.best().is_some() != self.mutant.equivalent.is_some()
    }
}

impl Lab<'_> {
    /// Scores the mutants that were asked for, in their order.
    pub(crate) fn score(&self, mutants: &[Mutant]) -> Result<Vec<Score>, String> {
        let only = &self.args.only;
        if let Some(name) = only.iter().find(|name| mutants.iter().all(|mutant| mutant.name != **name)) {
            return Err(format!("there is no mutant `{name}`"));
        }
        let chosen: Vec<_> = mutants.iter().filter(|it| only.is_empty() || only.contains(&it.name)).collect();
        eprintln!("{} scenarios without a mutant", self.suite.len());
        self.suite.check_sound(self.program, self.args.runs as usize)?;
        let (next, scores) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
        std::thread::scope(|scope| {
            for _ in 0..self.args.jobs {
                scope.spawn(|| self.work(&chosen, &next, &scores));
            }
        });
        let mut scores = scores.into_inner().map_err(|_| "a worker panicked")?;
        scores.sort_by_key(|(place, _)| *place);
        scores.into_iter().map(|(_, score)| score).collect()
    }

    fn work(&self, chosen: &[&Mutant], next: &AtomicUsize, scores: &Mutex<Vec<(usize, Result<Score, String>)>>) {
        loop {
            let place = next.fetch_add(1, Ordering::Relaxed);
            let Some(mutant) = chosen.get(place) else { return };
            let score = self.one(mutant);
            if let Ok(score) = &score {
                eprintln!("{}", crate::table::line(score));
            }
            if let Ok(mut scores) = scores.lock() {
                scores.push((place, score));
            }
        }
    }

    fn one(&self, mutant: &Mutant) -> Result<Score, String> {
        let everywhere = self.way(mutant, EVERYWHERE)?;
        let mixed = self.way(mutant, MIXED)?;
        let score = Score { mutant: mutant.clone(), everywhere, mixed, shrunk: None };
        let kill = score.best().and_then(|way| way.kill.as_ref()).filter(|_| self.args.shrink);
        let shrunk = kill.map(|kill| self.shrink(mutant, kill)).transpose()?;
        Ok(Score { shrunk: shrunk.flatten(), ..score })
    }

    fn way(&self, mutant: &Mutant, whoms: &[&'static str]) -> Result<Way, String> {
        let mut way = Way { kill: None, runs: 0, cpu: 0 };
        for unit in self.suite.units() {
            for whom in whoms {
                if way.runs >= self.args.runs || way.cpu >= self.args.cpu * 1_000_000 {
                    return Ok(way);
                }
                let (outcome, cpu) = child::run(self.program, unit.task(Some((mutant.number, whom))))?;
                way.runs += 1;
                way.cpu += cpu;
                way.kill = kill(unit, whom, outcome).map_err(|error| format!("{}: {error}", mutant.name))?;
                if way.kill.is_some() {
                    return Ok(way);
                }
            }
        }
        Ok(way)
    }

    /// Makes the run that found the mutant as small as it gets; the result stays below `target`.
    fn shrink(&self, mutant: &Mutant, kill: &Kill) -> Result<Option<Shrunk>, String> {
        let scenario = self.root.join(format!("scenarios/{}.toml", kill.scenario));
        let out = self.root.join("target/mutants/shrunk").join(&mutant.name);
        let (out, seed) = (out.to_string_lossy().into_owned(), kill.seed.to_string());
        let mut words = vec!["shrink", "--seed", &seed, "--limit", SHRINK_LIMIT, "--out", &out];
        for part in kill.mode.split('+') {
            match part {
                "swarm" => words.push("--swarm"),
                "rough" | "hostile" => words.extend(["--nemesis", part]),
                _ => {}
            }
        }
        let output = child::start(self.program, &words, &scenario, Some((mutant.number, kill.whom)))?;
        let said = String::from_utf8_lossy(&output.stderr);
        Ok(Shrunk::read(&said))
    }
}

fn kill(unit: Unit<'_>, whom: &'static str, outcome: Outcome) -> Result<Option<Kill>, String> {
    let (check, mode, seed, detail) = match outcome {
        Outcome::Held => return Ok(None),
        Outcome::Caught { check, mode, seed, detail } => (check, mode, seed, detail),
        Outcome::Hung => ("it does not end".into(), unit.nemesis.unwrap_or_default().into(), unit.seed, String::new()),
        Outcome::Broke(said) => return Err(format!("{}: {said}", unit.scenario.name)),
    };
    let scenario = unit.scenario.name.clone();
    Ok(Some(Kill { scenario, check, mode, seed, whom, detail }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shrunk_run_is_read_from_what_is_said_of_it() {
        let said =
            "SHRUNK  to 2 nodes, 1 piece of work, 1 fault, 3 misfortunes in 40 runs; nothing more can go\nslice true";
        let size = "2 nodes, 1 piece of work, 1 fault, 3 misfortunes".to_owned();
        assert_eq!(Shrunk::read(said), Some(Shrunk { size, faults: 4, slice: true }));
        assert_eq!(Shrunk::read("this run does not fail so"), None);
    }
}
