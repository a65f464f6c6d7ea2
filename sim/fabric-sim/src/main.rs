//! The command `fabric-sim`: see the library for what it is made of.

use std::process::ExitCode;

fn main() -> ExitCode {
    fabric_sim::main()
}
