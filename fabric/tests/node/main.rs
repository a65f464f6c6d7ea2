//! Whole nodes among others.

#![cfg(test)]

mod announce;
mod net;
mod sessions;
