//! Suites that are injected into nodes instead of the real one: a [`Tap`] lets oracles see what ciphers see.
//! They live here, never in the core: the core exports no secret.

mod credit;
mod frames;
mod tap;

pub(crate) use tap::{Broken, Tap};
