//! Planted faults: a driver that breaks its contract in one way is caught by an oracle or by liveness, in a world in which
//! the faultless one passes.

mod common;

use common::{Oracle, Weather, address, names};
use machine::{Boot, Duration, Input, Instant, Machine, PipeEnd};
use sim::{Begin, CrashKind, Delay, Fault, NodeIndex, Planned, Time};
use toys::echo::{self, Echo, Event};
use toys::oracle::{EchoOracle, Violation};
use toys::outbox::Action;
use toys::testing::{Tamper, Tampered};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Planted {
    Nothing,
    /// The last byte of each read is missing.
    LengthOffByOne,
    /// The first bytes that were read come again: the reply to an older request was taken for the one that waits.
    StaleReply,
    /// A half is finished before its last bytes are sent.
    TailLostAtClose,
    /// A write is acknowledged, and nowhere.
    StoredValueLost,
    /// No pipe is filled when its machine asks for it.
    FillEdgeDropped,
    /// The deadline is read once.
    StaleTimer,
    /// A pipe ends, and nobody is told.
    CloseDropped,
    ResetReportedAsFinished,
}

struct Plant {
    fault: Planted,
    first_read: Option<Vec<u8>>,
    deadline: Option<Instant>,
}

impl Plant {
    fn new(fault: Planted, inner: &Echo) -> Self {
        Self { fault, first_read: None, deadline: inner.next_timeout() }
    }
}

impl Tamper<Echo> for Plant {
    fn input(&mut self, inner: &mut Echo, now: Instant, input: Input<'_, <Echo as Machine>::Command>) {
        let input = match (self.fault, input) {
            (Planted::LengthOffByOne, Input::PipeBytes { pipe, bytes }) if bytes.len() > 1 => {
                Input::PipeBytes { pipe, bytes: &bytes[..bytes.len() - 1] }
            }
            (Planted::StaleReply, Input::PipeBytes { pipe, bytes }) => {
                let bytes = self.first_read.get_or_insert_with(|| bytes.to_vec());
                return inner.handle(now, Input::PipeBytes { pipe, bytes });
            }
            (Planted::CloseDropped, Input::PipeClosed { .. }) => return,
            (Planted::ResetReportedAsFinished, Input::PipeClosed { pipe, reason: PipeEnd::Reset }) => {
                Input::PipeClosed { pipe, reason: PipeEnd::Finished }
            }
            (_, input) => input,
        };
        inner.handle(now, input);
    }

    fn output(&mut self, inner: &mut Echo, now: Instant, action: Action<Event>) -> Vec<Action<Event>> {
        match (self.fault, &action) {
            (Planted::StoredValueLost, Action::Store { key, .. }) => {
                inner.handle(now, Input::Stored { key, result: Ok(()) });
                Vec::new()
            }
            (Planted::FillEdgeDropped, Action::FillPipe { .. }) => Vec::new(),
            (Planted::TailLostAtClose, Action::FinishPipe { pipe }) => {
                let pipe = *pipe;
                inner.handle(now, Input::PipeClosed { pipe, reason: PipeEnd::Finished });
                vec![Action::ClosePipe { pipe }]
            }
            _ => vec![action],
        }
    }

    fn next_timeout(&self, inner: &Echo) -> Option<Instant> {
        if self.fault == Planted::StaleTimer { self.deadline } else { inner.next_timeout() }
    }
}

/// The toy's oracle, and that the pipe of every client ends as it should.
struct Tidy {
    oracle: EchoOracle,
    clients: usize,
    ended: Vec<String>,
}

impl Oracle<Event> for Tidy {
    fn observe(&mut self, name: &str, incarnation: u64, event: &Event) -> Result<(), Violation> {
        if matches!(event, Event::Closed { reason: PipeEnd::Finished, missing: 0 })
            && !self.ended.iter().any(|ended| ended == name)
        {
            self.ended.push(name.to_string());
        }
        self.oracle.observe(name, incarnation, event)
    }

    fn finish(&self) -> Result<(), Violation> {
        self.oracle.finish()?;
        let (subject, seen) = (String::from("clients"), format!("{:?}", self.ended));
        let violation = Violation { promise: "every pipe is finished in the end", subject, seen };
        if self.ended.len() == self.clients { Ok(()) } else { Err(violation) }
    }
}

/// Two clients with much to send, and a server that crashes in the midst of it.
fn world_with(fault: Planted) -> Result<(), String> {
    let mut weather = Weather::calm(1, 3);
    weather.link.delay = Delay::Fixed(Duration::from_millis(20));
    weather.buffers = vec![(64, 64), (64, 64), (64, 64)];
    weather.plan = vec![Planned {
        begin: Begin::At(Time::from_secs(3)),
        lasts: Some(Duration::from_millis(500)),
        fault: Fault::Crash { node: NodeIndex::new(2), kind: CrashKind::Power },
    }];
    let clients = [0, 1].map(|client| echo::Config::new(address(2), client, 40));
    let oracle = Tidy { oracle: EchoOracle::new(clients), clients: 2, ended: Vec::new() };
    common::run(&names("server", "client", 2), &weather, oracle, move |index, boot: &Boot| {
        let inner = common::echo_machine(&clients, index, boot);
        let plant = Plant::new(fault, &inner);
        Tampered::new(inner, boot.now, plant)
    })
}

#[test]
fn a_driver_without_fault_passes() {
    assert_eq!(world_with(Planted::Nothing), Ok(()));
}

#[test]
fn every_planted_fault_is_caught() {
    let caught = [
        (Planted::LengthOffByOne, "finished"),
        (Planted::StaleReply, "echo"),
        (Planted::TailLostAtClose, "what was written before a finished end arrives"),
        (Planted::StoredValueLost, "the counter never falls"),
        (Planted::FillEdgeDropped, "every client is finished"),
        (Planted::StaleTimer, "livelock"),
        (Planted::CloseDropped, "every pipe is finished in the end"),
        (Planted::ResetReportedAsFinished, "what was written before a finished end arrives"),
    ];
    for (fault, promise) in caught {
        let outcome = world_with(fault);
        assert!(outcome.as_ref().is_err_and(|failure| failure.contains(promise)), "{fault:?}: {outcome:?}");
    }
}
