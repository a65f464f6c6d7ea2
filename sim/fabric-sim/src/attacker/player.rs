//! Who plays a node: an honest actor or a hostile peer; and how onlookers look into either.

use super::peer::HostilePeer;
use crate::scenario::Scenario;
use core::convert::Infallible;
use fabric::identity::DeviceKey;
use fabric::suite::Suite;
use fabric::{Config, Node};
use machine::{Boot, Input, Instant, Machine, Output, PipeId};
use scenario_actor::{Actor, Observation, Part};
use std::sync::Arc;

/// The machine of a node.
pub(crate) enum Player {
    Actor(Box<Actor>),
    Hostile(Box<HostilePeer>),
}

impl Player {
    /// Starts what the scenario makes of the node: an actor with a suite that is `watched`, or a hostile peer with the
    /// `bare` one, who keeps no promise that could be watched. `device` is the actor's key, where it is made already.
    pub(crate) fn boot(
        scenario: &Scenario,
        boot: &Boot,
        part: Part,
        bare: Arc<dyn Suite>,
        watched: impl FnOnce(&Part) -> Arc<dyn Suite>,
        config: Config,
        device: Option<DeviceKey>,
    ) -> Self {
        if let Some(hostile) = scenario.hostile(&part.name) {
            return Self::Hostile(Box::new(HostilePeer::new(boot, &part, hostile, scenario, bare)));
        }
        let suite = watched(&part);
        let device = device.unwrap_or_else(|| DeviceKey::from_seed(&part.device_seed.0));
        Self::Actor(Box::new(Actor::with_key(boot, part, device, suite, config)))
    }
}

impl Machine for Player {
    type Command = Infallible;
    type Event = Observation;

    fn handle(&mut self, now: Instant, input: Input<'_, Infallible>) {
        match self {
            Self::Actor(actor) => actor.handle(now, input),
            Self::Hostile(peer) => peer.handle(now, input),
        }
    }

    fn poll(&mut self) -> Option<Output<'_, Observation>> {
        match self {
            Self::Actor(actor) => actor.poll(),
            Self::Hostile(peer) => peer.poll(),
        }
    }

    fn fill(&mut self, pipe: PipeId, room: &mut [u8]) -> usize {
        match self {
            Self::Actor(actor) => actor.fill(pipe, room),
            Self::Hostile(peer) => peer.fill(pipe, room),
        }
    }

    fn next_timeout(&self) -> Option<Instant> {
        match self {
            Self::Actor(actor) => actor.next_timeout(),
            Self::Hostile(peer) => peer.next_timeout(),
        }
    }
}

/// What an onlooker finds in a machine.
pub(crate) enum Look<'a> {
    Node(&'a Node),
    Hostile(&'a HostilePeer),
    Nothing,
}

/// A machine that onlookers can look into.
pub(crate) trait Inspect {
    fn look(&self) -> Look<'_> {
        Look::Nothing
    }
}

/// What the node shows of itself; a hostile one shows nothing.
impl core::fmt::Debug for Player {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Actor(actor) => actor.fmt(f),
            Self::Hostile(_) => f.write_str("a hostile peer"),
        }
    }
}

impl Inspect for Player {
    fn look(&self) -> Look<'_> {
        match self {
            Self::Actor(actor) => Look::Node(actor.node()),
            Self::Hostile(peer) => Look::Hostile(peer),
        }
    }
}
