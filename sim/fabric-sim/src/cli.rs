//! The command line: what can be asked, and what the exit codes mean.

use clap::{Args, Parser, Subcommand, ValueEnum};
use std::path::PathBuf;

/// How the program ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Exit {
    /// Every check held.
    Held = 0,
    /// A check failed.
    Failed = 1,
    /// The arguments or the scenario are wrong.
    Usage = 2,
    /// Nothing ran that a check could have failed on.
    Nothing = 3,
    /// The same run came out differently.
    Nondeterminism = 4,
    /// A fault of the program or the computer, not of what it tests.
    Internal = 70,
}

const EXIT_CODES: &str = "\
Exit codes:
  0    every check held
  1    a check failed
  2    the arguments or the scenario are wrong
  3    nothing ran that a check could have failed on
  4    the same run came out differently: something is not deterministic
  70   a fault of fabric-sim itself, or of the computer
  130  interrupted";

/// Version and, where it was known at build time, commit.
pub(crate) const BUILD: &str = env!("FABRIC_SIM_BUILD");

/// Runs the device fabric in a simulated world. One seed decides everything: the same build, scenario and seed give the
/// same trace on every machine.
#[derive(Debug, Parser)]
#[command(name = "fabric-sim", version = BUILD, arg_required_else_help = true, after_help = format!("\
Examples:
  fabric-sim run scenarios/flaky-hub.toml --seed 1
  fabric-sim check scenarios/*.toml
  fabric-sim new my-scenario

{EXIT_CODES}"))]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run a scenario under one seed and judge it
    #[command(after_help = format!("\
Examples:
  fabric-sim run scenarios/flaky-hub.toml --seed 1
  fabric-sim run scenarios/flaky-hub.toml --set links.default.loss=5% --set nodes.phone.count=4
  fabric-sim run scenarios/flaky-hub.toml --set 'links.\"hub <-> phone-2\".rate=\"1Mbit/s\"'
  fabric-sim run scenarios/flaky-hub.toml --seed 7 --format json | jq .verdict
  fabric-sim run scenarios/flaky-hub.toml --seed 7 --trace trace.jsonl

A run that fails is run a second time; if that comes out differently, the exit code is 4.

{EXIT_CODES}"))]
    Run(RunArgs),
    /// Check scenario files without running them
    #[command(after_help = format!("\
Examples:
  fabric-sim check scenarios/*.toml
  fabric-sim check my-scenario.toml --set stop_at=5s

{EXIT_CODES}"))]
    Check(CheckArgs),
    /// List the scenarios in a directory and below
    #[command(after_help = format!("\
Examples:
  fabric-sim list
  fabric-sim list scenarios/regressions

{EXIT_CODES}"))]
    List {
        /// Where to look
        #[arg(default_value = "scenarios")]
        dir: PathBuf,
    },
    /// Write a scenario to start from; never overwrites a file
    #[command(after_help = format!("\
Examples:
  fabric-sim new my-scenario          writes scenarios/my-scenario.toml, or my-scenario.toml without that directory
  fabric-sim new tests/my-case.toml   writes that file

{EXIT_CODES}"))]
    New {
        /// A name, or a file that ends in .toml
        name: String,
    },
    /// Print the JSON Schema of scenario files, for editors
    #[command(after_help = format!("\
Examples:
  fabric-sim schema > scenarios/schema.json

With the Even Better TOML extension, a scenario that begins with this line is checked as you type:
  #:schema schema.json

{EXIT_CODES}"))]
    Schema,
    /// Print completions for a shell
    #[command(after_help = format!("\
Examples:
  fabric-sim completions bash > ~/.local/share/bash-completion/completions/fabric-sim
  fabric-sim completions zsh > ~/.zfunc/_fabric-sim
  fabric-sim completions fish > ~/.config/fish/completions/fabric-sim.fish

{EXIT_CODES}"))]
    Completions {
        /// Which shell
        shell: clap_complete::Shell,
    },
}

#[derive(Debug, Args)]
pub(crate) struct RunArgs {
    /// The scenario file
    pub(crate) scenario: PathBuf,
    /// Decides everything that is left to chance; decimal or 0x...
    #[arg(long, default_value = "1", value_parser = seed)]
    pub(crate) seed: u64,
    /// Override a value of the scenario; may be repeated
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub(crate) overrides: Vec<String>,
    /// What to print: a summary to stderr, or one JSON object to stdout
    #[arg(long, value_enum, default_value_t = Format::Human)]
    pub(crate) format: Format,
    /// Write every event to this file, a JSON object a line
    #[arg(long, value_name = "FILE")]
    pub(crate) trace: Option<PathBuf>,
    /// Write result.json and trace.jsonl to this directory
    #[arg(long, value_name = "DIR", conflicts_with = "trace")]
    pub(crate) out: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct CheckArgs {
    /// The scenario files
    #[arg(required = true, value_name = "FILE")]
    pub(crate) files: Vec<PathBuf>,
    /// Override a value of every one; may be repeated
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub(crate) overrides: Vec<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    Human,
    Json,
}

fn seed(text: &str) -> Result<u64, String> {
    let parsed = match text.strip_prefix("0x") {
        Some(digits) => u64::from_str_radix(digits, 16),
        None => text.parse(),
    };
    parsed.map_err(|_| "a seed is a number from 0 to 18446744073709551615, or 0x and hex digits".into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_sound() {
        Cli::command().debug_assert();
        assert_eq!((seed("0xff"), seed("255")), (Ok(255), Ok(255)));
        assert!(seed("-1").is_err() && seed("").is_err() && seed("0x").is_err());
    }
}
