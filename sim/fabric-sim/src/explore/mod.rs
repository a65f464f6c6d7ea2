//! A sweep that is guided by what its runs reach: a run that reaches something new is kept, and others are made from it by
//! changing a few of the decisions that chance made in it.
//!
//! Runs come in generations of [`GENERATION`]. What a run is depends on its number and on the generations before its own
//! alone, and a generation is folded in the order of numbers once all of it is there: so neither threads nor their speed
//! change the result. [`reached`] says what counts as new; what can be changed is what [`points`] finds; [`memory`] is what lets
//! it go on where it was stopped.

mod memory;
mod reached;

use crate::capsule::{Capsule, NamedEntry, overriding};
use crate::exhaust::last_due;
use crate::exhaust::points::{self, LASTS, Point};
use crate::nemesis::{self, Limits, Mode};
use crate::scenario::units::Nanos;
use crate::scenario::{Loaded, Scenario};
use crate::sweep::{Batch, Line};
use crate::worlds::SuiteKind;
use crate::worlds::sim::{Extras, Run};
use ::sim::fate::Key;
use ::sim::ledger::{Address, Entry};
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use std::sync::{Mutex, OnceLock, PoisonError};

use memory::News;
pub(crate) use memory::{Lesson, Memory};

/// The mode of its lines.
const GUIDED: &str = "guided";
/// How many runs are made from one state of knowledge.
pub(crate) const GENERATION: u64 = 64;
/// Runs that are kept to make others from; beyond that the oldest goes.
const KEPT_MAX: usize = 512;
/// What may be changed of one run, of which more are drawn from evenly.
const POINTS_MAX: usize = 4_096;
/// One run in so many is a seed as it is.
const FRESH_ONE_IN: u64 = 4;
/// The most that one run is changed in.
const CHANGES_MAX: u64 = 4;

/// Makes one run under a seed. Machines are its own.
pub(crate) type Player<'a> = dyn Fn(&Rc<Scenario>, &Limits, u64, Extras) -> Run + Sync + 'a;

/// What makes a run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Recipe {
    seed: u64,
    /// Decisions that are not the seed's.
    changes: BTreeMap<Address, Entry>,
}

/// A run that reached something new, and what can be changed of it.
#[derive(Clone, Debug)]
struct Kept {
    recipe: Recipe,
    /// Found when it is asked for, if the run was made by a search that was stopped.
    points: OnceLock<Vec<Entry>>,
}

/// See the module.
pub(crate) struct Guided<'a> {
    pub(crate) loaded: &'a Loaded,
    pub(crate) mode: Mode,
    pub(crate) player: &'a Player<'a>,
    kept: Vec<Kept>,
    reached: BTreeSet<u64>,
    /// What made each run that failed, by its number.
    failed: BTreeMap<u64, Recipe>,
}

/// Some runs, all made from what was known before them.
pub(crate) struct Generation<'a> {
    guided: &'a Guided<'a>,
    numbers: Vec<u64>,
    recipes: Vec<Recipe>,
    found: Mutex<BTreeMap<u64, Found>>,
}

/// What a run shows besides its line.
#[derive(Default)]
struct Found {
    reached: BTreeSet<u64>,
    points: OnceLock<Vec<Entry>>,
    failed: bool,
}

/// What is known after a generation.
pub(crate) struct Learned {
    recipes: Vec<(u64, Recipe)>,
    found: BTreeMap<u64, Found>,
}

impl Learned {
    /// Whether every run of the generation was made.
    pub(crate) fn is_whole(&self) -> bool {
        self.found.len() == self.recipes.len()
    }
}

impl<'a> Guided<'a> {
    pub(crate) const fn new(loaded: &'a Loaded, mode: Mode, player: &'a Player<'a>) -> Self {
        Self { loaded, mode, player, kept: Vec::new(), reached: BTreeSet::new(), failed: BTreeMap::new() }
    }

    /// How much was reached: states by how often, and pairs of them.
    pub(crate) fn reached(&self) -> u64 {
        self.reached.len() as u64
    }

    /// How many runs have reached something that none did before them.
    pub(crate) fn kept(&self) -> u64 {
        self.kept.len() as u64
    }

    /// The runs of these numbers.
    pub(crate) fn generation(&self, numbers: impl Iterator<Item = u64>) -> Generation<'_> {
        let numbers: Vec<_> = numbers.collect();
        let recipes = numbers.iter().map(|number| self.recipe(*number)).collect();
        Generation { guided: self, numbers, recipes, found: Mutex::default() }
    }

    /// Takes in what a generation has found, in the order of numbers; gives what was new in it.
    pub(crate) fn learn(&mut self, learned: Learned) -> Vec<News> {
        let (mut found, mut news) = (learned.found, Vec::new());
        for (number, recipe) in learned.recipes {
            let Some(found) = found.remove(&number) else { continue };
            if found.failed {
                self.failed.insert(number, recipe.clone());
            }
            let reached: Vec<_> = found.reached.difference(&self.reached).copied().collect();
            if !reached.is_empty() {
                self.reached.extend(&reached);
                self.kept.push(Kept { recipe, points: found.points });
                news.push(News { number, reached });
            }
        }
        let over = self.kept.len().saturating_sub(KEPT_MAX);
        self.kept.drain(..over);
        news
    }

    /// What can be changed of a run that is kept.
    fn points<'k>(&self, kept: &'k Kept) -> &'k [Entry] {
        kept.points
            .get_or_init(|| self.run(&kept.recipe, true).map_or_else(|_| Vec::new(), |(run, ..)| self.points_of(&run)))
    }

    /// Every so-manieth of what can be changed, where there is too much of it.
    fn points_of(&self, run: &Run) -> Vec<Entry> {
        let fates = points::of(run, self.until()).into_iter().filter_map(|point| match point {
            Point::Fate(entry) => Some(entry),
            Point::Crash { .. } => None,
        });
        let all: Vec<_> = fates.collect();
        let step = all.len().div_ceil(POINTS_MAX).max(1);
        all.into_iter().step_by(step).collect()
    }

    /// What the run of this number is: a seed as it is, or one that was kept with some changes.
    fn recipe(&self, number: u64) -> Recipe {
        let key = Key::root(number).named(GUIDED);
        let fresh = Recipe { seed: number, changes: BTreeMap::new() };
        if self.kept.is_empty() || key.within(0, 1, FRESH_ONE_IN) == 1 {
            return fresh;
        }
        // The larger of two draws: what was kept lately is more often the way to more.
        let last = self.kept.len() as u64 - 1;
        let place = key.within(1, 0, last).max(key.within(2, 0, last));
        let kept = &self.kept[place as usize];
        let mut recipe = kept.recipe.clone();
        for change in 0..key.within(3, 1, CHANGES_MAX) {
            alter(&mut recipe, self.points(kept), key.number(change));
        }
        recipe
    }

    /// What becomes of a scenario under a seed, with time to recover.
    fn draw(&self, seed: u64) -> Result<(Rc<Scenario>, Limits), String> {
        let drawn = nemesis::draw(self.loaded, self.mode, seed).map_err(|invalid| invalid.first())?;
        if self.mode.nemesis.is_some() {
            return Ok((drawn.scenario, drawn.limits));
        }
        let mut scenario = Scenario::clone(&drawn.scenario);
        nemesis::demand_liveness(&mut scenario, Nanos(self.until().0.saturating_add(LASTS.0)));
        Ok((Rc::new(scenario), drawn.limits))
    }

    /// Until when it is fair to change what chance decides.
    fn until(&self) -> Nanos {
        last_due(&self.loaded.scenario)
    }

    fn run(&self, recipe: &Recipe, records: bool) -> Result<(Run, Rc<Scenario>, Limits), String> {
        let (scenario, limits) = self.draw(recipe.seed)?;
        let ledger = overriding(&named(recipe, &scenario), &scenario);
        let ledger = if records { ledger.recording() } else { ledger };
        let run = (self.player)(&scenario, &limits, recipe.seed, ledger.into());
        Ok((run, scenario, limits))
    }

    /// What was changed in a run that failed, in words.
    pub(crate) fn changes(&self, number: u64) -> Vec<String> {
        let Some(recipe) = self.failed.get(&number) else { return Vec::new() };
        let Ok((scenario, _)) = self.draw(recipe.seed) else { return Vec::new() };
        let told = recipe.changes.values().map(|entry| Point::Fate(*entry).told(&scenario));
        core::iter::once(format!("seed {}", recipe.seed)).chain(told).collect()
    }

    /// The capsule of a run that failed; `None` if it holds now.
    pub(crate) fn capsule(&self, number: u64, suite: SuiteKind) -> Option<Capsule> {
        let recipe = self.failed.get(&number)?;
        let (run, scenario, limits) = self.run(recipe, true).ok()?;
        let overrides = named(recipe, &scenario);
        Capsule::of(&scenario, recipe.seed, suite, &limits, overrides, &run)
    }
}

fn named(recipe: &Recipe, scenario: &Scenario) -> Vec<NamedEntry> {
    recipe.changes.values().map(|entry| NamedEntry::of(entry, scenario)).collect()
}

/// Takes a change back, or makes one more.
fn alter(recipe: &mut Recipe, points: &[Entry], key: Key) {
    let pick = |lane: u64, count: usize| key.within(lane, 0, count as u64 - 1) as usize;
    if !recipe.changes.is_empty() && (points.is_empty() || key.within(0, 1, FRESH_ONE_IN) == 1) {
        let place = pick(1, recipe.changes.len());
        if let Some(address) = recipe.changes.keys().nth(place).copied() {
            recipe.changes.remove(&address);
        }
    } else if !points.is_empty() {
        let point = points[pick(1, points.len())];
        recipe.changes.insert(point.address, point);
    }
}

impl Generation<'_> {
    /// What it has found; to be asked once it has run.
    pub(crate) fn finish(self) -> Learned {
        let found = self.found.into_inner().unwrap_or_else(PoisonError::into_inner);
        Learned { recipes: self.numbers.into_iter().zip(self.recipes).collect(), found }
    }

    /// What it found when it ran in a search that was stopped; `lines` are those of its runs.
    pub(crate) fn recall(self, lesson: &Lesson, lines: &[Line]) -> Learned {
        let mut found: BTreeMap<u64, Found> = BTreeMap::new();
        for line in lines {
            found.entry(line.seed).or_default().failed = line.is_failure();
        }
        for news in lesson.kept() {
            found.entry(news.number).or_default().reached = news.reached.iter().copied().collect();
        }
        Learned { recipes: self.numbers.into_iter().zip(self.recipes).collect(), found }
    }
}

impl Batch for Generation<'_> {
    fn key(&self, index: u64) -> Option<(String, u64)> {
        let number = self.numbers.get(usize::try_from(index).ok()?)?;
        Some((GUIDED.to_owned(), *number))
    }

    fn total(&self) -> Option<u64> {
        Some(self.numbers.len() as u64)
    }

    fn make(&self, index: u64) -> Result<Line, String> {
        let place = usize::try_from(index).map_err(|_| "there is no such run")?;
        let (number, recipe) = (self.numbers[place], &self.recipes[place]);
        let (run, ..) = self.guided.run(recipe, true)?;
        let told = [("changes".to_owned(), recipe.changes.len().to_string())];
        let mut line = Line::of(GUIDED.to_owned(), number, &run, &told);
        if line.is_failure() {
            line.compare(&run, &self.guided.run(recipe, false)?.0);
        }
        let points = self.guided.points_of(&run).into();
        let found = Found { reached: reached::of(&run), points, failed: line.is_failure() };
        self.found.lock().unwrap_or_else(PoisonError::into_inner).insert(number, found);
        Ok(line)
    }
}

#[cfg(test)]
mod tests;
