//! The trust store of whole nodes: over restarts, and over power that fails in the middle of writes.

use crate::net::{Net, config, id, local};
use fabric::identity::DeviceId;
use fabric::trust::{How, Label, Loaded, Trusted};
use fabric::{Command, Config, Event, Node, SessionEnd};
use machine::{Boot, Duration};
use sim::{Begin, Chance, Control, CrashKind, Delay, DiskProfile, Fault, NodeConfig, NodeIndex, Planned, Time};
use sim::{Stop, Watch, World};
use std::collections::BTreeSet;

const SECOND: Duration = Duration::from_secs(1);

fn label(text: &str) -> Label {
    text.parse().unwrap()
}

fn trusted(text: &str) -> Trusted {
    Trusted::new(label(text), How::Manual, 0)
}

#[test]
fn who_is_trusted_once_gets_in_after_a_restart_and_who_is_revoked_does_not() {
    let mut net = Net::new([Config { dial_trusted: true, ..config(&[2]) }, config(&[])]);
    net.nodes[1].trust_as(id(1), trusted("phone")).unwrap();
    net.run(SECOND);
    net.restart(1, config(&[]));
    net.run(Duration::from_secs(20));
    assert!(net.nodes[0].is_connected(id(2)));
    let now = net.now;
    net.nodes[1].revoke(now, id(1));
    net.settle();
    assert!(net.events[0].iter().any(|event| {
        matches!(event, Event::SessionDown { reason: SessionEnd::Peer(fabric::mux::code::REVOKED), .. })
    }));
    net.restart(1, config(&[]));
    net.run(Duration::from_secs(20));
    assert!(!net.nodes[0].is_connected(id(2)));
}

#[test]
fn a_trusted_devices_old_announces_are_old_after_a_restart_too() {
    let mut net = Net::new([config(&[]), config(&[])]);
    net.nodes[0].trust_as(id(2), trusted("hub")).unwrap();
    net.run(SECOND);
    let old = net.announces.iter().find(|(from, _)| *from == 1).cloned().unwrap().1;
    net.restart(1, config(&[]));
    net.run(SECOND);
    assert_eq!(net.nodes[0].trust_store().get(id(2)).unwrap().epoch, 2);
    net.restart(0, config(&[]));
    net.push_datagram(0, crate::net::addr(9), &old);
    let discovery = net.nodes[0].discovery();
    assert!(discovery.counters().stale == 1 && discovery.peer(id(2)).is_none());
}

#[test]
fn a_store_that_fails_is_tried_again_and_said() {
    let mut net = Net::new([config(&[])]);
    net.disks_fail = true;
    net.nodes[0].trust_as(id(2), trusted("hub")).unwrap();
    net.run(SECOND);
    assert!(net.events[0].contains(&Event::TrustStored { result: Err(machine::StoreFailed) }));
    net.disks_fail = false;
    net.run(Duration::from_secs(10));
    assert!(net.events[0].contains(&Event::TrustStored { result: Ok(()) }));
    net.restart(0, config(&[]));
    assert!(net.nodes[0].trusts(id(2)));
}

#[test]
fn a_damaged_store_trusts_nobody_and_says_so() {
    let mut net = Net::new([config(&[])]);
    net.nodes[0].trust_as(id(2), trusted("hub")).unwrap();
    net.run(SECOND);
    for (key, value) in &mut net.disks[0] {
        if key.contains("trust") {
            value[50] ^= 1;
        }
    }
    net.restart(0, config(&[]));
    assert!(!net.nodes[0].trusts(id(2)));
    assert_eq!(net.nodes[0].trust_store().loaded(), Loaded::Damaged);
}

const DEVICES: u64 = 80;

fn device(number: u64) -> DeviceId {
    DeviceId::from_bytes([number as u8; 32])
}

/// Trusts one device more whenever the one before is durable, and sees that none is lost that was told to be durable.
#[derive(Default)]
struct NoneLost {
    asked: u64,
    durable: BTreeSet<DeviceId>,
    restarts: u64,
}

impl Watch<Node> for NoneLost {
    fn booted(&mut self, _: Time, _: NodeIndex, incarnation: u64, _: &mut Control<Command>) {
        self.restarts = incarnation;
    }

    fn settled(&mut self, at: Time, node: NodeIndex, machine: &Node, control: &mut Control<Command>) {
        let store = machine.trust_store();
        if let Some(lost) = self.durable.iter().find(|device| store.get(**device).is_none()) {
            control.violate("trust-is-durable", format!("device {lost} at {at:?}"));
        }
        if store.is_durable() {
            self.durable.extend(store.iter().map(|(device, _)| device));
        }
        if store.is_durable() && at < Time::from_secs(20) {
            self.asked += 1;
            let number = self.asked % DEVICES;
            control.command(node, Command::TrustAs(device(number), label(&format!("device-{number}")), self.asked));
        }
    }
}

fn power_fails(seed: u64, forgets: fn(&mut Boot)) -> (Stop, NoneLost) {
    let mut world_config = sim::Config::new(seed, ["hub"].map(NodeConfig::new));
    world_config.nodes[0].disk = DiskProfile {
        delay: Delay::Uniform(Duration::from_millis(1), Duration::from_millis(60)),
        fail: Chance::from_percent(5),
        torn: Chance::from_percent(50),
        ..DiskProfile::default()
    };
    world_config.plan = (0..30)
        .map(|turn| Planned {
            begin: Begin::At(Time::from_millis(300 + turn * 430)),
            lasts: Some(Duration::from_millis(10)),
            fault: Fault::Crash { node: NodeIndex::new(0), kind: CrashKind::Power },
        })
        .collect();
    let mut world = World::new(world_config, move |_, _, mut boot| {
        forgets(&mut boot);
        Node::new(&boot, local(201), config(&[])).unwrap()
    });
    let mut watch = NoneLost::default();
    (world.run(Time::from_secs(30), &mut watch), watch)
}

#[test]
fn nobody_who_was_durably_trusted_is_lost_though_power_fails_in_the_middle_of_writes() {
    for seed in 0..10 {
        let (stop, watch) = power_fails(seed, |_| {});
        assert!(!matches!(stop, Stop::Violated(_)), "seed {seed}: {stop:?}");
        assert!(watch.durable.len() > 20 && watch.restarts == 30, "seed {seed}: {}", watch.durable.len());
    }
}

#[test]
fn a_store_with_one_slot_alone_is_caught_by_that_check() {
    let caught = (0..10).filter(|seed| {
        let (stop, _) = power_fails(*seed, |boot| {
            let newest = ["fabric.trust.a", "fabric.trust.b"].map(|key| generation(boot, key));
            let older = if newest[0] < newest[1] { "fabric.trust.a" } else { "fabric.trust.b" };
            boot.stored.remove(older);
        });
        matches!(stop, Stop::Violated(_))
    });
    assert!(caught.count() > 5);
}

/// What a slot says of itself, whole or not.
fn generation(boot: &Boot, key: &str) -> u64 {
    let text = boot.stored.get(key).map(|bytes| String::from_utf8_lossy(bytes).into_owned()).unwrap_or_default();
    text.lines().nth(1).and_then(|line| line.strip_prefix("generation ")?.parse().ok()).unwrap_or(0)
}
