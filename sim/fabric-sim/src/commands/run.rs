//! `run`: one scenario, one seed, one verdict.

use crate::capsule::{Capsule, write_by, write_whole};
use crate::capture::{About, KeyLog, PcapFile};
use crate::cli::{BUILD, Exit, Format, RunArgs};
use crate::nemesis::{self, Drawn};
use crate::report::{Head, Told, human, json};
use crate::scenario;
use crate::slice::{self, Size, Slice};
use crate::sweep::Stopwatch;
use crate::terminal::Terminal;
use crate::worlds::sim::{Extras, Run};
use crate::worlds::{Given, SuiteKind, World, play_with, real, simulate};
use ::sim::Sink;
use ::sim::ledger::Ledger;
use serde_json::Value;
use std::cell::RefCell;
use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::rc::Rc;

/// The file in `--out` that holds a failure.
const CAPSULE: &str = "failure.capsule.json";
/// And the one that says why.
const SLICE: &str = "slice.json";

pub(super) fn run(args: &RunArgs, terminal: &Terminal) -> Result<(), Exit> {
    let (hash, drawn) = load(args, terminal)?;
    let head = Head::new(args, hash, &drawn);
    terminal.say(&human::head(&head, terminal));
    refuse_what_lacks(args, &head, terminal)?;
    if !args.world.is_simulated() {
        return run_real(args, &head, terminal);
    }
    let wrong = |exit| {
        move |error: String| {
            terminal.say(&format!("error: {error}"));
            exit
        }
    };
    let trace = Trace::open(args).map_err(wrong(Exit::Usage))?;
    let about = About { scenario: &drawn.scenario, seed: args.seed, build: BUILD, world: args.world };
    let pcap = args.pcap.as_deref().map(|path| PcapFile::create(path, &about)).transpose();
    let pcap = pcap.map_err(wrong(Exit::Usage))?;
    let keylog = args.keylog.as_ref().map(|_| KeyLog::default());
    let extras = Extras {
        capture: pcap.as_ref().map(PcapFile::sink),
        keylog: keylog.clone(),
        ..trace.as_ref().map(Trace::sink).into()
    };
    let watch = Stopwatch::start();
    let run = simulate(args.world, &drawn, args.seed, args.suite, extras);
    let wall = watch.millis();
    trace.map_or(Ok(()), Trace::finish).map_err(wrong(Exit::Internal))?;
    pcap.map_or(Ok(()), PcapFile::finish).map_err(wrong(Exit::Internal))?;
    if let (Some(path), Some(keylog)) = (&args.keylog, keylog) {
        let unwritten = |error| format!("`{}` cannot be written: {error}", path.display());
        write_whole(path, &keylog.text()).map_err(unwritten).map_err(wrong(Exit::Internal))?;
    }
    let mut recorded = None;
    let exit = judge(&run, || {
        if args.world != World::Sim {
            return simulate(args.world, &drawn, args.seed, args.suite, None).equals(&run);
        }
        let extras = Extras::explaining(Ledger::default());
        recorded.insert(play_with(&drawn.scenario, &drawn.limits, args.seed, args.suite, extras)).equals(&run)
    });
    let slice = recorded.as_ref().and_then(|run| Slice::of(&drawn.scenario, run, Size::Short));
    if let Some(dir) = &args.out {
        let whole = recorded.as_ref().and_then(|run| Slice::of(&drawn.scenario, run, Size::Whole));
        keep_slice(dir, whole.map(|slice| slice::json(&slice, &drawn.scenario, args.seed)), &run)
            .map_err(|error| unwritten(dir, &error, terminal))?;
    }
    let why = slice.map(|slice| slice::text(&slice, &drawn.scenario, terminal)).unwrap_or_default();
    let capsule =
        recorded.and_then(|run| Capsule::of(&drawn.scenario, args.seed, args.suite, &drawn.limits, Vec::new(), &run));
    if let (Some(dir), Some(capsule)) = (&args.out, capsule) {
        capsule.write(&dir.join(CAPSULE)).map_err(|error| unwritten(dir, &error, terminal))?;
    }
    report(args, &head, &run, exit, &Told { wall, why }, terminal)
}

/// Writes why a run failed beside its result, for its page. What an earlier run left there goes.
fn keep_slice(dir: &Path, slice: Option<Value>, run: &Run) -> io::Result<()> {
    let file = dir.join(SLICE);
    match slice {
        Some(mut slice) => {
            slice["trace_hash"] = format!("{:016x}", run.trace_hash).into();
            write_whole(&file, &format!("{slice:#}\n"))
        }
        None if file.exists() => fs::remove_file(file),
        None => Ok(()),
    }
}

/// Ends the program when the world that was asked for cannot run this.
fn refuse_what_lacks(args: &RunArgs, head: &Head, terminal: &Terminal) -> Result<(), Exit> {
    let unknown = [
        (args.world != World::Sim && args.nemesis.is_some(), "--nemesis"),
        (!args.world.is_simulated() && args.trace.is_some(), "--trace"),
        (!args.world.is_simulated() && args.pcap.is_some(), "--pcap"),
        (!args.world.is_simulated() && args.keylog.is_some(), "--keylog"),
        (args.world != World::Qemu && args.record, "--record"),
        (args.world != World::Qemu && args.guest_image.is_some(), "--guest-image"),
        (args.world == World::Qemu && args.suite != SuiteKind::Real, "--suite model"),
    ];
    let unknown = unknown.into_iter().find_map(|(is_asked, what)| is_asked.then(|| format!("it has no `{what}`")));
    if args.keylog.is_some() && args.suite == SuiteKind::Model {
        terminal.say("error: --keylog is for the real suite: what the model suite seals, nothing else can open");
        return Err(Exit::Usage);
    }
    match unknown.or_else(|| scenario::lacks(args.world, &head.scenario)) {
        None => Ok(()),
        Some(lack) => {
            terminal.say(&format!("error: the world `{}` cannot run this: {lack}", args.world));
            Err(Exit::Usage)
        }
    }
}

/// A run in real time has no trace, and a second one would be another run.
fn run_real(args: &RunArgs, head: &Head, terminal: &Terminal) -> Result<(), Exit> {
    if let Some(dir) = &args.out {
        make_dir(dir).map_err(|error| {
            terminal.say(&format!("error: {error}"));
            Exit::Usage
        })?;
    }
    let watch = Stopwatch::start();
    let given = Given {
        suite: args.suite,
        guest_image: args.guest_image.clone(),
        out: args.out.clone(),
        record: args.record,
        guest_fault: None,
    };
    let run = real::run(args.world, &head.scenario, args.seed, &given, |_| true).map_err(|error| {
        terminal.say(&format!("error: {error}"));
        Exit::Internal
    })?;
    let exit = match () {
        () if run.failed() => Exit::Failed,
        () if run.showed_nothing() => Exit::Nothing,
        () => Exit::Held,
    };
    report(args, head, &run, exit, &Told { wall: watch.millis(), why: Vec::new() }, terminal)
}

/// Says what came of a run, in every way that was asked for.
fn report(args: &RunArgs, head: &Head, run: &Run, exit: Exit, told: &Told, terminal: &Terminal) -> Result<(), Exit> {
    if let Some(dir) = &args.out {
        let written = write_by(&dir.join("result.json"), |file| json::write(head, run, exit, file));
        written.map_err(|error| unwritten(dir, &error, terminal))?;
    }
    match args.format {
        Format::Human => terminal.say(&human::summary(head, run, exit, told, terminal)),
        Format::Json => terminal.result_by(|out| json::write(head, run, exit, out))?,
    }
    if args.format == Format::Json && exit != Exit::Held {
        terminal.say(&human::next_steps(head, exit, terminal));
    }
    if exit == Exit::Held { Ok(()) } else { Err(exit) }
}

/// The hash of the scenario as it is written, and what the seed makes of it.
fn load(args: &RunArgs, terminal: &Terminal) -> Result<(String, Drawn), Exit> {
    let loaded = scenario::open(&args.scenario, &args.overrides);
    let drawn = loaded.and_then(|loaded| Ok((loaded.scenario.hash(), nemesis::draw(&loaded, args.mode(), args.seed)?)));
    drawn.map_err(|invalid| {
        terminal.say(invalid.render(terminal.style()).trim_end());
        Exit::Usage
    })
}

/// What the program says by its exit code. A run that failed is run again, since a failure that does not come back
/// under its own seed is the worse one.
fn judge(run: &Run, comes_again: impl FnOnce() -> bool) -> Exit {
    match () {
        () if run.failed() && !comes_again() => Exit::Nondeterminism,
        () if run.failed() => Exit::Failed,
        () if run.showed_nothing() => Exit::Nothing,
        () => Exit::Held,
    }
}

/// The file that a full trace goes to, and the first error in writing it.
struct Trace {
    path: PathBuf,
    state: Rc<RefCell<(BufWriter<File>, io::Result<()>)>>,
}

impl Trace {
    fn open(args: &RunArgs) -> Result<Option<Self>, String> {
        let path = match (&args.trace, &args.out) {
            (Some(file), _) => file.clone(),
            (None, Some(dir)) => {
                make_dir(dir)?;
                dir.join("trace.jsonl")
            }
            (None, None) => return Ok(None),
        };
        let file = File::create(&path).map_err(|error| format!("`{}` cannot be written: {error}", path.display()))?;
        Ok(Some(Self { path, state: Rc::new(RefCell::new((BufWriter::new(file), Ok(())))) }))
    }

    fn sink(&self) -> Sink {
        let state = Rc::clone(&self.state);
        Box::new(move |line| {
            let (file, first_error) = &mut *state.borrow_mut();
            if first_error.is_ok() {
                *first_error = writeln!(file, "{line}");
            }
        })
    }

    fn finish(self) -> Result<(), String> {
        let (file, first_error) = &mut *self.state.borrow_mut();
        let written = core::mem::replace(first_error, Ok(())).and_then(|()| file.flush());
        written.map_err(|error| format!("`{}` cannot be written: {error}", self.path.display()))
    }
}

fn make_dir(dir: &Path) -> Result<(), String> {
    fs::create_dir_all(dir).map_err(|error| format!("`{}` cannot be made: {error}", dir.display()))
}

fn unwritten(dir: &Path, error: &io::Error, terminal: &Terminal) -> Exit {
    terminal.say(&format!("error: nothing can be written to `{}`: {error}", dir.display()));
    Exit::Internal
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::worlds::sim::script::{BENCH, Lines, play};

    fn run_with(change: impl Fn(&str, &mut Lines) + 'static) -> Run {
        play(BENCH, change).1
    }

    fn without(node: &'static str, second: u64) -> Run {
        run_with(move |name, lines| lines.retain(|(at, _)| name != node || *at != second))
    }

    #[test]
    fn the_exit_code_says_what_came_of_the_run() {
        assert_eq!(judge(&run_with(|_, _| {}), || panic!("a run that holds is not repeated")), Exit::Held);
        let failed = without("hub", 2);
        assert_eq!(judge(&failed, || without("hub", 2).equals(&failed)), Exit::Failed);
        assert_eq!(judge(&failed, || without("phone-1", 2).equals(&failed)), Exit::Nondeterminism);
        let silent = play("tests/scenarios/idle.toml", |_, lines| lines.clear()).1;
        assert_eq!(judge(&silent, || panic!("a run that shows nothing is not repeated")), Exit::Nothing);
    }
}
