//! Whole nodes among others.

#![cfg(test)]

mod announce;
mod calls;
mod net;
mod pairing;
mod secrets;
mod security_page;
mod services;
mod sessions;
mod trust;
mod upkeep;
