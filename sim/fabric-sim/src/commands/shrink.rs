//! `shrink`: from a failing run to the smallest one that fails alike, as a scenario and a capsule.

use super::start::{Start, explained};
use super::sweep::{INTERRUPTED, listen};
use crate::capsule::{Capsule, Fingerprint, write_whole};
use crate::cli::{Exit, ShrinkArgs};
use crate::nemesis;
use crate::oracles::count;
use crate::report::{program, quoted};
use crate::scenario::{self, Scenario};
use crate::shrink::{Candidate, Shrunk, Step, shrink as search};
use crate::slice::{self, Size, Slice};
use crate::sweep::Stopwatch;
use crate::terminal::{Paint, Terminal};
use crate::worlds::{SuiteKind, play_with};
use ::sim::ledger::Ledger;
use std::fs;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::atomic::Ordering;

/// Between two lines of progress where lines stay, in milliseconds.
const PLAIN_EVERY: u64 = 5_000;

pub(super) fn shrink(args: &ShrinkArgs, terminal: &Terminal) -> Result<(), Exit> {
    let start = Start::new(&args.failing, SuiteKind::Model, terminal)?;
    let (seed, suite) = (start.seed, start.suite);
    let play = |scenario: &Rc<Scenario>, limits: &nemesis::Limits, ledger: Ledger| {
        play_with(scenario, limits, seed, suite, ledger)
    };
    let fingerprint = failure(&start, terminal)?;
    terminal.say(&format!("shrinking  {fingerprint}\n           {}", sizes(&start.candidate)));
    fs::create_dir_all(&args.out).map_err(|error| {
        terminal.say(&format!("error: `{}` cannot be made: {error}", args.out.display()));
        Exit::Usage
    })?;
    listen(terminal)?;
    let watch = Stopwatch::start();
    let mut said_at = 0;
    let mut goes = |step: &Step<'_>| {
        let millis = watch.millis();
        if terminal.is_live() || millis >= said_at + PLAIN_EVERY {
            said_at = millis;
            terminal.overwrite(&format!("{}, {}: {}", count(step.runs, "run"), step.pass, sizes(step.best)));
        }
        !INTERRUPTED.load(Ordering::Relaxed) && millis < args.limit.0 / 1_000_000
    };
    let shrunk = search(start.candidate.clone(), &fingerprint, &play, &mut goes);
    terminal.clear_line();
    let file = write(&start, &shrunk, &fingerprint, &args.out, terminal)?;
    told(&shrunk, &file, terminal)?;
    why(&start, &shrunk.best, terminal);
    if INTERRUPTED.load(Ordering::Relaxed) { Err(Exit::Interrupted) } else { Ok(()) }
}

/// How the run fails, each time.
fn failure(start: &Start, terminal: &Terminal) -> Result<Fingerprint, Exit> {
    let play = || {
        start
            .candidate
            .run(&|scenario, limits, ledger| play_with(scenario, limits, start.seed, start.suite, ledger), |ledger| {
                ledger
            })
    };
    let run = play();
    let known = start.fingerprint.clone().filter(|fingerprint| fingerprint.is_shown_by(&run));
    let first = Fingerprint::of_run(&run).map(|(fingerprint, _)| fingerprint);
    let found = if start.fingerprint.is_some() { known } else { first };
    let Some(fingerprint) = found else {
        terminal.say("this run does not fail so: there is nothing to shrink");
        return Err(Exit::Nothing);
    };
    if !run.equals(&play()) {
        terminal.say("the same run came out differently: what is not deterministic cannot be shrunk");
        return Err(Exit::Nondeterminism);
    }
    Ok(fingerprint)
}

fn sizes(candidate: &Candidate) -> String {
    let scenario = &candidate.scenario;
    let limits: usize = candidate.limits.0.values().map(std::collections::BTreeMap::len).sum();
    let parts = [
        (scenario.nodes.len(), "node"),
        (scenario.work.len(), "piece"),
        (scenario.acts.len(), "act"),
        (scenario.faults.len(), "fault"),
        (candidate.overrides.len(), "misfortune"),
        (limits, "limit"),
    ];
    let shown = parts.iter().filter(|(number, _)| *number > 0).map(|(number, noun)| match *noun {
        "piece" => count(*number as u64, noun) + " of work",
        _ => count(*number as u64, noun),
    });
    shown.collect::<Vec<_>>().join(", ")
}

/// What was written.
struct Files {
    scenario: PathBuf,
    capsule: PathBuf,
    /// The command that makes the run again.
    reproduce: String,
}

fn write(
    start: &Start,
    shrunk: &Shrunk,
    fingerprint: &Fingerprint,
    dir: &Path,
    terminal: &Terminal,
) -> Result<Files, Exit> {
    let Candidate { scenario, limits, overrides } = &shrunk.best;
    let name = free_name(dir, &format!("{}-{}-{}", start.candidate.scenario.name, fingerprint.check, start.seed));
    let scenario = Rc::new(Scenario { name: name.clone(), ..Scenario::clone(scenario) });
    let best = Candidate { scenario: Rc::clone(&scenario), limits: limits.clone(), overrides: overrides.clone() };
    let run = |suite| {
        best.run(&|scenario, limits, ledger| play_with(scenario, limits, start.seed, suite, ledger), Ledger::recording)
    };
    // The model suite is faster; what it finds is kept with the real one wherever that shows it too.
    let (mut suite, mut recorded) = (SuiteKind::Real, run(SuiteKind::Real));
    if !fingerprint.is_shown_by(&recorded) {
        (suite, recorded) = (start.suite, run(start.suite));
    }
    let capsule = Capsule::of(&scenario, start.seed, suite, limits, overrides.clone(), &recorded);
    let Some(capsule) = capsule.filter(|_| fingerprint.is_shown_by(&recorded)) else {
        terminal.say("fabric-sim: a fault of its own, please report it: the smallest run holds when it is run again");
        return Err(Exit::Internal);
    };
    let capsule = Capsule { fingerprint: fingerprint.clone(), ..capsule };
    let files = (dir.join(format!("{name}.toml")), dir.join(format!("{name}.capsule.json")));
    let is_whole = overrides.is_empty() && limits.0.is_empty();
    let reproduce = match (is_whole, suite) {
        (false, _) => format!("{} replay {}", program(), quoted(&files.1.display().to_string())),
        (true, SuiteKind::Real) => {
            format!("{} run {} --seed {}", program(), quoted(&files.0.display().to_string()), start.seed)
        }
        (true, SuiteKind::Model) => {
            format!("{} run {} --seed {} --suite model", program(), quoted(&files.0.display().to_string()), start.seed)
        }
    };
    let text = format!("{}\n{}", heading(start, &capsule, is_whole), scenario::to_toml(&scenario));
    let written = write_whole(&files.0, &text).and_then(|()| capsule.write(&files.1));
    written.map_err(|error| {
        terminal.say(&format!("error: the result cannot be written to `{}`: {error}", dir.display()));
        Exit::Internal
    })?;
    Ok(Files { scenario: files.0, capsule: files.1, reproduce })
}

/// The comment at the top of the scenario.
fn heading(start: &Start, capsule: &Capsule, is_whole: bool) -> String {
    let detail = capsule.detail.replace(['\n', '\r'], " ");
    let rest = if is_whole {
        format!("# Fails under seed {}.\n", capsule.seed)
    } else {
        "# Fails only with what its capsule holds besides: single misfortunes, or narrower limits.\n".to_owned()
    };
    format!(
        "# CAUSE: one sentence to fill in: what went wrong, and what mended it.\n# Breaks {}: {detail}\n\
         # Shrunk from {} under seed {}.\n{rest}",
        capsule.fingerprint, start.candidate.scenario.name, start.seed
    )
}

/// `name`, or with a number behind it when that is taken; short enough for a scenario.
fn free_name(dir: &Path, name: &str) -> String {
    /// A scenario's name has at most 64 letters.
    const LETTERS_MAX: usize = 58;
    let name: String = name.chars().take(LETTERS_MAX).collect();
    let is_free = |name: &String| {
        [".toml", ".capsule.json"].iter().all(|extension| !dir.join(format!("{name}{extension}")).exists())
    };
    let numbered = (2..10_000).map(|number| format!("{name}-{number}"));
    core::iter::once(name.clone()).chain(numbered).find(is_free).unwrap_or(name)
}

fn told(shrunk: &Shrunk, files: &Files, terminal: &Terminal) -> Result<(), Exit> {
    let (paint, word) = if shrunk.is_complete { (Paint::Good, "SHRUNK") } else { (Paint::Warn, "STOPPED") };
    let end = if shrunk.is_complete { "nothing more can go" } else { "there may be more that can go" };
    let word = terminal.paint(paint, word);
    terminal.say(&format!("{word}  to {} in {}; {end}", sizes(&shrunk.best), count(shrunk.runs, "run")));
    terminal.result(&format!("{}\n{}\n", files.scenario.display(), files.capsule.display()))?;
    terminal.say(&format!("{}  {}", terminal.paint(Paint::Bold, "reproduce:"), files.reproduce));
    terminal.say("next: say in the first line of the scenario what the cause was");
    Ok(())
}

/// Why the smallest run fails.
fn why(start: &Start, best: &Candidate, terminal: &Terminal) {
    let run = explained(best, start.seed, start.suite);
    if let Some(slice) = Slice::of(&best.scenario, &run, Size::Whole) {
        terminal.say(&terminal.paint(Paint::Bold, "\nhow it came to this"));
        terminal.say(&slice::text(&slice, &best.scenario, terminal).join("\n"));
    }
}
