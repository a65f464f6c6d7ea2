//! Runs the device fabric in a seeded, simulated world: one seed, one trace.
//!
//! [`scenario`] turns files into plain data, [`worlds`] runs that data, [`oracles`] judges what applications saw,
//! [`report`] says what came of it, and [`commands`] ties these together for the command line ([`cli`]).

mod attacker;
mod capsule;
mod capture;
mod cli;
mod commands;
mod conform;
mod exhaust;
mod explore;
mod fork;
mod nemesis;
mod oracles;
mod page;
mod replay;
mod report;
mod scenario;
mod shrink;
mod slice;
mod stack;
mod suites;
mod sweep;
mod terminal;
mod worlds;

use clap::Parser;
use cli::{Cli, Exit};
use std::process::ExitCode;
use terminal::Terminal;

fn main() -> ExitCode {
    worlds::install_hook();
    let cli = Cli::parse();
    let terminal = Terminal::detect();
    let exit = std::panic::catch_unwind(|| commands::dispatch(&cli, &terminal)).unwrap_or_else(|_| {
        let said = worlds::last_panic().unwrap_or_default();
        terminal.say(&format!("fabric-sim: a fault of its own, please report it: {said}"));
        Exit::Internal
    });
    ExitCode::from(exit as u8)
}
