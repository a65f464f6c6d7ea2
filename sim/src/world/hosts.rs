//! The addresses of simulated nodes, and how a node is found by its address.

use crate::fate::NameHash;
use machine::{Addr, Host};

/// Finds a node by its host: eight places for each node, so that a second look is rare.
#[derive(Debug)]
pub(super) struct Hosts {
    nodes: Vec<u32>,
    mask: usize,
}

/// Stands for no node.
const NOBODY: u32 = u32::MAX;

impl Hosts {
    pub(super) fn new(addrs: &[Addr]) -> Self {
        let places = (addrs.len() * 8).next_power_of_two();
        let mut hosts = Self { nodes: vec![NOBODY; places], mask: places - 1 };
        for (index, addr) in (0..).zip(addrs) {
            let place = hosts.place(addr.host(), addrs);
            assert_eq!(hosts.nodes[place], NOBODY, "two node names hash alike, or one name is there twice");
            hosts.nodes[place] = index;
        }
        hosts
    }

    /// Where `host` is, or would be.
    #[inline]
    fn place(&self, host: Host, addrs: &[Addr]) -> usize {
        let [.., a, b, c, d] = host.octets();
        let mut place = u32::from_be_bytes([a, b, c, d]) as usize & self.mask;
        while self.nodes[place] != NOBODY && addrs[self.nodes[place] as usize].host() != host {
            place = (place + 1) & self.mask;
        }
        place
    }

    #[inline]
    pub(super) fn find(&self, host: Host, addrs: &[Addr]) -> Option<u32> {
        Some(self.nodes[self.place(host, addrs)]).filter(|node| *node != NOBODY)
    }
}

/// Simulated hosts live in the unique-local prefix `fd53:494d::/64` (RFC 4193), and are numbered by their names' hashes.
const PREFIX: [u8; 8] = [0xFD, 0x53, 0x49, 0x4D, 0, 0, 0, 0];

pub(super) fn host_of(name: NameHash) -> Host {
    let mut octets = [0; 16];
    octets[..8].copy_from_slice(&PREFIX);
    octets[8..].copy_from_slice(&name.as_u64().to_be_bytes());
    Host::new(octets)
}
