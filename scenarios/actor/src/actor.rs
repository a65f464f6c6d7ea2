//! The application that plays a part.

use crate::{Observation, Part};
use core::convert::Infallible;
use machine::{Boot, Input, Instant, Machine, Output, PipeId};

/// A fabric node together with the application that plays one part of a scenario on it.
#[derive(Debug)]
pub struct Actor {
    part: Part,
}

impl Actor {
    /// Starts the node and its application.
    pub fn new(_boot: Boot, part: Part) -> Self {
        Self { part }
    }

    /// The part it plays.
    pub const fn part(&self) -> &Part {
        &self.part
    }
}

impl Machine for Actor {
    type Command = Infallible;
    type Event = Observation;

    fn handle(&mut self, _now: Instant, _input: Input<'_, Infallible>) {}

    fn poll(&mut self) -> Option<Output<'_, Observation>> {
        None
    }

    fn fill(&mut self, _pipe: PipeId, _room: &mut [u8]) -> usize {
        0
    }

    fn next_timeout(&self) -> Option<Instant> {
        None
    }
}
