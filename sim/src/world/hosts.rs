//! The addresses of simulated nodes, and how a node is found by its address.

use crate::fate::NameHash;
use machine::{Addr, Host};

/// Finds a node by its host: four places for each node, so that a second look is rare.
#[derive(Debug)]
pub(super) struct Hosts {
    places: Vec<Place>,
    mask: usize,
}

/// One node, with all that is asked of it.
#[derive(Clone, Copy, Debug)]
struct Place {
    hash: u64,
    node: u32,
    port: u16,
}

/// Stands for no node.
const NOBODY: Place = Place { hash: 0, node: u32::MAX, port: 0 };

impl Hosts {
    pub(super) fn new(names: &[NameHash], ports: impl Iterator<Item = u16>) -> Self {
        let places = (names.len() * 4).next_power_of_two();
        let mut hosts = Self { places: vec![NOBODY; places], mask: places - 1 };
        for (node, (name, port)) in (0..).zip(names.iter().zip(ports)) {
            let hash = name.as_u64();
            let index = hosts.look(hash).0;
            assert_eq!(hosts.places[index].node, NOBODY.node, "two node names hash alike, or one name is there twice");
            hosts.places[index] = Place { hash, node, port };
        }
        hosts
    }

    /// Where the node with this hash is, or would be.
    #[inline]
    fn look(&self, hash: u64) -> (usize, Place) {
        let mut index = hash as usize & self.mask;
        loop {
            let place = self.places[index];
            if place.hash == hash || place.node == NOBODY.node {
                return (index, place);
            }
            index = (index + 1) & self.mask;
        }
    }

    /// The node at `to`, and whether it listens on that port.
    #[inline]
    pub(super) fn find(&self, to: Addr) -> Option<(u32, bool)> {
        let hash = u128::from_be_bytes(to.host().octets()) as u64;
        let (_, place) = self.look(hash);
        let is_there = place.node != NOBODY.node && to.host() == host_of(hash);
        is_there.then_some((place.node, place.port == to.port()))
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
