//! Headers for what the simulator carries without any: datagrams get those of UDP, pipes those of TCP, both over IPv6.
//!
//! Sequence numbers count from 0 and follow from what is sent. An acknowledgement tells what has arrived by then without a gap.

use crate::worlds::PORT;
use ::sim::capture::{Carried, Course, PipePart, Sending};
use ::sim::{Flow, Time};
use etherparse::PacketBuilder;
use std::collections::BTreeMap;
use std::net::Ipv6Addr;

/// Where announces go (docs/wire.md, 2).
const GROUP: Ipv6Addr = Ipv6Addr::new(0xFF02, 0, 0, 0, 0, 0, 0x4E58, 0x5342);
const GROUP_PORT: u16 = 37_020;
/// Of whoever has no address.
const NOBODY: Ipv6Addr = Ipv6Addr::UNSPECIFIED;
const HOPS: u8 = 64;
const WINDOW: u16 = u16::MAX;
/// From this port on pipes are dialled, on two ports each: what a tap writes has one of its own.
const DIALLER_PORTS: u16 = 32_768;
/// IPv6 carries no more without a jumbogram, and no link of ours does.
const PAYLOAD_MAX: usize = 60_000;

/// See the module.
pub(super) struct Dresser {
    hosts: Vec<Ipv6Addr>,
    directions: BTreeMap<(u64, bool, bool), Direction>,
}

/// One direction of a pipe; what a tap writes in it is another.
#[derive(Default)]
struct Direction {
    /// Where each segment ends, in bytes; the end of the direction counts one.
    ends: Vec<u32>,
    /// When segments arrive that were not acknowledged yet.
    arrivals: BTreeMap<u64, Time>,
    /// The first segment that has not arrived.
    next: u64,
    /// What its packets acknowledged last.
    acknowledged: u32,
}

impl Direction {
    fn start_of(&self, number: u64) -> u32 {
        number.checked_sub(1).and_then(|before| self.ends.get(before as usize)).copied().unwrap_or_default()
    }

    /// Where segment `number` starts, which arrives at `arrives`.
    fn send(&mut self, number: u64, length: u32, arrives: Option<Time>) -> u32 {
        let start = self.start_of(number);
        if self.ends.len() as u64 == number {
            self.ends.push(start.wrapping_add(length));
        }
        if let Some(at) = arrives.filter(|_| number >= self.next) {
            self.arrivals.entry(number).and_modify(|known| *known = at.min(*known)).or_insert(at);
        }
        start
    }

    /// How many bytes have arrived by now without a gap.
    fn arrived(&mut self, now: Time) -> u32 {
        while self.arrivals.get(&self.next).is_some_and(|at| *at <= now) {
            self.arrivals.remove(&self.next);
            self.next += 1;
        }
        self.start_of(self.next)
    }
}

impl Dresser {
    /// Of nodes at these hosts.
    pub(super) fn new(hosts: impl Iterator<Item = Ipv6Addr>) -> Self {
        Self { hosts: hosts.collect(), directions: BTreeMap::new() }
    }

    /// The packet that a sending is, or what arrives of it. None for an acknowledgement of what one with bytes has told already.
    pub(super) fn dress(&mut self, sending: &Sending<'_>, arrives: Option<&[u8]>) -> Option<Vec<u8>> {
        let host = |node: ::sim::NodeIndex| self.hosts.get(node.as_usize()).copied().unwrap_or(NOBODY);
        let (from, to) = (host(sending.from), host(sending.to));
        match sending.what {
            Carried::Datagram { bytes, group, .. } => {
                let (to, port) = if group.is_some() { (GROUP, GROUP_PORT) } else { (to, PORT) };
                udp(from, (to, port), arrives.unwrap_or(bytes))
            }
            Carried::Pipe { flow, part, .. } => self.tcp((from, to), sending.at, flow, part, &sending.course),
        }
    }

    fn tcp(
        &mut self,
        (from, to): (Ipv6Addr, Ipv6Addr),
        at: Time,
        flow: Flow,
        part: PipePart<'_>,
        course: &Course<'_>,
    ) -> Option<Vec<u8>> {
        let is_injected = matches!(part, PipePart::Injected(_));
        let dialler = DIALLER_PORTS + (flow.pipe * 2 % u64::from(DIALLER_PORTS)) as u16 + u16::from(is_injected);
        let (source, destination) = if flow.forward { (dialler, PORT) } else { (PORT, dialler) };
        let acknowledged = self.directions.entry((flow.pipe, !flow.forward, is_injected)).or_default().arrived(at);
        let direction = self.directions.entry((flow.pipe, flow.forward, is_injected)).or_default();
        if part == PipePart::Ack && direction.acknowledged == acknowledged {
            return None;
        }
        direction.acknowledged = acknowledged;
        let arrives = course.arrives_after.map(|after| at + after);
        let (sequence, bytes) = match part {
            PipePart::Dial | PipePart::Answer => (0, [].as_slice()),
            PipePart::Segment { number, bytes, is_last } => {
                let length = bytes.len() as u32 + u32::from(is_last);
                (1 + direction.send(number, length, arrives), bytes)
            }
            PipePart::Injected(bytes) => {
                let number = direction.ends.len() as u64;
                (1 + direction.send(number, bytes.len() as u32, arrives), bytes)
            }
            PipePart::Ack | PipePart::Reset => (1 + direction.ends.last().copied().unwrap_or_default(), [].as_slice()),
        };
        let tcp = PacketBuilder::ipv6(from.octets(), to.octets(), HOPS).tcp(source, destination, sequence, WINDOW);
        let tcp = match part {
            PipePart::Dial => tcp.syn(),
            PipePart::Answer => tcp.syn().ack(1),
            PipePart::Segment { is_last: true, .. } => tcp.fin().ack(1 + acknowledged),
            PipePart::Segment { .. } | PipePart::Injected(_) => tcp.psh().ack(1 + acknowledged),
            PipePart::Ack => tcp.ack(1 + acknowledged),
            PipePart::Reset => tcp.rst().ack(1 + acknowledged),
        };
        let mut packet = Vec::with_capacity(tcp.size(bytes.len()));
        tcp.write(&mut packet, &bytes[..bytes.len().min(PAYLOAD_MAX)]).ok()?;
        Some(packet)
    }
}

fn udp(from: Ipv6Addr, (to, port): (Ipv6Addr, u16), bytes: &[u8]) -> Option<Vec<u8>> {
    let udp = PacketBuilder::ipv6(from.octets(), to.octets(), HOPS).udp(PORT, port);
    let mut packet = Vec::with_capacity(udp.size(bytes.len()));
    udp.write(&mut packet, &bytes[..bytes.len().min(PAYLOAD_MAX)]).ok()?;
    Some(packet)
}
