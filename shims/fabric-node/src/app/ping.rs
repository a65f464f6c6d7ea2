//! Round trips over a peer's `echo`: one message at a time, the next a while after the one before has come back.

use crate::event::Event;
use crate::exit::{Exit, Failure};
use crate::files::client::Outcome;
use bytes::Bytes;
use fabric::call::Streams;
use fabric::{CallError, StreamKey};
use machine::{Duration, Instant};
use node_log::Recorded;

/// A sequence number and a filler.
const MESSAGE_BYTES: usize = 32;

/// How many, how often, and how far it has come.
#[derive(Debug)]
pub(crate) struct Ping {
    count: u32,
    every: Duration,
    sequence: u32,
    state: State,
    came_back: Vec<u8>,
}

#[derive(Clone, Copy, Debug)]
enum State {
    /// Nothing is sent: the time that it takes to open the stream is no round trip.
    Unopened,
    /// The next is sent then.
    Waiting(Instant),
    /// It was sent then.
    Sent(Instant),
}

impl Ping {
    pub(crate) const fn new(count: u32, every: Duration) -> Self {
        Self { count, every, sequence: 0, state: State::Unopened, came_back: Vec::new() }
    }

    pub(super) const fn opened(&mut self, now: Instant) {
        self.state = State::Waiting(now);
    }

    pub(super) const fn next_timeout(&self) -> Option<Instant> {
        match self.state {
            State::Waiting(until) => Some(until),
            State::Unopened | State::Sent(_) => None,
        }
    }

    pub(super) fn advance(
        &mut self,
        now: Instant,
        node: &mut Recorded,
        stream: StreamKey,
        tell: &mut impl FnMut(Event),
    ) -> Result<Outcome, CallError> {
        while let Some(chunk) = node.read(now, stream, MESSAGE_BYTES + 1)? {
            self.came_back.extend_from_slice(&chunk.bytes);
            let State::Sent(sent_at) = self.state else { return Ok(Some(Err(nonsense()))) };
            let is_right = self.came_back == self.message()[..];
            match chunk.end_of_message {
                true if is_right => self.came_back(now, sent_at, tell),
                false if self.came_back.len() <= MESSAGE_BYTES => {}
                _ => return Ok(Some(Err(nonsense()))),
            }
        }
        match self.state {
            State::Waiting(_) if self.sequence == self.count => {
                return Ok(Some(node.finish(now, stream).map_err(over)));
            }
            State::Waiting(until) if until <= now => {
                // There is room: all that was sent has come back.
                node.write_shared(now, stream, &Bytes::copy_from_slice(&self.message()), true)?;
                self.state = State::Sent(now);
            }
            State::Unopened | State::Waiting(_) | State::Sent(_) => {}
        }
        Ok(None)
    }

    fn came_back(&mut self, now: Instant, sent_at: Instant, tell: &mut impl FnMut(Event)) {
        self.sequence += 1;
        let micros = now.saturating_since(sent_at).as_nanos() / 1_000;
        tell(Event::Pong { sequence: self.sequence, micros });
        self.state = State::Waiting(if self.sequence == self.count { now } else { now + self.every });
        self.came_back.clear();
    }

    fn message(&self) -> [u8; MESSAGE_BYTES] {
        let mut message = [b'.'; MESSAGE_BYTES];
        message[..4].copy_from_slice(&self.sequence.to_be_bytes());
        message
    }
}

fn nonsense() -> Failure {
    Failure::new(Exit::Refused, "something else came back than was sent: is this service an `echo`?")
}

fn over(error: CallError) -> Failure {
    Failure::new(Exit::Refused, error.to_string())
}
