//! A device fabric as a sans-IO machine: discovery, Noise XK sessions bound to Ed25519 identities, multiplexed streams.
//!
//! Bytes, time, commands and a seed go in; bytes, deadlines and events come out. The crate owns no socket, clock, thread
//! or random source, so that one core runs in a simulator, over real sockets and on bare metal. The bytes are those of the
//! wire contract, `docs/wire.md`; section numbers in these docs are its.
//!
//! # Layers, each of which can be driven alone
//!
//! - [`Node`]: all of it, for one device: finds, dials, accepts, keeps sessions, and routes an application's streams.
//! - [`discovery`]: who is there: bounded announces and a bounded table of peers. A claim, never an authority.
//! - [`session`]: one authenticated connection over one pipe: handshake, identity proofs, sealed records.
//! - [`mux`]: many flow-controlled, prioritised message streams over one session.

#![no_std]

extern crate alloc;

mod config;
pub mod discovery;
mod durable;
mod event;
pub mod identity;
pub mod mux;
mod node;
mod policy;
pub mod probe;
pub mod session;
pub mod suite;
mod timer;
mod wire;

pub use config::{Announcing, Config, Limits};
pub use event::{CallError, CodeName, Command, Event, SessionEnd, SessionId, StreamKey};
pub use node::{Load, Node};
pub use policy::Policy;
