//! Gives any protocol that runs on [`sim`] a command of its own: run a seed, sweep many, make a failure small, replay it, and
//! see whether the protocol is deterministic.
//!
//! What is needed is a [`Workload`]: a world for each seed, and a judge. Threads, files and the terminal are here, so that
//! `sim` has none. The whole of it is in `examples/ping.rs`:
//!
//! ```no_run
//! # use sim::workload::Workload;
//! # fn main_of<W: Workload>(ping: fn(Option<&str>) -> W) -> std::process::ExitCode {
//! let lab = sim_lab::Lab {
//!     name: "ping",
//!     about: "Counts with a peer that says every number back",
//!     command: "cargo run --release -p dsoftbus-sim-lab --example ping --",
//!     plants: &[("any-answer", "takes any answer for the one that it waits for")],
//! };
//! sim_lab::main(&lab, ping)
//! # }
//! ```

mod case;
mod cli;
mod sweep;
mod tell;

pub use cli::Lab;

use case::{Written, write_whole};
use cli::{Cli, Command, DiffArgs, Exit, Format, ReplayArgs, RunArgs, ShrinkArgs};
use sim::Sink;
use sim::shrink::shrink;
use sim::workload::{Case, Extras, Outcome, Workload};
use std::cell::RefCell;
use std::fs::{self, File};
use std::io::{self, BufWriter, IsTerminal, Write};
use std::path::Path;
use std::process::ExitCode;
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Set by Ctrl-C: what is done until then is kept and told.
static INTERRUPTED: AtomicBool = AtomicBool::new(false);

pub(crate) fn is_interrupted() -> bool {
    INTERRUPTED.load(Ordering::Relaxed)
}

/// Does what the arguments of this process ask. `workload` makes the workload, with the bug of this name planted in it if
/// there is one; each thread makes its own.
pub fn main<W: Workload>(lab: &Lab, workload: impl Fn(Option<&str>) -> W + Sync) -> ExitCode {
    // A second one ends the program at once.
    let installed = ctrlc::set_handler(|| {
        if INTERRUPTED.swap(true, Ordering::Relaxed) {
            std::process::exit(i32::from(Exit::Interrupted as u8));
        }
    });
    if let Err(error) = installed {
        say(&format!("warning: Ctrl-C will not be noticed: {error}"));
    }
    // A panic is a broken promise, told with the run that it ended.
    std::panic::set_hook(Box::new(|_| {}));
    let cli = match cli::parse(lab, std::env::args_os()) {
        Ok(cli) => cli,
        Err(error) => {
            // What cannot be printed any more is nothing to complain about.
            let _ = error.print();
            return ExitCode::from(if error.use_stderr() { Exit::Usage } else { Exit::Held } as u8);
        }
    };
    let exit = Session { lab, plant: cli.plant.clone(), workload }.obey(&cli).unwrap_or_else(|exit| exit);
    ExitCode::from(exit as u8)
}

/// One start of the program.
struct Session<'a, F> {
    lab: &'a Lab,
    plant: Option<String>,
    workload: F,
}

impl<W: Workload, F: Fn(Option<&str>) -> W + Sync> Session<'_, F> {
    fn obey(&self, cli: &Cli) -> Result<Exit, Exit> {
        match &cli.command {
            Command::Run(args) => self.run(args),
            Command::Sweep(args) => sweep::sweep(args, &self.command(), || (self.workload)(self.plant.as_deref())),
            Command::Shrink(args) => self.shrink(args),
            Command::Replay(args) => self.replay(args),
            Command::Diff(args) => self.diff(args),
        }
    }

    /// What starts this program with the same bug, for commands to paste.
    fn command(&self) -> String {
        let plant = self.plant.as_ref().map(|plant| format!(" --plant {plant}")).unwrap_or_default();
        format!("{}{plant}", self.lab.command)
    }

    fn run(&self, args: &RunArgs) -> Result<Exit, Exit> {
        let workload = (self.workload)(self.plant.as_deref());
        let case = Case::of_seed(args.seed);
        let outcome = self.play(&workload, self.plant.as_deref(), &case, args.out.as_deref())?;
        match args.format {
            Format::Human => print(&tell::human(self.lab.name, args.seed, &outcome))?,
            Format::Json => print(&format!("{}\n", tell::json(self.lab.name, args.seed, &outcome)))?,
        }
        if case.run(&workload, Extras::default()).trace_hash != outcome.trace_hash {
            say("NOT DETERMINISTIC: a second run had another trace; `diff` shows where they part");
            return Ok(Exit::Nondeterminism);
        }
        if outcome.verdict.is_ok() {
            return Ok(Exit::Held);
        }
        say(&format!("\nrun it again   {} run --seed {}", self.command(), args.seed));
        say(&format!("make it small  {} shrink --seed {}", self.command(), args.seed));
        match &args.out {
            Some(dir) => say(&format!("look at it     fabric-sim report {}", dir.display())),
            None => say(&format!("look at it     {} run --seed {} --out DIR", self.command(), args.seed)),
        }
        Ok(Exit::Failed)
    }

    /// Runs a case; with `dir`, its trace, its result and, when it fails, the case itself go there.
    fn play(&self, workload: &W, plant: Option<&str>, case: &Case, dir: Option<&Path>) -> Result<Outcome, Exit> {
        let Some(dir) = dir else { return Ok(case.run(workload, Extras::default())) };
        let unwritten = |error: io::Error| {
            say(&format!("error: `{}` cannot be written to: {error}", dir.display()));
            Exit::Internal
        };
        fs::create_dir_all(dir).map_err(unwritten)?;
        let part = dir.join("trace.jsonl.part");
        let (sink, file) = sink(File::create(&part).map_err(unwritten)?);
        let outcome = case.run(workload, Extras { trace: Some(sink), ..Extras::default() });
        let written = file.borrow_mut().finish();
        written.and_then(|()| fs::rename(&part, dir.join("trace.jsonl"))).map_err(unwritten)?;
        let result = format!("{}\n", tell::json(self.lab.name, case.seed, &outcome));
        write_whole(&dir.join("result.json"), &result).map_err(unwritten)?;
        if let Some(written) = Written::of(self.lab, plant, case, &outcome) {
            written.write(&dir.join("failure.json")).map_err(unwritten)?;
        }
        Ok(outcome)
    }

    fn shrink(&self, args: &ShrinkArgs) -> Result<Exit, Exit> {
        let workload = (self.workload)(self.plant.as_deref());
        let start = Case::of_seed(args.seed);
        let Err(broken) = start.run(&workload, Extras::default()).verdict else {
            say(&format!("seed {} keeps every promise: there is nothing to make small", args.seed));
            return Ok(Exit::Nothing);
        };
        let (is_live, mut told) = (io::stderr().is_terminal(), 0);
        let mut goes = |runs: u64, best: &Case| {
            if is_live && runs >= told + 100 {
                told = runs;
                let left = |list: Option<usize>| list.map_or_else(|| "all".to_owned(), |count| count.to_string());
                let faults = left(best.faults.as_ref().map(Vec::len));
                let chance = left(best.misfortunes.as_ref().map(Vec::len));
                let _ =
                    write!(io::stderr().lock(), "\r\x1b[K{runs} runs, {faults} faults and {chance} misfortunes left\r");
            }
            runs < args.runs_max && !is_interrupted()
        };
        let shrunk = shrink(&workload, &start, &broken.check, &mut goes);
        let outcome = shrunk.case.run(&workload, Extras::default());
        let Some(written) = Written::of(self.lab, self.plant.as_deref(), &shrunk.case, &outcome) else {
            say("NOT DETERMINISTIC: the smallest failing run does not fail again; `diff` shows where two runs part");
            return Ok(Exit::Nondeterminism);
        };
        let (faults, befell) = (written.faults.as_deref(), written.misfortunes.as_deref());
        let mut text = format!("{}, seed {}: {}: {}\n\n", self.lab.name, args.seed, written.check, written.detail);
        text += &tell::misfortunes(&workload, &outcome.names, args.seed, faults, befell);
        print(&text)?;
        let (count, events) = (shrunk.runs, tell::grouped(outcome.events));
        let end = if shrunk.is_complete { "nothing of this can go" } else { "stopped early: more of this may go" };
        say(&format!("\n{end}; {events} events; {} runs", tell::grouped(count)));
        let file = format!("{}-{}-{}.json", self.lab.name, written.check, args.seed);
        let path = args.out.clone().unwrap_or_else(|| file.into());
        written.write(&path).map_err(|error| {
            say(&format!("error: `{}` cannot be written: {error}", path.display()));
            Exit::Internal
        })?;
        say(&format!("run it again   {} replay {}", self.lab.command, path.display()));
        Ok(if is_interrupted() { Exit::Interrupted } else { Exit::Failed })
    }

    fn replay(&self, args: &ReplayArgs) -> Result<Exit, Exit> {
        let usage = |why: String| {
            say(&format!("error: {why}"));
            Exit::Usage
        };
        let written = Written::read(self.lab, &args.file).map_err(usage)?;
        // What is said on the command line goes before what the file says: a fix is seen by leaving the bug out.
        let plant = self.plant.as_deref().or(written.plant.as_deref());
        let workload = (self.workload)(plant);
        let case = written.case(&workload).map_err(|why| usage(format!("`{}`: {why}", args.file.display())))?;
        let outcome = self.play(&workload, plant, &case, args.out.as_deref())?;
        let is_same_trace = format!("{:016x}", outcome.trace_hash) == written.trace_hash;
        let (answer, exit) = match &outcome.verdict {
            Err(broken) if broken.check == written.check && is_same_trace => ("same", Exit::Failed),
            Err(broken) if broken.check == written.check => ("same failure, after another run", Exit::Failed),
            Err(_) => ("moved", Exit::Failed),
            Ok(()) => ("gone", Exit::Held),
        };
        print(&format!("{answer}\n\n{}", tell::human(self.lab.name, case.seed, &outcome)))?;
        Ok(exit)
    }

    fn diff(&self, args: &DiffArgs) -> Result<Exit, Exit> {
        let workload = (self.workload)(self.plant.as_deref());
        let Some(found) = Case::of_seed(args.seed).difference(&workload) else {
            print(&format!("{}, seed {}: two runs are the same to the last event\n", self.lab.name, args.seed))?;
            return Ok(Exit::Held);
        };
        let line = |line: &Option<String>| line.clone().unwrap_or_else(|| "the run is over".to_owned());
        let [first, second] = &found.sides;
        let text = format!("{}, seed {}: two runs differ from event {}\n\n", self.lab.name, args.seed, found.event);
        let [before, first_line, second_line] = [&found.before, &first.line, &second.line].map(line);
        let lines = format!(
            "before  {before}
first   {first_line}
second  {second_line}
"
        );
        let states = states(first.state.as_deref(), second.state.as_deref());
        print(&(text + &lines + &states))?;
        Ok(Exit::Nondeterminism)
    }
}

/// Most lines of two states that are shown.
const STATE_LINES_MAX: usize = 20;

/// The lines in which two states differ, place by place.
fn states(first: Option<&str>, second: Option<&str>) -> String {
    let (Some(first), Some(second)) = (first, second) else { return String::new() };
    let differing: Vec<_> = first.lines().zip(second.lines()).filter(|(first, second)| first != second).collect();
    let shown = differing.iter().take(STATE_LINES_MAX);
    let mut text = format!("\nthe two states differ in {} lines\n", differing.len());
    text.extend(shown.map(|(first, second)| format!("  - {}\n  + {}\n", first.trim(), second.trim())));
    text
}

/// A trace on its way to a file. The first error is kept for the end.
struct Lines {
    file: BufWriter<File>,
    result: io::Result<()>,
}

impl Lines {
    fn finish(&mut self) -> io::Result<()> {
        core::mem::replace(&mut self.result, Ok(())).and_then(|()| self.file.flush())
    }
}

fn sink(file: File) -> (Sink, Rc<RefCell<Lines>>) {
    let lines = Rc::new(RefCell::new(Lines { file: BufWriter::new(file), result: Ok(()) }));
    let written = Rc::clone(&lines);
    let sink = move |line: &str| {
        let lines = &mut *written.borrow_mut();
        if lines.result.is_ok() {
            lines.result = writeln!(lines.file, "{line}");
        }
    };
    (Box::new(sink), lines)
}

/// For people. What nobody reads any more is lost, and nothing is wrong with that.
pub(crate) fn say(text: &str) {
    let _ = writeln!(io::stderr().lock(), "{text}");
}

/// A result. A closed pipe ends the output quietly; any other failure must not look like success.
pub(crate) fn print(text: &str) -> Result<(), Exit> {
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            say(&format!("error: the result cannot be written: {error}"));
            Err(Exit::Internal)
        }
        _ => Ok(()),
    }
}
