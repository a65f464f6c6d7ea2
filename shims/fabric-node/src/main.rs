//! A node of the device fabric as a program that people run: it finds other devices, serves them, and talks to them.
//!
//! [`cli`] says what can be asked and [`commands`] does it: each starts an [`app`], the machine that holds a
//! `fabric::Node` and the services [`app`] and [`files`] offer, and drives it over real sockets by `shim_tcp`.
//! [`identity`] and [`peer`] are who is who; [`event`] and [`output`] are what is told.

#[cfg(not(target_os = "linux"))]
compile_error!("fabric-node relies on Linux: its sockets, file locks and renames");

mod app;
mod cli;
mod commands;
mod event;
mod exit;
mod files;
mod identity;
mod output;
mod peer;
mod scratch;
mod whole_file;

use clap::Parser;
use cli::{Cli, Command, Format};
use exit::{Exit, Failure};
use std::process::ExitCode;

fn main() -> ExitCode {
    let Cli { command, format } = Cli::parse();
    match dispatch(&command, format) {
        Ok(()) => ExitCode::from(Exit::Done as u8),
        Err(failure) => {
            tell(&failure, format);
            ExitCode::from(failure.exit as u8)
        }
    }
}

fn dispatch(command: &Command, format: Format) -> Result<(), Failure> {
    match command {
        Command::Id(id) => commands::id::id(id, format),
        Command::Trust(trust) => commands::trust::trust(trust, format),
        Command::Run(args) => commands::run::run(args, format),
        Command::Discover(args) => commands::discover::discover(args, format),
        Command::Ping(args) => commands::errand::ping(args, format),
        Command::Send(args) => commands::errand::send(args, format),
        Command::Get(args) => commands::errand::get(args, format),
        Command::Pair(args) => commands::pair::pair(args, format),
        Command::Call(args) => commands::errand::call(args, format),
        Command::Doctor(args) => commands::doctor::doctor(args, format),
    }
}

/// People read why on stderr; a program that reads events gets it as the last of them.
fn tell(failure: &Failure, format: Format) {
    use std::io::Write;
    let _ = writeln!(std::io::stderr().lock(), "{failure}");
    if format == Format::Json {
        let Failure { exit, what, help } = failure.clone();
        let failed = event::Event::Failed { what, help, exit: exit as u8 };
        let _ = output::Output::new(format, output::Interest::Errand).event(&failed);
    }
}
