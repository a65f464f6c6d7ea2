//! The built program as people use it: real processes on the loopback interface.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on fails")]

mod disasters;
mod ending;
mod files;
mod floods;
mod handshakes;
mod harness;
mod identity;
mod pairing;
mod proxy;
mod recording;
mod refusals;
mod talking;
mod trusting;
