//! The node's two tasks, in turn: `netstackd`, which alone has card, stack and sockets, and `dsoftbusd`, the fabric core
//! with its application, which asks it for everything in messages over bounded queues. netstackd's driver lets one go on
//! where the other waits. Stands still when neither has anything to do.

use crate::arch::{Arch, Board};
use crate::card::Card;
use crate::clock::Clock;
use crate::{plain, report};
use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::convert::Infallible;
use core::hint::black_box;
use fabric::Config;
use fabric::suite::RealSuite;
use guest_contract::record::{Recorded, Recording};
use guest_contract::{Exit, Hex, Line, STOP, Shimmed, Start, TestFault};
use machine::{Boot, Duration, Input, Instant, Machine};
use netstackd::driver::{Driver, Owner, Ports};
use netstackd::service::{self, ClientId, NetStack};
use scenario_actor::{Actor, Observation};

/// The only client of the stack.
const DSOFTBUSD: ClientId = ClientId(0);
/// Rounds that the last frames get to leave in.
const DRAIN_ROUNDS: usize = 10;

/// Runs the node to its end.
pub(crate) fn run(start: Start) -> Exit {
    let Some(seeds) = Seeds::draw(&start) else { return Exit::NoEntropy };
    let Some(card) = Board::network().and_then(|network| Card::new(network, start.stack.mtu)) else {
        return Exit::NoNetwork;
    };
    let (mac, address) = (card.mac(), guest_contract::address(start.host));
    let clock = Clock(start.clock);
    let now = clock.now();
    let mut stack = NetStack::new(now, settings(&start.stack, service::Config::new(mac, address, seeds.stack)), card);
    let ports = Ports { backlog: start.stack.backlog, ..Ports::new(start.part.port) };
    let Ok(driver) = Driver::new(now, DSOFTBUSD, ports, &mut stack) else { return Exit::NoNetwork };
    report::say(&Line::Network { mac: Hex(mac.to_vec()), address });
    let mut shim_fault = None;
    match start.test_fault {
        None => {}
        Some(TestFault::Shim(fault)) => shim_fault = Some(fault),
        Some(TestFault::StackOverflow) => {
            black_box(overflow(0));
        }
        Some(TestFault::Hang) => loop {
            Board::idle(None);
        },
    }
    let stop_at = Instant::from_nanos(start.stop_after_nanos);
    if let Some(transfer) = start.plain
        && plain::run(&mut stack, clock, transfer, stop_at).is_err()
    {
        return Exit::NoNetwork;
    }
    let now = clock.now();
    let boot = Boot { now, incarnation: start.incarnation, seed: seeds.node, stored: stored(start.stored) };
    let write = start.record.then(|| {
        report::say(&Line::Recording(Box::new(Recording::new(&boot, &start.part))));
        |call| report::say(&Line::Call(call))
    });
    let actor = Actor::new(&boot, start.part, Arc::new(RealSuite), Config::default());
    let machine = Shimmed::new(Recorded::new(actor, write), shim_fault);
    Node { stack, driver, machine, clock, outcome: Outcome { clock, stored: Vec::new() } }.run(stop_at)
}

/// What the start says of the stack.
fn settings(stack: &guest_contract::Stack, config: service::Config) -> service::Config {
    service::Config {
        sockets_max: stack.sockets_max,
        tcp_receive_bytes: stack.tcp_receive_bytes,
        tcp_send_bytes: stack.tcp_send_bytes,
        user_timeout: Duration::from_nanos(stack.user_timeout_nanos),
        ..config
    }
}

#[expect(unconditional_recursion, reason = "the fault")]
fn overflow(depth: u64) -> u64 {
    black_box(overflow(black_box(depth) + 1)) + 1
}

fn stored(stored: BTreeMap<String, Hex>) -> BTreeMap<String, Vec<u8>> {
    stored.into_iter().map(|(key, value)| (key, value.0)).collect()
}

/// All the chance that the node has, separate for its tasks.
struct Seeds {
    node: [u8; 32],
    stack: u64,
}

impl Seeds {
    /// `None` when there is none: a node with guessable keys is worse than none.
    fn draw(start: &Start) -> Option<Self> {
        if let Some(seed) = start.test_seed {
            return Some(Self { node: seed.0, stack: u64::from(start.host) });
        }
        let mut node = [0; 32];
        for chunk in node.chunks_exact_mut(8) {
            chunk.copy_from_slice(&Board::entropy()?.to_le_bytes());
        }
        (node != [0; 32]).then_some(Self { node, stack: Board::entropy()? })
    }
}

struct Node<M> {
    stack: NetStack<Card>,
    driver: Driver,
    machine: M,
    clock: Clock,
    outcome: Outcome,
}

/// What of the machine's outputs is not for the network.
struct Outcome {
    clock: Clock,
    stored: Vec<String>,
}

impl Owner<Observation> for Outcome {
    fn event(&mut self, what: Observation) {
        report::say(&Line::Seen { at_nanos: self.clock.now().as_nanos(), what });
    }

    fn store(&mut self, key: &str, bytes: &[u8]) {
        report::say(&Line::Stored { key: key.into(), value: Hex(bytes.to_vec()) });
        self.stored.push(key.into());
    }
}

impl<M: Machine<Command = Infallible, Event = Observation>> Node<M> {
    /// Until the machine's time is `stop_at`.
    fn run(mut self, stop_at: Instant) -> Exit {
        while Board::now() < stop_at && Board::receive() != Some(STOP) {
            let now = self.clock.now();
            self.turn(now);
            let wake = self.driver.next_timeout(now, &mut self.stack, &self.machine);
            Board::idle(Some(wake.map_or(stop_at, |wake| self.clock.when(wake).min(stop_at))));
        }
        self.end()
    }

    /// Acknowledging comes first: what comes in later interrupts again.
    fn turn(&mut self, now: Instant) {
        self.stack.device_mut().acknowledge();
        self.driver.turn(now, &mut self.stack, &mut self.machine, &mut self.outcome);
        while !self.outcome.stored.is_empty() {
            for key in core::mem::take(&mut self.outcome.stored) {
                self.machine.handle(now, Input::Stored { key: &key, result: Ok(()) });
            }
            self.driver.turn(now, &mut self.stack, &mut self.machine, &mut self.outcome);
        }
    }

    /// Lets what was sent leave.
    fn end(mut self) -> Exit {
        for _ in 0..DRAIN_ROUNDS {
            if self.stack.device_mut().is_idle() {
                break;
            }
            Board::idle(None);
        }
        let datagrams_dropped = self.driver.dropped();
        report::say(&Line::Ended { at_nanos: self.clock.now().as_nanos(), datagrams_dropped });
        Exit::Ended
    }
}
