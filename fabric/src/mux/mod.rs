//! Many message streams over one session: flow-controlled, prioritised, and bounded whatever the peer does (wire contract, 4).
//!
//! A [`Mux`] takes the plaintext of records and writes the plaintext of records. It knows no pipe, no cryptography, and not
//! whose session it is: who may open what is asked of its owner while an OPEN is handled.

mod event;
mod limits;
mod reject;

pub use event::{Ended, Event};
pub use limits::Limits;
pub use reject::{Reject, code};

use bytes::Bytes;
use core::fmt;
use machine::Instant;

/// Which side of the session this is: it decides whose stream ids are odd.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Dialled; opens odd streams.
    Initiator,
    /// Was dialled; opens even streams.
    Responder,
}

/// A stream of one session; never 0, never used twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StreamId(u32);

impl StreamId {
    /// Its number on the wire.
    pub const fn as_u32(self) -> u32 {
        self.0
    }
}

/// How urgent a stream's bytes are: 0 (first) to 7 (last).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Priority(u8);

impl Priority {
    /// Before all others.
    pub const FIRST: Self = Self(0);
    /// The middle.
    pub const NORMAL: Self = Self(4);
    /// After all others.
    pub const LAST: Self = Self(7);

    /// The priority `level`; `None` over 7.
    pub const fn new(level: u8) -> Option<Self> {
        if level <= 7 { Some(Self(level)) } else { None }
    }

    /// 0 to 7.
    pub const fn level(self) -> u8 {
        self.0
    }
}

/// The owner's answer to an OPEN.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Admission {
    /// OPEN_ACK.
    Admit,
    /// RST with [`Reject::ServiceDenied`].
    Deny,
}

/// Bytes of a stream, in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chunk {
    /// At least one, unless it is the empty message's end.
    pub bytes: Bytes,
    /// Whether a message ends with the last of them.
    pub end_of_message: bool,
}

/// Why a stream was not opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OpenError {
    /// The name is not 1 to 64 bytes of UTF-8 without control characters.
    InvalidName,
    /// As many streams are open as the peer allows.
    TooMany,
    /// The session ends, or has no stream ids left.
    Ending,
}

/// Why a call on a stream failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StreamError {
    /// There is no such stream: it has ended, or never was.
    Unknown,
    /// This half was finished before.
    Finished,
}

impl fmt::Display for OpenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::InvalidName => "not a service name",
            Self::TooMany => "too many open streams",
            Self::Ending => "the session is ending",
        })
    }
}

impl core::error::Error for OpenError {}

impl fmt::Display for StreamError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Unknown => "no such stream",
            Self::Finished => "this half of the stream is finished",
        })
    }
}

impl core::error::Error for StreamError {}

/// The streams of one session.
#[derive(Debug)]
pub struct Mux {
    role: Role,
    limits: Limits,
}

#[expect(unused_variables, clippy::unused_self, clippy::needless_pass_by_value, reason = "to be built")]
impl Mux {
    /// The streams of a session that has just come to be: none.
    pub fn new(now: Instant, role: Role, limits: &Limits) -> Self {
        Self { role, limits: *limits }
    }

    /// Takes the plaintext of one record: its frames act in order, up to the first offence. `admit` decides about an OPEN,
    /// by its service, while it is handled.
    ///
    /// # Errors
    /// The offence. The session has ended then ([`Event::Ended`] follows), and the CLOSE that says so is the last that
    /// [`Mux::fill`] gives.
    pub fn receive(
        &mut self,
        now: Instant,
        record: &[u8],
        admit: &mut dyn FnMut(&str) -> Admission,
    ) -> Result<(), Reject> {
        Ok(())
    }

    /// Writes whole frames into `room` and returns how many bytes; 0 when there is nothing to send for now. Room of
    /// [`ROOM_MIN`] is always enough for the next frame.
    pub fn fill(&mut self, now: Instant, room: &mut [u8]) -> usize {
        0
    }

    /// Whether [`Mux::fill`] has something to give.
    pub fn wants_fill(&self) -> bool {
        false
    }

    /// What the application has not heard yet.
    pub fn poll(&mut self) -> Option<Event> {
        None
    }

    /// When to call [`Mux::handle_timeout`].
    pub fn next_timeout(&self) -> Option<Instant> {
        None
    }

    /// Time has passed; before [`Mux::next_timeout`] it changes nothing.
    pub fn handle_timeout(&mut self, now: Instant) {}

    /// Opens a stream to a service of the peer's. Bytes may be written at once; they are sent after [`Event::Opened`].
    pub fn open(&mut self, now: Instant, service: &str, priority: Priority) -> Result<StreamId, OpenError> {
        Err(OpenError::Ending)
    }

    /// Hands over as many bytes as there is room for and returns how many; `end_of_message` counts only when all were
    /// taken. After less than all, [`Event::Writable`] follows.
    pub fn write(&mut self, stream: StreamId, bytes: &[u8], end_of_message: bool) -> Result<usize, StreamError> {
        Err(StreamError::Unknown)
    }

    /// Takes up to `bytes_max` bytes of what came in, not beyond a message's end, and returns their credit to the peer.
    /// `None` when there is nothing for now, or nothing more after [`Event::Finished`].
    pub fn read(&mut self, now: Instant, stream: StreamId, bytes_max: usize) -> Result<Option<Chunk>, StreamError> {
        Err(StreamError::Unknown)
    }

    /// Closes this half after what was written.
    pub fn finish(&mut self, stream: StreamId) -> Result<(), StreamError> {
        Err(StreamError::Unknown)
    }

    /// Ends both halves at once; what was not sent or not read is gone.
    pub fn reset(&mut self, stream: StreamId, code: u32) -> Result<(), StreamError> {
        Err(StreamError::Unknown)
    }

    /// Sends this side's bytes of the stream with another priority from now on.
    pub fn set_priority(&mut self, stream: StreamId, priority: Priority) -> Result<(), StreamError> {
        Err(StreamError::Unknown)
    }

    /// Begins to end the session, by CLOSE of stream 0: a code that drains lets streams finish, any other ends them now.
    /// [`Event::Ended`] follows.
    pub fn close(&mut self, now: Instant, code: u32) {}

    /// The pipe has ended: unless the session had, it is [`Ended::Truncated`] now.
    pub fn pipe_ended(&mut self) {}

    /// Sends a PING, as a responder does at once: it completes the initiator's session.
    pub fn ping(&mut self, now: Instant) {}

    /// Whether the session's streams are over: [`Event::Ended`] was told, or is about to be.
    pub fn has_ended(&self) -> bool {
        false
    }

    /// Whether a stream can be opened: neither side has begun to end the session.
    pub fn is_open(&self) -> bool {
        true
    }
}

/// Room in which every frame but a long DATA fits, and of which a DATA frame makes use.
pub const ROOM_MIN: usize = 256;
