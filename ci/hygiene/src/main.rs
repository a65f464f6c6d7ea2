//! Runs the checks on this workspace. Exit code 1 when an invariant is broken, 2 when cargo cannot say.

use std::process::{Command, ExitCode};

fn main() -> ExitCode {
    let (all, guest) = match (metadata(&[]), metadata(&["--filter-platform", hygiene::GUEST_PLATFORM])) {
        (Ok(all), Ok(guest)) => (all, guest),
        (Err(error), _) | (_, Err(error)) => {
            eprintln!("hygiene: cargo metadata fails: {error}");
            return ExitCode::from(2);
        }
    };
    match hygiene::check(&all, &guest) {
        Ok(()) => ExitCode::SUCCESS,
        Err(faults) => {
            for fault in faults {
                eprintln!("hygiene: {fault}");
            }
            ExitCode::FAILURE
        }
    }
}

fn metadata(arguments: &[&str]) -> Result<String, String> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command.args(["metadata", "--format-version", "1", "--locked"]).args(arguments);
    let output = command.output().map_err(|error| error.to_string())?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into_owned());
    }
    String::from_utf8(output.stdout).map_err(|error| error.to_string())
}
