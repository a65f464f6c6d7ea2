//! One node's part in a scenario: the same code in every world.
//!
//! An [`Actor`] is a machine that holds a fabric node and plays the application on it: it serves, dials, sends and reads
//! as its [`Part`] of the resolved scenario says, and tells what it sees as [`Observation`]s. A driver of any world runs it
//! like any other machine, so that what differs between worlds is never the application.

#![no_std]

extern crate alloc;

mod actor;
mod client;
mod content;
mod directory;
mod done;
mod observation;
mod part;
mod person;
mod remote;
mod server;

pub use actor::Actor;
pub use content::Content;
pub use directory::Directory;
pub use observation::{Observation, Subject, WorkSeen};
pub use part::{Act, Allow, Answer, Bytes32, Call, Deed, Expect, Mark, MarkKind, Part, Peer, Work};
pub use remote::CALL_WITHIN;
