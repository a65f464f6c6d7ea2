//! What all targets share: whether their bugs are planted.

use std::sync::LazyLock;

/// Whether the environment says so: `ci/fuzz --planted`.
static IS_PLANTED: LazyLock<bool> = LazyLock::new(|| std::env::var_os("FUZZ_PLANTED").is_some());

/// Runs the target called `name`.
pub fn run(name: &str, data: &[u8]) {
    fuzz_targets::run(name, data, *IS_PLANTED);
}
