//! A bench for one check: shows it observations of a small scenario and says what it made of them.

use super::{Check, Outcome, Seen};
use crate::scenario::{self, Scenario};
use scenario_actor::{Expect, Observation, WorkSeen};
use sim::Time;

/// The work of the scenario below that is to be denied.
pub(super) const DENIED: u32 = 1;
/// The size of each message here.
pub(super) const MESSAGE: u64 = 1_000;

/// Work 0: phone-1 opens hub/echo. Work 1: phone-1 opens hub/admin, which is denied.
pub(super) fn scenario() -> Scenario {
    scenario::load(std::path::Path::new("tests/scenarios/bench.toml"), &[]).unwrap()
}

pub(super) struct Bench {
    check: Box<dyn Check>,
    scenario: Scenario,
    broken: Option<String>,
}

impl Bench {
    pub(super) fn new(check: impl Check + 'static) -> Self {
        Self { check: Box::new(check), scenario: scenario(), broken: None }
    }

    pub(super) fn sees(self, node: &str, what: impl Into<Observation>) -> Self {
        self.sees_in(node, 0, what.into())
    }

    pub(super) fn sees_after_restart(self, node: &str, what: impl Into<Observation>) -> Self {
        self.sees_in(node, 1, what.into())
    }

    fn sees_in(mut self, node: &str, incarnation: u64, what: Observation) -> Self {
        assert_eq!(self.broken, None, "broken too early");
        let node = self.scenario.nodes.iter().position(|known| known.name == node).unwrap() as u32;
        let seen = Seen { at: Time::ZERO, node, incarnation, what };
        self.broken = self.check.observe(&self.scenario, &seen).err();
        self
    }

    pub(super) fn holds(self) {
        assert_eq!(self.broken, None);
        let outcome = self.check.conclude(&self.scenario);
        assert!(matches!(outcome, Outcome::Held(_)), "{outcome:?}");
    }

    pub(super) fn breaks(self, how: &str) {
        let broken = self.broken.unwrap();
        assert!(broken.contains(how), "{broken}");
    }

    pub(super) fn fails(self, how: &str) {
        assert_eq!(self.broken, None);
        let Outcome::Failed(failed) = self.check.conclude(&self.scenario) else { panic!("it held") };
        assert!(failed.contains(how), "{failed}");
    }

    pub(super) fn goes_unjudged(self) {
        assert!(matches!(self.check.conclude(&self.scenario), Outcome::NotJudged(_)));
    }
}

/// A message that arrives, with what may be wrong about it.
pub(super) struct Message(Observation);

pub(super) fn message(id: u32, attempt: u32, index: u32) -> Message {
    let (peer, service, bytes) = ("phone-1".to_owned(), "echo".to_owned(), MESSAGE as u32);
    Message(Observation::Received { peer, service, work: id, attempt, index, bytes, intact: true })
}

impl Message {
    pub(super) fn from(mut self, name: &str) -> Self {
        if let Observation::Received { peer, .. } = &mut self.0 {
            *peer = name.to_owned();
        }
        self
    }

    pub(super) fn at_service(mut self, name: &str) -> Self {
        if let Observation::Received { service, .. } = &mut self.0 {
            *service = name.to_owned();
        }
        self
    }

    pub(super) fn damaged(mut self) -> Self {
        if let Observation::Received { intact, .. } = &mut self.0 {
            *intact = false;
        }
        self
    }
}

impl From<Message> for Observation {
    fn from(message: Message) -> Self {
        message.0
    }
}

pub(super) fn start(id: u32, attempt: u32) -> Observation {
    Observation::Work { id, seen: WorkSeen::Started { attempt } }
}

pub(super) fn done(id: u32, as_expected: Expect, messages: u32, bytes: u64) -> Observation {
    Observation::Work { id, seen: WorkSeen::Done { as_expected, messages, bytes } }
}

pub(super) fn unexpected(id: u32, seen: &str) -> Observation {
    Observation::Work { id, seen: WorkSeen::Unexpected { seen: seen.to_owned() } }
}

pub(super) fn session_up(peer: &str) -> Observation {
    Observation::SessionUp { peer: peer.to_owned() }
}
