//! Signed announces of whole nodes, over starts, restarts and ends (wire contract, 2).

use crate::net::{Net, addr, config, id, local};
use fabric::discovery::announce::{Announce, AnnounceV2};
use fabric::discovery::{Claim, Refusal};
use fabric::{Announcing, Config, Event, Node};
use machine::{Destination, Duration, Instant};
use sim::{Begin, Chance, Control, CrashKind, Delay, DiskProfile, Fault, NodeConfig, NodeIndex, Planned, Time};
use sim::{Watch, World};
use std::collections::BTreeMap;

const SECOND: Duration = Duration::from_secs(1);

/// The epoch and the sequence of a signed announce; `None` of an unsigned one.
fn number(bytes: &[u8]) -> Option<(u64, u32)> {
    match Announce::parse(bytes).unwrap() {
        Announce::V1(_) => None,
        Announce::V2(AnnounceV2 { epoch, sequence, .. }) => Some((epoch, sequence)),
    }
}

impl Net {
    /// What a node has announced so far.
    fn said(&self, node: usize) -> Vec<Option<(u64, u32)>> {
        let own = self.announces.iter().filter(|(from, _)| *from == node);
        own.map(|(_, bytes)| number(bytes)).collect()
    }

    /// How node 0 knows node 1.
    fn claim(&self) -> Option<Claim> {
        let peer = self.nodes[0].discovery().peer(id(2))?;
        peer.candidates().first().map(|candidate| candidate.claim)
    }
}

#[test]
fn a_node_signs_what_it_announces_and_says_it_unsigned_too() {
    let mut net = Net::new([config(&[]), config(&[])]);
    net.run(Duration::from_secs(2));
    assert_eq!(net.said(1), [Some((1, 0)), None, Some((1, 1)), None]);
    assert_eq!(net.claim(), Some(Claim::V2));
    assert_eq!(net.nodes[0].discovery().counters().superseded, 2, "the unsigned ones change nothing");
}

#[test]
fn nothing_is_signed_before_its_epoch_is_durable() {
    let mut net = Net::new([]);
    net.disks_fail = true;
    net.add(config(&[]));
    net.run(Duration::from_secs(9));
    assert_eq!(net.said(0), [None; 4], "but it can be found");
    net.disks_fail = false;
    net.run(Duration::from_secs(2));
    assert_eq!(net.said(0)[4..6], [Some((1, 0)), None]);
}

#[test]
fn a_node_announces_in_the_versions_that_it_is_told() {
    let with = |announce| Config { announce, ..config(&[]) };
    let mut net = Net::new([with(Announcing::V1), with(Announcing::Off)]);
    net.run(Duration::from_secs(2));
    assert_eq!((net.said(0), net.said(1)), (vec![None; 2], vec![]));
    assert!(net.disks.iter().all(BTreeMap::is_empty));
    let many = (0..16).map(|number| number.to_string()).collect();
    let refused = Node::new(&machine::Boot::default(), local(1), Config { services: many, ..config(&[]) });
    assert!(matches!(refused, Err(Refusal::Malformed(_))));
}

#[test]
fn a_restarted_device_is_believed_and_its_old_announces_are_not() {
    let mut net = Net::new([config(&[]), config(&[])]);
    net.run(SECOND);
    let old =
        net.announces.iter().rev().find(|(from, bytes)| *from == 1 && number(bytes).is_some()).cloned().unwrap().1;
    net.restart(1, config(&[]));
    net.run(SECOND);
    assert_eq!(net.said(1).last_chunk(), Some(&[Some((2, 1)), None]));
    let before = *net.nodes[0].discovery().counters();
    net.push_datagram(0, addr(9), &old);
    assert_eq!(net.nodes[0].discovery().counters().stale, before.stale + 1);
    assert_eq!(net.nodes[0].discovery().peer(id(2)).unwrap().candidates().len(), 1, "addr(9) is not dialled");
}

#[test]
fn a_goodbye_removes_the_device_at_once_and_no_echo_of_it_comes_back() {
    let mut net = Net::new([config(&[]), config(&[])]);
    net.run(SECOND);
    let said: Vec<_> = net.announces.iter().filter(|(from, _)| *from == 1).map(|(_, bytes)| bytes.clone()).collect();
    let now = net.now;
    net.nodes[1].shut_down(now);
    assert!(!net.nodes[1].is_quiet(), "its goodbye is still to be sent");
    net.settle();
    assert!(net.nodes[1].is_quiet());
    assert!(net.events[0].contains(&Event::Lost { device: id(2) }));
    for replay in said {
        net.push_datagram(0, addr(1), &replay);
    }
    assert_eq!(net.claim(), None);
    net.restart(1, config(&[]));
    net.settle();
    assert_eq!(net.claim(), Some(Claim::V2), "it may come back itself");
}

#[test]
fn nobody_says_goodbye_for_another() {
    let mut net = Net::new([config(&[]), config(&[])]);
    net.run(SECOND);
    // Device 3 signs with its own key what it says of device 2.
    let mut stranger = Net::new([config(&[]), config(&[]), config(&[])]);
    stranger.run(SECOND);
    let now = stranger.now;
    stranger.nodes[2].shut_down(now);
    stranger.settle();
    let (_, goodbye) = stranger.announces.last().unwrap();
    let Ok(Announce::V2(goodbye)) = Announce::parse(goodbye) else { panic!("signed") };
    let victim = id(2).to_string();
    let mut forged = goodbye.clone();
    forged.body.device_id = &victim;
    net.push_datagram(0, addr(1), &forged.encode().unwrap());
    forged.verifying_key = local(2).device.verifying_key();
    net.push_datagram(0, addr(1), &forged.encode().unwrap());
    let counters = net.nodes[0].discovery().counters();
    assert_eq!((counters.key_mismatch, counters.signature_invalid), (1, 1));
    assert_eq!(net.claim(), Some(Claim::V2));
}

/// What of the epochs a world shows: those of all announces of the phone, by its start.
#[derive(Default)]
struct Epochs {
    start: u64,
    newest: Option<(u64, u64)>,
    stale: u64,
}

impl Watch<Node> for Epochs {
    fn booted(&mut self, _: Time, node: NodeIndex, incarnation: u64, _: &mut Control<fabric::Command>) {
        if node == PHONE {
            self.start = incarnation;
        }
    }

    fn sent(&mut self, _: Time, from: NodeIndex, _: Destination, bytes: &[u8], control: &mut Control<fabric::Command>) {
        let (PHONE, Some((epoch, _))) = (from, number(bytes)) else { return };
        if self
            .newest
            .is_some_and(|(start, newest)| if start == self.start { epoch != newest } else { epoch <= newest })
        {
            control.violate("epochs-rise", format!("{epoch} in start {}, after {:?}", self.start, self.newest));
        }
        self.newest = Some((self.start, epoch));
    }

    fn settled(&mut self, _: Time, node: NodeIndex, machine: &Node, _: &mut Control<fabric::Command>) {
        if node == HUB {
            self.stale = machine.discovery().counters().stale;
        }
    }
}

const HUB: NodeIndex = NodeIndex::new(0);
const PHONE: NodeIndex = NodeIndex::new(1);

/// A phone that loses power every few hundred milliseconds, often in the middle of a write.
fn flickering_phone(seed: u64, is_disk_wiped: bool) -> (sim::Stop, Epochs, Option<Claim>) {
    let mut world_config = sim::Config::new(seed, ["hub", "phone"].map(NodeConfig::new));
    world_config.nodes[1].disk = DiskProfile {
        delay: Delay::Uniform(Duration::from_millis(1), Duration::from_millis(400)),
        fail: Chance::from_percent(20),
        torn: Chance::from_percent(50),
        ..DiskProfile::default()
    };
    world_config.plan = (0..30)
        .map(|turn| Planned {
            begin: Begin::At(Time::from_millis(300 + turn * 500)),
            lasts: Some(Duration::from_millis(10)),
            fault: Fault::Crash { node: PHONE, kind: CrashKind::Power },
        })
        .collect();
    let mut world = World::new(world_config, move |node, _, mut boot| {
        if is_disk_wiped {
            boot.stored.clear();
        }
        Node::new(&boot, local(node.as_usize() as u8 + 1), config(&[])).unwrap()
    });
    let mut epochs = Epochs::default();
    let stop = world.run(Time::from_secs(90), &mut epochs);
    let claim = world.machine(HUB).and_then(|hub| Some(hub.discovery().peer(id(2))?.candidates().first()?.claim));
    (stop, epochs, claim)
}

#[test]
fn epochs_rise_though_power_fails_in_the_middle_of_writes() {
    for seed in 0..40 {
        let (stop, epochs, claim) = flickering_phone(seed, false);
        assert!(!matches!(stop, sim::Stop::Violated(_)), "seed {seed}: {stop:?}");
        assert_eq!(epochs.stale, 0, "seed {seed}: the hub believes each start");
        assert!(epochs.newest.is_some_and(|(start, _)| start == 30), "seed {seed}: it did announce");
        assert_eq!(claim, Some(Claim::V2), "seed {seed}");
    }
}

#[test]
fn a_phone_that_forgets_its_epochs_is_caught_by_that_check() {
    let (stop, ..) = flickering_phone(1, true);
    assert!(matches!(stop, sim::Stop::Violated(_)), "{stop:?}");
}

#[test]
fn who_lost_its_storage_is_believed_again_once_it_has_proven_itself() {
    let mut net = Net::new([Config { dial_trusted: true, ..config(&[2]) }, config(&[1])]);
    for _ in 0..2 {
        net.run(SECOND);
        net.restart(1, config(&[1]));
    }
    net.run(SECOND);
    net.disks[1].clear();
    net.restart(1, config(&[1]));
    net.run(Duration::from_secs(100));
    let peer = net.nodes[0].discovery().peer(id(2)).unwrap();
    assert!(peer.candidates().iter().any(|candidate| candidate.claim == Claim::V2 && candidate.heard_at > late()));
}

fn late() -> Instant {
    Instant::ZERO + Duration::from_secs(90)
}
