//! Runs the built program as a user does.

use std::path::PathBuf;
use std::process::{Command, Output};

/// What one run of the program left behind.
#[derive(Debug)]
pub(crate) struct Ran {
    /// Its exit code; `None` when a signal ended it.
    pub(crate) code: Option<i32>,
    /// Its results.
    pub(crate) stdout: String,
    /// What it said to people.
    pub(crate) stderr: String,
}

/// The program with these arguments, in the package's directory, as in a pipe of 100 columns.
pub(crate) fn command(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_fabric-sim"));
    command.args(args).env("COLUMNS", "100").env_remove("CARGO").env_remove("NO_COLOR");
    command
}

/// Runs the program with these arguments.
#[allow(dead_code, reason = "each test binary uses its own part")]
pub(crate) fn fabric_sim(args: &[&str]) -> Ran {
    ran(&mut command(args))
}

/// Runs the command.
#[allow(dead_code, reason = "each test binary uses its own part")]
pub(crate) fn ran(command: &mut Command) -> Ran {
    let Output { status, stdout, stderr } = command.output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Ran { code: status.code(), stdout: text(stdout), stderr: text(stderr) }
}

/// An empty directory of this name, for one test.
#[allow(dead_code, reason = "each test binary uses its own part")]
pub(crate) fn empty_dir(name: &str) -> PathBuf {
    let dir = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
    let _ = std::fs::remove_dir_all(&dir);
    std::fs::create_dir_all(&dir).unwrap();
    dir
}
