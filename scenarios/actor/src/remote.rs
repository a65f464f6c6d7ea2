//! Remote calls: the node's own, each for a piece of work, and those that it serves as `samgrd` and `bundlemgrd`.

use crate::client::Outcome;
use crate::{Expect, Observation, Part, Work};
use alloc::collections::BTreeMap;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use bytes::Bytes;
use fabric::call::{self, CallId, Calls, Failure, Methods, Request, RequestError, Status, Verdict};
use fabric::identity::DeviceId;
use fabric::services::{bundlemgrd, samgrd};
use fabric::{Event, Node};
use machine::{Duration, Instant};

/// How long a call of a scenario is waited for, by its caller's clock.
pub const CALL_WITHIN: Duration = Duration::from_secs(10);
/// Most bytes of an answer.
const REPLY_BYTES_MAX: u32 = 4096;
/// The only bundle that there is, and what is in it.
const BUNDLE: (&str, &[u8]) = ("demo", b"a bundle of a scenario");

/// All calls of one node.
#[derive(Debug)]
pub(crate) struct Remote {
    calls: Calls,
    samgrd: samgrd::Samgrd,
    bundlemgrd: bundlemgrd::Bundlemgrd,
    /// Which piece of work each call is for, by its place.
    asked: BTreeMap<CallId, usize>,
}

/// What calls have led to.
pub(crate) enum Told {
    Saw(Observation),
    /// A piece of work, by its place, and how its try ended.
    Ended(usize, Outcome),
}

impl Remote {
    pub(crate) fn new(part: &Part) -> Self {
        let mut remote = Self {
            calls: Calls::new(&call::Limits::default()),
            samgrd: samgrd::Samgrd::default(),
            bundlemgrd: bundlemgrd::Bundlemgrd::default(),
            asked: BTreeMap::new(),
        };
        let (name, content) = BUNDLE;
        remote.bundlemgrd.register(name, 1, Bytes::from_static(content));
        for service in &part.serves {
            let methods = match service.as_str() {
                samgrd::SERVICE => samgrd::methods(),
                bundlemgrd::SERVICE => bundlemgrd::methods(),
                _ => Methods::new(),
            };
            if !methods.is_empty() {
                remote.calls.serve(service, methods.clone());
            }
            remote.samgrd.register(service, &methods);
        }
        remote
    }

    /// Calls for the piece of work at this place.
    pub(crate) fn call(
        &mut self,
        now: Instant,
        node: &mut Node,
        device: DeviceId,
        at: usize,
        work: &Work,
    ) -> Result<(), RequestError> {
        let Some(call) = &work.call else { return Err(RequestError::InvalidMethod) };
        let request = Request {
            device,
            service: &work.service,
            method: &call.method,
            body: call.body.as_bytes(),
            within: CALL_WITHIN,
            reply_bytes_max: REPLY_BYTES_MAX,
        };
        let id = self.calls.call(now, node, &request)?;
        self.asked.insert(id, at);
        Ok(())
    }

    /// Takes an event of the node's; one that says nothing of calls alone comes back.
    pub(crate) fn hear(&mut self, now: Instant, node: &mut Node, event: Event) -> Option<Event> {
        self.calls.handle_event(now, node, event)
    }

    pub(crate) fn handle_timeout(&mut self, now: Instant, node: &mut Node) {
        self.calls.handle_timeout(now, node);
    }

    pub(crate) fn next_timeout(&self) -> Option<Instant> {
        self.calls.next_timeout()
    }

    /// Answers those who call, until there is something to tell.
    pub(crate) fn poll(
        &mut self,
        now: Instant,
        node: &mut Node,
        part: &Part,
        name: impl Fn(DeviceId) -> String,
    ) -> Option<Told> {
        loop {
            match self.calls.poll()? {
                call::Event::Done { call, outcome } => {
                    let Some(at) = self.asked.remove(&call) else { continue };
                    return Some(Told::Ended(at, judge(part.work[at].expect, outcome)));
                }
                call::Event::Called { call, device, service, method, body } => {
                    let result = self.answer(node, device, &service, &method, &body);
                    // A caller that is gone gets no answer.
                    let _ = self.calls.reply(now, node, call, result.as_deref().map_err(|status| *status));
                }
                call::Event::Abandoned { .. } => {}
                call::Event::Audited(call::Audit { device, service, method, verdict }) => {
                    let allowed = verdict != Verdict::Denied;
                    return Some(Told::Saw(Observation::Audited { peer: name(device), service, method, allowed }));
                }
            }
        }
    }

    fn answer(
        &self,
        node: &Node,
        device: DeviceId,
        service: &str,
        method: &str,
        body: &[u8],
    ) -> Result<Vec<u8>, Status> {
        match service {
            samgrd::SERVICE => {
                let may_open = |service: &str| node.config().policy.allows(device, service);
                self.samgrd.answer(method, body, may_open)
            }
            bundlemgrd::SERVICE => self.bundlemgrd.answer(method, body),
            _ => Err(Status::NoSuchMethod),
        }
    }
}

/// What the end of a call means to the work. What may have been done is called again: neither service changes anything.
fn judge(expect: Expect, outcome: Result<Vec<u8>, Failure>) -> Outcome {
    match (outcome, expect) {
        (Ok(reply), Expect::Answered) => Outcome::Done { messages: 1, bytes: reply.len() as u64 },
        (Ok(_), _) => Outcome::Unexpected("answered".into()),
        (Err(Failure::Status(Status::Denied) | Failure::ServiceDenied), Expect::Denied) => {
            Outcome::Done { messages: 0, bytes: 0 }
        }
        (Err(denied @ (Failure::Status(_) | Failure::ServiceDenied)), _) => Outcome::Unexpected(denied.to_string()),
        (Err(failure), _) => Outcome::Failed(failure.to_string()),
    }
}
