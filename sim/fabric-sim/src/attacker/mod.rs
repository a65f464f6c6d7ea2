//! Those who do not keep to the rules: men in the middle, who own a link, and hostile peers, who own valid keys.
//!
//! A man in the middle is a [`sim::Tap`] ([`taps`]). A hostile peer is a machine ([`peer`]) that knows the session layer and
//! makes everything else by hand; it is a node of the scenario like any other ([`Player`]). Both complain when they get
//! further than anybody should, and say whether they have done all they came for. What the honest nodes make of them is for
//! the oracles to judge.

mod announces;
mod crowd;
mod frames;
mod kinds;
mod low_order;
mod peer;
mod player;
mod plays;
mod script;
mod taps;

pub(crate) use kinds::{Conduct, TapKind};
pub(crate) use player::{Inspect, Look, Player};
pub(crate) use taps::{Liar, Wiretaps, install};

#[cfg(test)]
mod tests;
