//! Your own protocol on the engine, whole: a machine, a world that misbehaves, a promise, and a sweep over seeds.
//!
//! `cargo run --release -p sim --example ping` finds nothing; `-- --bug` plants a bug and finds the first seed that shows it.

use machine::{Addr, Destination, Duration, Input, Instant, Machine, Output, PipeId};
use sim::{Chance, Config, Control, Delay, LinkProfile, NodeConfig, NodeIndex, Stop, Time, Watch, World};
use std::collections::BTreeSet;

const PINGS: u32 = 20;
const AGAIN_AFTER: Duration = Duration::from_millis(100);

/// Counts to [`PINGS`] with a peer that says every number back. Numbers are sent again until they come back.
struct Ping {
    peer: Option<Addr>,
    /// The number that is being asked for, or was answered last.
    number: u32,
    again_at: Option<Instant>,
    /// Whom to send `bytes` to.
    outbox: Option<Addr>,
    bytes: [u8; 4],
    answered: Option<u32>,
    /// Takes any answer for the one that it waits for.
    has_bug: bool,
}

/// What the application learns: this number has come back.
#[derive(Clone, Debug)]
struct Answered(u32);

impl Ping {
    fn ask(&mut self, now: Instant) {
        (self.outbox, self.bytes) = (self.peer, self.number.to_be_bytes());
        self.again_at = Some(now + AGAIN_AFTER);
    }

    fn heard(&mut self, now: Instant, from: Addr, number: u32) {
        if self.peer.is_none() {
            (self.outbox, self.bytes) = (Some(from), number.to_be_bytes());
        } else if self.again_at.is_some() && (number == self.number || self.has_bug) {
            self.answered = Some(number);
            self.number += 1;
            self.again_at = None;
            if self.number < PINGS {
                self.ask(now);
            }
        }
    }
}

impl Machine for Ping {
    type Command = ();
    type Event = Answered;

    fn handle(&mut self, now: Instant, input: Input<'_, ()>) {
        match input {
            Input::Command(()) => self.ask(now),
            Input::Timeout if self.again_at.is_some_and(|at| at <= now) => self.ask(now),
            Input::Datagram { from, bytes } => {
                if let Ok(number) = bytes.try_into() {
                    self.heard(now, from, u32::from_be_bytes(number));
                }
            }
            _ => {}
        }
    }

    fn poll(&mut self) -> Option<Output<'_, Answered>> {
        if let Some(number) = self.answered.take() {
            return Some(Output::Event(Answered(number)));
        }
        let to = self.outbox.take()?;
        Some(Output::Datagram { to: Destination::Addr(to), bytes: &self.bytes })
    }

    fn fill(&mut self, _: PipeId, _: &mut [u8]) -> usize {
        0
    }

    fn next_timeout(&self) -> Option<Instant> {
        self.again_at
    }
}

/// The promise: each number comes back once.
#[derive(Default)]
struct EachOnce(BTreeSet<u32>);

impl Watch<Ping> for EachOnce {
    fn event(&mut self, _: Time, _: NodeIndex, event: &Answered, control: &mut Control<()>) {
        if !self.0.insert(event.0) {
            control.violate("each-once", format!("{} came back twice", event.0));
        }
    }
}

/// One run: what stopped it, how many numbers came back, and the hash of all that happened.
fn run(seed: u64, has_bug: bool) -> (Stop, usize, u64) {
    let mut config = Config::new(seed, ["asker", "echo"].map(NodeConfig::new));
    config.link = LinkProfile {
        delay: Delay::Uniform(Duration::from_millis(5), Duration::from_millis(120)),
        loss: Chance::from_percent(10),
        duplicate: Chance::from_percent(5),
        ..LinkProfile::default()
    };
    let echo = config.nodes[1].addr();
    let mut world = World::new(config, move |_, name, _| Ping {
        peer: (name == "asker").then_some(echo),
        number: 0,
        again_at: None,
        outbox: None,
        bytes: [0; 4],
        answered: None,
        has_bug,
    });
    let asker = NodeIndex::new(0);
    world.command(Time::from_millis(1), asker, ());
    let mut promise = EachOnce::default();
    let stop = world.run(Time::from_secs(60), &mut promise);
    (stop, promise.0.len(), world.trace_hash())
}

fn main() {
    let has_bug = std::env::args().any(|argument| argument == "--bug");
    for seed in 0..1_000 {
        let (stop, answered, hash) = run(seed, has_bug);
        if let Stop::Violated(violation) = stop {
            println!("seed {seed}, trace {hash:016x}: {}: {}", violation.check, violation.detail);
            std::process::exit(1);
        }
        assert_eq!(answered, PINGS as usize, "seed {seed}: not all came back within a minute");
    }
    println!("1,000 seeds: every number came back once");
}
