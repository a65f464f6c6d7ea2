//! The command line, the same for every workload, and what the exit codes mean.

use clap::{Args, CommandFactory, FromArgMatches, Parser, Subcommand, ValueEnum, builder::PossibleValuesParser};
use std::num::NonZeroUsize;
use std::path::PathBuf;

/// How the program ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Exit {
    Held = 0,
    Failed = 1,
    Usage = 2,
    Nothing = 3,
    Nondeterminism = 4,
    Internal = 70,
    Interrupted = 130,
}

const EXIT_CODES: &str = "\
Exit codes:
  0    every promise held
  1    a promise was broken
  2    the arguments or a file are wrong
  3    nothing ran that could have failed
  4    the same run came out differently: something is not deterministic
  70   a fault of the program itself, or of the computer
  130  interrupted; what was found until then is told";

/// What a workload says of itself.
#[derive(Clone, Copy, Debug)]
pub struct Lab {
    /// Its name: of its command, and in the files that it writes.
    pub name: &'static str,
    /// One line on what is tested.
    pub about: &'static str,
    /// What starts the program, for commands to paste: `cargo run --release --example ping --`.
    pub command: &'static str,
    /// Known bugs that can be planted, by name, with what each does: they show that the promises can be broken.
    pub plants: &'static [(&'static str, &'static str)],
}

#[derive(Debug, Parser)]
#[command(arg_required_else_help = true, after_help = EXIT_CODES)]
pub(crate) struct Cli {
    /// Plant a known bug, to see that it is found
    #[arg(long, global = true, value_name = "NAME")]
    pub(crate) plant: Option<String>,
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run one seed, twice, and judge it
    Run(RunArgs),
    /// Run many seeds on all cores
    Sweep(SweepArgs),
    /// Make a failing run as small as it gets, and keep it as a file
    Shrink(ShrinkArgs),
    /// Run a kept failure again: is it the same, another one, or gone?
    Replay(ReplayArgs),
    /// Run one seed against itself, event by event, and show the first that differs
    Diff(DiffArgs),
}

#[derive(Debug, Args)]
pub(crate) struct RunArgs {
    /// Decides everything
    #[arg(long, default_value_t = 1)]
    pub(crate) seed: u64,
    /// Write result, trace and failure to this folder: `fabric-sim report DIR` makes a page of it
    #[arg(long, value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,
    /// How to print the result
    #[arg(long, value_enum, default_value_t)]
    pub(crate) format: Format,
}

#[derive(Debug, Args)]
pub(crate) struct SweepArgs {
    /// From the first to just before the second
    #[arg(long, value_name = "FIRST..END", default_value = "0..1000", value_parser = seeds)]
    pub(crate) seeds: (u64, u64),
    /// How many runs at a time; one for each core unless said
    #[arg(long, value_name = "N")]
    pub(crate) jobs: Option<NonZeroUsize>,
    /// Stop after so many failures
    #[arg(long, value_name = "N")]
    pub(crate) until_failures: Option<NonZeroUsize>,
    /// How to print the result
    #[arg(long, value_enum, default_value_t)]
    pub(crate) format: Format,
}

#[derive(Debug, Args)]
pub(crate) struct ShrinkArgs {
    /// The seed that fails
    #[arg(long)]
    pub(crate) seed: u64,
    /// Where to keep the result; FILE is `NAME-CHECK-SEED.json` unless said
    #[arg(long, value_name = "FILE")]
    pub(crate) out: Option<PathBuf>,
    /// Stop after so many runs and keep the smallest so far
    #[arg(long, value_name = "N", default_value_t = 20_000)]
    pub(crate) runs_max: u64,
}

#[derive(Debug, Args)]
pub(crate) struct ReplayArgs {
    /// What `shrink` or `run --out` wrote
    pub(crate) file: PathBuf,
    /// As `run --out`
    #[arg(long, value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct DiffArgs {
    /// Decides everything, or should
    #[arg(long, default_value_t = 1)]
    pub(crate) seed: u64,
}

/// How a result is printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// For people
    #[default]
    Human,
    /// One JSON object
    Json,
}

fn seeds(text: &str) -> Result<(u64, u64), String> {
    let wrong = || format!("`{text}` is no range of seeds: write it as 0..1000");
    let (first, end) = text.split_once("..").ok_or_else(wrong)?;
    let seeds = (first.parse().map_err(|_| wrong())?, end.parse().map_err(|_| wrong())?);
    if seeds.0 < seeds.1 { Ok(seeds) } else { Err(format!("`{text}` has no seed: the end is not in the range")) }
}

/// Reads the arguments of this process for `lab`. The error is printed as clap would.
pub(crate) fn parse(lab: &Lab, arguments: impl IntoIterator<Item = std::ffi::OsString>) -> Result<Cli, clap::Error> {
    let plants = lab.plants.iter().map(|(name, what)| clap::builder::PossibleValue::new(name).help(what));
    let command = Cli::command()
        .name(lab.name)
        .bin_name(lab.command)
        .about(lab.about)
        .mut_arg("plant", |arg| arg.value_parser(PossibleValuesParser::new(plants)).hide(lab.plants.is_empty()));
    Cli::from_arg_matches(&command.try_get_matches_from(arguments)?)
}
