//! What a run in real time is given besides scenario and seed.

use super::SuiteKind;
use clap::ValueEnum;
use guest_contract::{ShimFault, TestFault};
use std::path::PathBuf;

/// All of it.
#[derive(Clone, Debug)]
pub(crate) struct Given {
    /// The cryptography of processes; virtual machines have the real one.
    pub(crate) suite: SuiteKind,
    /// The image of virtual machines; it is built where none is given.
    pub(crate) guest_image: Option<PathBuf>,
    /// Where virtual machines leave their serial logs and captures, if anywhere.
    pub(crate) out: Option<PathBuf>,
    /// Whether virtual machines write down all that their nodes are told.
    pub(crate) record: bool,
    /// What virtual machines are to do wrong.
    pub(crate) guest_fault: Option<GuestFault>,
}

/// What every machine's guest is to do wrong: for tests only.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum GuestFault {
    /// No node learns that a pipe is gone
    DropsCloses,
    /// Of two datagrams one is made
    MergesDatagrams,
    /// A pipe that was aborted looks finished
    CallsResetsClean,
    /// It recurses without end
    StackOverflow,
}

impl GuestFault {
    /// As a guest is told.
    pub(crate) const fn told(self) -> TestFault {
        match self {
            Self::DropsCloses => TestFault::Shim(ShimFault::DropsCloses),
            Self::MergesDatagrams => TestFault::Shim(ShimFault::MergesDatagrams),
            Self::CallsResetsClean => TestFault::Shim(ShimFault::CallsResetsClean),
            Self::StackOverflow => TestFault::StackOverflow,
        }
    }
}
