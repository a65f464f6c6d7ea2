//! Which loopback address is whose. Of one /24 below 127.0.0.0/8, a run has one address for each node, and one for each
//! pair: that of the second node as the first sees it, where the relay listens. "Itself as a node sees it" is its segment:
//! what a node sends there goes to all others.

use crate::worlds::PORT;
use std::net::{Ipv4Addr, SocketAddrV4};

/// As many as one /24 has room for: each has an address, and so has each pair.
pub(crate) const NODES_MAX: u32 = 15;
/// The first address of a pair; those of nodes lie below.
const PAIRS_FROM: u32 = NODES_MAX + 1;
/// How many /24s of its own a process tries before it gives up.
pub(super) const ATTEMPTS: u32 = 64;

#[derive(Clone, Copy, Debug)]
pub(super) struct Addresses {
    network: [u8; 2],
    nodes: u32,
}

impl Addresses {
    /// The `attempt`-th that the process `pid` tries. Processes that run at the same time begin at different ones.
    pub(super) fn new(nodes: u32, pid: u32, attempt: u32) -> Self {
        assert!(nodes <= NODES_MAX, "a scenario for this world was checked");
        let number = pid.wrapping_mul(ATTEMPTS).wrapping_add(attempt) % (254 * 256);
        Self { network: [1 + (number / 256) as u8, (number % 256) as u8], nodes }
    }

    /// Where `node` itself listens.
    pub(super) fn own(self, node: u32) -> SocketAddrV4 {
        self.host(1 + node)
    }

    /// Where the relay listens for what `viewer` sends to `node`, and from where `viewer` hears of `node`.
    pub(super) fn seen(self, viewer: u32, node: u32) -> SocketAddrV4 {
        self.host(PAIRS_FROM + viewer * self.nodes + node)
    }

    fn host(self, host: u32) -> SocketAddrV4 {
        let [high, low] = self.network;
        SocketAddrV4::new(Ipv4Addr::new(127, high, low, host as u8), PORT)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn the_largest_scenario_fits_and_no_two_addresses_are_one() {
        let addresses = Addresses::new(NODES_MAX, u32::MAX, 63);
        let all = 0..NODES_MAX;
        let pairs = all.clone().flat_map(|a| all.clone().map(move |b| (a, b)));
        let seen = pairs.map(|(a, b)| addresses.seen(a, b));
        let distinct: BTreeSet<_> = seen.chain(all.clone().map(|node| addresses.own(node))).collect();
        assert_eq!(distinct.len() as u32, NODES_MAX * NODES_MAX + NODES_MAX);
        assert!(distinct.iter().all(|addr| addr.ip().octets()[3] < 255 && addr.ip().octets()[1] > 0));
    }
}
