//! Remote calls over a node's streams (wire contract, 5): a registry of what is served, correlation, deadlines, bounds,
//! cancellation, and an audit of every decision. Does no call by itself: what a method means is its service's.
//!
//! A [`Calls`] stands beside a [`Node`](crate::Node), or whatever else has its [`Streams`]: it is handed each of the node's events
//! and gives back those that are not its own.
//! After every call its owner drains [`Calls::poll`], and calls [`Calls::handle_timeout`] when [`Calls::next_timeout`] comes.
//! The services that it serves are named in [`Config::services`](crate::Config::services), and allowed by the node's
//! [`Policy`](crate::Policy).
//!
//! A caller's calls of one service share a stream, many at a time, and are answered in any order. Nothing is ever called
//! twice by itself.

mod client;
mod message;
mod outbox;
mod server;
mod streams;

pub use client::{CallId, Failure, Request, RequestError};
pub use message::{METHOD_BYTES_MAX, Status};
pub use server::{Audit, NotPending, ServedCall, Verdict};
pub use streams::Streams;

use crate::identity::DeviceId;
use crate::{Event as NodeEvent, StreamKey};
use alloc::collections::{BTreeMap, VecDeque};
use alloc::string::String;
use alloc::vec::Vec;
use client::Client;
use machine::{Duration, Instant};
use server::Server;

/// Bounds of all calls of a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Calls of one stream that wait for their answer; past it a callee reads no further, and a caller is refused.
    pub calls_per_stream_max: u16,
    /// How long a service has for a call before it is answered with [`Status::Deadline`].
    pub serve_within: Duration,
    /// A caller finishes a stream on which nothing was called for so long.
    pub idle_after: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self { calls_per_stream_max: 32, serve_within: Duration::from_secs(30), idle_after: Duration::from_secs(30) }
    }
}

/// Bounds of one method's bodies, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// Of a request; past it the caller is told [`Status::TooLarge`], and the rest is not kept.
    pub request_bytes_max: u32,
    /// Of a reply; past it the caller is told so too.
    pub reply_bytes_max: u32,
}

impl Default for Bounds {
    /// Those of the wire contract.
    fn default() -> Self {
        Self { request_bytes_max: 256, reply_bytes_max: 4096 }
    }
}

/// The methods of one service, by name.
pub type Methods = BTreeMap<String, Bounds>;

/// What the application learns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// A call of this node's has ended; told once for each that was not cancelled.
    Done {
        /// Which.
        call: CallId,
        /// The result, or why there is none.
        outcome: Result<Vec<u8>, Failure>,
    },
    /// A peer calls, and the policy lets it: answer with [`Calls::reply`].
    Called {
        /// Which call.
        call: ServedCall,
        /// Who, as proven.
        device: DeviceId,
        /// Which service.
        service: String,
        /// Which method.
        method: String,
        /// The request, within its bound.
        body: Vec<u8>,
    },
    /// The caller of a call that is not answered is gone, or its time is over: an answer goes nowhere.
    Abandoned {
        /// Which call.
        call: ServedCall,
    },
    /// A decision was made about a call.
    Audited(Audit),
}

/// What happened to calls since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Calls that were let through to their service.
    pub served: u64,
    /// Calls that the policy denied.
    pub denied: u64,
    /// Calls of methods that there are not.
    pub no_such_method: u64,
    /// Calls past their bound.
    pub too_large: u64,
    /// Calls that their service was too slow for.
    pub late: u64,
    /// Streams that a malformed message, or a correlation used before, has ended.
    pub malformed: u64,
    /// Replies to what was not asked, or not any more.
    pub replies_dropped: u64,
}

/// The calls of one node, in both directions.
#[derive(Debug)]
pub struct Calls {
    client: Client,
    server: Server,
    out: Out,
}

/// What both directions tell.
#[derive(Debug, Default)]
struct Out {
    events: VecDeque<Event>,
    counters: Counters,
}

impl Calls {
    /// Serves nothing yet, and has called nobody.
    pub fn new(limits: &Limits) -> Self {
        Self { client: Client::new(*limits), server: Server::new(*limits), out: Out::default() }
    }

    /// Serves `service` with these methods from now on.
    pub fn serve(&mut self, service: &str, methods: Methods) {
        self.server.serve(service, methods);
    }

    /// Calls a method of a device's service: [`Event::Done`] follows, within the request's time.
    pub fn call(
        &mut self,
        now: Instant,
        node: &mut dyn Streams,
        request: &Request<'_>,
    ) -> Result<CallId, RequestError> {
        self.client.call(now, node, request, &mut self.out)
    }

    /// Wants no answer to a call any more. It may be done all the same; a callee learns of it when no other call waits on
    /// the stream.
    pub fn cancel(&mut self, now: Instant, node: &mut dyn Streams, call: CallId) {
        self.client.cancel(now, node, call);
    }

    /// Answers a call that a peer has made. Past its time it is answered already, whether that was noticed or not.
    pub fn reply(
        &mut self,
        now: Instant,
        node: &mut dyn Streams,
        call: ServedCall,
        result: Result<&[u8], Status>,
    ) -> Result<(), NotPending> {
        self.server.handle_timeout(now, node, &mut self.out);
        self.server.reply(now, node, call, result, &mut self.out)
    }

    /// Takes an event of the node's; one that says nothing of calls alone comes back.
    pub fn handle_event(&mut self, now: Instant, node: &mut dyn Streams, event: NodeEvent) -> Option<NodeEvent> {
        match event {
            NodeEvent::Accepted { stream, device, service, .. } if self.server.serves(&service) => {
                self.server.accept(now, node, stream, device, service, &mut self.out);
            }
            NodeEvent::Opened { stream }
            | NodeEvent::Readable { stream }
            | NodeEvent::Writable { stream }
            | NodeEvent::Finished { stream }
            | NodeEvent::Reset { stream, .. }
                if self.is_own(stream) =>
            {
                // What comes at a deadline or after it is too late, whether or not that was noticed.
                self.handle_timeout(now, node);
                self.client.stream_event(now, node, &event, &mut self.out);
                self.server.stream_event(now, node, &event, &mut self.out);
            }
            NodeEvent::SessionDown { session, .. } => {
                self.client.session_down(session, &mut self.out);
                self.server.session_down(session, &mut self.out);
                return Some(event);
            }
            _ => return Some(event),
        }
        None
    }

    /// Judges deadlines; before [`Calls::next_timeout`] it changes nothing.
    pub fn handle_timeout(&mut self, now: Instant, node: &mut dyn Streams) {
        self.client.handle_timeout(now, node, &mut self.out);
        self.server.handle_timeout(now, node, &mut self.out);
    }

    /// When to call [`Calls::handle_timeout`].
    pub fn next_timeout(&self) -> Option<Instant> {
        [self.client.next_timeout(), self.server.next_timeout()].into_iter().flatten().min()
    }

    /// What the application has not heard yet.
    pub fn poll(&mut self) -> Option<Event> {
        self.out.events.pop_front()
    }

    /// What happened so far.
    pub const fn counters(&self) -> &Counters {
        &self.out.counters
    }

    fn is_own(&self, stream: StreamKey) -> bool {
        self.client.has(stream) || self.server.has(stream)
    }
}
