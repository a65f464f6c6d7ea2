//! Passes the handshakes of two diallers through each other: first a proof alone, then whole sessions.

use super::Trick;
use super::messages::Message;
use ::sim::Injection;
use std::collections::BTreeMap;

/// Crosses the pipes of two diallers to one acceptor.
#[derive(Default)]
pub(super) struct Relay {
    /// A message that waits for one of the other dialler.
    held: Option<Message>,
    /// Their last messages were swapped: nothing more passes on these pipes.
    spent: Vec<u64>,
    /// By pipe: the one that each message goes to instead.
    crossed: BTreeMap<u64, u64>,
}

impl Relay {
    /// Which of a dialler's messages is swapped: message 3, with its proof; then all, from message 1 on.
    const fn swapped(&self) -> u64 {
        if self.spent.is_empty() { 1 } else { 0 }
    }

    /// Holds the message until the other dialler has one, then each goes where the other was meant to.
    fn swap(&mut self, message: Message, out: &mut Vec<Injection>) {
        // A dialler that has tried again is the same dialler.
        let other = self.held.take().filter(|held| held.flow.from != message.flow.from);
        let Some(other) = other else {
            self.held = Some(message);
            return;
        };
        let (a, b) = (message.flow.pipe, other.flow.pipe);
        message.replace(&other.bytes, out);
        other.replace(&message.bytes, out);
        if self.spent.is_empty() {
            self.spent = vec![a, b];
        } else {
            self.crossed.extend([(a, b), (b, a)]);
        }
    }
}

impl Trick for Relay {
    fn message(&mut self, mut message: Message, out: &mut Vec<Injection>) {
        let pipe = message.flow.pipe;
        if self.spent.contains(&pipe) {
            return;
        }
        if let Some(other) = self.crossed.get(&pipe) {
            message.flow.pipe = *other;
            return message.pass_on(out);
        }
        if self.crossed.is_empty() && message.flow.forward && message.number == self.swapped() {
            return self.swap(message, out);
        }
        message.pass_on(out);
    }

    fn is_through(&self) -> bool {
        !self.crossed.is_empty()
    }
}
