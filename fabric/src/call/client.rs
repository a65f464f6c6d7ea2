//! This node's own calls: streams to services, correlation, deadlines, cancellation. Serves nothing.

use super::message::{self, Malformed, REPLY_HEAD_BYTES, Status};
use super::outbox::Outbox;
use super::{Event, Limits, Out, Streams};
use crate::identity::DeviceId;
use crate::mux::{Chunk, Priority, Reject, code};
use crate::timer::Timers;
use crate::{CallError, CodeName, Event as NodeEvent, SessionId, StreamKey};
use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use machine::{Duration, Instant};

/// Bytes read at a time.
const READ_BYTES: usize = 4096;

/// One call of this node's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct CallId(u64);

/// What to call, and how long to wait.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// Whom: a session with it has to be up.
    pub device: DeviceId,
    /// Which service.
    pub service: &'a str,
    /// Which method: 1 to [`METHOD_BYTES_MAX`](super::METHOD_BYTES_MAX) bytes without control characters.
    pub method: &'a str,
    /// What to tell it.
    pub body: &'a [u8],
    /// How long to wait for the answer.
    pub within: Duration,
    /// Most bytes of an answer to keep.
    pub reply_bytes_max: u32,
}

/// Why nothing was called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RequestError {
    /// The method's name cannot be one.
    InvalidMethod,
    /// As many calls as may be wait for this service's answers.
    TooMany,
    /// There is no session, or no stream can be had on it.
    Stream(CallError),
}

impl fmt::Display for RequestError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::InvalidMethod => f.write_str("not a method's name"),
            Self::TooMany => f.write_str("too many calls wait for an answer"),
            Self::Stream(error) => error.fmt(f),
        }
    }
}

impl core::error::Error for RequestError {}

/// Why a call has no result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// The callee's answer.
    Status(Status),
    /// The service was denied: the policy does not allow it, or nobody serves it.
    ServiceDenied,
    /// The call was not made: nothing of it has left, or the callee refused the stream with this code. Safe to try again.
    NotMade(u32),
    /// No answer came in time. Whether it was done is not known.
    Deadline,
    /// The answer was longer than asked for.
    ReplyTooLarge,
    /// The stream ended before the answer came. Whether it was done is not known, and nothing is tried again by itself.
    OutcomeUnknown,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Status(status) => status.fmt(f),
            Self::ServiceDenied => f.write_str("the service is denied, or nobody serves it"),
            Self::NotMade(code) => write!(f, "the call was not made: {}", CodeName(*code)),
            Self::Deadline => f.write_str("no answer in time"),
            Self::ReplyTooLarge => f.write_str("the answer is too large"),
            Self::OutcomeUnknown => f.write_str("the stream ended before the answer came: OutcomeUnknown"),
        }
    }
}

impl core::error::Error for Failure {}

/// All streams to services.
#[derive(Debug)]
pub(super) struct Client {
    limits: Limits,
    lines: BTreeMap<StreamKey, Line>,
    /// Where each call waits.
    calls: BTreeMap<CallId, (StreamKey, u64)>,
    next_call: u64,
    timers: Timers<Timer>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Timer {
    Deadline(CallId),
    Idle(StreamKey),
}

/// One stream to a service.
#[derive(Debug)]
struct Line {
    service: String,
    is_open: bool,
    next_correlation: u64,
    waiting: BTreeMap<u64, Waiting>,
    outbox: Outbox,
    taking: Taking,
}

#[derive(Clone, Copy, Debug)]
struct Waiting {
    call: CallId,
    reply_bytes_max: u32,
}

/// What is being read.
#[derive(Debug)]
enum Taking {
    Head(Vec<u8>),
    Body {
        correlation: u64,
        status: Status,
        bytes_max: u32,
        body: Vec<u8>,
    },
    TooLarge(u64),
    /// A reply that nobody waits for: nothing more of it is kept.
    Dropped(u64),
}

/// A reply that was read whole.
type Reply = (u64, Result<Vec<u8>, Failure>);

impl Client {
    pub(super) fn new(limits: Limits) -> Self {
        Self { limits, lines: BTreeMap::new(), calls: BTreeMap::new(), next_call: 0, timers: Timers::default() }
    }

    pub(super) fn has(&self, stream: StreamKey) -> bool {
        self.lines.contains_key(&stream)
    }

    pub(super) fn next_timeout(&self) -> Option<Instant> {
        self.timers.next()
    }

    pub(super) fn call(
        &mut self,
        now: Instant,
        node: &mut dyn Streams,
        request: &Request<'_>,
        out: &mut Out,
    ) -> Result<CallId, RequestError> {
        if !message::is_method_name(request.method) {
            return Err(RequestError::InvalidMethod);
        }
        let stream = self.line_to(now, node, request)?;
        let Some(line) = self.lines.get_mut(&stream) else { return Err(RequestError::TooMany) };
        if line.waiting.len() >= usize::from(self.limits.calls_per_stream_max).max(1) {
            return Err(RequestError::TooMany);
        }
        let (call, correlation) = (CallId(self.next_call), line.next_correlation);
        self.next_call += 1;
        line.next_correlation += 1;
        line.waiting.insert(correlation, Waiting { call, reply_bytes_max: request.reply_bytes_max });
        line.outbox.push(correlation, message::encode_call(correlation, request.method, request.body));
        self.calls.insert(call, (stream, correlation));
        self.timers.set(Timer::Deadline(call), Some(now + request.within));
        self.timers.set(Timer::Idle(stream), None);
        self.advance(now, node, stream, out);
        Ok(call)
    }

    /// A stream to the service on the device's newest session.
    fn line_to(
        &mut self,
        now: Instant,
        node: &mut dyn Streams,
        request: &Request<'_>,
    ) -> Result<StreamKey, RequestError> {
        let Request { device, service, .. } = *request;
        let newest = node.session(device).ok_or(RequestError::Stream(CallError::UnauthenticatedSession))?;
        let fits = |(stream, line): &(&StreamKey, &Line)| stream.session == newest && line.service == service;
        if let Some((stream, _)) = self.lines.iter().find(fits) {
            return Ok(*stream);
        }
        let stream = node.open(now, device, service, Priority::NORMAL).map_err(RequestError::Stream)?;
        let line = Line {
            service: service.into(),
            is_open: false,
            next_correlation: 0,
            waiting: BTreeMap::new(),
            outbox: Outbox::default(),
            taking: Taking::Head(Vec::new()),
        };
        self.lines.insert(stream, line);
        Ok(stream)
    }

    pub(super) fn cancel(&mut self, now: Instant, node: &mut dyn Streams, call: CallId) {
        self.timers.set(Timer::Deadline(call), None);
        let Some((stream, correlation)) = self.calls.remove(&call) else { return };
        let Some(line) = self.lines.get_mut(&stream) else { return };
        line.waiting.remove(&correlation);
        if line.outbox.withdraw(correlation) && (line.is_open || !line.waiting.is_empty()) {
            return self.rest(now, stream);
        }
        if line.waiting.is_empty() {
            // It may have ended by itself.
            let _ = node.reset(now, stream, code::CANCELLED);
            self.forget(stream);
        }
    }

    pub(super) fn stream_event(&mut self, now: Instant, node: &mut dyn Streams, event: &NodeEvent, out: &mut Out) {
        match *event {
            NodeEvent::Opened { stream } => {
                self.lines.entry(stream).and_modify(|line| line.is_open = true);
                self.advance(now, node, stream, out);
            }
            NodeEvent::Readable { stream } | NodeEvent::Writable { stream } => self.advance(now, node, stream, out),
            NodeEvent::Finished { stream } => {
                self.advance(now, node, stream, out);
                if self.has(stream) {
                    // The last word of an honest callee that ends: what it has not answered it never will.
                    let _ = node.finish(now, stream);
                    self.end(stream, Failure::OutcomeUnknown, out);
                }
            }
            NodeEvent::Reset { stream, code } => self.end(stream, failure_of(code), out),
            _ => {}
        }
    }

    pub(super) fn session_down(&mut self, session: SessionId, out: &mut Out) {
        let gone: Vec<_> = self.lines.keys().filter(|stream| stream.session == session).copied().collect();
        for stream in gone {
            self.end(stream, Failure::OutcomeUnknown, out);
        }
    }

    pub(super) fn handle_timeout(&mut self, now: Instant, node: &mut dyn Streams, out: &mut Out) {
        while let Some(timer) = self.timers.pop_due(now) {
            match timer {
                Timer::Deadline(call) => {
                    self.cancel(now, node, call);
                    out.events.push_back(Event::Done { call, outcome: Err(Failure::Deadline) });
                }
                Timer::Idle(stream) => {
                    // It may have ended by itself.
                    let _ = node.finish(now, stream);
                    self.forget(stream);
                }
            }
        }
    }

    /// Writes and reads what it can.
    fn advance(&mut self, now: Instant, node: &mut dyn Streams, stream: StreamKey, out: &mut Out) {
        loop {
            let Some(line) = self.lines.get_mut(&stream) else { return };
            // An error means that the stream is gone, which the node tells by an event of its own.
            let Ok(()) = line.outbox.flush(now, node, stream) else { return };
            let Ok(Some(chunk)) = node.read(now, stream, READ_BYTES) else { return };
            match line.take(&chunk) {
                Ok(None) => {}
                Ok(Some((correlation, outcome))) => self.answered(now, stream, correlation, outcome, out),
                Err(Malformed) => {
                    out.counters.malformed += 1;
                    let _ = node.reset(now, stream, code::CANCELLED);
                    return self.end(stream, Failure::OutcomeUnknown, out);
                }
            }
        }
    }

    fn answered(
        &mut self,
        now: Instant,
        stream: StreamKey,
        correlation: u64,
        outcome: Result<Vec<u8>, Failure>,
        out: &mut Out,
    ) {
        let waiting = self.lines.get_mut(&stream).and_then(|line| line.waiting.remove(&correlation));
        let Some(Waiting { call, .. }) = waiting else {
            out.counters.replies_dropped += 1;
            return;
        };
        self.done(call, outcome, out);
        self.rest(now, stream);
    }

    /// A stream on which nothing waits is kept for a while.
    fn rest(&mut self, now: Instant, stream: StreamKey) {
        if self.lines.get(&stream).is_some_and(|line| line.waiting.is_empty()) {
            self.timers.set(Timer::Idle(stream), Some(now + self.limits.idle_after));
        }
    }

    fn done(&mut self, call: CallId, outcome: Result<Vec<u8>, Failure>, out: &mut Out) {
        self.calls.remove(&call);
        self.timers.set(Timer::Deadline(call), None);
        out.events.push_back(Event::Done { call, outcome });
    }

    /// The stream has ended: what waits on it has failed, what has not left was not made.
    fn end(&mut self, stream: StreamKey, failure: Failure, out: &mut Out) {
        self.timers.set(Timer::Idle(stream), None);
        let Some(mut line) = self.lines.remove(&stream) else { return };
        for (correlation, Waiting { call, .. }) in core::mem::take(&mut line.waiting) {
            let has_left = !line.outbox.withdraw(correlation);
            let is_unknown = failure == Failure::OutcomeUnknown;
            let failure = if is_unknown && !has_left { Failure::NotMade(code::REFUSED) } else { failure };
            self.done(call, Err(failure), out);
        }
    }

    fn forget(&mut self, stream: StreamKey) {
        self.lines.remove(&stream);
        self.timers.set(Timer::Idle(stream), None);
    }
}

/// What a reset says of the calls that wait.
fn failure_of(code: u32) -> Failure {
    match code {
        code::REFUSED => Failure::NotMade(code),
        _ => match Reject::from_code(code) {
            Some(Reject::ServiceDenied) => Failure::ServiceDenied,
            Some(Reject::StreamLimitExceeded | Reject::InvalidStreamName) => Failure::NotMade(code),
            _ => Failure::OutcomeUnknown,
        },
    }
}

impl Line {
    /// Takes bytes of at most one reply; the reply, if they end it.
    fn take(&mut self, chunk: &Chunk) -> Result<Option<Reply>, Malformed> {
        let mut bytes = &chunk.bytes[..];
        if let Taking::Head(head) = &mut self.taking {
            let (first, rest) = bytes.split_at((REPLY_HEAD_BYTES - head.len()).min(bytes.len()));
            head.extend_from_slice(first);
            bytes = rest;
            if let Some((correlation, status)) = message::parse_reply_head(head)? {
                self.taking = match self.waiting.get(&correlation) {
                    Some(Waiting { reply_bytes_max, .. }) => {
                        Taking::Body { correlation, status, bytes_max: *reply_bytes_max, body: Vec::new() }
                    }
                    None => Taking::Dropped(correlation),
                };
            }
        }
        if let Taking::Body { correlation, bytes_max, body, .. } = &mut self.taking {
            if body.len() + bytes.len() <= *bytes_max as usize {
                body.extend_from_slice(bytes);
            } else {
                self.taking = Taking::TooLarge(*correlation);
            }
        }
        if !chunk.end_of_message {
            return Ok(None);
        }
        match core::mem::replace(&mut self.taking, Taking::Head(Vec::new())) {
            Taking::Head(_) => Err(Malformed),
            Taking::Body { correlation, status: Status::Ok, body, .. } => Ok(Some((correlation, Ok(body)))),
            Taking::Body { correlation, status, .. } => Ok(Some((correlation, Err(Failure::Status(status))))),
            Taking::TooLarge(correlation) => Ok(Some((correlation, Err(Failure::ReplyTooLarge)))),
            Taking::Dropped(correlation) => Ok(Some((correlation, Ok(Vec::new())))),
        }
    }
}
