//! Faults of echo and of a driver of pipes and storage.

use core::convert::Infallible;
use std::collections::{BTreeMap, BTreeSet};

use machine::{Addr, Host, Input, Instant, Machine, PipeEnd, PipeId};
use sim::{Chance, Config};
use toys::echo::{self, Echo, Event, Ping};
use toys::outbox::Action;
use toys::testing::Tamper;

use super::{Faultless, Where, assert_caught, assert_caught_in, broken};
use crate::worlds::EchoToy;

fn clients() -> EchoToy {
    let nobody = Addr::new(Host::new([0; 16]), 0);
    let client = |client| echo::Config { window: 2, ..echo::Config::new(nobody, client, 60) };
    EchoToy((0..2).map(client).collect())
}

/// The driver holds the last byte of a pipe back until the next one comes, and forgets it at the end.
#[derive(Default)]
struct TailLostAtClose {
    held: BTreeMap<PipeId, u8>,
}

impl Tamper<Echo> for TailLostAtClose {
    fn fill(&mut self, inner: &mut Echo, pipe: PipeId, room: &mut [u8]) -> usize {
        let mut bytes = vec![0; room.len()];
        let length = inner.fill(pipe, &mut bytes);
        let Some(last) = length.checked_sub(1) else { return 0 };
        let before = self.held.insert(pipe, bytes[last]);
        let filled: Vec<u8> = before.into_iter().chain(bytes[..last].iter().copied()).collect();
        room[..filled.len()].copy_from_slice(&filled);
        filled.len()
    }
}

/// The driver says that a value is stored, and has thrown it away.
struct StoreLost;

impl Tamper<Echo> for StoreLost {
    fn output(&mut self, inner: &mut Echo, now: Instant, action: Action<Event>) -> Vec<Action<Event>> {
        let Action::Store { key, .. } = &action else { return vec![action] };
        inner.handle(now, Input::Stored { key, result: Ok(()) });
        Vec::new()
    }
}

/// The driver says that a value is stored as soon as it has begun to store it: the echo leaves too early.
struct EchoBeforeStored;

impl Tamper<Echo> for EchoBeforeStored {
    fn input(&mut self, inner: &mut Echo, now: Instant, input: Input<'_, Infallible>) {
        if !matches!(input, Input::Stored { .. }) {
            inner.handle(now, input);
        }
    }

    fn output(&mut self, inner: &mut Echo, now: Instant, action: Action<Event>) -> Vec<Action<Event>> {
        if let Action::Store { key, .. } = &action {
            inner.handle(now, Input::Stored { key, result: Ok(()) });
        }
        vec![action]
    }
}

/// The driver takes the first `FillPipe` of a pipe and misses the others.
#[derive(Default)]
struct FillEdgeLost {
    filled: BTreeSet<PipeId>,
}

impl Tamper<Echo> for FillEdgeLost {
    fn output(&mut self, _: &mut Echo, _: Instant, action: Action<Event>) -> Vec<Action<Event>> {
        match action {
            Action::FillPipe { pipe } if !self.filled.insert(pipe) => Vec::new(),
            action => vec![action],
        }
    }
}

/// The driver says of every end that both halves were finished.
struct ResetSaidFinished;

impl Tamper<Echo> for ResetSaidFinished {
    fn input(&mut self, inner: &mut Echo, now: Instant, input: Input<'_, Infallible>) {
        match input {
            Input::PipeClosed { pipe, .. } => inner.handle(now, Input::PipeClosed { pipe, reason: PipeEnd::Finished }),
            input => inner.handle(now, input),
        }
    }
}

/// The driver tells nobody that a pipe is gone.
struct CloseDropped;

impl Tamper<Echo> for CloseDropped {
    fn input(&mut self, inner: &mut Echo, now: Instant, input: Input<'_, Infallible>) {
        if !matches!(input, Input::PipeClosed { .. }) {
            inner.handle(now, input);
        }
    }
}

/// The driver hands over bytes twice.
struct BytesTwice;

impl Tamper<Echo> for BytesTwice {
    fn input(&mut self, inner: &mut Echo, now: Instant, input: Input<'_, Infallible>) {
        if let Input::PipeBytes { pipe, bytes } = input {
            inner.handle(now, Input::PipeBytes { pipe, bytes });
        }
        inner.handle(now, input);
    }
}

/// The server answers pings with the value before the last one.
struct PongOutdated;

impl Tamper<Echo> for PongOutdated {
    fn output(&mut self, _: &mut Echo, _: Instant, action: Action<Event>) -> Vec<Action<Event>> {
        let Action::Datagram { to, bytes } = &action else { return vec![action] };
        let Some((ping, counter)) = Ping::parse_pong(bytes) else { return vec![action] };
        vec![Action::Datagram { to: *to, bytes: ping.encode_pong(counter.saturating_sub(1)) }]
    }
}

#[test]
fn faults_of_echo_and_its_driver_are_caught() {
    let (toy, fallen) = (clients(), "the counter never falls below what a client saw");
    let unfinished = "every client is finished";
    let arrives = "what was written before a finished end arrives";
    assert_caught(&toy, Where::Hub, TailLostAtClose::default, arrives);
    assert_caught(&toy, Where::Hub, || StoreLost, fallen);
    assert_caught(&toy, Where::Hub, || EchoBeforeStored, fallen);
    assert_caught(&toy, Where::Hub, FillEdgeLost::default, unfinished);
    assert_caught(&toy, Where::Guests, || ResetSaidFinished, arrives);
    assert_caught(&toy, Where::Hub, || BytesTwice, "echoes come back whole");
    assert_caught(&toy, Where::Hub, || PongOutdated, "a pong is at least what was seen before its ping");
    // Each reset that nobody hears of costs the client its patience with a silent pipe.
    let resets = |config: &mut Config| config.pipes.reset = Chance::from_percent(10);
    assert_caught_in(&toy, Where::Guests, resets, || CloseDropped, unfinished);
}

#[test]
fn storage_that_loses_an_acknowledged_value_is_caught() {
    let rot = |config: &mut Config| {
        for node in &mut config.nodes {
            node.disk.rot = Chance::ALWAYS;
        }
    };
    let broken = broken(&clients(), Where::Hub, rot, || Faultless);
    assert!(broken.iter().any(|check| check == "the counter never falls below what a client saw"), "{broken:?}");
}
