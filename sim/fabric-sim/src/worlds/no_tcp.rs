//! Stands in for the real world where its driver does not run.

use super::SuiteKind;
use super::sim::Run;
use crate::cli::Exit;
use crate::oracles::Seen;
use crate::scenario::Scenario;
use std::rc::Rc;

pub(crate) const NODES_MAX: u32 = 15;

/// Runs nothing.
pub(crate) fn run(_: &Rc<Scenario>, _: u64, _: SuiteKind, _: impl Fn(&[Seen]) -> bool) -> Result<Run, String> {
    Err("the world `tcp` needs Linux".into())
}

pub(crate) fn node() -> Exit {
    Exit::Internal
}

pub(crate) fn janitor() -> Exit {
    Exit::Internal
}
