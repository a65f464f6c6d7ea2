//! Remote calls: what the node's service manager and bundle manager answer, and what they are asked at other nodes. Each asks
//! for one thing that the other end has when it serves both: the methods of `bundlemgrd`, and what its only bundle is.

use alloc::collections::BTreeMap;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use bytes::Bytes;
use fabric::call::{CallId, Calls, Event, Failure, Limits, Request, RequestError, Status};
use fabric::identity::DeviceId;
use fabric::services::bundlemgrd::{self, Bundlemgrd};
use fabric::services::samgrd::{self, Samgrd};
use fabric::{Event as NodeEvent, Node, Policy};
use machine::{Duration, Instant};

/// The bundle that every node with a bundle manager has.
const BUNDLE: &str = "scenario";
const BUNDLE_VERSION: u32 = 1;
const BUNDLE_BYTES: &[u8] = b"the bundle that every node of a scenario has";
/// How long an answer is waited for.
const WITHIN: Duration = Duration::from_secs(5);
const REPLY_BYTES_MAX: u32 = 4_096;

/// The calls of one node.
#[derive(Debug)]
pub(crate) struct Proxy {
    calls: Calls,
    policy: Policy,
    services: Samgrd,
    bundles: Bundlemgrd,
    /// The work that each call is for, and whom it asked.
    asked: BTreeMap<CallId, (usize, Question)>,
}

/// What is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Question {
    Resolve,
    Query,
}

/// How a call of a piece of work ended.
#[derive(Debug)]
pub(crate) enum Answer {
    /// As it had to, in so many bytes.
    Right(u64),
    /// Against what had to be, for good.
    Wrong(String),
    /// It may do better next time.
    None(String),
}

/// Whether a service is called, not streamed to.
pub(crate) fn is_called(service: &str) -> bool {
    question(service).is_some()
}

fn question(service: &str) -> Option<Question> {
    match service {
        samgrd::SERVICE => Some(Question::Resolve),
        bundlemgrd::SERVICE => Some(Question::Query),
        _ => None,
    }
}

impl Proxy {
    /// Of a node that serves these, as the policy lets it.
    pub(crate) fn new(serves: &[String], policy: Policy) -> Self {
        let (mut calls, mut services, mut bundles) =
            (Calls::new(&Limits::default()), Samgrd::default(), Bundlemgrd::default());
        bundles.register(BUNDLE, BUNDLE_VERSION, Bytes::from_static(BUNDLE_BYTES));
        for service in serves {
            let methods = match question(service) {
                Some(Question::Resolve) => samgrd::methods(),
                Some(Question::Query) => bundlemgrd::methods(),
                None => BTreeMap::new(),
            };
            services.register(service, &methods);
            if is_called(service) {
                calls.serve(service, methods);
            }
        }
        Self { calls, policy, services, bundles, asked: BTreeMap::new() }
    }

    /// Calls `service` for the `at`-th piece of work.
    pub(crate) fn ask(
        &mut self,
        now: Instant,
        node: &mut Node,
        device: DeviceId,
        service: &str,
        at: usize,
    ) -> Result<(), RequestError> {
        let Some(question) = question(service) else { return Err(RequestError::InvalidMethod) };
        let (method, body) = match question {
            Question::Resolve => (samgrd::RESOLVE, bundlemgrd::SERVICE),
            Question::Query => (bundlemgrd::QUERY, BUNDLE),
        };
        let body = body.as_bytes();
        let request = Request { device, service, method, body, within: WITHIN, reply_bytes_max: REPLY_BYTES_MAX };
        let call = self.calls.call(now, node, &request)?;
        self.asked.insert(call, (at, question));
        Ok(())
    }

    /// Takes an event of the node's; one that says nothing of calls alone comes back.
    pub(crate) fn handle_event(&mut self, now: Instant, node: &mut Node, event: NodeEvent) -> Option<NodeEvent> {
        self.calls.handle_event(now, node, event)
    }

    /// Judges deadlines.
    pub(crate) fn handle_timeout(&mut self, now: Instant, node: &mut Node) {
        self.calls.handle_timeout(now, node);
    }

    pub(crate) fn next_timeout(&self) -> Option<Instant> {
        self.calls.next_timeout()
    }

    /// Answers who calls, until a call of the node's own has ended: that of which piece of work, and how.
    pub(crate) fn next_answer(&mut self, now: Instant, node: &mut Node) -> Option<(usize, Answer)> {
        loop {
            match self.calls.poll()? {
                Event::Done { call, outcome } => {
                    if let Some((at, question)) = self.asked.remove(&call) {
                        return Some((at, self.judge(question, outcome)));
                    }
                }
                Event::Called { call, device, service, method, body } => {
                    let answer = self.answer(device, &service, &method, &body);
                    // Who is gone needs no answer.
                    let _ = self.calls.reply(now, node, call, answer.as_deref().map_err(|status| *status));
                }
                Event::Abandoned { .. } | Event::Audited(_) => {}
            }
        }
    }

    fn answer(&self, device: DeviceId, service: &str, method: &str, body: &[u8]) -> Result<Vec<u8>, Status> {
        match question(service) {
            Some(Question::Resolve) => {
                self.services.answer(method, body, |service| self.policy.allows(device, service))
            }
            Some(Question::Query) => self.bundles.answer(method, body),
            None => Err(Status::NoSuchMethod),
        }
    }

    fn judge(&self, question: Question, outcome: Result<Vec<u8>, Failure>) -> Answer {
        match outcome {
            Ok(reply) => {
                let is_right = match question {
                    Question::Resolve => samgrd::parse_reply(&reply) == Ok(Some(bundlemgrd::methods())),
                    Question::Query => self.bundles.answer(bundlemgrd::QUERY, BUNDLE.as_bytes()).as_ref() == Ok(&reply),
                };
                if is_right { Answer::Right(reply.len() as u64) } else { Answer::Wrong("a wrong answer".into()) }
            }
            Err(Failure::ServiceDenied | Failure::Status(Status::Denied)) => Answer::Wrong("denied".into()),
            Err(failure) => Answer::None(failure.to_string()),
        }
    }
}
