//! Runs a scenario's nodes as virtual machines in QEMU, joined by the simulator's link model, and judges what they saw.
//!
//! ```text
//!   plan      what to run: parts, links, restarts, bounds
//!   qemu      finds QEMU and says how to start it; image finds and builds the guest
//!   vm        one virtual machine: its process, its serial line
//!   relay     a hub between the cards: the simulator's fates, on real frames
//!   run       from the first boot to the last exit
//!   replay    a machine's start done again to the byte, by QEMU's own log
//!   judge     what was seen against what had to be
//!   summary   the result as JSON
//! ```
//! Wall time and threads are allowed here: the same seed gives the same fates, but not the same run.

mod failure;
mod image;
mod judge;
mod plan;
mod qemu;
mod relay;
mod replay;
mod run;
mod summary;
mod vm;

pub use guest_contract::TestFault;

pub use failure::{Failure, Kind};
pub use image::{build_image, find_guest};
pub use judge::stable;
pub use plan::{Plan, Restart, When};
pub use qemu::{Launch, Log, check_qemu};
pub use relay::Counts;
pub use replay::{Replayed, replay};
pub use run::run_vms;
pub use summary::{NodeSummary, Outcome, Seen, Speed};
