//! From pieces of pipes to whole messages of sessions: a length of two bytes and as many bytes (wire contract, 3).

use ::sim::{Flow, Injection};
use std::collections::BTreeMap;

/// Messages that each side sends before its first record: the dialler 1 and 3, the acceptor 2.
pub(super) const FORWARD_HANDSHAKE: u64 = 2;

/// One message on its way, with its length in front.
#[derive(Clone, Debug)]
pub(super) struct Message {
    pub(super) flow: Flow,
    /// Which of its direction, from 0.
    pub(super) number: u64,
    pub(super) bytes: Vec<u8>,
}

impl Message {
    /// To its reader, as it is.
    pub(super) fn pass_on(self, out: &mut Vec<Injection>) {
        let Flow { pipe, forward, .. } = self.flow;
        out.push(Injection::Bytes { pipe, forward, bytes: self.bytes });
    }

    /// To its reader, other bytes.
    pub(super) fn replace(&self, bytes: &[u8], out: &mut Vec<Injection>) {
        let Flow { pipe, forward, .. } = self.flow;
        out.push(Injection::Bytes { pipe, forward, bytes: bytes.to_vec() });
    }

    /// To the one who wrote it, other bytes, as if from the other side.
    pub(super) fn answer(&self, bytes: &[u8], out: &mut Vec<Injection>) {
        let Flow { pipe, forward, .. } = self.flow;
        out.push(Injection::Bytes { pipe, forward: !forward, bytes: bytes.to_vec() });
    }

    /// Whether this is the dialler's `index`-th record, from 0.
    pub(super) fn is_record(&self, index: u64) -> bool {
        self.flow.forward && self.number == FORWARD_HANDSHAKE + index
    }

    /// Whether this is any of the dialler's records.
    pub(super) fn is_a_record(&self) -> bool {
        self.flow.forward && self.number >= FORWARD_HANDSHAKE
    }

    /// Whether the dialler has just begun: message 1.
    pub(super) fn is_first(&self) -> bool {
        self.flow.forward && self.number == 0
    }
}

/// What has come in of each direction of each pipe and is not a whole message yet.
#[derive(Default)]
pub(super) struct Messages {
    directions: BTreeMap<(u64, bool), Direction>,
}

#[derive(Default)]
struct Direction {
    rest: Vec<u8>,
    messages: u64,
}

impl Messages {
    /// The messages that `bytes` complete.
    pub(super) fn take_in(&mut self, flow: Flow, bytes: &[u8]) -> Vec<Message> {
        let direction = self.directions.entry((flow.pipe, flow.forward)).or_default();
        direction.rest.extend_from_slice(bytes);
        let mut whole = Vec::new();
        while let Some(length) = direction.rest.first_chunk::<2>() {
            let length = 2 + usize::from(u16::from_be_bytes(*length));
            if direction.rest.len() < length {
                break;
            }
            let rest = direction.rest.split_off(length);
            let bytes = core::mem::replace(&mut direction.rest, rest);
            whole.push(Message { flow, number: direction.messages, bytes });
            direction.messages += 1;
        }
        whole
    }
}
