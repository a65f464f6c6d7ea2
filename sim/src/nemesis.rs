//! What goes wrong under one seed: which kinds of fault are on, how strong, and when. Knows no protocol.
//!
//! Every seed draws weather of its own (a *swarm*): most kinds of fault are off in most seeds, so that each is seen alone and
//! with each other one. All that is planned ends by [`Nemesis::heals_at`]: what a protocol promises to finish is demanded
//! after that.

use crate::dice::Dice;
use crate::{
    Begin, Burst, Chance, Clock, Config, CrashKind, DiskProfile, Fault, LinkProfile, NodeConfig, NodeIndex, Perturb,
    PipeProfile, Planned, Time,
};
use machine::Duration;

/// How rough it can get.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Nemesis {
    /// By this time every planned fault has ended, links are calm and no node is down. What pipes, disks and drivers do by
    /// their nature goes on: it leaves room for progress.
    pub heals_at: Time,
    /// The node that all others depend on: every second fault of a single node strikes it, and its disk never rots.
    pub hub: Option<String>,
    /// Whether acknowledged values may lose a bit by a restart.
    pub rot: bool,
    /// The least and the most that a link's longest datagram is cut to, in bytes, where it is.
    pub mtu: (u32, u32),
}

impl Default for Nemesis {
    /// Heals after ten seconds; no hub, no rot; datagrams are cut to as little as 50 bytes.
    fn default() -> Self {
        Self { heals_at: Time::from_secs(10), hub: None, rot: false, mtu: (50, 300) }
    }
}

impl Nemesis {
    /// A world of these nodes with what `seed` draws.
    pub fn config<S: AsRef<str>>(&self, seed: u64, names: &[S]) -> Config {
        let mut dice = Dice::new(seed, "nemesis");
        let mut names: Vec<_> = names.iter().map(AsRef::as_ref).collect();
        names.sort_unstable();
        let nodes = names.iter().map(|name| self.node(&mut dice, name)).collect::<Vec<_>>();
        let hub = names.iter().position(|name| self.hub.as_deref() == Some(name));
        let mut config = Config::new(seed, nodes);
        config.pipes = pipes(&mut dice);
        // A buffer's bytes need a round trip: over a long link with a tiny buffer, a request takes longer than clients wait.
        config.link.delay = dice.delay(if config.pipes.buffer < 300 { 1 } else { 30 });
        if dice.one_in(2) {
            config.perturb = Perturb { spurious_timeout: dice.chance(100), late_drain: dice.chance(100) };
        }
        let mut draw =
            Draw { dice, nodes: names.len() as u32, hub: hub.map(|hub| NodeIndex::new(hub as u32)), of: self };
        config.plan = draw.plan();
        config
    }

    fn node(&self, dice: &mut Dice, name: &str) -> NodeConfig {
        let mut node = NodeConfig::new(name);
        if dice.one_in(3) {
            node.starts_at = Time::from_millis(dice.within(0, 2_000));
        }
        if dice.one_in(2) {
            node.clock = Clock::new(dice.millis(0, 3_600_000), dice.parts_per_billion(100_000_000));
        }
        node.disk = disk(dice, 30, self.rot && self.hub.as_deref() != Some(name));
        node
    }
}

fn disk(dice: &mut Dice, fail_percent_max: u64, rots: bool) -> DiskProfile {
    let rot = dice.chance(100);
    DiskProfile {
        delay: dice.delay(400),
        fail: dice.chance(fail_percent_max),
        torn: if dice.one_in(2) { Chance::from_percent(dice.within(1, 100)) } else { Chance::NEVER },
        rot: if rots { rot } else { Chance::NEVER },
    }
}

fn pipes(dice: &mut Dice) -> PipeProfile {
    let mut pipes = PipeProfile { patience: dice.millis(2_000, 60_000), ..PipeProfile::default() };
    if dice.one_in(3) {
        pipes.buffer = dice.within(1, 2_000) as u32;
    }
    if dice.one_in(3) {
        pipes.segment = dice.within(1, 300) as u32;
    }
    if dice.one_in(3) {
        pipes.room_max = dice.within(1, 64) as u32;
    }
    if dice.one_in(3) {
        pipes.chunk_max = Some(dice.within(1, 64) as u32);
    }
    pipes.refuse = dice.chance(30);
    pipes.silent = dice.chance(30);
    // Drawn for each segment: the smaller they are, the more there are of them.
    let segment = pipes.segment.min(pipes.room_max).min(pipes.buffer);
    if dice.one_in(3) {
        pipes.reset = Chance::from_ppb(dice.within(0, if segment < 64 { 500_000 } else { 20_000_000 }));
    }
    pipes
}

/// The plan of one seed.
struct Draw<'a> {
    dice: Dice,
    nodes: u32,
    hub: Option<NodeIndex>,
    of: &'a Nemesis,
}

type DrawFault = fn(&mut Draw<'_>) -> Fault;

const KINDS: [DrawFault; 9] = [
    |draw| draw.partition(),
    |draw| Fault::Crash { node: draw.any_or_hub(), kind: CrashKind::Power },
    |draw| Fault::Crash { node: draw.any_or_hub(), kind: CrashKind::Process },
    |draw| Fault::Pause(draw.any()),
    |draw| Fault::ClockJump(draw.any(), draw.dice.millis(0, 60_000)),
    |draw| Fault::ClockRate(draw.any(), draw.dice.parts_per_billion(500_000_000)),
    |draw| Fault::Link { from: draw.any(), to: draw.any(), profile: draw.rough_link() },
    |draw| Fault::ResetPipes(draw.any(), draw.any()),
    |draw| Fault::Disk(draw.any(), disk(&mut draw.dice, 100, false)),
];

impl Draw<'_> {
    /// Rough links from the start, then up to three faults of each kind that is on.
    fn plan(&mut self) -> Vec<Planned> {
        let (mut plan, nodes, heals_at) = (Vec::new(), self.nodes, self.of.heals_at);
        let everything_is_alike = self.dice.one_in(2);
        let profile = self.rough_link();
        for (from, to) in (0..nodes).flat_map(|from| (0..nodes).map(move |to| (from, to))) {
            let profile = if everything_is_alike { profile } else { self.rough_link() };
            let fault = Fault::Link { from: NodeIndex::new(from), to: NodeIndex::new(to), profile };
            plan.push(Planned { begin: Begin::At(Time::ZERO), lasts: Some(heals_at.since(Time::ZERO)), fault });
        }
        let last_begin_millis = heals_at.since(Time::ZERO).as_millis() * 4 / 5;
        for kind in KINDS {
            if !self.dice.one_in(3) {
                continue;
            }
            for _ in 0..self.dice.within(1, 3) {
                let fault = kind(self);
                // Most of the work is early: so are most of the faults.
                let latest = self.dice.within(0, last_begin_millis);
                let begin = Time::from_millis(self.dice.within(0, latest));
                let lasts = self.dice.within(0, heals_at.since(begin).as_millis());
                plan.push(Planned { begin: Begin::At(begin), lasts: Some(Duration::from_millis(lasts)), fault });
            }
        }
        plan
    }

    fn rough_link(&mut self) -> LinkProfile {
        let dice = &mut self.dice;
        let mut link = LinkProfile {
            delay: dice.delay(200),
            loss: dice.chance(60),
            duplicate: dice.chance(50),
            reorder: dice.chance(50),
            corrupt: dice.chance(30),
            truncate: dice.chance(30),
            ..LinkProfile::default()
        };
        if dice.one_in(3) {
            let (enter, leave) = (dice.within(1, 10), dice.within(10, 50));
            link.burst = Some(Burst { enter: Chance::from_percent(enter), leave: Chance::from_percent(leave) });
        }
        if dice.one_in(3) {
            link.rate = dice.pick(&[1_000, 10_000, 100_000, 1_000_000]).copied();
            link.queue = dice.within(0, 2_000) as u32;
        }
        if dice.one_in(4) {
            link.mtu = dice.within(u64::from(self.of.mtu.0), u64::from(self.of.mtu.1)) as u32;
        }
        link
    }

    fn any(&mut self) -> NodeIndex {
        NodeIndex::new(self.dice.within(0, u64::from(self.nodes.saturating_sub(1))) as u32)
    }

    fn any_or_hub(&mut self) -> NodeIndex {
        match self.hub {
            Some(hub) if self.dice.one_in(2) => hub,
            _ => self.any(),
        }
    }

    fn partition(&mut self) -> Fault {
        let (from, to) = (0..self.nodes).map(NodeIndex::new).partition(|_| self.dice.one_in(2));
        let flap = self.dice.one_in(3).then(|| self.dice.millis(50, 1_000));
        Fault::Partition { from, to, one_way: self.dice.one_in(3), flap }
    }
}
