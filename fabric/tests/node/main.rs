//! Whole nodes among others.

#![cfg(test)]

mod announce;
mod calls;
mod net;
mod services;
mod sessions;
