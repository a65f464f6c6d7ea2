//! Which interface an IPv6 group is on: a link-local one exists on every link, so one has to be named.

use std::fs;
use std::net::{IpAddr, Ipv6Addr};

/// RFC 4291, 2.7: `ff02::/16`.
pub(super) const fn is_link_local(group: Ipv6Addr) -> bool {
    group.segments()[0] == 0xff02
}

/// The index of the interface that has the address `listen`, or, where that is no address, of the first with a link-local
/// one; 0 if there is none.
pub(super) fn index(listen: IpAddr) -> u32 {
    let table = fs::read_to_string("/proc/net/if_inet6").unwrap_or_default(); // a computer without IPv6 has none
    index_in(&table, listen)
}

fn index_in(table: &str, listen: IpAddr) -> u32 {
    let is_meant = |addr: Ipv6Addr| match listen {
        IpAddr::V6(listen) if !listen.is_unspecified() => addr == listen,
        _ => addr.is_unicast_link_local(),
    };
    let found = table.lines().filter_map(entry).find(|(addr, _)| is_meant(*addr));
    found.map_or(0, |(_, index)| index)
}

/// An address and the index of its interface, both in hex and the first of a line.
fn entry(line: &str) -> Option<(Ipv6Addr, u32)> {
    let mut words = line.split_whitespace();
    let addr = u128::from_str_radix(words.next()?, 16).ok()?;
    Some((Ipv6Addr::from(addr), u32::from_str_radix(words.next()?, 16).ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLE: &str = "\
00000000000000000000000000000001 01 80 10 80       lo
fe8000000000000000fc00fffe000001 1a 40 20 80     eth0
fd000000000000000000000000000002 1b 40 00 82     eth1
nonsense
";

    #[test]
    fn an_address_names_its_interface_and_none_the_first_link() {
        let index = |addr: &str| index_in(TABLE, addr.parse().unwrap());
        assert_eq!(["::", "::1", "fd00::2", "fd00::3"].map(index), [0x1a, 1, 0x1b, 0]);
        assert_eq!(index_in("", "::".parse().unwrap()), 0);
    }
}
