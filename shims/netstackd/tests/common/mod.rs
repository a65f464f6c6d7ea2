//! Worlds of toys in stack mode: bad weather from a seed, oracles that look on, and liveness.

#![allow(dead_code, reason = "each test uses its part")]

use machine::{Addr, Boot, Duration, Machine};
use netstackd::stacked::{StackConfig, Stacked, addr};
use sim::fate::Key;
use sim::{
    Begin, Chance, Clock, Config, Control, CrashKind, Delay, DiskProfile, Fault, LinkProfile, NodeConfig, NodeIndex,
    Perturb, Planned, Stop, Time, Watch, World,
};
use toys::echo::{self, Echo};
use toys::oracle::{EchoOracle, StopWaitOracle, Violation};
use toys::stop_wait::{self, Flow, StopWait};
use toys::testing::{Awkward, Habits};

pub(crate) const PORT: u16 = 7_000;
/// Faults begin before, and links are perfect after.
pub(crate) const HEALED: Time = Time::from_secs(60);
/// By then everything is done: retransmissions back off to a minute, redials to a few seconds.
pub(crate) const DEADLINE: Time = Time::from_secs(900);

/// What goes wrong in one world.
#[derive(Clone, Debug)]
pub(crate) struct Weather {
    pub seed: u64,
    pub link: LinkProfile,
    pub plan: Vec<Planned>,
    pub disk: DiskProfile,
    pub perturb: Perturb,
    /// Receive and send buffers of each node.
    pub buffers: Vec<(u32, u32)>,
    pub clocks: Vec<Clock>,
}

const BUFFERS: [u32; 7] = [7, 7, 16, 64, 600, 4_096, 65_536];

impl Weather {
    /// Nothing goes wrong.
    pub(crate) fn calm(seed: u64, nodes: u32) -> Self {
        Self {
            seed,
            link: LinkProfile { delay: Delay::Fixed(Duration::from_millis(5)), ..LinkProfile::default() },
            plan: Vec::new(),
            disk: DiskProfile::default(),
            perturb: Perturb::default(),
            buffers: vec![(65_536, 65_536); nodes as usize],
            clocks: vec![Clock::new(Duration::ZERO, 0); nodes as usize],
        }
    }

    /// Drawn from the seed: loss, duplication, reordering, corruption, tiny buffers, partitions, crashes, pauses.
    pub(crate) fn drawn(seed: u64, nodes: u32) -> Self {
        let key = Key::root(seed).named("weather");
        let percent = |lane, most: u64| Chance::from_ppb(key.within(lane, 0, most * 10_000_000));
        let delay = key.within(0, 1, 60);
        let link = LinkProfile {
            delay: Delay::Uniform(Duration::from_millis(1), Duration::from_millis(delay)),
            loss: percent(1, 12),
            duplicate: percent(2, 12),
            reorder: percent(3, 12),
            corrupt: percent(4, 5),
            truncate: percent(5, 2),
            ..LinkProfile::default()
        };
        let disk = DiskProfile {
            delay: Delay::Uniform(Duration::ZERO, Duration::from_millis(20)),
            fail: percent(6, 10),
            torn: percent(7, 100),
            rot: Chance::NEVER,
        };
        let pick = |key: Key, lane| BUFFERS[key.within(lane, 0, BUFFERS.len() as u64 - 1) as usize];
        let each = |name: &'static str| (0..nodes).map(move |node| key.named(name).number(u64::from(node)));
        Self {
            seed,
            link,
            disk,
            plan: faults(key.named("faults"), nodes),
            perturb: Perturb { spurious_timeout: percent(8, 10), late_drain: percent(9, 10) },
            buffers: each("buffers").map(|key| (pick(key, 0), pick(key, 1))).collect(),
            clocks: each("clocks")
                .map(|key| {
                    Clock::new(Duration::from_secs(key.within(0, 0, 1_000_000)), key.within(1, 0, 200_000) as i32)
                })
                .collect(),
        }
    }
}

/// Up to four faults, and perfect links from [`HEALED`] on.
fn faults(key: Key, nodes: u32) -> Vec<Planned> {
    let mut plan = Vec::new();
    for number in 0..key.within(0, 0, 4) {
        let key = key.number(number);
        let node = NodeIndex::new(key.within(0, 0, u64::from(nodes) - 1) as u32);
        let others = (0..nodes).map(NodeIndex::new).filter(|other| *other != node).collect();
        let fault = match key.within(1, 0, 3) {
            0 => Fault::Partition { from: vec![node], to: others, one_way: key.within(2, 0, 1) == 1, flap: None },
            1 => Fault::Pause(node),
            _ => Fault::Crash { node, kind: CrashKind::Power },
        };
        plan.push(Planned {
            begin: Begin::At(Time::from_millis(key.within(3, 0, 40_000))),
            lasts: Some(Duration::from_millis(key.within(4, 1, 15_000))),
            fault,
        });
    }
    for (from, to) in (0..nodes).flat_map(|from| (0..nodes).map(move |to| (from, to))).filter(|(a, b)| a != b) {
        let profile = LinkProfile { delay: Delay::Fixed(Duration::from_millis(5)), ..LinkProfile::default() };
        let fault = Fault::Link { from: NodeIndex::new(from), to: NodeIndex::new(to), profile };
        plan.push(Planned { begin: Begin::At(HEALED), lasts: None, fault });
    }
    plan
}

/// How a world is built: node `index` in name order is host `index + 1`.
pub(crate) fn world<M: Machine + 'static>(
    names: &[String],
    weather: &Weather,
    mut inner: impl FnMut(usize, &Boot) -> M + 'static,
) -> World<Stacked<M>>
where
    M::Event: core::fmt::Debug,
    M::Command: core::fmt::Debug,
{
    let nodes = names.iter().zip(&weather.clocks).map(|(name, clock)| NodeConfig {
        disk: weather.disk,
        clock: *clock,
        ..NodeConfig::new(name.clone())
    });
    let mut config = Config::new(weather.seed, nodes);
    config.link = weather.link;
    config.plan.clone_from(&weather.plan);
    config.perturb = weather.perturb;
    let buffers = weather.buffers.clone();
    World::new(config, move |node, _, boot| {
        let (tcp_receive_bytes, tcp_send_bytes) = buffers[node.as_usize()];
        let stack =
            StackConfig { tcp_receive_bytes, tcp_send_bytes, ..StackConfig::new(number(node.as_usize()), PORT) };
        Stacked::new(&boot, &stack, inner(node.as_usize(), &boot))
    })
}

pub(crate) const fn number(index: usize) -> u16 {
    index as u16 + 1
}

pub(crate) fn address(index: usize) -> Addr {
    addr(number(index), PORT)
}

/// An oracle of the toys.
pub(crate) trait Oracle<E> {
    fn observe(&mut self, name: &str, incarnation: u64, event: &E) -> Result<(), Violation>;
    fn finish(&self) -> Result<(), Violation>;
}

impl Oracle<echo::Event> for EchoOracle {
    fn observe(&mut self, name: &str, incarnation: u64, event: &echo::Event) -> Result<(), Violation> {
        Self::observe(self, name, incarnation, event)
    }
    fn finish(&self) -> Result<(), Violation> {
        Self::finish(self)
    }
}

impl Oracle<stop_wait::Event> for StopWaitOracle {
    fn observe(&mut self, name: &str, incarnation: u64, event: &stop_wait::Event) -> Result<(), Violation> {
        Self::observe(self, name, incarnation, event)
    }
    fn finish(&self) -> Result<(), Violation> {
        Self::finish(self)
    }
}

/// Feeds an oracle, and ends the run when everything is done.
struct Judge<O> {
    oracle: O,
    names: Vec<String>,
    incarnations: Vec<u64>,
}

impl<M: Machine, O: Oracle<M::Event>> Watch<Stacked<M>> for Judge<O> {
    fn booted(&mut self, _: Time, node: NodeIndex, incarnation: u64, _: &mut Control<M::Command>) {
        self.incarnations[node.as_usize()] = incarnation;
    }

    fn event(&mut self, at: Time, node: NodeIndex, event: &M::Event, control: &mut Control<M::Command>) {
        let index = node.as_usize();
        if let Err(violation) = self.oracle.observe(&self.names[index], self.incarnations[index], event) {
            control.violate("toy", violation.to_string());
        }
        if at > HEALED && self.oracle.finish().is_ok() {
            control.stop();
        }
    }
}

/// Runs a world to its end: why it failed, if it did.
pub(crate) fn run<M: Machine + 'static, O: Oracle<M::Event>>(
    names: &[String],
    weather: &Weather,
    oracle: O,
    inner: impl FnMut(usize, &Boot) -> M + 'static,
) -> Result<(), String>
where
    M::Event: core::fmt::Debug,
    M::Command: core::fmt::Debug,
{
    let mut world = world(names, weather, inner);
    let mut judge = Judge { oracle, names: names.to_vec(), incarnations: vec![0; names.len()] };
    match world.run(DEADLINE, &mut judge) {
        Stop::Violated(violation) => Err(format!("{}: {}", violation.check, violation.detail)),
        stop => judge.oracle.finish().map_err(|violation| {
            let told = format!("{stop:?} at {}: {violation}", world.now());
            told.chars().take(200).collect() // an oracle's own state can be long
        }),
    }
}

pub(crate) fn names(first: &str, others: &str, count: u32) -> Vec<String> {
    let mut names: Vec<String> = (0..count).map(|n| format!("{others}-{n}")).collect();
    names.push(first.to_string());
    names.sort();
    names
}

/// The clients of an echo world with `count` of them; the server is the last node.
pub(crate) fn echo_clients(seed: u64, count: u32) -> Vec<echo::Config> {
    let key = Key::root(seed).named("clients");
    (0..count)
        .map(|client| echo::Config {
            bytes_max: [20, 64, 300][key.number(u64::from(client)).within(0, 0, 2) as usize],
            dial_timeout: Duration::from_secs(20),
            stall_timeout: Duration::from_secs(100),
            ..echo::Config::new(address(count as usize), client, 6)
        })
        .collect()
}

/// The faultless echo machine of node `index`.
pub(crate) fn echo_machine(clients: &[echo::Config], index: usize, boot: &Boot) -> Echo {
    clients.get(index).map_or_else(|| Echo::server(boot), |config| Echo::client(boot, *config))
}

/// Two clients and a server, in the seed's weather.
pub(crate) fn echo_world(seed: u64) -> Result<(), String> {
    awkward_echo_world(seed, Habits::default())
}

/// The same, and the machines inside are driven as awkwardly as the contract allows.
pub(crate) fn awkward_echo_world(seed: u64, habits: Habits) -> Result<(), String> {
    let clients = echo_clients(seed, 2);
    let oracle = EchoOracle::new(clients.clone());
    let weather = Weather::drawn(seed, 3);
    run(&names("server", "client", 2), &weather, oracle, move |index, boot| {
        Awkward::new(echo_machine(&clients, index, boot), habits)
    })
}

/// Two senders and a receiver, in the seed's weather.
pub(crate) fn stop_wait_world(seed: u64) -> Result<(), String> {
    let flows = [1, 2].map(|id| Flow { id, count: 20, bytes_max: if id == 1 { 40 } else { 1_400 } });
    let oracle = StopWaitOracle::new(flows);
    let weather = Weather::drawn(seed, 3);
    run(&names("sink", "sender", 2), &weather, oracle, move |index, boot| match flows.get(index) {
        Some(flow) => StopWait::sender(boot, address(2), *flow),
        None => StopWait::receiver(boot),
    })
}

/// Runs `world` for each seed: all failures, with their seeds.
pub(crate) fn sweep(world: impl Fn(u64) -> Result<(), String>, seeds: u64) {
    let failures: Vec<String> =
        (0..seeds).filter_map(|seed| world(seed).err().map(|failure| format!("seed {seed}: {failure}"))).collect();
    assert!(failures.is_empty(), "{} of {seeds} seeds failed:\n{}", failures.len(), failures.join("\n"));
}

/// How many seeds a sweep tries: `NETSTACKD_SEEDS`, or few enough for every test run.
pub(crate) fn seeds() -> u64 {
    std::env::var("NETSTACKD_SEEDS").ok().and_then(|seeds| seeds.parse().ok()).unwrap_or(100)
}
