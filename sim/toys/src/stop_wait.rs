//! Stop-and-wait: one message at a time over datagrams, sent again until it is acknowledged.
//!
//! **Promise.** For each flow, each start of its sender (a *session*) and each start of its receiver, what is delivered is
//! message 0, 1, 2 and so on, each once, in order and whole. `Done` names a start of the receiver that has delivered all
//! of the session. A restarted sender begins anew; when the receiver restarts, the sender goes back to what the new one
//! wants. While datagrams get through now and then, `Done` comes.
//!
//! | datagram | bytes before the checksum |
//! | --- | --- |
//! | data | 1 u8, flow u32, session u64, index u32, message |
//! | ack | 2 u8, flow u32, session u64, receiver's incarnation u64, next wanted index u32 |

use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use core::convert::Infallible;

use machine::{Addr, Boot, Destination, Duration, Input, Instant, Machine, Output, PipeId};

use crate::outbox::{Action, Outbox};
use crate::wire::{self, Reader};

/// The first wait for an acknowledgement; it doubles with each one that does not come.
pub const RETRY_AFTER: Duration = Duration::from_millis(200);
/// The longest wait: a path that heals is used again within it.
pub const RETRY_AFTER_MAX: Duration = Duration::from_millis(3_200);
/// A receiver's flows; datagrams of further ones are dropped. None is forgotten, or a late copy would be delivered again.
pub const FLOWS_MAX: usize = 64;
/// A receiver that is not drained drops datagrams beyond this many waiting outputs.
const OUTPUTS_MAX: usize = 64;

const DATA: u8 = 1;
const ACK: u8 = 2;

/// What a sender sends: `count` messages, [`wire::message`] of `id` with at most `bytes_max` bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Flow {
    /// Unique among the senders of a world.
    pub id: u32,
    /// How many messages, at least one.
    pub count: u32,
    /// The longest message; a datagram is 25 bytes longer.
    pub bytes_max: u16,
}

/// What the application learns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// A sender has started.
    Started {
        /// Which flow it sends.
        flow: u32,
    },
    /// A receiver got the next message.
    Delivered {
        /// Of which flow.
        flow: u32,
        /// The sender's incarnation.
        session: u64,
        /// Which message, from 0.
        index: u32,
        /// [`wire::digest`] of the message.
        digest: u64,
    },
    /// The sender knows that everything was delivered.
    Done {
        /// Which flow.
        flow: u32,
        /// By which incarnation of the receiver.
        receiver: u64,
    },
}

/// One end of the protocol.
#[derive(Debug)]
pub enum StopWait {
    /// Sends one flow.
    Sender(Sender),
    /// Delivers the flows of several senders.
    Receiver(Receiver),
}

impl StopWait {
    /// A sender of `flow` to the receiver at `to`; it starts at once.
    pub fn sender(boot: &Boot, to: Addr, flow: Flow) -> Self {
        assert!(flow.count > 0, "a flow without messages has nothing to acknowledge");
        let mut outbox = Outbox::default();
        outbox.event(Event::Started { flow: flow.id });
        let (retry, retry_after) = (boot.now + RETRY_AFTER, RETRY_AFTER);
        let mut sender =
            Sender { to, flow, session: boot.incarnation, receiver: None, next: 0, retry, retry_after, outbox };
        sender.send();
        Self::Sender(sender)
    }

    /// A receiver.
    pub fn receiver(boot: &Boot) -> Self {
        Self::Receiver(Receiver { incarnation: boot.incarnation, flows: BTreeMap::new(), outbox: Outbox::default() })
    }
}

impl Machine for StopWait {
    type Command = Infallible;
    type Event = Event;

    fn handle(&mut self, now: Instant, input: Input<'_, Infallible>) {
        match (self, input) {
            (Self::Sender(sender), Input::Timeout) => sender.on_timeout(now),
            (Self::Sender(sender), Input::Datagram { bytes, .. }) => {
                if let Some(ack) = Ack::parse(bytes) {
                    sender.on_ack(now, &ack);
                }
            }
            (Self::Receiver(receiver), Input::Datagram { from, bytes }) => {
                if let Some(data) = Data::parse(bytes) {
                    receiver.on_data(from, &data);
                }
            }
            _ => {} // no pipes, no storage, no commands
        }
    }

    fn poll(&mut self) -> Option<Output<'_, Event>> {
        match self {
            Self::Sender(sender) => sender.outbox.poll(),
            Self::Receiver(receiver) => receiver.outbox.poll(),
        }
    }

    fn fill(&mut self, _pipe: PipeId, _room: &mut [u8]) -> usize {
        0
    }

    fn next_timeout(&self) -> Option<Instant> {
        match self {
            Self::Sender(sender) => (!sender.is_done()).then_some(sender.retry),
            Self::Receiver(_) => None,
        }
    }
}

/// Sends message `next` until it is acknowledged.
#[derive(Debug)]
pub struct Sender {
    to: Addr,
    flow: Flow,
    session: u64,
    /// The newest start of the receiver that was heard.
    receiver: Option<u64>,
    next: u32,
    retry: Instant,
    retry_after: Duration,
    outbox: Outbox<Event>,
}

impl Sender {
    fn is_done(&self) -> bool {
        self.next == self.flow.count
    }

    fn on_timeout(&mut self, now: Instant) {
        if self.is_done() || now < self.retry {
            return;
        }
        self.retry_after = self.retry_after.saturating_mul(2).min(RETRY_AFTER_MAX);
        self.retry = now + self.retry_after;
        self.send();
    }

    fn on_ack(&mut self, now: Instant, ack: &Ack) {
        if (ack.flow, ack.session) != (self.flow.id, self.session) || ack.next > self.flow.count || self.is_done() {
            return;
        }
        let progress = match self.receiver {
            Some(known) if ack.receiver < known => false,
            // It may be several ahead: after its restart it may have got late copies of what an earlier start got.
            Some(known) if ack.receiver == known => ack.next > self.next,
            _ => true, // a receiver that has just started says where to begin
        };
        if !progress {
            return;
        }
        self.receiver = Some(ack.receiver);
        self.next = ack.next;
        self.retry_after = RETRY_AFTER;
        self.retry = now + RETRY_AFTER;
        if self.is_done() {
            self.outbox.event(Event::Done { flow: self.flow.id, receiver: ack.receiver });
        } else {
            self.send();
        }
    }

    fn send(&mut self) {
        let message = wire::message(self.flow.id, self.next, self.flow.bytes_max);
        let data = Data { flow: self.flow.id, session: self.session, index: self.next, message: &message };
        self.outbox.push_once(Action::Datagram { to: Destination::Addr(self.to), bytes: data.encode() });
    }
}

/// Delivers each flow in order and acknowledges what it has.
#[derive(Debug)]
pub struct Receiver {
    incarnation: u64,
    flows: BTreeMap<u32, Progress>,
    outbox: Outbox<Event>,
}

#[derive(Clone, Copy, Debug)]
struct Progress {
    session: u64,
    next: u32,
}

impl Receiver {
    fn on_data(&mut self, from: Addr, data: &Data<'_>) {
        let is_full = self.flows.len() >= FLOWS_MAX && !self.flows.contains_key(&data.flow);
        if is_full || self.outbox.len() >= OUTPUTS_MAX {
            return;
        }
        let flow = self.flows.entry(data.flow).or_insert(Progress { session: data.session, next: 0 });
        if data.session < flow.session {
            return;
        }
        if data.session > flow.session {
            *flow = Progress { session: data.session, next: 0 };
        }
        if data.index == flow.next {
            flow.next += 1;
            let digest = wire::digest(data.message);
            self.outbox.event(Event::Delivered { flow: data.flow, session: data.session, index: data.index, digest });
        }
        let ack = Ack { flow: data.flow, session: data.session, receiver: self.incarnation, next: flow.next };
        self.outbox.push_once(Action::Datagram { to: Destination::Addr(from), bytes: ack.encode() });
    }
}

/// A message on its way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Data<'a> {
    /// Which flow.
    pub flow: u32,
    /// The sender's incarnation.
    pub session: u64,
    /// Which message; less than `u32::MAX`.
    pub index: u32,
    /// The message.
    pub message: &'a [u8],
}

impl<'a> Data<'a> {
    /// The data in `datagram`, or `None` if it is damaged or something else.
    pub fn parse(datagram: &'a [u8]) -> Option<Self> {
        let mut reader = Reader(wire::open(datagram)?);
        if reader.u8()? != DATA {
            return None;
        }
        let (flow, session, index) = (reader.u32()?, reader.u64()?, reader.u32()?);
        (index < u32::MAX).then_some(Self { flow, session, index, message: reader.0 })
    }

    /// The datagram, checksum and all.
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = header(DATA, self.flow, self.session);
        bytes.extend_from_slice(&self.index.to_be_bytes());
        bytes.extend_from_slice(self.message);
        wire::seal(&mut bytes);
        bytes
    }
}

/// What a receiver has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ack {
    /// Which flow.
    pub flow: u32,
    /// The sender's incarnation.
    pub session: u64,
    /// The receiver's incarnation.
    pub receiver: u64,
    /// The message wanted next: all before it were delivered.
    pub next: u32,
}

impl Ack {
    /// The acknowledgement in `datagram`, or `None` if it is damaged or something else.
    pub fn parse(datagram: &[u8]) -> Option<Self> {
        let mut reader = Reader(wire::open(datagram)?);
        if reader.u8()? != ACK {
            return None;
        }
        let ack = Self { flow: reader.u32()?, session: reader.u64()?, receiver: reader.u64()?, next: reader.u32()? };
        reader.0.is_empty().then_some(ack)
    }

    /// The datagram, checksum and all.
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = header(ACK, self.flow, self.session);
        bytes.extend_from_slice(&self.receiver.to_be_bytes());
        bytes.extend_from_slice(&self.next.to_be_bytes());
        wire::seal(&mut bytes);
        bytes
    }
}

fn header(kind: u8, flow: u32, session: u64) -> Vec<u8> {
    let mut bytes = Vec::from([kind]);
    bytes.extend_from_slice(&flow.to_be_bytes());
    bytes.extend_from_slice(&session.to_be_bytes());
    bytes
}
