//! Where a scenario runs. The same nodes play the same parts in each world.

mod panics;
mod parts;
mod play;
pub(crate) mod sim;
#[cfg(test)]
pub(crate) mod tamper;

pub(crate) use panics::{catch, install_hook, last_panic};
pub(crate) use play::{SuiteKind, contender, play, play_with};
