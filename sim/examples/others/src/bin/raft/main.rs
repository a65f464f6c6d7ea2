//! `TiKV`'s Raft (the crate `raft`) on the simulator: three or five nodes, clients that propose, disks that tear, nodes that
//! crash, and Raft's own promises. See `docs/other-protocols.md`.

mod disk;
mod judge;
mod node;

use judge::Promises;
use machine::{Duration, Instant};
use node::{Group, Node, Plant};
use sim::workload::Workload;
use sim::{Begin, Chance, Config, CrashKind, Dice, Fault, Nemesis, NodeConfig, NodeIndex, Planned, Time, World};

/// Proposals while everything goes wrong: what becomes of them is anybody's guess.
const EARLY_PROPOSALS: u64 = 30;
/// Proposals once it is over: each is applied by every node.
const LATE_PROPOSALS: u64 = 5;
/// A proposal that finds no leader is dropped: clients make each so often, to anybody.
const TRIES: u64 = 3;
/// When the first of those is made; the next ones follow in steps of a second.
const LATE_FROM: Instant = Instant::from_nanos(30_000_000_000);

fn late_proposal(number: u64) -> Vec<u8> {
    format!("late {number}").into_bytes()
}

/// A node that is back before its peers have noticed: what it has forgotten matters most then.
fn short_crash(dice: &mut Dice, nodes: u32) -> Planned {
    let node = NodeIndex::new(dice.within(0, u64::from(nodes) - 1) as u32);
    Planned {
        begin: Begin::At(Time::from_millis(dice.within(0, 9_000))),
        lasts: Some(dice.millis(1, 200)),
        fault: Fault::Crash { node, kind: CrashKind::Power },
    }
}

struct Replication {
    plant: Option<Plant>,
}

impl Workload for Replication {
    type Machine = Node;
    type Judge = Promises;

    fn config(&self, seed: u64) -> Config {
        let nodes = if Dice::new(seed, "group").one_in(2) { 3 } else { 5 };
        let names: Vec<_> = (1..=nodes).map(|id| format!("node-{id}")).collect();
        let mut config = Nemesis { mtu: (200, 1_500), ..Nemesis::default() }.config(seed, &names);
        for node in &mut config.nodes {
            // Raft elects leaders as long as writing is much faster than an election timeout: what disks do by their nature
            // must leave room for that. The plan may do worse.
            node.disk.delay = Dice::new(seed, &node.name).delay(10);
            node.disk.fail = node.disk.fail.min(Chance::from_percent(2));
        }
        let mut dice = Dice::new(seed, "forgetting");
        if dice.one_in(2) {
            config.plan.extend((0..dice.within(1, 40)).map(|_| short_crash(&mut dice, nodes)));
        }
        config
    }

    fn world(&self, config: Config) -> World<Node> {
        let mut dice = Dice::new(config.seed, "clients");
        let group: Group = config.nodes.iter().map(NodeConfig::addr).collect();
        let (members, pre_vote, plant) = (group.len() as u64, dice.one_in(2), self.plant);
        let mut world = World::new(config, move |index, _, boot| {
            Node::new(index.as_usize() as u64 + 1, group.clone(), &boot, pre_vote, plant)
        });
        let mut to_any = |at: Time, data: Vec<u8>| {
            world.command(at, NodeIndex::new(dice.within(0, members - 1) as u32), data);
        };
        for number in 0..EARLY_PROPOSALS {
            to_any(Time::from_millis(400 * number), format!("early {number}").into_bytes());
        }
        for number in 0..LATE_PROPOSALS * TRIES {
            let at = Time::from_nanos(LATE_FROM.as_nanos()) + Duration::from_secs(number);
            to_any(at, late_proposal(number % LATE_PROPOSALS));
        }
        world
    }

    fn judge(&self, _: u64, _: &World<Node>) -> Promises {
        Promises::default()
    }

    fn until(&self) -> Time {
        Time::from_secs(60)
    }
}

fn main() -> std::process::ExitCode {
    let lab = sim_lab::Lab {
        name: "raft",
        about: "TiKV's Raft with disks that tear and nodes that crash: election safety, log matching and their like",
        command: "cargo run --release --manifest-path sim/examples/others/Cargo.toml --bin raft --",
        plants: &[
            ("forgets-vote", "does not write its vote down"),
            ("sends-early", "sends what should wait for the disk"),
            ("os-random", "leaves election timeouts to the operating system's randomness, as the crate has it"),
        ],
    };
    sim_lab::main(&lab, |plant| {
        let plant = match plant {
            Some("forgets-vote") => Some(Plant::ForgetsVote),
            Some("sends-early") => Some(Plant::SendsEarly),
            Some("os-random") => Some(Plant::OsRandom),
            _ => None,
        };
        Replication { plant }
    })
}
