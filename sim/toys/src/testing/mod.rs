//! Means to test drivers with: a machine made [`Awkward`], and a machine or driver made faulty by a [`Tamper`].

mod awkward;
mod tamper;

pub use awkward::{Awkward, Habits};
pub use tamper::{Tamper, Tampered};
