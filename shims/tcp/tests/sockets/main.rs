//! The driver over real sockets on the loopback interface.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on fails")]

mod datagrams;
mod limits;
mod pipes;
mod scripted;
mod storage;
mod tampered;
mod toys_run;
mod toys_world;
