//! Finds the guest's source, and builds it with the toolchain that is there.

use crate::Failure;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The guest's package in a checkout.
const GUEST: &str = "qemu-harness/guest";

/// The guest's package in the checkout that the current folder is in.
///
/// # Errors
/// That this is no checkout, and what to do.
pub fn find_guest() -> Result<PathBuf, Failure> {
    let here = std::env::current_dir();
    above(&here.map_err(|error| Failure::harness(format!("there is no current folder: {error}")))?)
}

/// The nearest one, from `folder` up.
fn above(folder: &Path) -> Result<PathBuf, Failure> {
    let mut guests = folder.ancestors().map(|folder| folder.join(GUEST));
    guests.find(|guest| guest.join("Cargo.toml").is_file()).ok_or_else(|| {
        Failure::harness(format!(
            "the guest's source, `{GUEST}`, is neither in `{}` nor in a folder above it: start this inside a checkout, or \
             name a built image with --guest-image",
            folder.display()
        ))
    })
}

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_guest_is_found_from_any_folder_of_the_checkout() {
        let package = Path::new(env!("CARGO_MANIFEST_DIR"));
        let guest = package.parent().unwrap().join("guest");
        for folder in [package.ancestors().nth(2).unwrap(), package, &package.join("src/judge")] {
            assert_eq!(above(folder), Ok(guest.clone()));
        }
    }

    #[test]
    fn outside_a_checkout_it_is_said_what_was_looked_for_and_where() {
        let failure = above(Path::new("/no/checkout")).unwrap_err();
        assert_eq!(failure.kind, crate::Kind::Harness);
        for words in ["`qemu-harness/guest`", "`/no/checkout`", "--guest-image"] {
            assert!(failure.detail.contains(words), "{failure}");
        }
    }
}
