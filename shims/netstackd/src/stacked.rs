//! Stack mode: a [`Machine`] whose network is Ethernet frames, and which runs another machine over real TCP and UDP inside.
//! Whoever drives it, a simulator for one, sees datagrams only; so loss, reordering, duplication, corruption and partitions
//! strike below TCP.
//!
//! ```text
//!   commands, events, stores        the machine inside
//!            |                        |  datagrams, pipes
//!            |                      Driver
//!            |                        |  requests, replies
//!            |                      NetStack (smoltcp)
//!            |                        |  frames
//!            +----- Stacked ------- QueueDevice, Switch
//!                      |  Input::Datagram, Output::Datagram
//!                  the simulator
//! ```
//!
//! The machine inside sees IPv4 addresses: [`host`] numbers the hosts, [`addr`] names a peer's port. Deadlines have to
//! allow for TCP's timers: smoltcp's retransmission comes after a second at the soonest.

use alloc::collections::VecDeque;
use alloc::string::String;
use alloc::vec::Vec;
use core::net::Ipv4Addr;

use machine::{Addr, Boot, Destination, Duration, Input, Instant, Machine, Output, PipeId};

use crate::driver::{self, Driver, Owner, Ports};
use crate::message::Endpoint;
use crate::service::{ClientId, Config, NetStack};
use crate::wire::{MTU_MAX, QueueDevice, Switch, mac};

/// A machine that is not drained is not turned while so many outputs wait.
const OUTPUTS_MAX: usize = 4_096;

/// One host in stack mode.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StackConfig {
    /// The host's address: see [`host`]. Hardware addresses are made from it.
    pub host: Ipv4Addr,
    /// Where the machine inside listens.
    pub ports: Ports,
    /// The longest packet that the host sends, up to [`MTU_MAX`]; its peers learn of it by TCP's MSS option.
    pub mtu: u16,
    /// Sockets at a time; two are the machine's own, so at least 3.
    pub sockets_max: u16,
    /// Bytes of each connection's receive buffer; at least 1.
    pub tcp_receive_bytes: u32,
    /// Bytes of each connection's send buffer; at least 1.
    pub tcp_send_bytes: u32,
    /// How long a peer may owe an acknowledgement.
    pub user_timeout: Duration,
}

impl StackConfig {
    /// Host `number` with ordinary buffers, listening on `port` for everything.
    pub const fn new(number: u16, port: u16) -> Self {
        let defaults = Config::new([0; 6], host(number), 0);
        Self {
            host: host(number),
            ports: Ports::new(port),
            mtu: MTU_MAX,
            sockets_max: defaults.sockets_max,
            tcp_receive_bytes: defaults.tcp_receive_bytes,
            tcp_send_bytes: defaults.tcp_send_bytes,
            user_timeout: defaults.user_timeout,
        }
    }
}

/// The address of host `number`, in 10.83.0.0/16; 0 and 65,535 are no hosts.
pub const fn host(number: u16) -> Ipv4Addr {
    let [high, low] = number.to_be_bytes();
    Ipv4Addr::new(10, 83, high, low)
}

/// The address of a port of host `number`, as the machines inside see it.
pub fn addr(number: u16, port: u16) -> Addr {
    driver::addr(Endpoint { host: host(number), port })
}

/// `M` over TCP and UDP over frames.
pub struct Stacked<M: Machine> {
    inner: M,
    driver: Driver,
    stack: NetStack<QueueDevice>,
    switch: Switch,
    outputs: Outputs<M::Event>,
    /// What the last output lends.
    lent: Lent,
    /// When to turn next; for the machine inside, its own word counts.
    wake: Option<Instant>,
}

#[derive(Debug, Default)]
struct Lent {
    key: String,
    bytes: Vec<u8>,
}

#[derive(Debug)]
struct Outputs<E>(VecDeque<Waiting<E>>);

#[derive(Debug)]
enum Waiting<E> {
    Frame(Destination, Vec<u8>),
    Store(String, Vec<u8>),
    Event(E),
}

impl<E> Owner<E> for Outputs<E> {
    fn event(&mut self, event: E) {
        self.0.push_back(Waiting::Event(event));
    }

    fn store(&mut self, key: &str, bytes: &[u8]) {
        self.0.push_back(Waiting::Store(key.into(), bytes.to_vec()));
    }
}

impl<M: Machine> Stacked<M> {
    /// Runs `inner`, which was made from the same `boot`, on a host that has just started.
    pub fn new(boot: &Boot, config: &StackConfig, inner: M) -> Self {
        let stack = Config {
            sockets_max: config.sockets_max,
            tcp_receive_bytes: config.tcp_receive_bytes,
            tcp_send_bytes: config.tcp_send_bytes,
            user_timeout: config.user_timeout,
            ..Config::new(mac(config.host), config.host, stack_seed(&boot.seed))
        };
        let mut stack = NetStack::new(boot.now, stack, QueueDevice::new(config.mtu));
        let driver = Driver::new(boot.now, ClientId(0), config.ports, &mut stack);
        assert!(driver.is_ok(), "a fresh stack has two sockets, and every port but 0 is free");
        let Ok(driver) = driver else { unreachable!("asserted above") };
        let (switch, outputs) = (Switch::default(), Outputs(VecDeque::new()));
        let mut stacked = Self { inner, driver, stack, switch, outputs, lent: Lent::default(), wake: None };
        stacked.turn(boot.now);
        stacked
    }

    /// The machine inside, for onlookers.
    pub const fn inner(&self) -> &M {
        &self.inner
    }

    fn turn(&mut self, now: Instant) {
        if self.outputs.0.len() >= OUTPUTS_MAX {
            self.wake = Some(now);
            return;
        }
        self.driver.turn(now, &mut self.stack, &mut self.inner, &mut self.outputs);
        while let Some(frame) = self.stack.device_mut().take_sent() {
            self.outputs.0.push_back(Waiting::Frame(self.switch.route(&frame), frame));
        }
        self.wake = self.driver.next_timeout(now, &mut self.stack, &self.inner);
    }
}

impl<M: Machine> Machine for Stacked<M> {
    type Command = M::Command;
    type Event = M::Event;

    fn handle(&mut self, now: Instant, input: Input<'_, Self::Command>) {
        match input {
            Input::Datagram { from, bytes } => {
                if self.switch.inspect(from, bytes) {
                    self.stack.device_mut().deliver(bytes);
                }
            }
            Input::Command(command) => self.inner.handle(now, Input::Command(command)),
            Input::Stored { key, result } => self.inner.handle(now, Input::Stored { key, result }),
            // Its network has no pipes.
            Input::PipeOpened { .. }
            | Input::PipeAccepted { .. }
            | Input::PipeBytes { .. }
            | Input::PipeFinished { .. }
            | Input::PipeClosed { .. }
            | Input::Timeout => {}
        }
        self.turn(now);
    }

    fn poll(&mut self) -> Option<Output<'_, Self::Event>> {
        Some(match self.outputs.0.pop_front()? {
            Waiting::Frame(to, frame) => {
                self.lent.bytes = frame;
                Output::Datagram { to, bytes: &self.lent.bytes }
            }
            Waiting::Store(key, bytes) => {
                self.lent = Lent { key, bytes };
                Output::Store { key: &self.lent.key, bytes: &self.lent.bytes }
            }
            Waiting::Event(event) => Output::Event(event),
        })
    }

    fn fill(&mut self, _pipe: PipeId, _room: &mut [u8]) -> usize {
        0
    }

    fn next_timeout(&self) -> Option<Instant> {
        self.wake
    }
}

/// The stack's share of the chance, so that it says nothing about the machine's.
fn stack_seed(seed: &[u8; 32]) -> u64 {
    seed.chunks_exact(8).fold(0x6E65_7473_7461_636B, |hash: u64, chunk| {
        let word = chunk.iter().fold(0_u64, |word, byte| word << 8 | u64::from(*byte));
        (hash ^ word).wrapping_mul(0x9E37_79B9_7F4A_7C15).rotate_left(29)
    })
}
