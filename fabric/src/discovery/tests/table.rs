//! Who gets a place in the table, who keeps it and who loses it.

use super::*;

fn full_of_strangers(limits: &Limits) -> Node {
    let mut node = Node::new(limits);
    for device in 0..u32::from(limits.devices_max) {
        node.hears(device, device).unwrap();
        node.wait_millis(1);
    }
    node.events();
    node
}

fn small() -> Limits {
    Limits { devices_max: 8, ..Limits::default() }
}

#[test]
fn a_device_is_told_once_and_lost_after_30_seconds_of_silence() {
    let mut node = Node::new(&Limits::default());
    node.hears(1, 1).unwrap();
    assert_eq!(node.events(), [discovered(1)]);
    node.wait_millis(29_999);
    node.hears(1, 1).unwrap();
    node.wait_millis(29_999);
    assert!(node.knows(1));
    assert_eq!(node.events(), []);
    node.wait_millis(1);
    assert!(!node.knows(1));
    assert_eq!(node.events(), [lost(1, LostReason::Expired)]);
    node.hears(1, 1).unwrap();
    assert_eq!(node.events(), [discovered(1)], "and found again");
}

#[test]
fn the_address_is_the_source_with_the_announced_port() {
    let mut node = Node::new(&Limits::default());
    node.hears_claim(5, &claim(1).at_port(7777)).unwrap();
    assert_eq!(node.addrs(1), [at(5, 7777)]);
}

#[test]
fn other_services_or_another_candidate_are_an_update() {
    let mut node = Node::new(&Limits::default());
    node.hears(1, 1).unwrap();
    node.events();
    let services = Services::new(["files"]).unwrap();
    node.hears_claim(1, &claim(1).serving(["files"])).unwrap();
    assert_eq!(node.events(), [Event::Updated { device: id(1), services: services.clone() }]);
    node.hears_claim(2, &claim(1).serving(["files"])).unwrap();
    assert_eq!(node.events(), [Event::Updated { device: id(1), services }]);
    node.hears_claim(2, &claim(1).serving(["files"])).unwrap();
    assert_eq!(node.events(), [], "nothing new");
}

#[test]
fn an_announce_touches_only_its_own_candidate() {
    let mut node = Node::new(&Limits::default());
    node.hears(1, 1).unwrap();
    node.proves(1, at(1, 7000));
    node.wait_millis(20_000);
    let before = node.discovery.peer(id(1)).unwrap().candidates()[0].clone();
    node.hears_claim(2, &claim(1).serving(["stolen"])).unwrap();
    let peer = node.discovery.peer(id(1)).unwrap();
    let after = &peer.candidates()[0];
    assert_eq!(
        (after.addr, after.heard_at, after.expires_at, after.proven_at, after.services()),
        (before.addr, before.heard_at, before.expires_at, before.proven_at, before.services()),
    );
    assert_eq!(peer.services(), before.services(), "the proven candidate's services count");
    node.wait_millis(10_000);
    assert_eq!(node.addrs(1), [at(2, 7000)], "and a stranger's word did not prolong it");
}

#[test]
fn a_fifth_candidate_replaces_the_least_recently_heard_unproven_one() {
    let mut node = Node::new(&Limits::default());
    for source in 1..=4 {
        node.hears(1, source).unwrap();
        node.wait_millis(1);
    }
    node.proves(1, at(1, 7000));
    node.hears(1, 2).unwrap();
    node.wait_millis(1);
    node.hears(1, 5).unwrap();
    assert_eq!(node.addrs(1), [at(1, 7000), at(2, 7000), at(4, 7000), at(5, 7000)]);
}

#[test]
fn unsigned_candidates_go_before_signed_ones() {
    let mut node = Node::new(&Limits::default());
    let signed = claim(1).signed(1, 1, 1, 30);
    node.hears(1, 9).unwrap();
    for source in 1..=3 {
        node.hears_bytes(source, &signed).unwrap();
        node.wait_millis(1);
    }
    node.hears_bytes(4, &signed).unwrap();
    assert_eq!(node.addrs(1), [1, 2, 3, 4].map(|source| at(source, 7000)));
    node.hears_bytes(5, &signed).unwrap();
    assert_eq!(node.addrs(1), [2, 3, 4, 5].map(|source| at(source, 7000)), "then the oldest signed one");
}

#[test]
fn proven_candidates_are_not_replaced() {
    let mut node = Node::new(&Limits::default());
    for source in 1..=4 {
        node.hears(1, source).unwrap();
        assert!(node.proves(1, at(source, 7000)));
    }
    assert_eq!(node.hears(1, 5), Err(Refusal::CandidatesFull));
    assert_eq!(node.discovery.counters().candidates_full, 1);
    assert_eq!(node.addrs(1), [1, 2, 3, 4].map(|source| at(source, 7000)));
}

#[test]
fn a_newcomer_takes_the_place_of_the_least_recently_heard() {
    let mut node = full_of_strangers(&small());
    node.hears(0, 0).unwrap();
    node.hears(100, 100).unwrap();
    assert_eq!(node.devices(), 8);
    assert!(node.knows(0) && !node.knows(1) && node.knows(100));
    assert_eq!(node.events(), [lost(1, LostReason::Evicted), discovered(100)]);
}

#[test]
fn trusted_devices_and_those_with_a_session_are_never_evicted() {
    let mut node = full_of_strangers(&small());
    node.discovery.set_trusted(id(0), true);
    node.discovery.set_live(node.now, id(1), true);
    for device in 100..200 {
        node.hears(device, device).unwrap();
    }
    assert!(node.knows(0) && node.knows(1) && node.devices() == 8);
    node.discovery.set_trusted(id(0), false);
    node.hears(200, 200).unwrap();
    assert!(!node.knows(0), "trust withdrawn, it is the oldest");
}

#[test]
fn a_table_full_of_trusted_devices_takes_no_stranger() {
    let mut node = full_of_strangers(&small());
    for device in 0..8 {
        node.discovery.set_trusted(id(device), true);
    }
    assert_eq!(node.hears(100, 100), Err(Refusal::TableFull));
    node.discovery.set_trusted(id(101), true);
    assert_eq!(node.hears(101, 101), Err(Refusal::TableFull), "not even one more trusted device");
    assert_eq!(node.discovery.counters().table_full, 2);
    assert_eq!(node.events(), []);
}

#[test]
fn one_source_holds_at_most_a_quarter_of_the_table() {
    let mut node = Node::new(&Limits::default());
    for device in 0..16 {
        node.hears(device, 1).unwrap();
    }
    assert_eq!(node.hears(16, 1), Err(Refusal::SourceFull));
    assert_eq!(node.hears_claim(1, &claim(16).at_port(8000)), Err(Refusal::SourceFull), "whatever the port");
    assert_eq!(node.discovery.counters().source_full, 2);
    node.hears(16, 2).unwrap();
    assert_eq!(node.hears(16, 1), Err(Refusal::SourceFull), "nor as a second candidate elsewhere");
    node.hears_claim(1, &claim(0).at_port(8000)).unwrap();
    node.wait_millis(30_000);
    node.hears(16, 1).unwrap();
}

#[test]
fn one_source_holds_at_least_one_place() {
    let mut node = Node::new(&Limits { devices_max: 3, ..Limits::default() });
    node.hears(0, 1).unwrap();
    assert_eq!(node.hears(1, 1), Err(Refusal::SourceFull));
}

#[test]
fn strangers_with_a_forged_source_do_not_keep_a_trusted_device_out() {
    let mut node = Node::new(&small());
    node.hears(0, 1).unwrap();
    node.wait_millis(1);
    node.hears(1, 1).unwrap();
    node.hears(0, 2).unwrap();
    node.events();
    node.discovery.set_trusted(id(5), true);
    node.hears(5, 1).unwrap();
    assert!(node.knows(5));
    assert!(!node.knows(1), "the source's least recently heard stranger gave way");
    assert_eq!(node.addrs(0), [at(1, 7000), at(2, 7000)]);
    node.discovery.set_trusted(id(6), true);
    node.hears(6, 1).unwrap();
    assert_eq!(node.addrs(0), [at(2, 7000)], "and then lost what it had from this source, and only that");
    node.discovery.set_trusted(id(7), true);
    assert_eq!(node.hears(7, 1), Err(Refusal::SourceFull), "all its places are protected");
}

#[test]
fn while_a_session_lives_its_device_stays_and_silence_counts_from_the_end() {
    let mut node = Node::new(&Limits::default());
    node.hears(1, 1).unwrap();
    node.hears(1, 2).unwrap();
    node.proves(1, at(1, 7000));
    node.events();
    node.discovery.set_live(node.now, id(1), true);
    node.wait(DAY);
    assert_eq!(node.addrs(1), [at(1, 7000)], "the unproven candidate went");
    node.discovery.set_live(node.now, id(1), false);
    node.wait_millis(29_999);
    assert_eq!(node.dials(1), Some(at(1, 7000)));
    node.wait_millis(1);
    assert!(!node.knows(1));
    assert_eq!(node.events(), [lost(1, LostReason::Expired)]);
}

#[test]
fn a_device_that_was_only_ever_accepted_goes_with_its_session() {
    let mut node = Node::new(&Limits::default());
    node.hears(1, 1).unwrap();
    node.events();
    node.discovery.set_live(node.now, id(1), true);
    node.wait(DAY);
    assert_eq!((node.knows(1), node.addrs(1).len(), node.events().len()), (true, 0, 0));
    assert_eq!(node.discovery.next_dial(node.now, id(1)), NextDial::Unknown);
    node.discovery.set_live(node.now, id(1), false);
    assert_eq!(node.events(), [lost(1, LostReason::Expired)]);
}

#[test]
fn a_handshake_counts_as_hearing() {
    let mut node = Node::new(&Limits::default());
    node.hears(1, 1).unwrap();
    node.wait_millis(29_000);
    assert!(node.proves(1, at(1, 7000)));
    node.wait_millis(29_000);
    assert!(node.knows(1));
    assert!(!node.proves(1, at(2, 7000)), "a candidate that is not there cannot be proven");
    assert!(!node.proves(2, at(1, 7000)));
}

#[test]
fn an_expired_device_is_gone_even_when_its_timeout_comes_late() {
    let mut node = Node::new(&Limits::default());
    node.hears(1, 1).unwrap();
    node.events();
    node.now = node.now + Duration::from_secs(31);
    assert_eq!(node.discovery.next_dial(node.now, id(1)), NextDial::Unknown);
    assert_eq!(node.events(), [lost(1, LostReason::Expired)]);
}

#[test]
fn limits_of_zero_count_as_one() {
    let mut node = Node::new(&Limits { devices_max: 0, candidates_max: 0, ..Limits::default() });
    node.hears(1, 1).unwrap();
    node.hears(1, 2).unwrap();
    assert_eq!(node.addrs(1), [at(2, 7000)]);
    node.hears(2, 3).unwrap();
    assert_eq!((node.devices(), node.knows(2)), (1, true));
}
