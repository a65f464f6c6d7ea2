//! Men in the middle. Each owns all links between two sides, sees whole messages, and plays its tricks in turn.

mod datagrams;
mod liar;
mod messages;
mod observe;
mod relay;
mod tricks;

use super::kinds::TapKind;
use crate::scenario::Scenario;
use crate::scenario::resolved::Attacker;
use ::sim::{Flow, Injection, NodeIndex, Tap, Time, World};
use core::fmt::Debug;
use datagrams::IdentitySwap;
pub(crate) use liar::Liar;
use machine::Machine;
use messages::{Message, Messages};
use observe::Observe;
use relay::Relay;
use std::cell::RefCell;
use std::rc::Rc;
use tricks::{Drip, Reflect, Replay, Splice, Truncate};

/// What a man in the middle does with whole datagrams and messages. What it does not pass on is gone.
trait Trick {
    fn datagram(&mut self, from: NodeIndex, to: NodeIndex, bytes: &[u8], out: &mut Vec<Injection>) {
        out.push(Injection::Datagram { from, to, bytes: bytes.to_vec() });
    }

    fn message(&mut self, message: Message, out: &mut Vec<Injection>);

    /// Whether it has done all it came for.
    fn is_through(&self) -> bool;

    /// How it got further than anybody should.
    fn complaint(&self) -> Option<&str> {
        None
    }
}

/// One man in the middle. It acts for a while, and passes everything on at other times.
struct Middleman {
    name: String,
    from: Time,
    until: Time,
    messages: Messages,
    trick: Box<dyn Trick>,
}

/// Shared by all links that it owns.
struct OnLink(Rc<RefCell<Middleman>>);

impl Tap for OnLink {
    fn datagram(&mut self, at: Time, from: NodeIndex, to: NodeIndex, bytes: &[u8], out: &mut Vec<Injection>) {
        let mut man = self.0.borrow_mut();
        if man.acts(at) {
            man.trick.datagram(from, to, bytes, out);
        } else {
            out.push(Injection::Datagram { from, to, bytes: bytes.to_vec() });
        }
    }

    fn pipe_bytes(&mut self, at: Time, flow: Flow, bytes: &[u8], out: &mut Vec<Injection>) {
        let man = &mut *self.0.borrow_mut();
        let acts = man.acts(at);
        for message in man.messages.take_in(flow, bytes) {
            if acts {
                man.trick.message(message, out);
            } else {
                message.pass_on(out);
            }
        }
    }
}

impl Middleman {
    fn acts(&self, at: Time) -> bool {
        (self.from..self.until).contains(&at)
    }
}

/// Every man in the middle of a run.
#[derive(Default)]
pub(crate) struct Wiretaps(Vec<Rc<RefCell<Middleman>>>);

impl Wiretaps {
    /// How one of them got further than anybody should.
    pub(crate) fn complaint(&self) -> Option<String> {
        let complaint = |man: &Rc<RefCell<Middleman>>| {
            let man = man.borrow();
            man.trick.complaint().map(|how| format!("{}: {how}", man.name))
        };
        self.0.iter().find_map(complaint)
    }

    /// Who has not done what it came for.
    pub(crate) fn idle(&self) -> Option<String> {
        let idle = self.0.iter().find(|man| !man.borrow().trick.is_through());
        idle.map(|man| man.borrow().name.clone())
    }
}

/// Puts the scenario's men in the middle on their links. `devices` are the device ids of all nodes, as text.
pub(crate) fn install<M>(scenario: &Scenario, devices: &[String], world: &mut World<M>) -> Wiretaps
where
    M: Machine,
    M::Event: Debug,
    M::Command: Debug,
{
    let mut all = Wiretaps::default();
    for attacker in &scenario.attackers {
        let man = Rc::new(RefCell::new(Middleman {
            name: attacker.name.clone(),
            from: Time::from_nanos(attacker.from.0),
            until: attacker.until.map_or(Time::MAX, |until| Time::from_nanos(until.0)),
            messages: Messages::default(),
            trick: trick(attacker, scenario, devices),
        }));
        for (a, b) in attacker.links(&scenario.nodes) {
            world.tap(NodeIndex::new(a), NodeIndex::new(b), Box::new(OnLink(Rc::clone(&man))));
        }
        all.0.push(man);
    }
    all
}

fn trick(attacker: &Attacker, scenario: &Scenario, devices: &[String]) -> Box<dyn Trick> {
    match attacker.tap {
        TapKind::Observe => Box::new(Observe::new(scenario)),
        TapKind::Replay => Box::new(Replay::default()),
        TapKind::Splice => Box::new(Splice::default()),
        TapKind::Truncate => Box::new(Truncate::default()),
        TapKind::Reflect => Box::new(Reflect::default()),
        TapKind::Relay => Box::new(Relay::default()),
        TapKind::IdentitySwap => Box::new(IdentitySwap::new(devices)),
        TapKind::Drip => Box::new(Drip::default()),
    }
}
