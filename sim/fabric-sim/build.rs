//! Puts version and commit into the binary. Outside a checkout of this repository there is no commit, and that is fine.

use std::process::Command;

fn main() {
    let commit = commit().map(|commit| format!(" ({commit})")).unwrap_or_default();
    println!("cargo::rustc-env=FABRIC_SIM_BUILD={}{commit}", env!("CARGO_PKG_VERSION"));
    println!("cargo::rerun-if-changed=build.rs");
    // Written by every commit and checkout.
    if let Some(log) = git(&["rev-parse", "--git-path", "logs/HEAD"]).filter(|log| std::path::Path::new(log).exists()) {
        println!("cargo::rerun-if-changed={log}");
    }
}

fn commit() -> Option<String> {
    // An unpacked package may lie inside some other repository.
    git(&["ls-files", "--error-unmatch", "build.rs"])?;
    // How far git itself shortens an id depends on what else the repository holds.
    git(&["rev-parse", "HEAD"]).and_then(|id| id.get(..12).map(str::to_owned))
}

fn git(args: &[&str]) -> Option<String> {
    let output = Command::new("git").args(args).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    output.status.success().then(|| text.trim().to_owned()).filter(|text| !text.is_empty())
}
