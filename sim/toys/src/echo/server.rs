//! The answering side: an echo waits until its counter value is durable.

use alloc::collections::{BTreeMap, VecDeque};
use alloc::string::String;
use alloc::vec::Vec;
use core::convert::Infallible;

use machine::{Addr, Boot, Destination, Duration, Input, Instant, PipeId};

use super::counter::Counter;
use super::{Event, Frames, Ping, Unsent};
use crate::outbox::{Action, Outbox};

/// Pipes served at a time; a further one is closed at once.
pub const PIPES_MAX: usize = 64;
/// Requests on one pipe whose echo is not yet filled; a client that sends more is cut off.
pub const REQUESTS_MAX: u32 = 64;
/// A pipe on which nothing moves is given up: its client may be gone without a word.
const IDLE_TIMEOUT: Duration = Duration::from_secs(60);
/// A server that is not drained answers no pings beyond this many waiting outputs.
const OUTPUTS_MAX: usize = 256;

/// Echoes requests, counts them, answers pings.
#[derive(Debug)]
pub struct Server {
    counter: Counter,
    pipes: BTreeMap<PipeId, Pipe>,
    pub(super) outbox: Outbox<Event>,
}

#[derive(Debug)]
struct Pipe {
    frames: Frames<0>,
    /// Counter value and body of each request, oldest first.
    owed: VecDeque<(u64, Vec<u8>)>,
    unsent: Unsent,
    peer_finished: bool,
    finished: bool,
    idle: Instant,
}

impl Server {
    pub(super) fn new(boot: &Boot) -> Self {
        let counter = Counter::new(boot);
        let mut outbox = Outbox::default();
        outbox.event(Event::Serving { counter: counter.durable() });
        Self { counter, pipes: BTreeMap::new(), outbox }
    }

    pub(super) fn handle(&mut self, now: Instant, input: &Input<'_, Infallible>) {
        match *input {
            Input::Datagram { from, bytes } => self.on_datagram(from, bytes),
            Input::PipeAccepted { pipe, .. } => self.on_accepted(now, pipe),
            Input::PipeBytes { pipe, bytes } => self.on_bytes(now, pipe, bytes),
            Input::PipeFinished { pipe } => {
                if let Some(served) = self.pipes.get_mut(&pipe) {
                    served.peer_finished = true;
                }
                self.finish_when_echoed(pipe);
            }
            Input::PipeClosed { pipe, .. } => {
                self.pipes.remove(&pipe);
            }
            Input::Stored { key, result } => {
                self.counter.on_stored(now, key, result);
                self.announce_echoes();
            }
            Input::Timeout => self.on_timeout(now),
            Input::Command(_) | Input::PipeOpened { .. } => {}
        }
        if let Some((key, bytes)) = self.counter.start_write() {
            self.outbox.push(Action::Store { key: String::from(key), bytes });
        }
    }

    pub(super) fn fill(&mut self, pipe: PipeId, room: &mut [u8]) -> usize {
        let durable = self.counter.durable();
        let Some(served) = self.pipes.get_mut(&pipe) else { return 0 };
        let mut filled = 0;
        while filled < room.len() {
            if served.unsent.is_empty() && !served.encode_next(durable) {
                break;
            }
            filled += served.unsent.write(&mut room[filled..]);
        }
        self.finish_when_echoed(pipe);
        filled
    }

    pub(super) fn next_timeout(&self) -> Option<Instant> {
        self.pipes.values().map(|pipe| pipe.idle).chain(self.counter.next_timeout()).min()
    }

    fn on_datagram(&mut self, from: Addr, bytes: &[u8]) {
        if let Some(ping) = Ping::parse(bytes)
            && self.outbox.len() < OUTPUTS_MAX
        {
            let bytes = ping.encode_pong(self.counter.durable());
            self.outbox.push(Action::Datagram { to: Destination::Addr(from), bytes });
        }
    }

    fn on_accepted(&mut self, now: Instant, pipe: PipeId) {
        if self.pipes.len() >= PIPES_MAX {
            self.outbox.push(Action::ClosePipe { pipe });
        } else {
            self.pipes.insert(pipe, Pipe::new(now));
        }
    }

    fn on_bytes(&mut self, now: Instant, pipe: PipeId, bytes: &[u8]) {
        let Some(served) = self.pipes.get_mut(&pipe) else { return };
        served.idle = now + IDLE_TIMEOUT;
        let (owed, counter) = (&mut served.owed, &mut self.counter);
        let mut is_flooded = false;
        served.frames.push(bytes, |[], body| {
            is_flooded |= owed.len() >= REQUESTS_MAX as usize;
            if !is_flooded {
                owed.push_back((counter.next(), body.to_vec()));
            }
        });
        if is_flooded {
            self.close(pipe);
        }
    }

    /// Tells the driver of every pipe whose next echo may leave.
    fn announce_echoes(&mut self) {
        let durable = self.counter.durable();
        for (&pipe, _) in self.pipes.iter().filter(|(_, served)| served.may_send(durable)) {
            self.outbox.push_once(Action::FillPipe { pipe });
        }
    }

    fn finish_when_echoed(&mut self, pipe: PipeId) {
        let Some(served) = self.pipes.get_mut(&pipe) else { return };
        if served.peer_finished && !served.finished && served.owed.is_empty() && served.unsent.is_empty() {
            served.finished = true;
            self.outbox.push(Action::FinishPipe { pipe });
        }
    }

    fn on_timeout(&mut self, now: Instant) {
        self.counter.on_timeout(now);
        let idle: Vec<PipeId> =
            self.pipes.iter().filter(|(_, served)| served.idle <= now).map(|(pipe, _)| *pipe).collect();
        for pipe in idle {
            self.close(pipe);
        }
    }

    fn close(&mut self, pipe: PipeId) {
        self.pipes.remove(&pipe);
        self.outbox.push(Action::ClosePipe { pipe });
    }
}

impl Pipe {
    fn new(now: Instant) -> Self {
        Self {
            frames: Frames::default(),
            owed: VecDeque::new(),
            unsent: Unsent::default(),
            peer_finished: false,
            finished: false,
            idle: now + IDLE_TIMEOUT,
        }
    }

    fn may_send(&self, durable: u64) -> bool {
        !self.unsent.is_empty() || self.owed.front().is_some_and(|(counter, _)| *counter <= durable)
    }

    /// Encodes the next echo if it may leave.
    fn encode_next(&mut self, durable: u64) -> bool {
        if self.owed.front().is_none_or(|(counter, _)| *counter > durable) {
            return false;
        }
        let Some((counter, body)) = self.owed.pop_front() else { return false };
        Frames::encode(&mut self.unsent.bytes, counter.to_be_bytes(), &body);
        true
    }
}
