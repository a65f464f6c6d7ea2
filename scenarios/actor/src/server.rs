//! One stream that a peer opened: takes its messages, and sends them back if the service is `echo`.

use crate::Observation;
use crate::actor::Counts;
use crate::content::{self, MESSAGE_MAX, Try};
use alloc::string::String;
use alloc::vec::Vec;
use fabric::mux::code;
use fabric::{CallError, Node, StreamKey};
use machine::{Duration, Instant};

/// Bytes read at a time.
const READ_BYTES: usize = 64 * 1024;
/// What the service `slow` reads at a time, and how long it then waits.
const SLOW_BYTES: usize = 8 * 1024;
const SLOW_EVERY: Duration = Duration::from_millis(100);

/// How eagerly a service reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Pace {
    Eager,
    /// Nothing before this time; `None` when the last read found nothing.
    Slow(Option<Instant>),
    Never,
}

/// One served stream.
#[derive(Debug)]
pub(crate) struct Server {
    peer: String,
    service: String,
    id: Option<Try>,
    messages: u32,
    /// The message that is coming in; once it is whole, it may have to go back before the next one is read.
    message: Vec<u8>,
    echoed: Option<usize>,
    peer_finished: bool,
    pace: Pace,
}

impl Server {
    pub(crate) fn new(peer: String, service: String) -> Self {
        let pace = match service.as_str() {
            "slow" => Pace::Slow(None),
            "unread" => Pace::Never,
            _ => Pace::Eager,
        };
        Self { peer, service, id: None, messages: 0, message: Vec::new(), echoed: None, peer_finished: false, pace }
    }

    /// When it reads on without being told; `None` when it waits for the node's word.
    pub(crate) const fn reads_at(&self) -> Option<Instant> {
        match self.pace {
            Pace::Slow(at) => at,
            Pace::Eager | Pace::Never => None,
        }
    }

    pub(crate) const fn peer_finished(&mut self) {
        self.peer_finished = true;
    }

    /// Reads and answers what it can; whether the stream is over.
    pub(crate) fn advance(
        &mut self,
        now: Instant,
        node: &mut Node,
        stream: StreamKey,
        counts: &mut Counts,
        scratch: &mut Vec<u8>,
        mut see: impl FnMut(Observation),
    ) -> bool {
        // An error means that the stream is gone, which the node tells by an event of its own.
        self.try_advance(now, node, stream, counts, scratch, &mut see).unwrap_or(true)
    }

    fn try_advance(
        &mut self,
        now: Instant,
        node: &mut Node,
        stream: StreamKey,
        counts: &mut Counts,
        scratch: &mut Vec<u8>,
        see: &mut impl FnMut(Observation),
    ) -> Result<bool, CallError> {
        loop {
            if !self.send_back(now, node, stream, counts)? {
                return Ok(false);
            }
            let bytes_max = match self.pace {
                Pace::Eager => READ_BYTES,
                Pace::Slow(at) if at.is_none_or(|at| at <= now) => SLOW_BYTES,
                Pace::Slow(_) | Pace::Never => return Ok(false),
            };
            let read = node.read(now, stream, bytes_max)?;
            if let Pace::Slow(at) = &mut self.pace {
                *at = read.is_some().then_some(now + SLOW_EVERY);
            }
            let Some(chunk) = read else { break };
            self.message.extend_from_slice(&chunk.bytes);
            counts.received += chunk.bytes.len() as u64;
            if self.message.len() > MESSAGE_MAX {
                node.reset(now, stream, code::MESSAGE_TOO_LARGE)?;
                return Ok(true);
            }
            if chunk.end_of_message {
                self.take_message(scratch, see);
            }
        }
        if self.peer_finished {
            node.finish(now, stream)?;
        }
        Ok(self.peer_finished)
    }

    /// Sends the last message back as far as there is room; whether nothing of it is left.
    fn send_back(
        &mut self,
        now: Instant,
        node: &mut Node,
        stream: StreamKey,
        counts: &mut Counts,
    ) -> Result<bool, CallError> {
        let Some(echoed) = self.echoed else { return Ok(true) };
        let rest = &self.message[echoed..];
        let Some(taken) = content::hand_over(now, node, stream, rest)? else { return Ok(false) };
        counts.sent += taken as u64;
        self.echoed = Some(echoed + taken);
        if echoed + taken < self.message.len() {
            return Ok(false);
        }
        self.echoed = None;
        self.message.clear();
        Ok(true)
    }

    fn take_message(&mut self, scratch: &mut Vec<u8>, see: &mut impl FnMut(Observation)) {
        match self.id {
            None => self.id = Try::parse(&self.message),
            Some(id) => {
                let (index, intact) = id.judge(self.messages, &self.message, scratch);
                self.messages += 1;
                see(Observation::Received {
                    peer: self.peer.clone(),
                    service: self.service.clone(),
                    work: id.work,
                    attempt: id.attempt,
                    index,
                    bytes: self.message.len() as u32,
                    intact,
                });
            }
        }
        if self.service == "echo" {
            self.echoed = Some(0);
        } else {
            self.message.clear();
        }
    }
}
