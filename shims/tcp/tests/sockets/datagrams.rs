//! Datagrams: both address families, the group, and what cannot be sent.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4, SocketAddrV6, UdpSocket};

use machine::{Addr, Destination};
use shim_tcp::{Config, Driver, Error, Group};

use crate::scripted::{Node, Scratch, Scripted, pattern, run_until};

const LOOPBACK: Ipv4Addr = Ipv4Addr::LOCALHOST;

fn node_at(scratch: &Scratch, name: &str, addr: &str, group: Option<Group>) -> Node {
    Node::new(&Config { group, ..Config::new(addr.parse().unwrap(), scratch.path(name)) })
}

fn datagram_addr(node: &Node) -> Addr {
    node.driver.datagram_addr().into()
}

#[test]
fn datagrams_reach_their_address_and_name_their_source() {
    for addr in ["127.0.0.1:0", "[::1]:0"] {
        let scratch = Scratch::new();
        let [mut a, mut b] = ["a", "b"].map(|name| node_at(&scratch, name, addr, None));
        a.send(Destination::Addr(datagram_addr(&b)), b"ping");
        a.send(Destination::Addr(datagram_addr(&b)), b""); // empty ones are datagrams too
        run_until([&mut a, &mut b], |[_, b]| b.datagrams().len() == 2);
        assert_eq!(b.datagrams(), [(datagram_addr(&a), &b"ping"[..]), (datagram_addr(&a), b"")]);
        assert_eq!(datagram_addr(&b).port(), b.addr().port(), "port 0 takes the listener's");
    }
}

#[test]
fn one_socket_speaks_with_both_families() {
    let scratch = Scratch::new();
    let mut both = node_at(&scratch, "both", "[::]:0", None);
    let mut v4 = node_at(&scratch, "v4", "127.0.0.1:0", None);
    both.send(Destination::Addr(datagram_addr(&v4)), b"hello");
    run_until([&mut both, &mut v4], |[_, v4]| !v4.datagrams().is_empty());
    let (from, _) = v4.datagrams()[0];
    v4.send(Destination::Addr(from), b"back");
    run_until([&mut both, &mut v4], |[both, _]| !both.datagrams().is_empty());
    assert_eq!(both.datagrams(), [(datagram_addr(&v4), &b"back"[..])], "the identity it was sent to");
}

#[test]
fn what_cannot_be_sent_is_dropped_and_counted() {
    let scratch = Scratch::new();
    let mut a = node_at(&scratch, "a", "127.0.0.1:0", None);
    let own = datagram_addr(&a);
    a.send(Destination::Addr(own), &pattern(65_507));
    a.send(Destination::Addr(own), &pattern(65_508));
    a.send(Destination::Addr(own), &pattern(1024 * 1024));
    a.send(Destination::Addr("[::1]:9".parse::<SocketAddr>().unwrap().into()), b"wrong family");
    a.send(Destination::Addr(own.with_port(0)), b"no port");
    a.send(Destination::Group, b"no group");
    run_until([&mut a], |[a]| a.datagrams().len() == 1);
    assert!(a.datagrams()[0].1 == pattern(65_507));
    let counters = a.driver.counters();
    assert_eq!((counters.datagrams_too_long, counters.datagrams_unsent), (2, 3));
}

#[test]
fn a_flood_is_read_to_its_end() {
    let scratch = Scratch::new();
    let mut a = node_at(&scratch, "a", "127.0.0.1:0", None);
    let peer = UdpSocket::bind("127.0.0.1:0").unwrap();
    for number in 0..200_u8 {
        peer.send_to(&[number], a.driver.datagram_addr()).unwrap(); // one edge for all
    }
    a.turn(std::time::Duration::from_secs(1));
    assert_eq!(a.datagrams().len(), 64, "one turn is bounded");
    run_until([&mut a], |[a]| a.datagrams().len() == 200);
}

/// A port that no other run of these tests has now.
fn free_port() -> u16 {
    UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// Every other node on the segment hears it, on this host too; the sender does not.
fn the_group_hears(addr: &str, group: Group) {
    let scratch = Scratch::new();
    let [mut a, mut b, mut c] = ["a", "b", "c"].map(|name| node_at(&scratch, name, addr, Some(group)));
    a.send(Destination::Group, b"here I am");
    run_until([&mut a, &mut b, &mut c], |[_, b, c]| b.datagrams().len() == 1 && c.datagrams().len() == 1);
    let (from, bytes) = b.datagrams()[0];
    assert_eq!((bytes, c.datagrams()[0]), (&b"here I am"[..], (from, bytes)));
    b.send(Destination::Group, b"me too");
    b.send(Destination::Addr(from), b"hello a");
    run_until([&mut a, &mut b, &mut c], |[a, _, c]| a.datagrams().len() == 2 && c.datagrams().len() == 2);
    assert!(a.datagrams().iter().all(|(_, bytes)| *bytes != b"here I am"), "not the sender itself");
}

#[test]
fn a_multicast_group_hears_from_one_address() {
    let to = SocketAddrV4::new([239, 255, 77, 1].into(), free_port());
    the_group_hears("127.0.0.1:0", Group::V4 { to, interface: LOOPBACK });
}

#[test]
fn a_multicast_group_hears_from_any_address() {
    let to = SocketAddrV4::new([239, 255, 77, 2].into(), free_port());
    the_group_hears("0.0.0.0:0", Group::V4 { to, interface: LOOPBACK });
}

#[test]
fn a_broadcast_address_is_a_group_too() {
    for addr in ["127.0.0.1:0", "0.0.0.0:0"] {
        the_group_hears(addr, Group::Broadcast(SocketAddrV4::new([127, 255, 255, 255].into(), free_port())));
    }
}

/// The loopback interface has no IPv6 multicast: this needs another one, and says so where there is none.
#[test]
fn an_ipv6_group_hears() {
    let interfaces = fs::read_to_string("/proc/net/if_inet6").unwrap_or_default();
    let link_local = interfaces.lines().find(|line| line.starts_with("fe80"));
    let Some(index) = link_local.and_then(|line| line.split(' ').nth(1)) else {
        return eprintln!("skipped: no interface has a link-local address");
    };
    let scope = u32::from_str_radix(index, 16).unwrap();
    the_group_hears("[::]:0", Group::V6(SocketAddrV6::new("ff02::4e58:1".parse().unwrap(), free_port(), 0, scope)));
}

#[test]
fn a_group_that_does_not_fit_is_an_error_that_names_it() {
    let scratch = Scratch::new();
    let to = "239.255.77.3:37025".parse().unwrap();
    let group = Some(Group::V4 { to, interface: LOOPBACK });
    let config = Config { group, ..Config::new("[::1]:0".parse().unwrap(), scratch.path("a")) };
    let error = Driver::new(&config, Scripted::new).unwrap_err();
    assert!(matches!(error, Error::Group { .. }));
    let told = "cannot join the group 239.255.77.3:37025: the datagrams are of another address family";
    assert_eq!(error.to_string(), told);
}
