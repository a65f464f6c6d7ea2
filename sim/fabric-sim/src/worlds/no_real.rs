//! Stands in for the worlds in real time where their drivers do not run.

use super::sim::Run;
use super::{Given, World};
use crate::cli::Exit;
use crate::oracles::Seen;
use crate::scenario::Scenario;
use std::path::Path;
use std::rc::Rc;

pub(crate) const NODES_MAX: u32 = 15;
pub(crate) const VMS_MAX: usize = 8;

/// What lacks here.
pub(crate) fn missing(world: World, _: Option<&Path>) -> Option<String> {
    (!world.is_simulated()).then(|| "it needs Linux".to_owned())
}

/// Runs nothing.
pub(crate) fn run(
    world: World,
    _: &Rc<Scenario>,
    _: u64,
    _: &Given,
    _: impl Fn(&[Seen]) -> bool,
) -> Result<Run, String> {
    Err(format!("the world `{world}` needs Linux"))
}

pub(crate) fn node() -> Exit {
    Exit::Internal
}

pub(crate) fn janitor() -> Exit {
    Exit::Internal
}
