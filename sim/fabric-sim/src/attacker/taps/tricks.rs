//! Tricks on the pipes of one link, each a step at a time: the next step waits for a pipe on which it can be played, and
//! after the last everything passes.

use super::Trick;
use super::messages::Message;
use ::sim::{Injection, NodeIndex};
use std::collections::{BTreeMap, VecDeque};

/// The steps of a trick, and the pipe that the last one was played on.
#[derive(Default)]
struct Steps {
    step: u32,
    /// Nothing passes on it any more.
    spent: Option<u64>,
}

impl Steps {
    /// The step is done, and its pipe of no more use: nothing passes on it.
    fn spend(&mut self, pipe: u64) {
        self.step += 1;
        self.spent = Some(pipe);
    }

    fn is_spent(&self, message: &Message) -> bool {
        self.spent == Some(message.flow.pipe)
    }
}

/// A node's first announces: one of each version.
const FIRST: usize = 2;

/// Says again what was said before: a record to the session that it is of, a handshake to a later one, every announce at once,
/// and the first ones of each node for ever.
#[derive(Default)]
pub(super) struct Replay {
    steps: Steps,
    first: BTreeMap<NodeIndex, Vec<Vec<u8>>>,
    /// The dialler's handshake, as recorded.
    handshake: [Vec<u8>; 2],
    /// The pipe that the recorded handshake is replayed on.
    stage: Option<u64>,
}

impl Trick for Replay {
    fn datagram(&mut self, from: NodeIndex, to: NodeIndex, bytes: &[u8], out: &mut Vec<Injection>) {
        out.extend([(); 2].map(|()| Injection::Datagram { from, to, bytes: bytes.to_vec() }));
        let first = self.first.entry(from).or_default();
        if first.len() < FIRST {
            first.push(bytes.to_vec());
        }
        let of_other = self.first.get(&to).into_iter().flatten();
        out.extend(of_other.map(|bytes| Injection::Datagram { from: to, to: from, bytes: bytes.clone() }));
    }

    fn message(&mut self, message: Message, out: &mut Vec<Injection>) {
        let pipe = message.flow.pipe;
        match self.steps.step {
            _ if self.steps.is_spent(&message) => {}
            0 if message.is_record(1) => {
                message.replace(&message.bytes.repeat(2), out);
                self.steps.spend(pipe);
            }
            0 => {
                if let (true, Some(place)) = (message.flow.forward, self.handshake.get_mut(message.number as usize)) {
                    place.clone_from(&message.bytes);
                }
                message.pass_on(out);
            }
            1 if message.is_first() => {
                self.stage = Some(pipe);
                message.replace(&self.handshake[0], out);
            }
            // The acceptor has answered the old message 1.
            1 if self.stage == Some(pipe) && !message.flow.forward => {
                message.answer(&self.handshake[1], out);
                self.steps.spend(pipe);
            }
            _ => message.pass_on(out),
        }
    }

    fn is_through(&self) -> bool {
        self.steps.step == 2
    }
}

/// Puts messages of one session into another between the same two.
#[derive(Default)]
pub(super) struct Splice {
    steps: Steps,
    message_2: Vec<u8>,
    record: Vec<u8>,
}

impl Trick for Splice {
    fn message(&mut self, message: Message, out: &mut Vec<Injection>) {
        let pipe = message.flow.pipe;
        let is_message_2 = !message.flow.forward && message.number == 0;
        match self.steps.step {
            _ if self.steps.is_spent(&message) => {}
            0 if is_message_2 => {
                self.message_2.clone_from(&message.bytes);
                message.pass_on(out);
            }
            0 if message.is_record(0) => {
                self.record.clone_from(&message.bytes);
                out.push(Injection::Reset { pipe });
                self.steps.spend(pipe);
            }
            1 if is_message_2 => {
                message.replace(&self.message_2, out);
                self.steps.spend(pipe);
            }
            2 if message.is_record(0) => {
                message.replace(&self.record, out);
                self.steps.spend(pipe);
            }
            _ => message.pass_on(out),
        }
    }

    fn is_through(&self) -> bool {
        self.steps.step == 3
    }
}

/// Cuts: a handshake in its middle and then silence, a record's last byte, and the pipe itself in the middle of a record.
#[derive(Default)]
pub(super) struct Truncate {
    steps: Steps,
    /// The rest of a record's pipe passes, a byte short.
    short: Option<u64>,
}

impl Trick for Truncate {
    fn message(&mut self, message: Message, out: &mut Vec<Injection>) {
        let (pipe, length) = (message.flow.pipe, message.bytes.len());
        match self.steps.step {
            _ if self.steps.is_spent(&message) => {}
            _ if self.short == Some(pipe) => message.pass_on(out),
            0 if message.flow.forward && message.number == 1 => {
                message.replace(&message.bytes[..length / 2], out);
                self.steps.spend(pipe);
            }
            1 if message.is_record(1) => {
                message.replace(&message.bytes[..length - 1], out);
                self.short = Some(pipe);
                self.steps.step += 1;
            }
            2 if message.is_record(1) => {
                message.replace(&message.bytes[..length / 2], out);
                out.push(Injection::Reset { pipe });
                self.steps.spend(pipe);
            }
            _ => message.pass_on(out),
        }
    }

    fn is_through(&self) -> bool {
        self.steps.step == 3
    }
}

/// Sends back to the dialler what it says: its message 1 for an answer, its record for one of the acceptor's; and announces.
#[derive(Default)]
pub(super) struct Reflect {
    steps: Steps,
}

impl Trick for Reflect {
    fn datagram(&mut self, from: NodeIndex, to: NodeIndex, bytes: &[u8], out: &mut Vec<Injection>) {
        out.push(Injection::Datagram { from, to, bytes: bytes.to_vec() });
        out.push(Injection::Datagram { from: to, to: from, bytes: bytes.to_vec() });
    }

    fn message(&mut self, message: Message, out: &mut Vec<Injection>) {
        match self.steps.step {
            _ if self.steps.is_spent(&message) => {}
            0 if message.is_first() => {
                message.answer(&message.bytes, out);
                self.steps.spend(message.flow.pipe);
            }
            1 if message.is_record(0) => {
                message.answer(&message.bytes, out);
                self.steps.spend(message.flow.pipe);
            }
            _ => message.pass_on(out),
        }
    }

    fn is_through(&self) -> bool {
        self.steps.step == 2
    }
}

/// Lets a byte of one session's records through for each record that the dialler sends: none is ever whole, and yet the
/// acceptor gets something again and again.
#[derive(Default)]
pub(super) struct Drip {
    pipe: Option<u64>,
    held: VecDeque<u8>,
    dripped: u32,
}

/// So many bytes come at times that a silence has between them.
const DRIPS: u32 = 3;

impl Trick for Drip {
    fn message(&mut self, message: Message, out: &mut Vec<Injection>) {
        let is_mine = message.is_a_record() && *self.pipe.get_or_insert(message.flow.pipe) == message.flow.pipe;
        if !is_mine {
            return message.pass_on(out);
        }
        self.held.extend(&message.bytes);
        if let Some(byte) = self.held.pop_front() {
            self.dripped += 1;
            message.replace(&[byte], out);
        }
    }

    fn is_through(&self) -> bool {
        self.dripped >= DRIPS
    }
}
