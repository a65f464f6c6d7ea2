//! Builds the guest with the toolchain that built this program.

use crate::Failure;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Builds the guest in `folder` (its package) for release: unoptimised cryptography would take minutes.
///
/// # Errors
/// What cargo said.
pub fn build_image(folder: &Path) -> Result<PathBuf, Failure> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let target = folder.join("target");
    let mut command = Command::new(cargo);
    // In its folder, so that its .cargo/config.toml counts; and whatever flags the caller's build has are not for it.
    command.current_dir(folder).args(["build", "--release", "--locked", "--quiet"]).env("CARGO_TARGET_DIR", &target);
    command.env_remove("RUSTFLAGS").env_remove("CARGO_ENCODED_RUSTFLAGS").env_remove("CARGO_BUILD_TARGET");
    let output = command.output().map_err(|error| Failure::harness(format!("cargo does not start: {error}")))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        return Err(Failure::harness(format!("the guest in {} does not build:\n{said}", folder.display())));
    }
    Ok(target.join("x86_64-unknown-linux-gnu/release/guest"))
}
