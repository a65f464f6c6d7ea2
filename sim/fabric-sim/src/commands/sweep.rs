//! `sweep`: one scenario, many seeds; and `merge`: the results of several sweeps as one.

use super::guided::guided;
use crate::cli::{BUILD, Exit, MergeArgs, SweepArgs, SweepFormat};
use crate::nemesis::{self, Mode};
use crate::report::sweep::{self as report, About};
use crate::scenario::{self, Loaded};
use crate::sweep::{self, Bounds, Ended, Header, Journal, Line, Plan, Shard, Shards, Stopped, Stopwatch, Tally};
use crate::terminal::Terminal;
use crate::worlds::World;
use std::num::NonZeroUsize;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

/// Set by Ctrl-C and by a request to end.
pub(super) static INTERRUPTED: AtomicBool = AtomicBool::new(false);

pub(super) const RESULTS: &str = "results.jsonl";
const JOURNAL: &str = "journal";

pub(super) fn sweep(args: &SweepArgs, terminal: &Terminal) -> Result<(), Exit> {
    let open = scenario::open(&args.scenario, &args.overrides);
    let loaded =
        open.and_then(|loaded| nemesis::check(&loaded, mode(args, &loaded)).map(|()| loaded)).map_err(|invalid| {
            terminal.say(invalid.render(terminal.style()).trim_end());
            Exit::Usage
        })?;
    refuse_what_lacks(args, &loaded).map_err(|error| usage(terminal, &error))?;
    let about = about(args, &loaded);
    let plan = plan(args, &loaded).map_err(|error| usage(terminal, &error))?;
    if args.guided {
        say_head(&about, &plan, 0, terminal);
        listen(terminal)?;
        return guided(args, &about, &plan, terminal);
    }
    let (mut journal, known) = match &args.out {
        Some(dir) => open_journal(dir, &about.header).map_err(|error| usage(terminal, &error))?,
        None => (None, Vec::new()),
    };
    say_head(&about, &plan, known.len(), terminal);
    listen(terminal)?;
    let watch = Stopwatch::start();
    let mut told = |line: &Line| terminal.say(&report::failure(line, terminal));
    let (tally, ended) = sweep::run(&plan, plan.bounds, known, journal.as_mut(), &INTERRUPTED, terminal, &mut told)
        .map_err(|stopped| stop(stopped, terminal))?;
    let is_complete = ended == Ended::Complete;
    if let Some(dir) = args.out.as_deref().filter(|_| is_complete) {
        write(&dir.join(RESULTS), &about.header, &tally, terminal)?;
    }
    show(&about, &tally, args.format, is_complete, Some(watch.millis()), terminal)?;
    if !is_complete {
        terminal.say(how_to_go_on(args.out.is_some()));
        return Err(Exit::Interrupted);
    }
    finish(tally.exit(about.wanted()))
}

pub(super) fn merge(args: &MergeArgs, terminal: &Terminal) -> Result<(), Exit> {
    let (mut tally, mut header, mut shards): (Tally, Option<Header>, Vec<Shards>) = Default::default();
    for file in &args.files {
        let (found, lines) = sweep::read(file).map_err(|error| usage(terminal, &error))?;
        shards.push(found.shards.clone());
        let known = header.get_or_insert_with(|| found.clone());
        if !known.is_of_one_sweep_with(&found) {
            let shown = file.display();
            return Err(usage(
                terminal,
                &format!("`{shown}` is of another scenario, build, suite or world than the files before it"),
            ));
        }
        // One of them for all, and the same one in whatever order they come.
        if (&found.path, &found.overrides) < (&known.path, &known.overrides) {
            *known = found;
        }
        for line in lines {
            tally.add(line);
        }
    }
    let Some(header) = header else { return Err(Exit::Usage) };
    let (shards, missing) = Shards::together(shards);
    if let Some(missing) = missing.as_ref().filter(|_| !args.partial) {
        let error = format!("missing shards: {missing}; merge them too, or what is there with --partial");
        return Err(usage(terminal, &error));
    }
    let is_complete = missing.is_none();
    let about = About { header: Header { shards, ..header }, missing };
    if let Some(out) = &args.out {
        write(out, &about.header, &tally, terminal)?;
    }
    show(&about, &tally, args.format, is_complete, None, terminal)?;
    finish(tally.exit(about.wanted()))
}

/// What is said of a search that was interrupted.
pub(super) const fn how_to_go_on(is_kept: bool) -> &'static str {
    if is_kept {
        "interrupted: the same command goes on from here"
    } else {
        "interrupted: with --out DIR it could go on from here"
    }
}

pub(super) fn finish(exit: Exit) -> Result<(), Exit> {
    if exit == Exit::Held { Ok(()) } else { Err(exit) }
}

pub(super) fn usage(terminal: &Terminal, error: &str) -> Exit {
    terminal.say(&format!("error: {error}"));
    Exit::Usage
}

pub(super) fn stop(stopped: Stopped, terminal: &Terminal) -> Exit {
    match stopped {
        Stopped::Refused(why) => usage(terminal, &format!("[swarm] draws values that do not fit together: {why}")),
        Stopped::Internal(why) => {
            terminal.say(&format!("fabric-sim: a fault of its own, please report it: {why}"));
            Exit::Internal
        }
    }
}

fn about(args: &SweepArgs, loaded: &Loaded) -> About {
    let header = Header {
        schema: 1,
        scenario: loaded.scenario.name.clone(),
        scenario_hash: loaded.scenario.hash(),
        path: args.scenario.display().to_string(),
        overrides: args.overrides.clone(),
        build: BUILD.to_owned(),
        suite: args.suite.to_string(),
        world: args.world.to_string(),
        sometimes: loaded.scenario.checks.sometimes.clone(),
        shards: Shards::one(args.shard.unwrap_or(Shard::WHOLE)),
    };
    About { header, missing: None }
}

fn refuse_what_lacks(args: &SweepArgs, loaded: &Loaded) -> Result<(), String> {
    let is_asked = [
        (!args.world.is_simulated(), "seeds mean nothing to it"),
        (args.world != World::Sim && args.nemesis.is_some(), "it has no `--nemesis`"),
    ];
    let lack = is_asked.into_iter().find_map(|(is_asked, why)| is_asked.then(|| why.to_owned()));
    match lack.or_else(|| scenario::lacks(args.world, &loaded.scenario)) {
        None => Ok(()),
        Some(lack) => Err(format!("the world `{}` cannot sweep this: {lack}", args.world)),
    }
}

fn mode(args: &SweepArgs, loaded: &Loaded) -> Mode {
    Mode { swarm: !args.no_swarm && !loaded.scenario.swarm.is_empty(), nemesis: args.nemesis }
}

fn plan<'a>(args: &SweepArgs, loaded: &'a Loaded) -> Result<Plan<'a>, String> {
    let shard = args.shard.unwrap_or(Shard::WHOLE);
    let mut regressions = sweep::regressions(&args.scenario, &loaded.scenario.name)?;
    // They failed in the simulator, and in another world their seeds are others like any.
    regressions.retain(|task| args.world == World::Sim && task.seed % shard.of == shard.rest);
    let all = if args.time.is_some() { (0, u64::MAX) } else { (0, 1_000) };
    Ok(Plan {
        loaded,
        suite: args.suite,
        world: args.world,
        mode: mode(args, loaded),
        once: args.once,
        regressions,
        seeds: args.seeds.unwrap_or(all),
        shard,
        bounds: Bounds {
            jobs: jobs(args.jobs),
            millis_max: args.time.map(|time| time.0 / 1_000_000),
            failures_max: args.until_failures.map(core::num::NonZeroU64::get),
            is_quiet: false,
        },
    })
}

/// As many as there are cores unless said.
pub(super) fn jobs(asked: Option<NonZeroUsize>) -> usize {
    asked.or_else(|| std::thread::available_parallelism().ok()).map_or(1, NonZeroUsize::get)
}

/// Makes the directory of a journal; gives the digest of the program, to which a journal belongs.
pub(super) fn prepare_journal(dir: &Path) -> Result<String, String> {
    std::fs::create_dir_all(dir).map_err(|error| format!("`{}` cannot be made: {error}", dir.display()))?;
    sweep::program().map_err(|error| format!("this program cannot be read: {error}"))
}

pub(super) fn open_journal(dir: &Path, header: &Header) -> Result<(Option<Journal>, Vec<Line>), String> {
    let program = prepare_journal(dir)?;
    let (journal, lines) = Journal::open(&dir.join(JOURNAL), header, &program)?;
    Ok((Some(journal), lines))
}

fn say_head(about: &About, plan: &Plan<'_>, known: usize, terminal: &Terminal) {
    let header = &about.header;
    terminal.say(&format!("scenario  {}  {}", header.scenario, header.scenario_hash));
    let (from, until) = plan.seeds;
    let seeds = if until == u64::MAX { format!("{from}..") } else { format!("{from}..{until}") };
    let shard = if plan.shard == Shard::WHOLE { String::new() } else { format!(", shard {}", plan.shard) };
    let place = if plan.world == World::Sim { String::new() } else { format!(", world {}", plan.world) };
    let (mode, suite, jobs) = (plan.mode, plan.suite, plan.bounds.jobs);
    terminal.say(&format!("seeds     {seeds}, {mode}{shard}, {suite} suite{place}, {jobs} jobs"));
    terminal.say(&format!("build     {}", header.build));
    if known > 0 {
        terminal.say(&format!("resumed   {known} runs are there already"));
    }
}

/// The first request to end lets what is running finish; the second one does not wait.
pub(super) fn listen(terminal: &Terminal) -> Result<(), Exit> {
    let heard = ctrlc::set_handler(|| {
        if INTERRUPTED.swap(true, Ordering::Relaxed) {
            std::process::exit(i32::from(Exit::Interrupted as u8));
        }
    });
    heard.map_err(|error| {
        terminal.say(&format!("error: Ctrl-C cannot be listened to: {error}"));
        Exit::Internal
    })
}

pub(super) fn write(path: &Path, header: &Header, tally: &Tally, terminal: &Terminal) -> Result<(), Exit> {
    sweep::write(path, header, &tally.lines()).map_err(|error| {
        terminal.say(&format!("error: `{}` cannot be written: {error}", path.display()));
        Exit::Internal
    })
}

fn show(
    about: &About,
    tally: &Tally,
    format: SweepFormat,
    is_complete: bool,
    millis: Option<u64>,
    terminal: &Terminal,
) -> Result<(), Exit> {
    match format {
        SweepFormat::Human => {}
        SweepFormat::Json => terminal.result(&format!("{:#}\n", report::json(about, tally, is_complete)))?,
        SweepFormat::Junit => terminal.result(&report::junit(about, tally))?,
        SweepFormat::Github => terminal.result(&report::github(about, tally))?,
    }
    terminal.say(&report::summary(about, tally, millis, terminal));
    Ok(())
}
