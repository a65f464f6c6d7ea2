//! Faults that a driver could have, planted between the toys and a driver that has them not: each is caught in time.

use std::collections::BTreeMap;
use std::time::Duration;

use machine::{Boot, Input, Instant, Machine, PipeEnd, PipeId};
use toys::echo::{self, Echo};
use toys::oracle::{EchoOracle, StopWaitOracle, Violation};
use toys::outbox::Action;
use toys::stop_wait::{Flow, StopWait};
use toys::testing::{Tamper, Tampered};

use crate::scripted::Scratch;
use crate::toys_world::{DEADLINE, World};

/// No fault that is tested here makes anything slow: what takes so long is stuck.
const STUCK: Duration = Duration::from_secs(1);
const TAIL_BYTES: usize = 3;

/// No fault: every harness here must pass with it, or it would prove nothing.
struct Faultless;

impl<M: Machine> Tamper<M> for Faultless {}

/// Keeps the last bytes until more come, and forgets them when the pipe is finished.
#[derive(Default)]
struct TailLost(BTreeMap<PipeId, Vec<u8>>);

impl<M: Machine> Tamper<M> for TailLost {
    fn output(&mut self, _: &mut M, _: Instant, action: Action<M::Event>) -> Vec<Action<M::Event>> {
        if let Action::FinishPipe { pipe } = action {
            self.0.remove(&pipe);
        }
        vec![action]
    }

    fn fill(&mut self, inner: &mut M, pipe: PipeId, room: &mut [u8]) -> usize {
        let kept = self.0.entry(pipe).or_default();
        let mut more = [0; 4_096];
        let length = inner.fill(pipe, &mut more);
        kept.extend_from_slice(&more[..length]);
        let length = room.len().min(kept.len().saturating_sub(TAIL_BYTES));
        room[..length].copy_from_slice(&kept[..length]);
        kept.drain(..length);
        length
    }
}

/// Answers a store without doing it.
struct ValueLost;

impl<M: Machine> Tamper<M> for ValueLost {
    fn output(&mut self, inner: &mut M, now: Instant, action: Action<M::Event>) -> Vec<Action<M::Event>> {
        let Action::Store { key, .. } = action else { return vec![action] };
        inner.handle(now, Input::Stored { key: &key, result: Ok(()) });
        vec![]
    }
}

/// Misses the first wish to fill a pipe.
#[derive(Default)]
struct EdgeDropped(bool);

impl<M: Machine> Tamper<M> for EdgeDropped {
    fn output(&mut self, _: &mut M, _: Instant, action: Action<M::Event>) -> Vec<Action<M::Event>> {
        let is_dropped = matches!(action, Action::FillPipe { .. }) && !std::mem::replace(&mut self.0, true);
        if is_dropped { vec![] } else { vec![action] }
    }
}

/// Takes every end for a good one.
struct ResetFinished;

impl<M: Machine> Tamper<M> for ResetFinished {
    fn input(&mut self, inner: &mut M, now: Instant, input: Input<'_, M::Command>) {
        let input = match input {
            Input::PipeClosed { pipe, .. } => Input::PipeClosed { pipe, reason: PipeEnd::Finished },
            input => input,
        };
        inner.handle(now, input);
    }
}

/// Sends two datagrams as one.
#[derive(Default)]
struct DatagramsMerged(Option<Vec<u8>>);

impl<M: Machine> Tamper<M> for DatagramsMerged {
    fn output(&mut self, _: &mut M, _: Instant, action: Action<M::Event>) -> Vec<Action<M::Event>> {
        let Action::Datagram { to, bytes } = action else { return vec![action] };
        let Some(first) = self.0.take() else {
            self.0 = Some(bytes);
            return vec![];
        };
        vec![Action::Datagram { to, bytes: [first, bytes].concat() }]
    }
}

/// Loses the first datagram, as a network may; when `stale`, also never wakes the machine to send it again.
#[derive(Default)]
struct FirstLost {
    is_lost: bool,
    stale: bool,
}

impl<M: Machine> Tamper<M> for FirstLost {
    fn output(&mut self, _: &mut M, _: Instant, action: Action<M::Event>) -> Vec<Action<M::Event>> {
        let is_dropped = matches!(action, Action::Datagram { .. }) && !std::mem::replace(&mut self.is_lost, true);
        if is_dropped { vec![] } else { vec![action] }
    }

    fn next_timeout(&self, inner: &M) -> Option<Instant> {
        if self.stale { None } else { inner.next_timeout() }
    }
}

/// A fault of any kind.
struct Planted<M>(Box<dyn Tamper<M>>);

impl<M: Machine> Planted<M> {
    fn new(fault: impl Tamper<M> + 'static) -> Self {
        Self(Box::new(fault))
    }
}

impl<M: Machine> Tamper<M> for Planted<M> {
    fn input(&mut self, inner: &mut M, now: Instant, input: Input<'_, M::Command>) {
        self.0.input(inner, now, input);
    }

    fn output(&mut self, inner: &mut M, now: Instant, action: Action<M::Event>) -> Vec<Action<M::Event>> {
        self.0.output(inner, now, action)
    }

    fn fill(&mut self, inner: &mut M, pipe: PipeId, room: &mut [u8]) -> usize {
        self.0.fill(inner, pipe, room)
    }

    fn next_timeout(&self, inner: &M) -> Option<Instant> {
        self.0.next_timeout(inner)
    }
}

/// One client and its server, each with a fault. The server restarts, without its fault, in the middle of the work.
fn echo(deadline: Duration, server: Planted<Echo>, client: Planted<Echo>) -> Result<(), Violation> {
    let scratch = Scratch::new();
    let config = scratch.config("server");
    let mut world = World::new(deadline, EchoOracle::new([]));
    let serve = |boot: Boot, fault| Tampered::new(Echo::server(&boot), boot.now, fault);
    let addr = world.start("server", &config, |boot| serve(boot, server));
    let asked = echo::Config { bytes_max: 4_000, ..echo::Config::new(addr, 1, 100) };
    world.expect(EchoOracle::new([asked]));
    world
        .start("client", &scratch.config("client"), |boot| Tampered::new(Echo::client(&boot, asked), boot.now, client));
    world.run_until(|world| world.events > 20)?;
    world.start("server", &config, |boot| serve(boot, Planted::new(Faultless)));
    world.run()
}

/// One flow whose sender has a fault.
fn stop_wait(deadline: Duration, sender: impl Tamper<StopWait> + 'static) -> Result<(), Violation> {
    let scratch = Scratch::new();
    let flow = Flow { id: 1, count: 20, bytes_max: 100 };
    let mut world = World::new(deadline, StopWaitOracle::new([flow]));
    let plant = |machine, boot: &Boot, fault| Tampered::new(machine, boot.now, fault);
    let to = world.start("receiver", &scratch.config("receiver"), |boot| {
        plant(StopWait::receiver(&boot), &boot, Planted::new(Faultless))
    });
    world.start("sender", &scratch.config("sender"), |boot| {
        plant(StopWait::sender(&boot, to, flow), &boot, Planted::new(sender))
    });
    world.run()
}

fn promise_broken(ran: Result<(), Violation>) -> &'static str {
    ran.unwrap_err().promise
}

#[test]
fn without_a_fault_nothing_is_caught() {
    assert_eq!(echo(DEADLINE, Planted::new(Faultless), Planted::new(Faultless)), Ok(()));
    assert_eq!(stop_wait(DEADLINE, Faultless), Ok(()));
    assert_eq!(stop_wait(DEADLINE, FirstLost { is_lost: false, stale: false }), Ok(()), "a loss is no fault");
}

#[test]
fn a_tail_that_is_lost_at_the_end_is_caught() {
    let broken = promise_broken(echo(DEADLINE, Planted::new(Faultless), Planted::new(TailLost::default())));
    assert_eq!(broken, "what was written before a finished end arrives");
}

#[test]
fn a_lost_value_is_caught() {
    let broken = promise_broken(echo(DEADLINE, Planted::new(ValueLost), Planted::new(Faultless)));
    assert_eq!(broken, "the counter never falls below what a client saw");
}

#[test]
fn a_dropped_wish_to_fill_is_caught() {
    let broken = promise_broken(echo(STUCK, Planted::new(Faultless), Planted::new(EdgeDropped::default())));
    assert_eq!(broken, "every client is finished");
}

#[test]
fn a_reset_that_is_called_finished_is_caught() {
    let broken = promise_broken(echo(DEADLINE, Planted::new(Faultless), Planted::new(ResetFinished)));
    assert_eq!(broken, "what was written before a finished end arrives");
}

#[test]
fn merged_datagrams_are_caught() {
    assert_eq!(promise_broken(stop_wait(STUCK, DatagramsMerged::default())), "every flow is finished");
}

#[test]
fn a_stale_timer_is_caught() {
    assert_eq!(promise_broken(stop_wait(STUCK, FirstLost { is_lost: false, stale: true })), "every flow is finished");
}
