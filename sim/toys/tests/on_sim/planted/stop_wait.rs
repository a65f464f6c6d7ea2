//! Faults of stop-and-wait and of a driver of datagrams and timers.

use core::cell::Cell;
use core::convert::Infallible;
use std::collections::BTreeMap;

use machine::{Input, Instant, Machine};
use toys::outbox::Action;
use toys::stop_wait::{Ack, Data, Event, Flow, StopWait};
use toys::testing::Tamper;

use super::{Where, assert_caught};
use crate::worlds::StopWaitToy;

fn flows() -> StopWaitToy {
    StopWaitToy((0..2).map(|id| Flow { id, count: 30, bytes_max: 100 }).collect())
}

/// The driver forgets the retransmission timer.
struct TimerDropped;

impl Tamper<StopWait> for TimerDropped {
    fn next_timeout(&self, _: &StopWait) -> Option<Instant> {
        None
    }
}

/// The driver goes on with the first deadline that it was given.
#[derive(Default)]
struct TimerStale(Cell<Option<Instant>>);

impl Tamper<StopWait> for TimerStale {
    fn next_timeout(&self, inner: &StopWait) -> Option<Instant> {
        self.0.set(self.0.get().or(inner.next_timeout()));
        self.0.get()
    }
}

/// The machine takes no timeout.
struct TimeoutIgnored;

impl Tamper<StopWait> for TimeoutIgnored {
    fn input(&mut self, inner: &mut StopWait, now: Instant, input: Input<'_, Infallible>) {
        if !matches!(input, Input::Timeout) {
            inner.handle(now, input);
        }
    }
}

/// The sender takes every acknowledgement for one of what it sent last.
#[derive(Default)]
struct AnyAckTaken {
    sent: u32,
}

impl Tamper<StopWait> for AnyAckTaken {
    fn input(&mut self, inner: &mut StopWait, now: Instant, input: Input<'_, Infallible>) {
        match input {
            Input::Datagram { from, bytes } => {
                let Some(ack) = Ack::parse(bytes) else { return };
                let bytes = Ack { next: self.sent + 1, ..ack }.encode();
                inner.handle(now, Input::Datagram { from, bytes: &bytes });
            }
            input => inner.handle(now, input),
        }
    }

    fn output(&mut self, _: &mut StopWait, _: Instant, action: Action<Event>) -> Vec<Action<Event>> {
        if let Action::Datagram { bytes, .. } = &action
            && let Some(data) = Data::parse(bytes)
        {
            self.sent = data.index;
        }
        vec![action]
    }
}

/// The sender says that a message is one byte shorter than it is.
struct LengthOffByOne;

impl Tamper<StopWait> for LengthOffByOne {
    fn output(&mut self, _: &mut StopWait, _: Instant, action: Action<Event>) -> Vec<Action<Event>> {
        let Action::Datagram { to, bytes } = &action else { return vec![action] };
        let Some(data) = Data::parse(bytes) else { return vec![action] };
        let message = &data.message[..data.message.len().saturating_sub(1)];
        vec![Action::Datagram { to: *to, bytes: Data { message, ..data }.encode() }]
    }
}

/// The receiver delivers what comes a second time a second time.
#[derive(Default)]
struct DuplicateDelivered {
    delivered: BTreeMap<(u32, u64, u32), Event>,
    again: Option<Event>,
}

impl Tamper<StopWait> for DuplicateDelivered {
    fn input(&mut self, inner: &mut StopWait, now: Instant, input: Input<'_, Infallible>) {
        if let Input::Datagram { bytes, .. } = &input
            && let Some(data) = Data::parse(bytes)
        {
            self.again = self.delivered.get(&(data.flow, data.session, data.index)).cloned();
        }
        inner.handle(now, input);
    }

    fn output(&mut self, _: &mut StopWait, _: Instant, action: Action<Event>) -> Vec<Action<Event>> {
        if let Action::Event(event @ Event::Delivered { flow, session, index, .. }) = &action {
            self.delivered.insert((*flow, *session, *index), event.clone());
        }
        self.again.take().map(Action::Event).into_iter().chain([action]).collect()
    }
}

/// The driver sends two datagrams as one.
#[derive(Default)]
struct DatagramsMerged {
    held: Option<Vec<u8>>,
}

impl Tamper<StopWait> for DatagramsMerged {
    fn output(&mut self, _: &mut StopWait, _: Instant, action: Action<Event>) -> Vec<Action<Event>> {
        let Action::Datagram { to, bytes } = action else { return vec![action] };
        let Some(first) = self.held.take() else {
            self.held = Some(bytes);
            return Vec::new();
        };
        vec![Action::Datagram { to, bytes: [first, bytes].concat() }]
    }
}

#[test]
fn faults_of_stop_and_wait_and_its_driver_are_caught() {
    let (toy, unfinished) = (flows(), "every flow is finished");
    assert_caught(&toy, Where::Guests, || TimerDropped, unfinished);
    assert_caught(&toy, Where::Guests, TimerStale::default, "livelock");
    assert_caught(&toy, Where::Guests, || TimeoutIgnored, "livelock");
    assert_caught(&toy, Where::Guests, AnyAckTaken::default, "done means delivered");
    assert_caught(&toy, Where::Guests, || LengthOffByOne, "messages arrive whole");
    assert_caught(&toy, Where::Hub, DuplicateDelivered::default, "each message once and in order");
    assert_caught(&toy, Where::Guests, DatagramsMerged::default, unfinished);
    assert_caught(&toy, Where::Hub, DatagramsMerged::default, unfinished);
}
