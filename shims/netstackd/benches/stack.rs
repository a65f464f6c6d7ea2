//! How many Ethernet frames a CPU-second of stack mode is good for: two hosts, each with all of TCP/IP, pump bytes at each other
//! over one connection as fast as their buffers let them. `cargo bench -p dsoftbus-netstackd --bench stack`.

#![expect(clippy::float_arithmetic, clippy::cast_precision_loss, reason = "a benchmark reports a rate")]

use machine::{Addr, Boot, Duration, Input, Instant, Machine, Output, PipeId};
use netstackd::stacked::{StackConfig, Stacked, addr};
use sim::{Config, Control, Delay, LinkProfile, NodeConfig, NodeIndex, Time, Watch, World};

const PORT: u16 = 7_000;
const SECONDS: u64 = 5;
const ROUNDS: usize = 5;

/// Dials if it is told whom, and then writes whatever there is room for.
struct Pump {
    dial: Option<Addr>,
    fill: Option<PipeId>,
    received: u64,
}

impl Machine for Pump {
    type Command = ();
    type Event = ();

    fn handle(&mut self, _: Instant, input: Input<'_, ()>) {
        match input {
            Input::PipeOpened { pipe } | Input::PipeAccepted { pipe, .. } => self.fill = Some(pipe),
            Input::PipeBytes { bytes, .. } => self.received += bytes.len() as u64,
            _ => {}
        }
    }

    fn poll(&mut self) -> Option<Output<'_, ()>> {
        if let Some(to) = self.dial.take() {
            return Some(Output::OpenPipe { pipe: PipeId::opened(0), to });
        }
        self.fill.take().map(|pipe| Output::FillPipe { pipe })
    }

    fn fill(&mut self, _: PipeId, room: &mut [u8]) -> usize {
        room.fill(0x5A);
        room.len()
    }

    fn next_timeout(&self) -> Option<Instant> {
        None
    }
}

#[derive(Default)]
struct Frames(u64);

impl Watch<Stacked<Pump>> for Frames {
    fn sent(&mut self, _: Time, _: NodeIndex, _: machine::Destination, _: &[u8], _: &mut Control<()>) {
        self.0 += 1;
    }
}

/// Frames sent, bytes that arrived, and CPU-seconds.
fn round() -> (u64, u64, f64) {
    let mut config = Config::new(1, ["left", "right"].map(NodeConfig::new));
    config.link = LinkProfile { delay: Delay::Fixed(Duration::from_millis(1)), mtu: 1_514, ..LinkProfile::default() };
    let start = cpu();
    let mut world = World::new(config, |node, _, boot: Boot| {
        let number = node.as_usize() as u16 + 1;
        let dial = (number == 1).then(|| addr(2, PORT));
        Stacked::new(&boot, &StackConfig::new(number, PORT), Pump { dial, fill: None, received: 0 })
    });
    let mut frames = Frames::default();
    world.run(Time::from_millis(SECONDS * 1_000), &mut frames);
    let took = cpu() - start;
    let received = |node| world.machine(NodeIndex::new(node)).map_or(0, |host| host.inner().received);
    (frames.0, received(0) + received(1), took)
}

fn cpu() -> f64 {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    time.tv_sec as f64 + time.tv_nsec as f64 / 1e9
}

fn main() {
    let mut rounds: Vec<_> = (0..ROUNDS).map(|_| round()).collect();
    rounds.sort_by(|one, other| one.2.total_cmp(&other.2));
    let (frames, bytes, took) = rounds[ROUNDS / 2];
    println!("| two byte pumps, {SECONDS} s of virtual time | |\n| --- | --- |");
    println!("| frames | {frames} |\n| MB that arrived | {:.1} |", bytes as f64 / 1e6);
    println!("| CPU-seconds, median of {ROUNDS} | {took:.2} |");
    println!("| **frames a CPU-second** | {:.0} |", frames as f64 / took);
}
