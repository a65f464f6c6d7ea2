//! Where a scenario runs. The same nodes play the same parts in each world.

mod panics;
mod parts;
mod play;
pub(crate) mod sim;

pub(crate) use panics::{catch, install_hook, last_panic};
pub(crate) use play::{SuiteKind, play};
