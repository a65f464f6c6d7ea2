//! No liberty that the contract gives a driver shows in what the application learns.

use machine::{Addr, Host};
use sim::{Chance, Config, Perturb, PipeProfile, Time};
use toys::testing::{Awkward, Habits};
use toys::{echo, stop_wait};

use crate::swarm::{DEADLINE, config_of, echo_of, stop_wait_of};
use crate::worlds::{EchoToy, StopWaitToy, Toy, run};

fn one_flow() -> StopWaitToy {
    StopWaitToy(vec![stop_wait::Flow { id: 1, count: 20, bytes_max: 300 }])
}

/// One client: the counter values of several depend on whose request comes first.
fn one_client() -> EchoToy {
    EchoToy(vec![echo::Config::new(Addr::new(Host::new([0; 16]), 0), 1, 20)])
}

/// What each node tells its application on a faultless network, if it is driven with `habits`.
fn stable_events<T: Toy>(toy: &T, habits: Habits, change: impl Fn(&mut Config)) -> Vec<Vec<T::Event>> {
    let mut config = toy.calm(1);
    change(&mut config);
    let outcome = run(toy, config, Time::from_secs(60), move |_, _, node| Awkward::new(node, habits));
    assert_eq!(outcome.verdict, Ok(()), "{habits:?}");
    let of_node = |name: &String| {
        let its = outcome.heard.iter().filter(|(who, event)| who == name && T::is_stable(event));
        its.map(|(_, event)| event.clone()).collect()
    };
    toy.names().iter().map(of_node).collect()
}

fn assert_no_habit_shows<T: Toy>(toy: &T) {
    let usual = stable_events(toy, Habits::default(), |_| ());
    assert!(usual.iter().map(Vec::len).sum::<usize>() > 20);
    for habits in Habits::ALL {
        assert_eq!(stable_events(toy, habits, |_| ()), usual, "{habits:?}");
    }
}

#[test]
fn no_habit_shows_in_stop_and_waits_events() {
    assert_no_habit_shows(&one_flow());
}

#[test]
fn no_habit_shows_in_echos_events() {
    assert_no_habit_shows(&one_client());
}

#[test]
fn no_liberty_of_the_worlds_own_driver_shows() {
    let always = Chance::ALWAYS;
    let perturbs = [
        Perturb { spurious_timeout: always, late_drain: Chance::NEVER },
        Perturb { spurious_timeout: Chance::NEVER, late_drain: always },
        Perturb { spurious_timeout: Chance::from_percent(50), late_drain: Chance::from_percent(50) },
    ];
    let roomy = PipeProfile::default();
    let pipes = [
        PipeProfile { room_max: 1, ..roomy },
        PipeProfile { chunk_max: Some(1), ..roomy },
        PipeProfile { buffer: 1, segment: 1, ..roomy },
    ];
    let (flow, client) = (one_flow(), one_client());
    let usual = (stable_events(&flow, Habits::default(), |_| ()), stable_events(&client, Habits::default(), |_| ()));
    for perturb in perturbs {
        let events = |config: &mut Config| config.perturb = perturb;
        assert_eq!(stable_events(&flow, Habits::default(), events), usual.0, "{perturb:?}");
        assert_eq!(stable_events(&client, Habits::default(), events), usual.1, "{perturb:?}");
    }
    for profile in pipes {
        // A byte at a time takes its time.
        let slow = |config: &mut Config| {
            config.pipes = profile;
            config.link.delay = sim::Delay::default();
        };
        assert_eq!(stable_events(&client, Habits::default(), slow), usual.1, "{profile:?}");
    }
}

/// A machine that leans on what only a usual driver does is found out: it takes each piece of bytes for a whole frame.
#[test]
fn a_habit_shows_where_a_machine_breaks_the_contract() {
    let toy = one_client();
    let whole_frames_only = |config: Config, habits: Habits| {
        let outcome = run(&toy, config, Time::from_secs(60), move |_, now, node| {
            Awkward::new(toys::testing::Tampered::new(node, now, OneFrameAPiece), habits)
        });
        outcome.verdict.is_ok()
    };
    assert!(!whole_frames_only(toy.calm(1), Habits { piece_bytes_max: 1, ..Habits::default() }));
}

struct OneFrameAPiece;

impl<M: machine::Machine> toys::testing::Tamper<M> for OneFrameAPiece {
    fn input(&mut self, inner: &mut M, now: machine::Instant, input: machine::Input<'_, M::Command>) {
        match input {
            machine::Input::PipeBytes { bytes, .. } if bytes.len() < 2 => {}
            input => inner.handle(now, input),
        }
    }
}

#[test]
fn every_habit_survives_the_nemesis() {
    for (seed, habits) in (0..300).zip(Habits::ALL.into_iter().cycle()) {
        survives(seed, &stop_wait_of(seed), habits);
        survives(seed, &echo_of(seed), habits);
    }
}

fn survives<T: Toy>(seed: u64, toy: &T, habits: Habits) {
    let mut config = config_of(seed, toy);
    // Drawn for each segment, and a habit may make one of every byte. Planned resets stay.
    config.pipes.reset = Chance::NEVER;
    let outcome = run(toy, config, DEADLINE, move |_, _, node| Awkward::new(node, habits));
    assert_eq!(outcome.verdict, Ok(()), "seed {seed}, {habits:?}");
}
