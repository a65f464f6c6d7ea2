//! Many message streams over one session: flow-controlled, prioritised, and bounded whatever the peer does (wire contract, 4).
//!
//! A [`Mux`] takes the plaintext of records and writes the plaintext of records. It knows no pipe, no cryptography, and not
//! whose session it is: who may open what is asked of its owner while an OPEN is handled.
//!
//! After every call its owner drains [`Mux::poll`], calls [`Mux::fill`] while the pipe has room and [`Mux::wants_fill`] says
//! so, and [`Mux::handle_timeout`] when [`Mux::next_timeout`] comes.
//!
//! ```
//! use fabric::mux::{Admission, Event, Limits, Mux, Priority, Reject, Role};
//! use machine::Instant;
//!
//! /// A session would seal the record, carry it and open it.
//! fn carry(now: Instant, from: &mut Mux, to: &mut Mux) -> Result<(), Reject> {
//!     let mut room = [0; 1024];
//!     match from.fill(now, &mut room) {
//!         0 => Ok(()),
//!         length => to.receive(now, &room[..length], &mut |service| match service {
//!             "echo" => Admission::Admit,
//!             _ => Admission::Deny,
//!         }),
//!     }
//! }
//!
//! let now = Instant::ZERO;
//! let mut phone = Mux::new(now, Role::Initiator, &Limits::default());
//! let mut hub = Mux::new(now, Role::Responder, &Limits::default());
//! let stream = phone.open(now, "echo", Priority::NORMAL)?;
//! phone.write(stream, b"hello", true)?;
//!
//! while phone.wants_fill() || hub.wants_fill() {
//!     carry(now, &mut phone, &mut hub)?;
//!     carry(now, &mut hub, &mut phone)?;
//! }
//! assert!(matches!(hub.poll(), Some(Event::Accepted { .. })));
//! assert_eq!(hub.poll(), Some(Event::Readable { stream }));
//! assert_eq!(hub.read(now, stream, 4096)?.unwrap().bytes, b"hello"[..]);
//! # Ok::<(), Box<dyn core::error::Error>>(())
//! ```
//!
//! # What a peer can make this side hold
//!
//! Unread bytes up to the session's window, and about as much again where they come in small frames; two streams of each
//! side's for every one that it may have open; 256 replies. All else is as much as the application has written.

mod application;
mod budget;
mod buffer;
mod control;
mod credit;
mod ending;
mod event;
mod fill;
mod frame;
mod keepalive;
mod limits;
mod pace;
mod receive;
mod reject;
mod schedule;
mod spare;
mod stream;
mod streams;

pub use event::{Ended, Event, OpensRefused};
pub use limits::Limits;
pub use reject::{Reject, code};

use crate::probe::{Probe, Probes};
use alloc::collections::VecDeque;
use budget::Budget;
use bytes::Bytes;
use control::{Control, ControlQueue};
use core::fmt;
use credit::{Pool, Share};
use ending::Phase;
use keepalive::Keepalive;
use machine::Instant;
use schedule::Schedule;
use spare::Spare;
use stream::{Next, Place, State, Stream};
use streams::Streams;

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
    /// `OPEN_ACK`.
    Admit,
    /// RST with [`Reject::ServiceDenied`].
    Deny,
}

/// Bytes of a stream, in order, lent by [`Mux::read_with`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Part<'a> {
    /// At least one, unless it is the empty message's end.
    pub bytes: &'a [u8],
    /// Whether a message ends with the last of them.
    pub end_of_message: bool,
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
    /// There is no room for an empty message: [`Event::Writable`] follows.
    Full,
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
            Self::Full => "no room for the message",
        })
    }
}

impl core::error::Error for StreamError {}

/// Room in which every frame but a long DATA fits, and of which a DATA frame makes use.
pub const ROOM_MIN: usize = 256;

/// The streams of one session.
#[derive(Debug)]
pub struct Mux {
    limits: Limits,
    phase: Phase,
    streams: Streams,
    control: ControlQueue,
    schedule: Schedule,
    pool: Pool,
    /// The highest stream whose OPEN has left.
    open_sent: u32,
    /// What this side may send on all streams.
    session_credit: u32,
    /// What streams that this side reset may still bring: the peer sent it before it knew.
    late_credit: u64,
    /// What the peer may still cost.
    budget: Budget,
    /// About what this side may still cost the peer.
    own_budget: Budget,
    /// RST are kept back until then; `None` when nobody has looked yet.
    paced_until: Option<Instant>,
    keepalive: Keepalive,
    /// The record that is being taken had a PING.
    pinged: bool,
    events: VecDeque<Event>,
    probes: Probes,
    opens_refused: OpensRefused,
    spare: Spare,
}

impl Mux {
    /// The streams of a session that has just come to be: none.
    pub fn new(now: Instant, role: Role, limits: &Limits) -> Self {
        Self {
            limits: *limits,
            phase: Phase::Open,
            streams: Streams::new(role),
            control: ControlQueue::default(),
            schedule: Schedule::default(),
            pool: Pool::new(now, limits),
            open_sent: 0,
            session_credit: credit::SESSION_WINDOW,
            late_credit: 0,
            budget: Budget::new(now),
            own_budget: Budget::new(now),
            paced_until: None,
            keepalive: Keepalive::new(now, limits),
            pinged: false,
            events: VecDeque::new(),
            probes: Probes::default(),
            opens_refused: OpensRefused::default(),
            spare: Spare::default(),
        }
    }

    /// How many streams it keeps, of both sides: open ones, and closed ones that are not read to their end.
    pub fn streams(&self) -> usize {
        self.streams.len()
    }

    /// How many streams of the peer's are open.
    pub fn streams_of_peer(&self) -> usize {
        self.streams.peers.live
    }

    /// How many streams this side has opened, from the first.
    pub const fn opened(&self) -> u32 {
        self.streams.own.highest.div_ceil(2)
    }

    /// Which rare states were reached.
    pub const fn probes(&self) -> Probes {
        self.probes
    }

    /// How many streams of the peer's were refused.
    pub const fn opens_refused(&self) -> OpensRefused {
        self.opens_refused
    }

    /// What the application has not heard yet.
    pub fn poll(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    /// Sends a PING, as a responder does at once: it completes the initiator's session. Not while one is unanswered.
    pub fn ping(&mut self, now: Instant) {
        if !self.phase.is_ended() && self.keepalive.ask() {
            self.own_budget.spend(now);
            self.control.push(Control::Ping);
        }
    }

    /// Whether the session's streams are over: [`Event::Ended`] was told, or is about to be.
    pub fn has_ended(&self) -> bool {
        self.phase.is_ended()
    }

    /// Whether a stream can be opened: neither side has begun to end the session.
    pub fn is_open(&self) -> bool {
        matches!(self.phase, Phase::Open)
    }

    /// Changes a stream, and all that follows from it: the pool's sums, the count of open streams, and its removal when
    /// both halves are closed and nothing is left to read.
    fn change<R>(&mut self, id: StreamId, change: impl FnOnce(&mut Stream) -> R) -> Option<R> {
        Self::change_in(&mut self.streams, &mut self.pool, id, change)
    }

    fn change_in<R>(
        streams: &mut Streams,
        pool: &mut Pool,
        id: StreamId,
        change: impl FnOnce(&mut Stream) -> R,
    ) -> Option<R> {
        let stream = streams.get_mut(id)?;
        let (share, was_live) = (stream.share(), stream.is_live());
        let result = change(stream);
        let is_live = stream.is_live();
        let is_done = !is_live && !stream.has_unread();
        pool.change(share, if is_done { Share::default() } else { stream.share() });
        if was_live && !is_live {
            streams.closed(id);
        }
        if is_done {
            streams.remove(id);
        }
        Some(result)
    }

    /// Adds a stream, and gives its window.
    fn insert(&mut self, now: Instant, id: StreamId, state: State, priority: Priority) -> u32 {
        let streams = self.streams.len() + 1;
        let window = self.pool.first_window(self.limits.stream_window, streams);
        let stream = Stream::new(now, id, state, priority, window);
        self.pool.change(Share::default(), stream.share());
        self.streams.insert(stream);
        if self.pool.raise(streams) {
            self.control.push_session_update();
        }
        window
    }

    /// Ends both halves of a stream at once, whoever wants it; false when there is none. Its unread bytes are dropped, and
    /// so their session credit returns.
    fn discard(&mut self, id: StreamId) -> bool {
        self.schedule_out(id);
        let Some(unread) = self.change(id, |stream| {
            let unread = stream.window.unread();
            stream.window.release(unread);
            stream.state = State::Closed;
            (stream.incoming, stream.outgoing) = (None, None);
            unread
        }) else {
            return false;
        };
        self.pool.session.release(unread);
        self.return_session_credit();
        true
    }

    /// Queues a stream if it has something that it may send.
    fn schedule_in(&mut self, id: StreamId) {
        let Some(stream) = self.streams.get_mut(id) else { return };
        if stream.place != Place::Out {
            return;
        }
        match stream.next(self.session_credit, usize::MAX) {
            Next::Nothing => {}
            Next::AwaitSession => {
                self.probes.hit(Probe::SessionWindowExhausted);
                stream.place = Place::AwaitsSession;
                self.schedule.await_session(id);
            }
            Next::Close | Next::Data { .. } => {
                stream.place = Place::Queued;
                self.schedule.push(id, stream.priority);
            }
        }
    }

    fn schedule_out(&mut self, id: StreamId) {
        let Some(stream) = self.streams.get_mut(id) else { return };
        if stream.place != Place::Out {
            self.schedule.remove(id, stream.priority);
            stream.place = Place::Out;
        }
    }

    /// Tells the peer of session credit when enough is due, or when streams were promised more than is left.
    fn return_session_credit(&mut self) {
        let is_due = self.pool.session.is_worth_returning(false) || self.pool.is_short();
        if is_due && !self.phase.is_ended() {
            self.control.push_session_update();
        }
    }
}
