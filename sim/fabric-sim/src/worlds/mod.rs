//! Where a scenario runs. The same nodes play the same parts in each world.

mod panics;
mod parts;
pub(crate) mod sim;

pub(crate) use panics::{install_hook, last_panic};
