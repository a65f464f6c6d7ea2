//! Remote calls between whole nodes (wire contract, 5).

use crate::net::{Net, config, id};
use fabric::call::{Audit, Bounds, CallId, Calls, Event, Failure, Limits, Methods, Request, RequestError, ServedCall};
use fabric::call::{Status, Verdict};
use fabric::mux::{Priority, code};
use fabric::{CallError, Config, Event as NodeEvent, StreamKey};
use machine::Duration;

const SECOND: Duration = Duration::from_secs(1);
pub(crate) const PHONE: usize = 0;
pub(crate) const HUB: usize = 1;

/// A phone and a hub that serves `echo` with three methods; the phone may call `say` and `long`, and `gone`, which there is
/// not, but not `secret`, which there is.
pub(crate) struct Talk {
    pub(crate) net: Net,
    pub(crate) calls: [Calls; 2],
    pub(crate) heard: [Vec<Event>; 2],
    /// Node events that were not of calls.
    pub(crate) rest: [Vec<NodeEvent>; 2],
}

impl Talk {
    pub(crate) fn new(limits: &Limits) -> Self {
        let mut hub = config(&[1]);
        for method in ["say", "long", "gone"] {
            hub.policy.allow_method(id(1), "echo", method);
        }
        hub.services.push("raw".into());
        hub.policy.allow(id(1), "raw");
        let net = Net::new([Config { dial_trusted: true, ..config(&[2]) }, hub]);
        let mut calls = [Calls::new(limits), Calls::new(limits)];
        let long = Bounds { request_bytes_max: 100_000, reply_bytes_max: 100_000 };
        let methods = [("say", Bounds::default()), ("secret", Bounds::default()), ("long", long)];
        calls[HUB].serve("echo", methods.map(|(name, bounds)| (name.to_owned(), bounds)).into());
        calls[HUB].serve("raw", Methods::new());
        let mut talk = Self { net, calls, heard: [vec![], vec![]], rest: [vec![], vec![]] };
        talk.run(SECOND);
        assert!(talk.net.nodes[PHONE].is_connected(id(2)));
        talk
    }

    pub(crate) fn pump(&mut self) {
        loop {
            self.net.settle();
            let mut is_idle = true;
            for node in [PHONE, HUB] {
                for event in std::mem::take(&mut self.net.events[node]) {
                    is_idle = false;
                    let (now, calls) = (self.net.now, &mut self.calls[node]);
                    self.rest[node].extend(calls.handle_event(now, &mut self.net.nodes[node], event));
                }
                self.heard[node].extend(std::iter::from_fn(|| self.calls[node].poll()));
            }
            if is_idle {
                return;
            }
        }
    }

    pub(crate) fn run(&mut self, span: Duration) {
        let until = self.net.now + span;
        self.pump();
        while self.net.now < until {
            self.net.run(Duration::from_millis(10));
            for node in [PHONE, HUB] {
                let now = self.net.now;
                self.calls[node].handle_timeout(now, &mut self.net.nodes[node]);
            }
            self.pump();
        }
    }

    pub(crate) fn try_call(&mut self, method: &str, body: &[u8]) -> Result<CallId, RequestError> {
        self.try_call_service("echo", method, body)
    }

    pub(crate) fn try_call_service(
        &mut self,
        service: &str,
        method: &str,
        body: &[u8],
    ) -> Result<CallId, RequestError> {
        let (within, reply_bytes_max) = (Duration::from_secs(5), 4096);
        let request = Request { device: id(2), service, method, body, within, reply_bytes_max };
        let call = self.calls[PHONE].call(self.net.now, &mut self.net.nodes[PHONE], &request);
        self.pump();
        call
    }

    pub(crate) fn call(&mut self, method: &str, body: &[u8]) -> CallId {
        self.try_call(method, body).unwrap()
    }

    /// The calls that the hub is to serve, and has not yet looked at.
    pub(crate) fn called(&mut self) -> Vec<(ServedCall, Vec<u8>)> {
        let mut called = Vec::new();
        self.heard[HUB].retain(|event| {
            if let Event::Called { call, body, .. } = event {
                called.push((*call, body.clone()));
            }
            !matches!(event, Event::Called { .. })
        });
        called
    }

    pub(crate) fn reply(&mut self, call: ServedCall, result: Result<&[u8], Status>) -> bool {
        let now = self.net.now;
        let done = self.calls[HUB].reply(now, &mut self.net.nodes[HUB], call, result).is_ok();
        self.pump();
        done
    }

    pub(crate) fn outcome(&mut self, call: CallId) -> Option<Result<Vec<u8>, Failure>> {
        let is_it = |event: &Event| matches!(event, Event::Done { call: done, .. } if *done == call);
        let place = self.heard[PHONE].iter().position(is_it)?;
        match self.heard[PHONE].remove(place) {
            Event::Done { outcome, .. } => Some(outcome),
            _ => None,
        }
    }

    /// Methods and verdicts that the hub's audit has.
    pub(crate) fn audit(&self) -> Vec<(String, Verdict)> {
        let audited = |event: &Event| match event {
            Event::Audited(Audit { device, method, verdict, .. }) => {
                assert_eq!(*device, id(1));
                Some((method.clone(), *verdict))
            }
            _ => None,
        };
        self.heard[HUB].iter().filter_map(audited).collect()
    }

    /// The phone speaks bytes of its own on a stream to the service.
    pub(crate) fn speak(&mut self, bytes: &[u8], end_of_message: bool) -> StreamKey {
        let (now, phone) = (self.net.now, &mut self.net.nodes[PHONE]);
        let stream = phone.open(now, id(2), "echo", Priority::NORMAL).unwrap();
        phone.write(now, stream, bytes, end_of_message).unwrap();
        self.pump();
        stream
    }

    pub(crate) fn was_reset(&self, stream: StreamKey, code: u32) -> bool {
        self.rest[PHONE].contains(&NodeEvent::Reset { stream, code })
    }
}

#[test]
fn a_call_is_answered_and_audited() {
    let mut talk = Talk::new(&Limits::default());
    let call = talk.call("say", b"hello");
    let [(served, body)] = &talk.called()[..] else { panic!("one call") };
    assert_eq!(body, b"hello");
    assert!(talk.reply(*served, Ok(b"hello yourself")));
    assert_eq!(talk.outcome(call), Some(Ok(b"hello yourself".to_vec())));
    assert_eq!(talk.audit(), [("say".to_owned(), Verdict::Allowed)]);
    assert!(!talk.reply(*served, Ok(b"again")), "once");
    assert_eq!(talk.calls[HUB].counters().served, 1);
}

#[test]
fn many_calls_share_a_stream_and_are_answered_in_any_order() {
    let mut talk = Talk::new(&Limits::default());
    let calls: Vec<_> = (0..10_u8).map(|number| talk.call("say", &[number])).collect();
    let mut called = talk.called();
    called.reverse();
    for (served, body) in called {
        talk.reply(served, Ok(&body));
    }
    for (number, call) in (0..10_u8).zip(calls) {
        assert_eq!(talk.outcome(call), Some(Ok(vec![number])));
    }
    assert_eq!(talk.net.nodes[HUB].load().streams_of_one_session, 1);
}

#[test]
fn denied_comes_before_no_such_method() {
    let mut talk = Talk::new(&Limits::default());
    for (method, status) in [("secret", Status::Denied), ("nothing", Status::Denied), ("gone", Status::NoSuchMethod)] {
        let call = talk.call(method, &[7; 10_000]);
        assert_eq!(talk.outcome(call), Some(Err(Failure::Status(status))), "{method}");
    }
    let denied = |method: &str| (method.to_owned(), Verdict::Denied);
    assert_eq!(talk.audit(), [denied("secret"), denied("nothing"), ("gone".to_owned(), Verdict::NoSuchMethod)]);
    assert!(talk.called().is_empty());
}

#[test]
fn a_service_that_is_not_allowed_is_denied_with_its_stream() {
    let mut talk = Talk::new(&Limits::default());
    let call = talk.try_call_service("admin", "say", b"").unwrap();
    assert_eq!(talk.outcome(call), Some(Err(Failure::ServiceDenied)));
    assert_eq!(talk.try_call("", b""), Err(RequestError::InvalidMethod));
    let now = talk.net.now;
    talk.net.nodes[PHONE].disconnect(now, id(2));
    talk.pump();
    let no_session = RequestError::Stream(CallError::UnauthenticatedSession);
    assert_eq!(talk.try_call("say", b""), Err(no_session));
}

#[test]
fn a_request_past_its_bound_is_refused_and_not_kept() {
    let mut talk = Talk::new(&Limits::default());
    let fits = talk.call("say", &[7; 256]);
    let does_not = talk.call("say", &[7; 257]);
    let long = talk.call("long", &vec![7; 100_000]);
    assert_eq!(talk.outcome(does_not), Some(Err(Failure::Status(Status::TooLarge))));
    let lengths: Vec<_> = talk.called().iter().map(|(_, body)| body.len()).collect();
    assert_eq!(lengths, [256, 100_000]);
    assert_eq!((talk.outcome(fits), talk.outcome(long)), (None, None));
    assert!(talk.audit().contains(&("say".to_owned(), Verdict::TooLarge)));
}

#[test]
fn a_reply_is_bounded_on_both_sides() {
    let mut talk = Talk::new(&Limits::default());
    let (short, long) = (talk.call("say", b""), talk.call("long", b""));
    let called = talk.called();
    talk.reply(called[0].0, Ok(&[7; 4_097]));
    assert_eq!(talk.outcome(short), Some(Err(Failure::Status(Status::TooLarge))));
    talk.reply(called[1].0, Ok(&[7; 4_097]));
    assert_eq!(talk.outcome(long), Some(Err(Failure::ReplyTooLarge)), "as much as this caller asked for");
}

#[test]
fn a_call_that_nobody_answers_ends_at_its_callers_deadline() {
    let mut talk = Talk::new(&Limits::default());
    let call = talk.call("say", b"");
    talk.run(Duration::from_millis(4_990));
    assert_eq!(talk.outcome(call), None);
    talk.run(Duration::from_millis(20));
    assert_eq!(talk.outcome(call), Some(Err(Failure::Deadline)));
    let [(served, _)] = talk.called()[..] else { panic!("one call") };
    assert!(talk.heard[HUB].contains(&Event::Abandoned { call: served }), "nobody else waits on the stream");
    assert!(!talk.reply(served, Ok(b"late")));
}

/// A driver may be late with a timeout: what was there before it comes first then.
#[test]
fn an_answer_at_a_deadline_is_too_late_whether_or_not_the_deadline_was_noticed() {
    let mut talk = Talk::new(&Limits::default());
    let call = talk.call("say", b"");
    let [(served, _)] = talk.called()[..] else { panic!("one call") };
    talk.net.run(Duration::from_secs(5));
    assert!(talk.reply(served, Ok(b"late")), "the callee knows nothing of its caller's deadline");
    assert_eq!(talk.outcome(call), Some(Err(Failure::Deadline)));

    let mut talk = Talk::new(&Limits { serve_within: SECOND, ..Limits::default() });
    let call = talk.call("say", b"");
    let [(served, _)] = talk.called()[..] else { panic!("one call") };
    talk.net.run(SECOND);
    assert!(!talk.reply(served, Ok(b"late")));
    assert_eq!(talk.outcome(call), Some(Err(Failure::Status(Status::Deadline))));
}

#[test]
fn a_slow_service_is_answered_for() {
    let mut talk = Talk::new(&Limits { serve_within: SECOND, ..Limits::default() });
    let call = talk.call("say", b"");
    talk.run(Duration::from_millis(1_010));
    assert_eq!(talk.outcome(call), Some(Err(Failure::Status(Status::Deadline))));
    assert_eq!(talk.calls[HUB].counters().late, 1);
}

#[test]
fn a_reply_that_nobody_waits_for_is_dropped_and_counted() {
    let mut talk = Talk::new(&Limits::default());
    let (cancelled, other) = (talk.call("say", b"one"), talk.call("say", b"two"));
    let now = talk.net.now;
    talk.calls[PHONE].cancel(now, &mut talk.net.nodes[PHONE], cancelled);
    for (served, body) in talk.called() {
        talk.reply(served, Ok(&body));
    }
    assert_eq!((talk.outcome(cancelled), talk.outcome(other)), (None, Some(Ok(b"two".to_vec()))));
    assert_eq!(talk.calls[PHONE].counters().replies_dropped, 1);
}

#[test]
fn the_last_call_that_is_cancelled_tells_its_service() {
    let mut talk = Talk::new(&Limits::default());
    let call = talk.call("say", b"");
    let [(served, _)] = talk.called()[..] else { panic!("one call") };
    let now = talk.net.now;
    talk.calls[PHONE].cancel(now, &mut talk.net.nodes[PHONE], call);
    talk.pump();
    assert!(talk.heard[HUB].contains(&Event::Abandoned { call: served }));
    let again = talk.call("say", b"again");
    let [(served, _)] = talk.called()[..] else { panic!("one call") };
    talk.reply(served, Ok(b"yes"));
    assert_eq!(talk.outcome(again), Some(Ok(b"yes".to_vec())));
}

#[test]
fn what_a_lost_session_leaves_unanswered_has_an_unknown_outcome_and_is_not_called_again() {
    let mut talk = Talk::new(&Limits::default());
    let call = talk.call("say", b"once");
    assert_eq!(talk.called().len(), 1);
    talk.net.reset_pipes(PHONE);
    talk.pump();
    assert_eq!(talk.outcome(call), Some(Err(Failure::OutcomeUnknown)));
    talk.run(Duration::from_secs(5));
    assert!(talk.net.nodes[PHONE].is_connected(id(2)));
    assert!(talk.called().is_empty());
}

#[test]
fn a_callee_reads_no_more_calls_than_may_wait() {
    let limits = Limits { calls_per_stream_max: 4, ..Limits::default() };
    let mut talk = Talk::new(&limits);
    talk.calls[PHONE] = Calls::new(&Limits::default());
    let calls: Vec<_> = (0..32_u8).map(|number| talk.call("say", &[number])).collect();
    assert_eq!(talk.try_call("say", b""), Err(RequestError::TooMany));
    let mut served = talk.called();
    assert_eq!(served.len(), 4);
    while let Some((call, body)) = served.pop() {
        talk.reply(call, Ok(&body));
        served.extend(talk.called());
        assert!(served.len() <= 4);
    }
    for (number, call) in (0..32_u8).zip(calls) {
        assert_eq!(talk.outcome(call), Some(Ok(vec![number])));
    }
}

#[test]
fn a_malformed_message_or_a_repeated_correlation_resets_the_stream() {
    let mut talk = Talk::new(&Limits::default());
    let call = |correlation: u8| [&[0, 0, 0, 0, 0, 0, 0, correlation, 3][..], b"say"].concat();
    for malformed in [&[1, 2, 3][..], &[0; 9], b"\0\0\0\0\0\0\0\x01\x02\xFF\xFF"] {
        let stream = talk.speak(malformed, true);
        assert!(talk.was_reset(stream, code::CANCELLED), "{malformed:?}");
    }
    let stream = talk.speak(&call(5), true);
    let now = talk.net.now;
    talk.net.nodes[PHONE].write(now, stream, &call(6), true).unwrap();
    talk.pump();
    assert!(!talk.was_reset(stream, code::CANCELLED));
    talk.net.nodes[PHONE].write(now, stream, &call(6), true).unwrap();
    talk.pump();
    assert!(talk.was_reset(stream, code::CANCELLED));
    assert_eq!(talk.calls[HUB].counters().malformed, 4);
    assert_eq!(talk.called().len(), 2);
}

#[test]
fn a_permission_that_is_taken_back_ends_calls_on_open_streams() {
    let mut talk = Talk::new(&Limits::default());
    let allowed = talk.call("say", b"");
    let [(served, _)] = talk.called()[..] else { panic!("one call") };
    talk.reply(served, Ok(b""));
    assert_eq!(talk.outcome(allowed), Some(Ok(vec![])));
    let mut policy = talk.net.nodes[HUB].config().policy.clone();
    policy.deny(id(1), "echo");
    talk.net.nodes[HUB].set_policy(policy);
    let denied = talk.call("say", b"");
    assert_eq!(talk.outcome(denied), Some(Err(Failure::Status(Status::Denied))));
}

#[test]
fn an_idle_stream_is_finished_by_both_sides() {
    let mut talk = Talk::new(&Limits::default());
    let call = talk.call("say", b"");
    let [(served, _)] = talk.called()[..] else { panic!("one call") };
    talk.reply(served, Ok(b""));
    assert!(talk.outcome(call).is_some());
    talk.run(Duration::from_secs(31));
    assert_eq!(talk.net.nodes[HUB].load().streams_of_one_session, 0);
    assert_eq!(talk.calls.each_ref().map(Calls::next_timeout), [None, None]);
}
