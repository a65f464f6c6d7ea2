//! Records all that a fabric node is told, and replays it to the byte: a bug seen in the field becomes a test.
//!
//! A [`Recorded`] is a [`fabric::Node`] and, where a [`Log`] is given, a line for each call that changes it: its boot, each
//! input with its time, what the application asked, and a digest of what came out. [`replay`] makes the same calls of a node
//! of its own and compares the digests. It knows no socket and no application: bytes that the application wrote are in the
//! log, so a log is as confidential as what was said.
//!
//! # What secrets are in a log
//!
//! None that outlives its sessions. The device's own secrets are not: where the node's cryptography uses them, or an
//! ephemeral key, the log holds the result, and a replay takes it from there. The boot's seed is in the log, and what is drawn
//! from it is no key: while a log is written, each ephemeral secret is mixed with a key that never leaves the process. So
//! whoever has the log can read the sessions that are in it, and no others, whatever else they learn.

mod line;
mod log;
mod recorded;
mod replay;
mod settings;
mod suite;
mod text;

pub use line::MAGIC;
pub use log::Log;
pub use recorded::Recorded;
pub use replay::{Replayed, Stopped, replay};
pub use settings::{Allow, Settings};
