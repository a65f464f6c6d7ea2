//! Where a scenario runs. The same nodes play the same parts in each world.

mod given;
mod panics;
mod parts;
mod play;
#[cfg(target_os = "linux")]
pub(crate) mod real;
#[cfg(not(target_os = "linux"))]
#[path = "no_real.rs"]
pub(crate) mod real;
pub(crate) mod sim;
#[cfg(test)]
pub(crate) mod tamper;

use clap::ValueEnum;
use core::fmt;

pub(crate) use given::{Given, GuestFault};
pub(crate) use panics::{catch, install_hook, last_panic};
pub(crate) use parts::PORT;
#[cfg(test)]
pub(crate) use play::play;
pub(crate) use play::{SuiteKind, contender, nodes, play_with, simulate};

/// Where nodes live.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub(crate) enum World {
    /// The simulator, in virtual time
    Sim,
    /// The simulator, below TCP: real TCP/IP by smoltcp on simulated Ethernet
    Stack,
    /// Processes with real TCP and UDP on loopback, in real time
    Tcp,
    /// Virtual machines without an operating system, in real time
    Qemu,
}

impl World {
    /// Whether its time is virtual and its runs come out the same every time.
    pub(crate) const fn is_simulated(self) -> bool {
        matches!(self, Self::Sim | Self::Stack)
    }
}

impl fmt::Display for World {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Sim => "sim",
            Self::Stack => "stack",
            Self::Tcp => "tcp",
            Self::Qemu => "qemu",
        })
    }
}
