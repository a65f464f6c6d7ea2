//! One try of one piece of work: sends its messages on a stream and reads what comes back. Knows no session and no retry.

use crate::actor::Counts;
use crate::content::{self, Try};
use crate::{Expect, Work};
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use fabric::mux::StreamError;
use fabric::{CallError, Node, StreamKey};
use machine::Instant;

/// Bytes read at a time.
const READ_BYTES: usize = 64 * 1024;

/// How a try ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// As expected.
    Done { messages: u32, bytes: u64 },
    /// Against what was expected, for good.
    Unexpected(String),
    /// It may do better next time.
    Failed(String),
}

/// One try.
#[derive(Debug)]
pub(crate) struct Client {
    id: Try,
    is_open: bool,
    /// For work that is over once its stream is open: that it is.
    is_told: bool,
    sender: Sender,
    reader: Reader,
    peer_finished: bool,
}

/// What is being sent: the preamble, then messages until the bytes are used up.
#[derive(Debug)]
struct Sender {
    message: Vec<u8>,
    sent_of_message: usize,
    /// Messages made so far, the preamble not counted.
    messages: u32,
    left: u64,
    finished: bool,
}

/// What has come back: it has to be what was sent.
#[derive(Debug)]
struct Reader {
    message: Vec<u8>,
    is_past_preamble: bool,
    messages: u32,
    left: u64,
}

impl Client {
    pub(crate) fn new(work: &Work, attempt: u32) -> Self {
        let id = Try { work: work.id, attempt };
        let (left, messages) = (work.bytes, 0);
        let message = Vec::from(id.preamble());
        Self {
            id,
            is_open: false,
            is_told: false,
            sender: Sender { message, sent_of_message: 0, messages, left, finished: false },
            reader: Reader { message: Vec::new(), is_past_preamble: false, messages, left },
            peer_finished: false,
        }
    }

    pub(crate) const fn opened(&mut self) {
        self.is_open = true;
    }

    pub(crate) const fn peer_finished(&mut self) {
        self.peer_finished = true;
    }

    /// Sends and reads what it can; the outcome when there is one.
    pub(crate) fn advance(
        &mut self,
        now: Instant,
        node: &mut Node,
        stream: StreamKey,
        work: &Work,
        counts: &mut Counts,
    ) -> Option<Outcome> {
        if work.expect == Expect::Denied && self.is_open {
            return Some(Outcome::Unexpected("admitted".into()));
        }
        if work.expect == Expect::Opened && self.is_open && !self.is_told {
            self.is_told = true;
            return Some(Outcome::Done { messages: 0, bytes: 0 });
        }
        let outcome = match self.try_advance(now, node, stream, work, counts) {
            // The stream has ended: that it was finished or reset is still to be told, or was.
            Err(CallError::Stream(StreamError::Unknown)) => None,
            Err(error) => Some(Outcome::Failed(error.to_string())),
            Ok(outcome) => outcome,
        };
        outcome.or_else(|| self.peer_finished.then(|| self.outcome(work)))
    }

    fn try_advance(
        &mut self,
        now: Instant,
        node: &mut Node,
        stream: StreamKey,
        work: &Work,
        counts: &mut Counts,
    ) -> Result<Option<Outcome>, CallError> {
        self.sender.advance(now, node, stream, self.id, work, counts)?;
        while let Some(chunk) = node.read(now, stream, READ_BYTES)? {
            self.reader.message.extend_from_slice(&chunk.bytes);
            let is_too_long = self.reader.message.len() > content::MESSAGE_MAX;
            if is_too_long || (chunk.end_of_message && !self.reader.judge(self.id, work, counts)) {
                return Ok(Some(Outcome::Unexpected(format!("message {} came back wrong", self.reader.messages))));
            }
        }
        Ok(None)
    }

    /// Both halves are done, or the peer was done too soon.
    fn outcome(&self, work: &Work) -> Outcome {
        let has_all_back = self.reader.left == 0 && self.reader.is_past_preamble && self.reader.message.is_empty();
        let is_complete = match work.expect {
            Expect::Echoed => has_all_back,
            Expect::Delivered | Expect::Denied | Expect::Opened | Expect::Answered => true,
        };
        if self.sender.finished && is_complete {
            Outcome::Done { messages: self.sender.messages, bytes: work.bytes }
        } else {
            Outcome::Unexpected("the peer closed its half too soon".into())
        }
    }
}

impl Sender {
    fn advance(
        &mut self,
        now: Instant,
        node: &mut Node,
        stream: StreamKey,
        id: Try,
        work: &Work,
        counts: &mut Counts,
    ) -> Result<(), CallError> {
        while !self.finished {
            let rest = &self.message[self.sent_of_message..];
            let Some(taken) = content::hand_over(now, node, stream, rest)? else { return Ok(()) };
            counts.sent += taken as u64;
            self.sent_of_message += taken;
            if self.sent_of_message < self.message.len() {
                return Ok(());
            }
            if self.left == 0 {
                self.finished = true;
                return node.finish(now, stream);
            }
            let length = content::length(work, self.messages, self.left);
            id.write(self.messages, length, &mut self.message);
            self.messages += 1;
            self.left -= length as u64;
            self.sent_of_message = 0;
        }
        Ok(())
    }
}

impl Reader {
    /// Judges a whole message that came back.
    fn judge(&mut self, id: Try, work: &Work, counts: &mut Counts) -> bool {
        let mut expected = Vec::from(id.preamble());
        if self.is_past_preamble && self.left == 0 {
            return false; // one too many
        }
        if self.is_past_preamble {
            let length = content::length(work, self.messages, self.left);
            id.write(self.messages, length, &mut expected);
            self.messages += 1;
            self.left -= length as u64;
        }
        self.is_past_preamble = true;
        counts.received += self.message.len() as u64;
        let is_right = work.expect == Expect::Echoed && self.message == expected;
        self.message.clear();
        is_right
    }
}
