//! The addresses of simulated nodes, and how a node is found by its address.

use crate::fate::NameHash;
use machine::{Addr, Host};

/// Finds a node by its host: eight places for each node, so that a second look is rare.
#[derive(Debug)]
pub(super) struct Hosts {
    /// Which node, or [`NOBODY`]: no more, since with many nodes the cache has to hold them all.
    places: Vec<u32>,
    mask: usize,
    hashes: Vec<u64>,
    ports: Vec<u16>,
}

/// Stands for no node.
const NOBODY: u32 = u32::MAX;

impl Hosts {
    pub(super) fn new(names: &[NameHash], ports: impl Iterator<Item = u16>) -> Self {
        let places = (names.len() * 8).next_power_of_two();
        let hashes: Vec<_> = names.iter().map(|name| name.as_u64()).collect();
        let mut hosts =
            Self { places: vec![NOBODY; places], mask: places - 1, hashes: hashes.clone(), ports: ports.collect() };
        for (node, hash) in (0..).zip(hashes) {
            let index = hosts.look(hash).0;
            assert_eq!(hosts.places[index], NOBODY, "two node names hash alike, or one name is there twice");
            hosts.places[index] = node;
        }
        hosts
    }

    /// Where the node with this hash is, or would be.
    #[inline]
    fn look(&self, hash: u64) -> (usize, u32) {
        let mut index = hash as usize & self.mask;
        loop {
            let node = self.places[index];
            if self.hashes.get(node as usize).is_none_or(|other| *other == hash) {
                return (index, node);
            }
            index = (index + 1) & self.mask;
        }
    }

    /// The node at `to`, and whether it listens on that port.
    #[inline]
    pub(super) fn find(&self, to: Addr) -> Option<(u32, bool)> {
        let hash = u128::from_be_bytes(to.host().octets()) as u64;
        let (_, node) = self.look(hash);
        let port = *self.ports.get(node as usize)?;
        (to.host() == host_of(hash)).then_some((node, port == to.port()))
    }
}
/// Simulated hosts live in the unique-local prefix `fd53:494d::/64` (RFC 4193), and are numbered by their names' hashes.
const PREFIX: [u8; 8] = [0xFD, 0x53, 0x49, 0x4D, 0, 0, 0, 0];

pub(super) fn host_of(hash: u64) -> Host {
    let mut octets = [0; 16];
    octets[..8].copy_from_slice(&PREFIX);
    octets[8..].copy_from_slice(&hash.to_be_bytes());
    Host::new(octets)
}
