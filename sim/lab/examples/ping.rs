//! Your own protocol on the engine, whole: a machine, a world that misbehaves, promises, and a command to test it with.
//!
//! `cargo run --release -p dsoftbus-sim-lab --example ping -- sweep` finds nothing; with `--plant any-answer` it does.

use machine::{Addr, Destination, Duration, Input, Instant, Machine, Output, PipeId};
use sim::workload::{Judge, Workload};
use sim::{Chance, Config, Control, Delay, NodeConfig, NodeIndex, Time, Violation, Watch, World};
use std::collections::BTreeSet;

const PINGS: u32 = 20;
const AGAIN_AFTER: Duration = Duration::from_millis(100);
const PLANTS: &[(&str, &str)] = &[
    ("any-answer", "takes any answer for the one that it waits for"),
    ("gives-up", "asks three times for a number, and not again"),
];

/// Counts to [`PINGS`] with a peer that says every number back. Numbers are sent again until they come back.
#[derive(Debug, Default)]
struct Ping {
    peer: Option<Addr>,
    /// The number that is being asked for, or was answered last.
    number: u32,
    again_at: Option<Instant>,
    /// Whom to send `bytes` to.
    outbox: Option<Addr>,
    bytes: [u8; 4],
    answered: Option<u32>,
    /// How often the number was asked for.
    tries: u32,
    /// One of [`PLANTS`], to see that it is found.
    bug: &'static str,
}

impl Ping {
    fn ask(&mut self, now: Instant) {
        (self.outbox, self.bytes) = (self.peer, self.number.to_be_bytes());
        self.tries += 1;
        let is_last = self.bug == "gives-up" && self.tries == 3;
        self.again_at = Some(now + if is_last { Duration::from_secs(3_600) } else { AGAIN_AFTER });
    }

    fn heard(&mut self, now: Instant, from: Addr, number: u32) {
        if self.peer.is_none() {
            (self.outbox, self.bytes) = (Some(from), number.to_be_bytes());
        } else if self.again_at.is_some() && (number == self.number || self.bug == "any-answer") {
            self.answered = Some(number);
            self.number += 1;
            (self.again_at, self.tries) = (None, 0);
            if self.number < PINGS {
                self.ask(now);
            }
        }
    }
}

impl Machine for Ping {
    type Command = ();
    type Event = u32; // this number has come back

    fn handle(&mut self, now: Instant, input: Input<'_, ()>) {
        match input {
            Input::Command(()) => self.ask(now),
            Input::Timeout if self.again_at.is_some_and(|at| at <= now) => self.ask(now),
            Input::Datagram { from, bytes: &[a, b, c, d] } => self.heard(now, from, u32::from_be_bytes([a, b, c, d])),
            _ => {}
        }
    }

    fn poll(&mut self) -> Option<Output<'_, u32>> {
        let event = self.answered.take().map(Output::Event);
        let bytes = &self.bytes;
        event.or_else(|| Some(Output::Datagram { to: Destination::Addr(self.outbox.take()?), bytes }))
    }

    fn fill(&mut self, _: PipeId, _: &mut [u8]) -> usize {
        0
    }

    fn next_timeout(&self) -> Option<Instant> {
        self.again_at
    }
}

/// The promises: each number comes back once, and in the end all have.
#[derive(Default)]
struct EachOnce(BTreeSet<u32>);

impl Watch<Ping> for EachOnce {
    fn event(&mut self, _: Time, _: NodeIndex, number: &u32, control: &mut Control<()>) {
        if !self.0.insert(*number) {
            control.violate("each-once", format!("{number} came back twice"));
        }
    }
}

impl Judge<Ping> for EachOnce {
    fn finish(&mut self, _: &World<Ping>) -> Result<(), Violation> {
        let Some(missing) = (0..PINGS).find(|number| !self.0.contains(number)) else { return Ok(()) };
        Err(Violation { check: "all-answered".into(), detail: format!("{missing} has not come back") })
    }
}

/// What there is to test: a world for each seed, and who judges it.
struct Counting(&'static str);

impl Workload for Counting {
    type Machine = Ping;
    type Judge = EachOnce;

    fn config(&self, seed: u64) -> Config {
        let mut config = Config::new(seed, ["asker", "echo"].map(NodeConfig::new));
        config.link.delay = Delay::Uniform(Duration::from_millis(5), Duration::from_millis(49));
        config.link.loss = Chance::from_percent(10);
        config.link.duplicate = Chance::from_percent(5);
        config
    }

    fn world(&self, config: Config) -> World<Ping> {
        let (echo, bug) = (config.nodes[1].addr(), self.0);
        let mut world = World::new(config, move |_, name, _| {
            let peer = (name == "asker").then_some(echo);
            Ping { peer, bug, ..Ping::default() }
        });
        world.command(Time::from_millis(1), NodeIndex::new(0), ());
        world
    }

    fn judge(&self, _: u64, _: &World<Ping>) -> EachOnce {
        EachOnce::default()
    }

    fn until(&self) -> Time {
        Time::from_secs(60)
    }
}

fn main() -> std::process::ExitCode {
    let lab = sim_lab::Lab {
        name: "ping",
        about: "Counts with a peer that says every number back",
        command: "cargo run --release -p dsoftbus-sim-lab --example ping --",
        plants: PLANTS,
    };
    sim_lab::main(&lab, |plant| {
        Counting(PLANTS.iter().map(|(name, _)| *name).find(|name| plant == Some(name)).unwrap_or_default())
    })
}
