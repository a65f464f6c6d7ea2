//! What the fuzz targets do with the bytes that they are given: all that reads what strangers, peers or other people's files
//! say, each with the promise that it is held to. A broken promise is a panic.
//!
//! cargo-fuzz builds each of them for libFuzzer (`fabric/fuzz`, `ci/fuzz`); the tests of this crate run them over the
//! committed corpora. A target can be run with a bug planted in it, to see that its promise can fail at all.

#![allow(clippy::panic, reason = "a broken promise is a panic: a fuzzer sees nothing else")]

mod announces;
mod choices;
mod facade;
mod files;
mod frames;
mod handshake;
mod keys;
mod mux;
mod records;
mod splits;

/// A target: its name, and its body, which is told whether its bug is planted.
pub type Target = (&'static str, fn(&[u8], bool));

/// All of them.
pub const TARGETS: &[Target] = &[
    ("announces", announces::run),
    ("handshake", handshake::run),
    ("records", records::run),
    ("mux", mux::run),
    ("splits", splits::run),
    ("facade", facade::run),
    ("scenario", files::scenario),
    ("capsule", files::capsule),
    ("node_log", files::node_log),
];

/// Runs the target called `name`; `is_planted` puts its bug in.
///
/// # Panics
/// When a promise is broken, and when no target has this name.
pub fn run(name: &str, data: &[u8], is_planted: bool) {
    let target = TARGETS.iter().find(|(known, _)| *known == name);
    let (_, body) = target.unwrap_or_else(|| panic!("there is no target called {name}"));
    body(data, is_planted);
}
