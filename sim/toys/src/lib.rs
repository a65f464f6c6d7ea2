//! Two toy protocols that run unchanged on every driver, and what a driver is judged by with them.
//!
//! - [`stop_wait`] sends messages over datagrams that may be lost, doubled, reordered, cut and corrupted.
//! - [`echo`] sends requests over pipes to a server that stores a counter before it answers.
//! - [`oracle`] states the promises of both as checks over their events; it knows no driver.
//! - [`testing`] makes any machine as awkward to drive as the contract allows, and plants faults.

#![no_std]

extern crate alloc;

pub mod echo;
pub mod oracle;
pub mod outbox;
pub mod stop_wait;
pub mod testing;
pub mod wire;
