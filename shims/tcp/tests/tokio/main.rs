//! Endpoints over real sockets on the loopback interface.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod cancelling;
mod ends;
mod messages;
mod runtimes;
mod sessions;
mod storage;
mod support;
mod transfers;
mod wakeups;
