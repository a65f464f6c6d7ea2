//! What keeps a node in order over a long life: another Noise static, and counts of all that it refused.

use crate::net::{Net, addr, config, id, local};
use fabric::discovery::announce::{Announce, AnnounceV1};
use fabric::discovery::{Refusal, Services};
use fabric::identity::{DeviceId, NoisePublic, NoiseStatic};
use fabric::mux::Priority;
use fabric::suite::{RealSuite, Suite};
use fabric::{Admitting, Config, Count, Event};
use machine::{Duration, Input, Machine};

const SECOND: Duration = Duration::from_secs(1);

fn pair() -> Net {
    let mut hub = config(&[1]);
    hub.policy.allow(id(1), "echo");
    Net::new([Config { dial_trusted: true, ..config(&[2]) }, hub])
}

fn ups(net: &Net, node: usize) -> usize {
    net.events[node].iter().filter(|event| matches!(event, Event::SessionUp { .. })).count()
}

#[test]
fn a_node_changes_its_noise_static_and_stays_the_device_that_it_is() {
    let mut net = pair();
    net.run(SECOND);
    let secret = [77; 32];
    let new = RealSuite.noise_public(&secret);
    let now = net.now;
    net.nodes[1].rotate_noise_static(now, NoiseStatic::new(secret, new)).unwrap();
    net.run(SECOND);
    assert!(net.nodes[0].is_connected(id(2)), "the session goes on");
    let signed = |bytes: &[u8]| match Announce::parse(bytes).unwrap() {
        Announce::V2(signed) => Some((signed.epoch, signed.sequence, signed.body.noise_static)),
        Announce::V1(_) => None,
    };
    let said: Vec<_> =
        net.announces.iter().filter(|(from, _)| *from == 1).filter_map(|(_, bytes)| signed(bytes)).collect();
    assert!(said.windows(2).all(|pair| pair[0].0 == pair[1].0 && pair[0].1 < pair[1].1), "one epoch: {said:?}");
    assert!(said.first().unwrap().2 != new && said.last().unwrap().2 == new);
    let stale = net.nodes[0].discovery().counters().stale;
    assert_eq!(stale, 0);

    net.reset_pipes(0);
    net.run(Duration::from_secs(40));
    assert!(net.nodes[0].is_connected(id(2)), "and another begins under the new key");
    let candidates = net.nodes[0].discovery().peer(id(2)).unwrap().candidates();
    assert!(candidates.iter().any(|candidate| candidate.noise_static == new && candidate.proven_at.is_some()));
    assert_eq!(ups(&net, 0), 2);

    let low = NoiseStatic::new([1; 32], NoisePublic::from_bytes([0; 32]));
    let now = net.now;
    assert_eq!(net.nodes[1].rotate_noise_static(now, low), Err(Refusal::LowOrderStatic));
}

#[test]
fn a_node_counts_what_it_refuses() {
    let mut hub = config(&[1]);
    hub.policy.allow(id(1), "echo");
    hub.mux.streams_max = 2;
    let mut net = Net::new([Config { dial_trusted: true, ..config(&[2]) }, hub]);
    net.run(SECOND);
    let now = net.now;
    for service in ["admin", "echo", "echo", "echo"] {
        net.nodes[0].open(now, id(2), service, Priority::NORMAL).unwrap();
        net.settle();
    }
    net.stranger_comes_in(1, addr(9), 9);
    let pipe = net.stranger_dials(1, addr(10));
    net.push_bytes(1, pipe, &[0, 47]);
    net.nodes[1].connect_to(now, id(3), addr(0), local(1).noise.public());
    net.run(Duration::from_millis(100));
    net.nodes[1].revoke(now, id(1));
    net.settle();
    let counters = net.nodes[1].counters();
    let counted: Vec<_> = counters.iter().filter(|(_, times)| *times > 0).collect();
    let expected = [
        ("HandshakeLength", 1),
        ("IdentityMismatch", 1),
        ("not_trusted", 1),
        ("revoked", 1),
        ("mux.reject.stream_limit_exceeded", 1),
        ("mux.reject.service_denied", 1),
    ];
    assert_eq!(counted, expected);
    assert_eq!(counters.get(Count::ServiceDenied), 1);
}

#[test]
fn where_everybody_is_trusted_devices_that_are_lost_are_forgotten_and_those_asked_for_are_not() {
    let everybody = Config { admitting: Admitting::Open, dial_trusted: true, ..config(&[]) };
    let mut net = Net::new([everybody]);
    let asked = DeviceId::from_bytes([0xEE; 32]);
    let now = net.now;
    net.nodes[0].connect(now, asked);
    for number in 0..500_u16 {
        let mut bytes = [0xEE; 32];
        bytes[..2].copy_from_slice(&number.to_be_bytes());
        let services = Services::new(["echo"]).unwrap();
        let (device_id, noise_static) = (&DeviceId::from_bytes(bytes).to_string(), NoisePublic::from_bytes(bytes));
        let announce = AnnounceV1 { device_id, port: 9, noise_static, services }.encode().unwrap();
        // From many places: one source holds a quarter of the table.
        let from = addr(100 + usize::from(number) % 16);
        let now = net.now;
        net.nodes[0].handle(now, Input::Datagram { from, bytes: &announce });
        net.settle();
        let held = net.nodes[0].load().devices;
        assert!(held <= 64 + 1, "{held} of {number}");
    }
    assert!(net.nodes[0].load().devices > 1, "some of them are dialled");
    net.run(Duration::from_secs(120));
    assert_eq!(net.nodes[0].load().devices, 1, "the one that was asked for");
}
