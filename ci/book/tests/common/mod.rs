//! Where the programs are.

use std::path::{Path, PathBuf};
use std::process::Command;

/// The checkout.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().expect("this package is in ci/")
}

/// Builds the programs as this test was built, and gives the folder that they are in.
pub(crate) fn built() -> PathBuf {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    // One command, so that all are built with the same features.
    let mut command = Command::new(cargo);
    command.current_dir(root()).args(["build", "--locked", "--quiet", "--bins", "--examples"]);
    command.args(["-p", "fabric-sim", "-p", "fabric-node", "-p", "dsoftbus-sim-lab"]);
    if !cfg!(debug_assertions) {
        command.arg("--release");
    }
    assert!(command.status().expect("cargo runs this test").success(), "{command:?} fails");
    let here = std::env::current_exe().unwrap();
    here.parent().and_then(Path::parent).expect("a test is in target/PROFILE/deps").to_owned()
}
