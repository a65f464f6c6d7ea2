//! Checks who may depend on whom, and what a `no_std` crate may pull in.

fn main() {}
