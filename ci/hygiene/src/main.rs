//! Runs the checks on this workspace. Exit code 1 when an invariant is broken, 2 when cargo cannot say.

use std::process::{Command, ExitCode};

fn main() -> ExitCode {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = match Command::new(cargo).args(["metadata", "--format-version", "1", "--locked"]).output() {
        Ok(output) if output.status.success() => output.stdout,
        Ok(output) => {
            eprint!("{}", String::from_utf8_lossy(&output.stderr));
            return ExitCode::from(2);
        }
        Err(error) => {
            eprintln!("hygiene: cargo metadata does not run: {error}");
            return ExitCode::from(2);
        }
    };
    match hygiene::check(&String::from_utf8_lossy(&output)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(faults) => {
            for fault in faults {
                eprintln!("hygiene: {fault}");
            }
            ExitCode::FAILURE
        }
    }
}
