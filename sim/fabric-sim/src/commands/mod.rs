//! One module a command: each takes its arguments and says how the program ends.

mod check;
mod conform;
mod diff;
mod exhaust;
mod fork;
mod found;
mod guided;
mod list;
mod new;
mod replay;
mod replay_guest;
mod replay_log;
mod report;
mod run;
mod shrink;
mod slice;
mod start;
mod sweep;

use crate::cli::{Cli, Command, Exit};
use crate::scenario;
use crate::terminal::Terminal;
use clap::CommandFactory;

pub(crate) fn dispatch(cli: &Cli, terminal: &Terminal) -> Exit {
    let done = match &cli.command {
        Command::Run(args) => run::run(args, terminal),
        Command::Sweep(args) => sweep::sweep(args, terminal),
        Command::Merge(args) => sweep::merge(args, terminal),
        Command::Replay(args) => replay::replay(args, terminal),
        Command::Diff(args) => diff::diff(args, terminal),
        Command::Shrink(args) => shrink::shrink(args, terminal),
        Command::Slice(args) => slice::slice(args, terminal),
        Command::Fork(args) => fork::fork(args, terminal),
        Command::Exhaust(args) => exhaust::exhaust(args, terminal),
        Command::Conform(args) => conform::conform(args, terminal),
        Command::Report(args) => report::report(args, terminal),
        Command::Check(args) => check::check(args, terminal),
        Command::List { dir } => list::list(dir, terminal),
        Command::New { name } => new::new(name, terminal),
        Command::Schema => terminal.result(&format!("{:#}\n", scenario::schema())),
        Command::NodeProcess => return crate::worlds::real::node(),
        Command::JanitorProcess => return crate::worlds::real::janitor(),
        Command::Completions { shell } => completions(*shell, terminal),
    };
    done.err().unwrap_or(Exit::Held)
}

fn completions(shell: clap_complete::Shell, terminal: &Terminal) -> Result<(), Exit> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "fabric-sim", &mut script);
    terminal.result(&String::from_utf8_lossy(&script))
}
