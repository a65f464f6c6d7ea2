//! One module for each thing that can be asked.

mod ask;
pub(crate) mod discover;
pub(crate) mod doctor;
pub(crate) mod errand;
pub(crate) mod id;
mod interface;
pub(crate) mod pair;
pub(crate) mod run;
mod running;
pub(crate) mod trust;
