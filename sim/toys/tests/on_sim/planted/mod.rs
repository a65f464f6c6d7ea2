//! Faults planted in the toys and in their drivers: each is caught, by the promise that it breaks, within a few seeds.

mod echo;
mod stop_wait;

use machine::{Input, Instant, Machine, PipeId};
use sim::{Begin, Chance, Config, CrashKind, Dice, Fault, NodeIndex, Planned, Time};
use toys::outbox::Action;
use toys::testing::{Tamper, Tampered};

use crate::worlds::{Toy, run};

/// Seeds in which a fault may hide before it counts as missed.
const SEEDS: u64 = 10;
const DEADLINE: Time = Time::from_secs(60);

/// Which node a fault is planted in.
#[derive(Clone, Copy, PartialEq)]
enum Where {
    Hub,
    Guests,
}

/// Ordinary badness, the same for every planted fault: without one, all promises hold.
fn config<T: Toy>(seed: u64, toy: &T) -> Config {
    let mut dice = Dice::new(seed, "planted");
    let mut config = toy.calm(seed);
    config.link.loss = Chance::from_percent(10);
    config.link.duplicate = Chance::from_percent(20);
    config.link.reorder = Chance::from_percent(20);
    config.pipes.reset = Chance::from_percent(2);
    let hub = NodeIndex::new(toy.guests() as u32);
    for node in &mut config.nodes {
        node.disk.delay = sim::Delay::Fixed(machine::Duration::from_millis(30));
    }
    for _ in 0..3 {
        let begin = Begin::At(Time::from_millis(dice.within(50, 2_000)));
        let fault = Fault::Crash { node: hub, kind: *dice.pick(&[CrashKind::Power, CrashKind::Process]).unwrap() };
        config.plan.push(Planned { begin, lasts: Some(dice.millis(10, 500)), fault });
    }
    config
}

/// What each seed's run broke, with `fault` planted; nothing where it went unseen.
fn broken<T: Toy, F: Tamper<T::Node> + 'static>(
    toy: &T,
    place: Where,
    change: fn(&mut Config),
    fault: fn() -> F,
) -> Vec<String> {
    let run_seed = |seed| {
        let mut config = config(seed, toy);
        change(&mut config);
        let outcome = run(toy, config, DEADLINE, move |name, now, node| {
            let is_planted = (place == Where::Hub) == (name == T::HUB);
            Tampered::new(node, now, Planted(is_planted.then(fault)))
        });
        outcome.verdict.err().map(|violation| violation.check).unwrap_or_default()
    };
    (0..SEEDS).map(run_seed).collect()
}

fn assert_caught<T: Toy, F: Tamper<T::Node> + 'static>(toy: &T, place: Where, fault: fn() -> F, promise: &str) {
    assert_caught_in(toy, place, |_| (), fault, promise);
}

fn assert_caught_in<T: Toy, F: Tamper<T::Node> + 'static>(
    toy: &T,
    place: Where,
    change: fn(&mut Config),
    fault: fn() -> F,
    promise: &str,
) {
    let broken = broken(toy, place, change, fault);
    assert!(broken.iter().any(|check| check == promise), "not caught in {SEEDS} seeds: {broken:?}");
    // Nothing that the fault does not break is blamed.
    let unplanted = self::broken(toy, place, change, || Faultless);
    assert!(unplanted.iter().all(String::is_empty), "{unplanted:?}");
}

struct Faultless;

impl<M: Machine> Tamper<M> for Faultless {}

/// A fault in some nodes and not in others.
struct Planted<F>(Option<F>);

impl<M: Machine, F: Tamper<M>> Tamper<M> for Planted<F> {
    fn input(&mut self, inner: &mut M, now: Instant, input: Input<'_, M::Command>) {
        match &mut self.0 {
            Some(fault) => fault.input(inner, now, input),
            None => inner.handle(now, input),
        }
    }

    fn output(&mut self, inner: &mut M, now: Instant, action: Action<M::Event>) -> Vec<Action<M::Event>> {
        match &mut self.0 {
            Some(fault) => fault.output(inner, now, action),
            None => vec![action],
        }
    }

    fn fill(&mut self, inner: &mut M, pipe: PipeId, room: &mut [u8]) -> usize {
        match &mut self.0 {
            Some(fault) => fault.fill(inner, pipe, room),
            None => inner.fill(pipe, room),
        }
    }

    fn next_timeout(&self, inner: &M) -> Option<Instant> {
        self.0.as_ref().map_or_else(|| inner.next_timeout(), |fault| fault.next_timeout(inner))
    }
}
