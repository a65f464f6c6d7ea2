//! Who looks on: oracles see everything that happens in a world, and say when a promise is broken.

use crate::{NodeIndex, Time};
use machine::{Destination, Machine};

/// A promise that a run broke.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// The name of the check, as users write it.
    pub check: String,
    /// What was seen and what was promised.
    pub detail: String,
}

/// What an onlooker can do: report, fire triggers, and command machines.
#[derive(Debug)]
pub struct Control<C> {
    /// Something below is set: what is looked at after each event.
    pub(crate) asked: bool,
    pub(crate) violation: Option<Violation>,
    pub(crate) fired: Vec<u32>,
    pub(crate) commands: Vec<(NodeIndex, C)>,
    pub(crate) stop: bool,
}

impl<C> Default for Control<C> {
    fn default() -> Self {
        Self { asked: false, violation: None, fired: Vec::new(), commands: Vec::new(), stop: false }
    }
}

impl<C> Control<C> {
    /// Ends the run with a broken promise; the first one counts.
    pub fn violate(&mut self, check: impl Into<String>, detail: impl Into<String>) {
        self.asked = true;
        self.violation.get_or_insert_with(|| Violation { check: check.into(), detail: detail.into() });
    }

    /// Begins every planned fault that waits for `trigger`, at once.
    pub fn fire(&mut self, trigger: u32) {
        self.asked = true;
        self.fired.push(trigger);
    }

    /// Hands a command to a node, at this very time.
    pub fn command(&mut self, node: NodeIndex, command: C) {
        self.asked = true;
        self.commands.push((node, command));
    }

    /// Ends the run after this event: there is nothing left to see.
    pub fn stop(&mut self) {
        self.asked = true;
        self.stop = true;
    }
}

/// Looks on at a world. Every method may be left out; `()` sees nothing.
#[expect(unused_variables, reason = "the default of each method does nothing")]
pub trait Watch<M: Machine> {
    /// A machine was made.
    fn booted(&mut self, at: Time, node: NodeIndex, incarnation: u64, control: &mut Control<M::Command>) {}

    /// A machine lost its memory: this is how it was.
    fn crashed(&mut self, at: Time, node: NodeIndex, machine: &M, control: &mut Control<M::Command>) {}

    /// A machine told its application something.
    fn event(&mut self, at: Time, node: NodeIndex, event: &M::Event, control: &mut Control<M::Command>) {}

    /// A machine sent a datagram.
    fn sent(&mut self, at: Time, node: NodeIndex, to: Destination, bytes: &[u8], control: &mut Control<M::Command>) {}

    /// A machine filled bytes into a pipe that leads to `peer`.
    fn filled(&mut self, at: Time, node: NodeIndex, peer: NodeIndex, bytes: &[u8], control: &mut Control<M::Command>) {}

    /// A machine has handled its inputs and is drained: a good time to look into it.
    fn settled(&mut self, at: Time, node: NodeIndex, machine: &M, control: &mut Control<M::Command>) {}
}

impl<M: Machine> Watch<M> for () {}

/// Two onlookers at once, the first one first.
impl<M: Machine, A: Watch<M>, B: Watch<M>> Watch<M> for (A, B) {
    fn booted(&mut self, at: Time, node: NodeIndex, incarnation: u64, control: &mut Control<M::Command>) {
        self.0.booted(at, node, incarnation, control);
        self.1.booted(at, node, incarnation, control);
    }

    fn crashed(&mut self, at: Time, node: NodeIndex, machine: &M, control: &mut Control<M::Command>) {
        self.0.crashed(at, node, machine, control);
        self.1.crashed(at, node, machine, control);
    }

    fn event(&mut self, at: Time, node: NodeIndex, event: &M::Event, control: &mut Control<M::Command>) {
        self.0.event(at, node, event, control);
        self.1.event(at, node, event, control);
    }

    fn sent(&mut self, at: Time, node: NodeIndex, to: Destination, bytes: &[u8], control: &mut Control<M::Command>) {
        self.0.sent(at, node, to, bytes, control);
        self.1.sent(at, node, to, bytes, control);
    }

    fn filled(&mut self, at: Time, node: NodeIndex, peer: NodeIndex, bytes: &[u8], control: &mut Control<M::Command>) {
        self.0.filled(at, node, peer, bytes, control);
        self.1.filled(at, node, peer, bytes, control);
    }

    fn settled(&mut self, at: Time, node: NodeIndex, machine: &M, control: &mut Control<M::Command>) {
        self.0.settled(at, node, machine, control);
        self.1.settled(at, node, machine, control);
    }
}
