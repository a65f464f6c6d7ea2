//! The calls of peers: reads them off served streams, decides each, and writes the answers. Knows no outgoing call.

use super::message::{self, CALL_HEAD_BYTES_MAX, Malformed, Status};
use super::outbox::Outbox;
use super::{Bounds, Event, Limits, Methods, Out, Streams};
use crate::identity::DeviceId;
use crate::mux::{Chunk, code};
use crate::timer::Timers;
use crate::{CallError, Event as NodeEvent, Policy, SessionId, StreamKey};
use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;
use machine::Instant;

/// Bytes read at a time.
const READ_BYTES: usize = 4096;

/// A call that a peer has made and that is not answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ServedCall {
    stream: StreamKey,
    correlation: u64,
}

/// A call is not waiting for an answer: it was answered, its time is over, or its caller is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotPending;

impl core::fmt::Display for NotPending {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("the call waits for no answer")
    }
}

impl core::error::Error for NotPending {}

/// Who wanted to call what, and what was decided. It holds nothing of the request but its names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Audit {
    /// The caller, as proven.
    pub device: DeviceId,
    /// The service.
    pub service: String,
    /// The method that the caller named.
    pub method: String,
    /// The decision.
    pub verdict: Verdict,
}

/// What was decided about a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It goes to its service.
    Allowed,
    /// The policy does not let the caller.
    Denied,
    /// There is no such method.
    NoSuchMethod,
    /// It is past its bound.
    TooLarge,
}

/// All served streams.
#[derive(Debug)]
pub(super) struct Server {
    limits: Limits,
    services: BTreeMap<String, Methods>,
    lanes: BTreeMap<StreamKey, Lane>,
    deadlines: Timers<ServedCall>,
}

/// One served stream.
#[derive(Debug)]
struct Lane {
    device: DeviceId,
    service: String,
    /// Correlations rise, so that a repeated one is known without remembering all.
    highest: Option<u64>,
    taking: Taking,
    /// Calls that their service has not answered, with the bound of the answer.
    pending: BTreeMap<u64, u32>,
    outbox: Outbox,
    peer_finished: bool,
}

/// What is being read.
#[derive(Debug)]
enum Taking {
    /// Too little of a call to judge it.
    Head(Vec<u8>),
    /// A call that may be made.
    Body { correlation: u64, method: String, bounds: Bounds, body: Vec<u8> },
    /// A call that is refused with this status: nothing more of it is kept.
    Refused(u64, Status),
}

/// A call that was read whole.
#[derive(Debug)]
enum Whole {
    Call { correlation: u64, method: String, bounds: Bounds, body: Vec<u8> },
    Refused(u64, Status),
}

/// Who decides about a call, and who is told of the decision.
struct Judge<'a> {
    policy: &'a Policy,
    methods: Option<&'a Methods>,
    out: &'a mut Out,
}

impl Server {
    pub(super) fn new(limits: Limits) -> Self {
        Self { limits, services: BTreeMap::new(), lanes: BTreeMap::new(), deadlines: Timers::default() }
    }

    pub(super) fn serve(&mut self, service: &str, methods: Methods) {
        self.services.insert(service.into(), methods);
    }

    pub(super) fn serves(&self, service: &str) -> bool {
        self.services.contains_key(service)
    }

    pub(super) fn has(&self, stream: StreamKey) -> bool {
        self.lanes.contains_key(&stream)
    }

    pub(super) fn next_timeout(&self) -> Option<Instant> {
        self.deadlines.next()
    }

    pub(super) fn accept(
        &mut self,
        now: Instant,
        node: &mut dyn Streams,
        stream: StreamKey,
        device: DeviceId,
        service: String,
        out: &mut Out,
    ) {
        let lane = Lane {
            device,
            service,
            highest: None,
            taking: Taking::Head(Vec::new()),
            pending: BTreeMap::new(),
            outbox: Outbox::default(),
            peer_finished: false,
        };
        self.lanes.insert(stream, lane);
        self.advance(now, node, stream, out);
    }

    pub(super) fn stream_event(&mut self, now: Instant, node: &mut dyn Streams, event: &NodeEvent, out: &mut Out) {
        match *event {
            NodeEvent::Readable { stream } | NodeEvent::Writable { stream } => self.advance(now, node, stream, out),
            NodeEvent::Finished { stream } => {
                if let Some(lane) = self.lanes.get_mut(&stream) {
                    lane.peer_finished = true;
                }
                self.advance(now, node, stream, out);
            }
            NodeEvent::Reset { stream, .. } => self.drop_lane(stream, out),
            _ => {}
        }
    }

    pub(super) fn session_down(&mut self, session: SessionId, out: &mut Out) {
        let gone: Vec<_> = self.lanes.keys().filter(|stream| stream.session == session).copied().collect();
        for stream in gone {
            self.drop_lane(stream, out);
        }
    }

    pub(super) fn reply(
        &mut self,
        now: Instant,
        node: &mut dyn Streams,
        call: ServedCall,
        result: Result<&[u8], Status>,
        out: &mut Out,
    ) -> Result<(), NotPending> {
        let lane = self.lanes.get_mut(&call.stream).ok_or(NotPending)?;
        let bytes_max = lane.pending.remove(&call.correlation).ok_or(NotPending)?;
        self.deadlines.set(call, None);
        let fits = |body: &&[u8]| body.len() <= bytes_max as usize;
        let result = result.and_then(|body| Some(body).filter(fits).ok_or(Status::TooLarge));
        lane.answer(call.correlation, result);
        self.advance(now, node, call.stream, out);
        Ok(())
    }

    pub(super) fn handle_timeout(&mut self, now: Instant, node: &mut dyn Streams, out: &mut Out) {
        while let Some(call) = self.deadlines.pop_due(now) {
            out.counters.late += 1;
            out.events.push_back(Event::Abandoned { call });
            // A call with a deadline is pending.
            let _ = self.reply(now, node, call, Err(Status::Deadline), out);
        }
    }

    /// Writes and reads what it can; a stream that is over, one way or another, goes.
    fn advance(&mut self, now: Instant, node: &mut dyn Streams, stream: StreamKey, out: &mut Out) {
        match self.try_advance(now, node, stream, out) {
            // When the stream is gone, the node tells so by an event of its own.
            Ok(true) | Err(Stopped::StreamGone) => {}
            Ok(false) => self.drop_lane(stream, out),
            Err(Stopped::Malformed) => {
                out.counters.malformed += 1;
                // It may have ended by itself.
                let _ = node.reset(now, stream, code::CANCELLED);
                self.drop_lane(stream, out);
            }
        }
    }

    /// Whether the stream goes on.
    fn try_advance(
        &mut self,
        now: Instant,
        node: &mut dyn Streams,
        stream: StreamKey,
        out: &mut Out,
    ) -> Result<bool, Stopped> {
        let Self { limits, services, lanes, deadlines } = self;
        let Some(lane) = lanes.get_mut(&stream) else { return Ok(true) };
        loop {
            lane.outbox.flush(now, node, stream)?;
            if lane.pending.len() + lane.outbox.len() >= usize::from(limits.calls_per_stream_max).max(1) {
                return Ok(true); // what is not read is not granted again: the caller waits
            }
            let Some(chunk) = node.read(now, stream, READ_BYTES)? else { break };
            let methods = services.get(&lane.service);
            let whole = lane.take(&chunk, &mut Judge { policy: node.policy(), methods, out })?;
            if let Some(call) = whole.and_then(|whole| lane.act(whole, stream, out)) {
                deadlines.set(call, Some(now + limits.serve_within));
            }
        }
        let is_over = lane.peer_finished && lane.pending.is_empty() && lane.outbox.len() == 0;
        if is_over {
            node.finish(now, stream)?;
        }
        Ok(!is_over)
    }

    fn drop_lane(&mut self, stream: StreamKey, out: &mut Out) {
        let Some(lane) = self.lanes.remove(&stream) else { return };
        for correlation in lane.pending.into_keys() {
            let call = ServedCall { stream, correlation };
            self.deadlines.set(call, None);
            out.events.push_back(Event::Abandoned { call });
        }
    }
}

/// Why a stream was not read further.
enum Stopped {
    Malformed,
    StreamGone,
}

impl From<CallError> for Stopped {
    fn from(_: CallError) -> Self {
        Self::StreamGone
    }
}

impl From<Malformed> for Stopped {
    fn from(Malformed: Malformed) -> Self {
        Self::Malformed
    }
}

impl Lane {
    /// Takes bytes of at most one message; the message, if they end it.
    fn take(&mut self, chunk: &Chunk, judge: &mut Judge<'_>) -> Result<Option<Whole>, Malformed> {
        let mut bytes = &chunk.bytes[..];
        if let Taking::Head(head) = &mut self.taking {
            let missing = CALL_HEAD_BYTES_MAX.saturating_sub(head.len()).min(bytes.len());
            let (first, rest) = bytes.split_at(missing);
            head.extend_from_slice(first);
            bytes = rest;
            self.take_head(judge)?;
        }
        self.take_body(bytes, judge);
        if !chunk.end_of_message {
            return Ok(None);
        }
        match core::mem::replace(&mut self.taking, Taking::Head(Vec::new())) {
            Taking::Head(_) => Err(Malformed),
            Taking::Body { correlation, method, bounds, body } => {
                judge.tell(self, &method, Verdict::Allowed);
                Ok(Some(Whole::Call { correlation, method, bounds, body }))
            }
            Taking::Refused(correlation, status) => Ok(Some(Whole::Refused(correlation, status))),
        }
    }

    /// Judges a call as soon as its head is there.
    fn take_head(&mut self, judge: &mut Judge<'_>) -> Result<(), Malformed> {
        let Taking::Head(head) = &mut self.taking else { return Ok(()) };
        let head = core::mem::take(head);
        let Some(parsed) = message::parse_call_head(&head)? else {
            self.taking = Taking::Head(head);
            return Ok(());
        };
        let (correlation, method) = (parsed.correlation, parsed.method);
        if self.highest.is_some_and(|highest| correlation <= highest) {
            return Err(Malformed);
        }
        self.highest = Some(correlation);
        self.taking = match judge.decide(self, method) {
            Ok(bounds) => Taking::Body { correlation, method: method.into(), bounds, body: Vec::new() },
            Err(status) => Taking::Refused(correlation, status),
        };
        self.take_body(&head[parsed.length..], judge);
        Ok(())
    }

    fn take_body(&mut self, bytes: &[u8], judge: &mut Judge<'_>) {
        let Taking::Body { correlation, method, bounds, body } = &mut self.taking else { return };
        if body.len() + bytes.len() <= bounds.request_bytes_max as usize {
            return body.extend_from_slice(bytes);
        }
        let (correlation, method) = (*correlation, core::mem::take(method));
        self.taking = Taking::Refused(correlation, Status::TooLarge);
        judge.tell(self, &method, Verdict::TooLarge);
    }

    /// Answers a call that is refused; hands any other to its service.
    fn act(&mut self, whole: Whole, stream: StreamKey, out: &mut Out) -> Option<ServedCall> {
        match whole {
            Whole::Refused(correlation, status) => {
                self.answer(correlation, Err(status));
                None
            }
            Whole::Call { correlation, method, bounds, body } => {
                let call = ServedCall { stream, correlation };
                self.pending.insert(correlation, bounds.reply_bytes_max);
                let (device, service) = (self.device, self.service.clone());
                out.events.push_back(Event::Called { call, device, service, method, body });
                Some(call)
            }
        }
    }

    fn answer(&mut self, correlation: u64, result: Result<&[u8], Status>) {
        let (status, body) = match result {
            Ok(body) => (Status::Ok, body),
            Err(status) => (status, &[][..]),
        };
        self.outbox.push(correlation, message::encode_reply(correlation, status, body));
    }
}

impl Judge<'_> {
    /// Denied comes before all else: a stranger to a method does not learn whether there is one.
    fn decide(&mut self, lane: &Lane, method: &str) -> Result<Bounds, Status> {
        if !self.policy.allows_method(lane.device, &lane.service, method) {
            self.tell(lane, method, Verdict::Denied);
            return Err(Status::Denied);
        }
        let Some(bounds) = self.methods.and_then(|methods| methods.get(method)) else {
            self.tell(lane, method, Verdict::NoSuchMethod);
            return Err(Status::NoSuchMethod);
        };
        Ok(*bounds)
    }

    fn tell(&mut self, lane: &Lane, method: &str, verdict: Verdict) {
        let counters = &mut self.out.counters;
        *match verdict {
            Verdict::Allowed => &mut counters.served,
            Verdict::Denied => &mut counters.denied,
            Verdict::NoSuchMethod => &mut counters.no_such_method,
            Verdict::TooLarge => &mut counters.too_large,
        } += 1;
        let (device, service) = (lane.device, lane.service.clone());
        self.out.events.push_back(Event::Audited(Audit { device, service, method: method.into(), verdict }));
    }
}
