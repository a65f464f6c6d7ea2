//! Asking for hardware addresses (ARP, RFC 826), each neighbour by a timer of its own.
//!
//! smoltcp asks by itself, but at most once a second for all neighbours together, and the first socket in its table asks
//! first: one dead neighbour that is dialled again and again can keep every other one from being found. It takes answers
//! to our questions as well as to its own.

use alloc::vec::Vec;
use core::net::Ipv4Addr;

use machine::{Duration, Instant};
use smoltcp::phy::{Device, TxToken};
use smoltcp::wire::{ArpOperation, ArpPacket, ArpRepr, EthernetAddress, EthernetFrame, EthernetProtocol, EthernetRepr};

/// The wait between two questions for one neighbour.
const ASK_EVERY: Duration = Duration::from_secs(1);
/// After so many questions without an answer, only new traffic asks again.
const QUESTIONS_MAX: u8 = 5;
/// Neighbours asked for at a time; a further one has to wait for its turn until it is asked for again.
const WANTED_MAX: usize = 32;

/// The neighbours that are asked for.
#[derive(Debug)]
pub(super) struct Resolver {
    mac: EthernetAddress,
    own: Ipv4Addr,
    wanted: Vec<Wanted>,
}

#[derive(Debug)]
struct Wanted {
    host: Ipv4Addr,
    questions: u8,
    ask: Instant,
}

impl Resolver {
    pub(super) const fn new(mac: EthernetAddress, own: Ipv4Addr) -> Self {
        Self { mac, own, wanted: Vec::new() }
    }

    /// Something is to be sent to `host`, whose hardware address may be unknown.
    pub(super) fn want(&mut self, now: Instant, host: Ipv4Addr) {
        if self.wanted.len() < WANTED_MAX && !self.wanted.iter().any(|wanted| wanted.host == host) {
            self.wanted.push(Wanted { host, questions: 0, ask: now });
        }
    }

    /// `host` has said who it is.
    pub(super) fn found(&mut self, host: Ipv4Addr) {
        self.wanted.retain(|wanted| wanted.host != host);
    }

    /// Asks those questions whose time has come.
    pub(super) fn poll(&mut self, now: Instant, device: &mut impl Device) {
        for wanted in self.wanted.iter_mut().filter(|wanted| wanted.ask <= now) {
            let Some(token) = device.transmit(super::smoltcp_time(now)) else { break };
            wanted.questions += 1;
            wanted.ask = now + ASK_EVERY;
            emit(token, self.mac, self.own, wanted.host);
        }
        self.wanted.retain(|wanted| wanted.questions < QUESTIONS_MAX);
    }

    pub(super) fn next_timeout(&self) -> Option<Instant> {
        self.wanted.iter().map(|wanted| wanted.ask).min()
    }
}

fn emit(token: impl TxToken, mac: EthernetAddress, own: Ipv4Addr, host: Ipv4Addr) {
    let arp = ArpRepr::EthernetIpv4 {
        operation: ArpOperation::Request,
        source_hardware_addr: mac,
        source_protocol_addr: own,
        target_hardware_addr: EthernetAddress::BROADCAST,
        target_protocol_addr: host,
    };
    let ethernet =
        EthernetRepr { src_addr: mac, dst_addr: EthernetAddress::BROADCAST, ethertype: EthernetProtocol::Arp };
    token.consume(ethernet.buffer_len() + arp.buffer_len(), |bytes| {
        let mut frame = EthernetFrame::new_unchecked(bytes);
        ethernet.emit(&mut frame);
        arp.emit(&mut ArpPacket::new_unchecked(frame.payload_mut()));
    });
}
