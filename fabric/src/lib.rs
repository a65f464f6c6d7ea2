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
//! - [`call`]: remote calls over a node's streams: who may call what, deadlines, bounds, an audit of each decision.
//! - [`pairing`]: two people compare six digits. [`trust`]: whom this device trusts since, over restarts.
//! - [`mux`]: many flow-controlled, prioritised message streams over one session.

#![no_std]

extern crate alloc;

pub mod call;
mod config;
mod constant_time;
mod counters;
pub mod discovery;
mod durable;
mod event;
pub mod identity;
pub mod mux;
mod node;
pub mod pairing;
mod policy;
pub mod probe;
pub mod services;
pub mod session;
pub mod suite;
mod timer;
pub mod trust;
mod wire;

pub use config::{Admitting, Announcing, Config, Limits};
pub use counters::{Count, Counters};
pub use event::{CallError, CodeName, Command, Event, SessionEnd, SessionId, StreamKey};
pub use node::{DialUnderWay, Load, Node, Older};
pub use policy::{Groups, Policy, Rule, UnknownGroup, Who};
