//! How fast the engine is, against a bare loop that does the least that such a simulation needs.
//!
//! Each node sends 64 bytes to a random other node every 10 ms; links take 1 to 9 ms and lose nothing. Rounds are interleaved
//! in one process, and CPU time is counted. `cargo bench -p dsoftbus-sim --bench engine`; numbers of nodes may follow `--`.

#![expect(clippy::float_arithmetic, clippy::cast_precision_loss, reason = "a benchmark reports ratios")]
#![expect(clippy::unwrap_used, reason = "a benchmark may fail loudly")]

use machine::{Boot, Destination, Duration, Input, Instant, Machine, Output, PipeId};
use sim::fate::{Key, NameHash};
use sim::schedule::{Heap, Order, Queue, Scheduled, Wheel};
use sim::{Config, Delay, LinkProfile, NodeConfig, NodeIndex, Time, World};
use std::cell::OnceCell;
use std::hint::black_box;
use std::rc::Rc;

const PERIOD: Duration = Duration::from_millis(10);
const DELAY: (u64, u64) = (1_000_000, 9_000_000);

/// Sends, counts, and does nothing else.
struct Null {
    /// Everybody's address, once the world is made.
    peers: Rc<OnceCell<Vec<machine::Addr>>>,
    me: u32,
    random: u64,
    next: Instant,
    sends: bool,
    message: [u8; 64],
    received: u64,
}

fn next_random(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let z = (*state ^ (*state >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB)
}

/// A random node other than `me`.
fn other(random: u64, me: u32, nodes: u32) -> u32 {
    let pick = ((u128::from(random) * u128::from(nodes - 1)) >> 64) as u32;
    pick + u32::from(pick >= me)
}

/// What a receiver does with a message: it looks at all of it.
fn read(message: &[u8]) -> u64 {
    message.chunks_exact(8).fold(1, |sum, word| sum.wrapping_add(u64::from_le_bytes(word.try_into().unwrap())))
}

impl Null {
    fn new(peers: Rc<OnceCell<Vec<machine::Addr>>>, node: NodeIndex, boot: &Boot) -> Self {
        let me = node.as_usize() as u32;
        let first = boot.now + Duration::from_nanos(u64::from(me) * 9_973 % PERIOD.as_nanos());
        Self { peers, me, random: u64::from(me), next: first, sends: false, message: [0; 64], received: 0 }
    }
}

impl Machine for Null {
    type Command = ();
    type Event = ();

    fn handle(&mut self, now: Instant, input: Input<'_, ()>) {
        match input {
            Input::Timeout if now >= self.next => {
                self.next = self.next + PERIOD;
                self.sends = true;
            }
            Input::Datagram { bytes, .. } => self.received = self.received.wrapping_add(read(bytes)),
            _ => {}
        }
    }

    fn poll(&mut self) -> Option<Output<'_, ()>> {
        if !core::mem::take(&mut self.sends) {
            return None;
        }
        let random = next_random(&mut self.random);
        self.message[..8].copy_from_slice(&random.to_le_bytes());
        let peers = self.peers.get()?;
        let to = peers[other(random, self.me, peers.len() as u32) as usize];
        Some(Output::Datagram { to: Destination::Addr(to), bytes: &self.message })
    }

    fn fill(&mut self, _: PipeId, _: &mut [u8]) -> usize {
        0
    }

    fn next_timeout(&self) -> Option<Instant> {
        Some(self.next)
    }
}

fn world(nodes: u32, seed: u64) -> World<Null> {
    let mut config = Config::new(seed, (0..nodes).map(|node| NodeConfig::new(name(node))));
    config.link = LinkProfile {
        delay: Delay::Uniform(Duration::from_nanos(DELAY.0), Duration::from_nanos(DELAY.1)),
        ..LinkProfile::default()
    };
    let peers = Rc::new(OnceCell::new());
    let shared = Rc::clone(&peers);
    let world = World::new(config, move |node, _, boot| Null::new(Rc::clone(&shared), node, &boot));
    peers.set((0..nodes).map(|node| world.addr(NodeIndex::new(node))).collect()).unwrap();
    world
}

/// Virtual time in which so many messages are sent.
fn span(nodes: u32, messages: u64) -> Time {
    Time::from_nanos(messages / u64::from(nodes) * PERIOD.as_nanos())
}

fn engine(nodes: u32, messages: u64) -> u64 {
    let mut world = world(nodes, 1);
    black_box(world.run(span(nodes, messages), &mut ()));
    let received: u64 = (0..nodes).map(|node| world.machine(NodeIndex::new(node)).unwrap().received.min(1)).sum();
    assert!(received > 0 && world.trace_hash() != 0);
    world.events()
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Bare {
    Send(u32),
    Arrive(u32),
}

/// What the bare loop knows of a node.
#[derive(Clone, Copy)]
struct BareNode {
    name: NameHash,
    random: u64,
    sent: u64,
    received: u64,
}

fn name(node: u32) -> String {
    format!("node-{node:05}")
}

/// The least that such a simulation does: for each message two events in a queue, a draw keyed by sender, receiver and
/// number, and 64 bytes copied in and read.
///
/// The number is the sender's own count or, `by_direction`, a count for each receiver of each sender, as the engine has
/// it so that one packet less re-rolls no other. Those are bytes that wrap: less than a simulation needs, and fast.
fn bare<Q: Queue<Bare> + Default>(nodes: u32, messages: u64, by_direction: bool) -> u64 {
    let mut queue = Q::default();
    let of_name = |node| BareNode { name: NameHash::of(&name(node)), random: u64::from(node), sent: 0, received: 0 };
    let mut all: Vec<BareNode> = (0..nodes).map(of_name).collect();
    let mut packets: Vec<[u8; 64]> = Vec::new();
    let mut free = Vec::new();
    let mut numbers = vec![0_u8; if by_direction { nodes as usize * nodes as usize } else { 0 }];
    let root = Key::root(1);
    let mut scheduled = 0;
    for node in 0..nodes {
        let at = Time::from_nanos(u64::from(node) * 9_973 % PERIOD.as_nanos());
        queue.push(Scheduled { at, order: Order::new(node, scheduled), what: Bare::Send(node) });
        scheduled += 1;
    }
    let until = span(nodes, messages);
    let mut message = [0; 64];
    while let Some(event) = queue.pop(until) {
        match event.what {
            Bare::Send(node) => {
                let from = &mut all[node as usize];
                let random = next_random(&mut from.random);
                let (name, sent) = (from.name, from.sent);
                from.sent += 1;
                let to = other(random, node, nodes);
                let number = numbers.get_mut((node * nodes + to) as usize).map_or(sent, |count| {
                    *count = count.wrapping_add(1);
                    u64::from(*count)
                });
                message[..8].copy_from_slice(&random.to_le_bytes());
                let packet = free.pop().unwrap_or_else(|| {
                    packets.push([0; 64]);
                    packets.len() as u32 - 1
                });
                packets[packet as usize] = message;
                let key = root.pair(name, all[to as usize].name).number(number);
                let at = event.at + Duration::from_nanos(key.within(0, DELAY.0, DELAY.1));
                let arrive = Bare::Arrive(packet << 16 | to);
                queue.push(Scheduled { at, order: Order::new(node, scheduled), what: arrive });
                queue.push(Scheduled {
                    at: event.at + PERIOD,
                    order: Order::new(node, scheduled + 1),
                    what: event.what,
                });
                scheduled += 2;
            }
            Bare::Arrive(packet) => {
                let received = &mut all[(packet & 0xFFFF) as usize].received;
                *received = received.wrapping_add(read(&packets[(packet >> 16) as usize]));
                free.push(packet >> 16);
            }
        }
    }
    black_box(all.iter().map(|node| (node.sent, node.received)).collect::<Vec<_>>());
    scheduled
}

fn cpu_seconds(work: impl FnOnce() -> u64) -> f64 {
    let clock = || {
        let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
        time.tv_sec as f64 + time.tv_nsec as f64 / 1e9
    };
    let start = clock();
    black_box(work());
    clock() - start
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

const ROUNDS: usize = 9;
const MESSAGES: u64 = 500_000;
/// Tiny simulations in a round.
const RUNS: u64 = 5_000;

/// Runs all of them one after the other, several times: a line of the table.
fn compare(nodes: u32) {
    let runs: [fn(u32) -> u64; 4] = [
        |nodes| bare::<Heap<Bare>>(nodes, MESSAGES, false),
        |nodes| bare::<Wheel<Bare>>(nodes, MESSAGES, false),
        |nodes| bare::<Wheel<Bare>>(nodes, MESSAGES, true),
        |nodes| engine(nodes, MESSAGES),
    ];
    let rounds: Vec<_> = (0..ROUNDS).map(|_| runs.map(|run| cpu_seconds(|| run(nodes)))).collect();
    let of = |value: fn(&[f64; 4]) -> f64| median(rounds.iter().map(value).collect());
    let rate = |seconds: f64| MESSAGES as f64 / seconds / 1e6;
    let (heap, wheel) = (rate(of(|round| round[0])), rate(of(|round| round[1])));
    let (by_direction, engine) = (rate(of(|round| round[2])), rate(of(|round| round[3])));
    let (faster, same) = (of(|round| round[3] / round[0].min(round[1])), of(|round| round[3] / round[2]));
    println!("| {nodes} | {heap:.1} | {wheel:.1} | {by_direction:.1} | {engine:.1} | {faster:.2} | {same:.2} |");
}

fn main() {
    println!(
        "| nodes | bare heap, M msg/s | bare wheel | wheel, by direction | engine | : faster bare | : by direction |"
    );
    println!("| --- | --- | --- | --- | --- | --- | --- |");
    let asked: Vec<u32> = std::env::args().filter_map(|argument| argument.parse().ok()).collect();
    for nodes in if asked.is_empty() { vec![2, 10, 100, 1000] } else { asked } {
        compare(nodes);
    }
    let tiny = |seed| {
        let mut world = world(3, seed);
        world.run(Time::from_millis(1_000), &mut ());
        world.events()
    };
    let seconds = (0..ROUNDS).map(|_| cpu_seconds(|| (0..RUNS).map(tiny).sum())).collect();
    println!(
        "\ntiny simulations (3 nodes, 300 messages, construction included) a second: {:.0}",
        RUNS as f64 / median(seconds)
    );
}
