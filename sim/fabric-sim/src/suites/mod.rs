//! Suites that are injected into nodes instead of the real one: a [`Tap`] lets oracles see what ciphers see, and a
//! [`ModelSuite`] costs next to nothing, and a [`Remembering`] one does no work twice. They live here, never in the core: the core exports no secret.

mod answers;
mod clear;
mod credit;
mod frames;
mod growth;
mod model;
mod remember;
mod tap;
mod turns;

pub(crate) use model::ModelSuite;
pub(crate) use remember::Remembering;
pub(crate) use tap::{Broken, Heard, Tap, node_of, start_label};
