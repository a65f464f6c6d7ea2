//! Whole nodes among others.

#![cfg(test)]

mod announce;
mod calls;
mod net;
mod pairing;
mod services;
mod sessions;
mod trust;
