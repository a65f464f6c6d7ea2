//! One session over one pipe, seen from its two ends: `receive` and `fill`.

#![cfg(test)]

mod golden;
mod handshake;
mod records;
mod splits;
mod support;
