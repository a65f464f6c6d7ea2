//! quinn's QUIC (the crate `quinn-proto`) on the simulator: up to three clients and a server, real cryptography from the
//! seed, and the promise that streams are. See `docs/other-protocols.md`.

mod judge;
mod node;
mod secrets;
mod streams;

use judge::Intact;
use node::{Errand, Node, Plant};
use sim::workload::Workload;
use sim::{Config, Dice, Nemesis, NodeConfig, Time, World};

const SERVER: &str = "server";

struct Echoes {
    plant: Option<Plant>,
}

/// The bytes of each piece of work of a client.
fn works(seed: u64, client: &str) -> Vec<u64> {
    let mut dice = Dice::new(seed, client);
    (0..dice.within(1, 6)).map(|_| dice.within(0, 1 << dice.clone().within(4, 16))).collect()
}

impl Workload for Echoes {
    type Machine = Node;
    type Judge = Intact;

    fn config(&self, seed: u64) -> Config {
        let clients = Dice::new(seed, "clients").within(1, 3);
        let clients = (1..=clients).map(|client| format!("client-{client}"));
        let names: Vec<_> = clients.chain([SERVER.to_owned()]).collect();
        // QUIC needs packets of 1,200 bytes, and looks for longer ones.
        Nemesis { hub: Some(SERVER.to_owned()), mtu: (1_150, 1_500), ..Nemesis::default() }.config(seed, &names)
    }

    fn world(&self, config: Config) -> World<Node> {
        let server = config.nodes.iter().find(|node| node.name == SERVER).map(NodeConfig::addr);
        let (seed, plant) = (config.seed, self.plant);
        World::new(config, move |_, name, boot| {
            let errand = server.filter(|_| name != SERVER).map(|server| Errand { server, works: works(seed, name) });
            Node::new(errand, &boot, plant)
        })
    }

    fn judge(&self, seed: u64, world: &World<Node>) -> Intact {
        Intact::new(seed, world.names())
    }

    fn until(&self) -> Time {
        Time::from_secs(100)
    }
}

fn main() -> std::process::ExitCode {
    let lab = sim_lab::Lab {
        name: "quinn",
        about: "quinn's QUIC with up to three clients and a server that sends everything back: streams stay intact",
        command: "cargo run --release --manifest-path sim/examples/others/Cargo.toml --bin quinn --",
        plants: &[
            ("unordered", "reads chunks as they come in and takes them for being in order"),
            ("deaf-to-timers", "does not tell a connection that its timer has run out"),
            ("patient", "leaves it to the idle timeout to give up a dial"),
            ("os-random", "takes connection ids from the operating system's randomness, as the crate has it"),
        ],
    };
    sim_lab::main(&lab, |plant| {
        let plant = match plant {
            Some("unordered") => Some(Plant::Unordered),
            Some("deaf-to-timers") => Some(Plant::DeafToTimers),
            Some("patient") => Some(Plant::Patient),
            Some("os-random") => Some(Plant::OsRandom),
            _ => None,
        };
        Echoes { plant }
    })
}
