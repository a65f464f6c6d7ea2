//! The first event in which two runs differ is found, whatever makes them differ.

use crate::lab::{Do, Lab, Probe, Saw};
use crate::runs::{rough, work};
use machine::{Boot, Destination, Input, Instant, Machine, Output, PipeId};
use sim::{Config, Contender, NodeConfig, Time, World, first_difference};
use std::collections::VecDeque;

/// What is planted in a machine that should know nothing but its inputs.
#[derive(Clone, Copy, Debug)]
enum Planted {
    Nothing,
    RandomHashes,
    WallClock,
}

/// Sends a few datagrams each second, in an order, or of a content, that its planted fault decides.
#[derive(Debug)]
struct Leaky {
    planted: Planted,
    next: Instant,
    unsent: VecDeque<Vec<u8>>,
    lent: Vec<u8>,
}

impl Leaky {
    #[expect(clippy::disallowed_types, clippy::disallowed_methods, reason = "what they do to a run is the test")]
    fn texts(&self) -> Vec<Vec<u8>> {
        let texts: Vec<Vec<u8>> = (0..4_u8).map(|number| vec![number; 4]).collect();
        match self.planted {
            Planted::Nothing => texts,
            Planted::RandomHashes => texts.into_iter().collect::<std::collections::HashSet<_>>().into_iter().collect(),
            Planted::WallClock => {
                let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
                vec![now.subsec_nanos().to_be_bytes().to_vec()]
            }
        }
    }
}

impl Machine for Leaky {
    type Command = Do;
    type Event = Saw;

    fn handle(&mut self, now: Instant, input: Input<'_, Do>) {
        if matches!(input, Input::Timeout) && now >= self.next {
            self.next = now + machine::Duration::from_secs(1);
            self.unsent.extend(self.texts());
        }
    }

    fn poll(&mut self) -> Option<Output<'_, Saw>> {
        self.lent = self.unsent.pop_front()?;
        Some(Output::Datagram { to: Destination::Group, bytes: &self.lent })
    }

    fn fill(&mut self, _: PipeId, _: &mut [u8]) -> usize {
        0
    }

    fn next_timeout(&self) -> Option<Instant> {
        Some(self.next)
    }
}

fn leaky(seed: u64, planted: Planted) -> Contender<Leaky, ()> {
    let config = Config::new(seed, ["a", "b"].map(NodeConfig::new));
    let boot = move |_, name: &str, boot: Boot| {
        let planted = if name == "b" { planted } else { Planted::Nothing };
        let next = boot.now + machine::Duration::from_millis(500);
        Leaky { planted, next, unsent: VecDeque::new(), lent: Vec::new() }
    };
    Contender { world: World::new(config, boot), watch: () }
}

#[test]
fn a_randomly_hashed_map_and_a_wall_clock_are_found() {
    for planted in [Planted::RandomHashes, Planted::WallClock] {
        let found =
            (0..20).find_map(|seed| first_difference(leaky(seed, planted), leaky(seed, planted), Time::from_secs(5)));
        let found = found.expect("found within 20 seeds");
        for side in &found.sides {
            let line = side.line.as_deref().unwrap();
            assert!(line.contains("\"kind\":\"GroupOut\",\"node\":\"b\""), "the first thing that it decided: {line}");
            assert!(side.state.as_deref().unwrap().contains("Leaky"), "{side:?}");
        }
        assert_ne!(found.sides[0].line, found.sides[1].line);
    }
}

#[test]
fn a_deterministic_machine_is_the_same_to_the_last_event() {
    let same =
        |seed| first_difference(leaky(seed, Planted::Nothing), leaky(seed, Planted::Nothing), Time::from_secs(5));
    assert_eq!((0..20).find_map(same), None);
}

fn rough_lab(seed: u64) -> Contender<Probe, crate::lab::Log> {
    let mut lab = Lab::new(&["a", "b"], rough(seed));
    work(&mut lab);
    Contender { world: lab.world, watch: lab.log }
}

#[test]
fn two_seeds_part_at_the_first_event_of_their_traces_that_differs() {
    let lines = |seed| {
        let mut lab = Lab::new(&["a", "b"], rough(seed));
        work(&mut lab);
        lab.run(5_000);
        lab.trace()
    };
    let (one, other) = (lines(4), lines(5));
    let parts = one.iter().zip(&other).position(|(one, other)| one != other).unwrap();
    let found = first_difference(rough_lab(4), rough_lab(5), Time::from_millis(5_000)).unwrap();
    assert_eq!(found.event, parts as u64);
    assert_eq!(found.before.as_ref(), parts.checked_sub(1).map(|last| &one[last]));
    assert_eq!(found.sides.map(|side| side.line.unwrap()), [one[parts].clone(), other[parts].clone()]);
    // A longer input of the one must not look like the end of the other.
    for seed in 5..15 {
        let found = first_difference(rough_lab(4), rough_lab(seed), Time::from_millis(5_000)).unwrap();
        assert!(found.sides.iter().all(|side| side.line.is_some()), "seed {seed}: {found:?}");
    }
    assert_eq!(first_difference(rough_lab(4), rough_lab(4), Time::from_millis(5_000)), None);
}
