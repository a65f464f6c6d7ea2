//! Announces of version 2: preferred, fresh, and with an end.

use super::*;

fn node_that_heard(epoch: u64, sequence: u32, ttl: u16) -> Node {
    let mut node = Node::new(&Limits::default());
    node.hears_bytes(1, &claim(1).signed(1, epoch, sequence, ttl)).unwrap();
    assert_eq!(node.events(), [discovered(1)]);
    node
}

impl Node {
    fn hears_signed(&mut self, source: u32, epoch: u64, sequence: u32, ttl: u16) -> Result<(), Refusal> {
        self.hears_bytes(source, &claim(1).signed(1, epoch, sequence, ttl))
    }
}

#[test]
fn while_a_signed_candidate_lives_unsigned_announces_are_ignored() {
    let mut node = node_that_heard(1, 1, 5);
    assert_eq!(node.hears(1, 2), Err(Refusal::Superseded));
    assert_eq!(node.hears(1, 1), Err(Refusal::Superseded));
    assert_eq!(node.discovery.counters().superseded, 2);
    node.wait_millis(5_000);
    assert_eq!(node.hears(1, 2), Ok(()));
}

#[test]
fn a_signature_makes_an_unsigned_candidate_a_signed_one() {
    let mut node = Node::new(&Limits::default());
    node.hears(1, 1).unwrap();
    node.hears_signed(1, 1, 1, 30).unwrap();
    let peer = node.discovery.peer(id(1)).unwrap();
    assert_eq!((peer.candidates().len(), peer.candidates()[0].claim), (1, Claim::V2));
}

#[test]
fn only_what_is_newer_counts() {
    let mut node = node_that_heard(5, 5, 30);
    for (epoch, sequence) in [(5, 5), (5, 4), (4, 6), (0, u32::MAX)] {
        assert_eq!(node.hears_signed(1, epoch, sequence, 30), Err(Refusal::Stale), "{epoch} {sequence}");
    }
    assert_eq!(node.discovery.counters().stale, 4);
    node.hears_signed(1, 5, 6, 30).unwrap();
    node.hears_signed(1, 6, 0, 30).unwrap();
}

#[test]
fn only_what_would_count_has_its_signature_checked() {
    let mut node = node_that_heard(5, 5, 30);
    let checked = core::cell::Cell::new(0);
    let mut hears = |source, bytes: &[u8]| {
        let verify = |_: &[u8; 32], _: &[u8], _: &[u8; 64]| {
            checked.set(checked.get() + 1);
            false
        };
        let heard = node.discovery.observe(node.now, at(source, 1), bytes, verify);
        (heard.err(), checked.replace(0))
    };
    let [again, old, old_goodbye] =
        [(5, 5, 30), (4, 9, 30), (5, 5, 0)].map(|(epoch, sequence, ttl)| claim(1).signed(1, epoch, sequence, ttl));
    assert_eq!(hears(1, &again), (Some(Refusal::Stale), 0));
    assert_eq!(hears(1, &old), (Some(Refusal::Stale), 0));
    assert_eq!(hears(1, &old_goodbye), (Some(Refusal::Stale), 0));
    assert_eq!(hears(1, &claim(1).signed(2, 6, 1, 30)), (Some(Refusal::KeyMismatch), 0));
    assert_eq!(hears(2, &again), (Some(Refusal::SignatureInvalid), 1), "it would add a candidate");
    assert_eq!(hears(1, &claim(1).signed(1, 6, 1, 30)), (Some(Refusal::SignatureInvalid), 1));
    assert_eq!(hears(1, &claim(1).signed(1, 6, 1, 0)), (Some(Refusal::SignatureInvalid), 1));
    assert_eq!(node.addrs(1), [at(1, 7000)]);
}

#[test]
fn the_same_announce_from_another_source_only_adds_a_candidate() {
    let mut node = node_that_heard(1, 1, 30);
    node.wait_millis(20_000);
    node.hears_signed(2, 1, 1, 30).unwrap();
    assert_eq!(node.addrs(1), [at(1, 7000), at(2, 7000)]);
    assert_eq!(node.hears_signed(2, 1, 1, 30), Err(Refusal::Stale));
    node.wait_millis(9_999);
    assert!(node.knows(1));
    node.wait_millis(1);
    assert!(!node.knows(1), "a replay prolongs nothing");
}

#[test]
fn the_same_announce_makes_another_sources_unsigned_candidate_signed() {
    let mut node = Node::new(&Limits::default());
    node.hears(1, 2).unwrap();
    node.hears_signed(1, 1, 1, 30).unwrap();
    node.hears_signed(2, 1, 1, 30).unwrap();
    assert!(node.discovery.peer(id(1)).unwrap().candidates().iter().all(|each| each.claim == Claim::V2));
}

#[test]
fn the_time_to_live_is_the_announced_one_but_not_beyond_our_own() {
    for (ttl, millis) in [(1, 1_000), (30, 30_000), (u16::MAX, 30_000)] {
        let mut node = node_that_heard(1, 1, ttl);
        node.wait_millis(millis - 1);
        assert!(node.knows(1), "{ttl}");
        node.wait_millis(1);
        assert!(!node.knows(1), "{ttl}");
    }
}

#[test]
fn a_goodbye_drops_all_candidates_and_is_remembered_for_one_time_to_live() {
    let mut node = node_that_heard(1, 1, 30);
    node.hears_signed(2, 1, 1, 30).unwrap();
    node.events();
    node.hears_signed(1, 1, 2, 0).unwrap();
    assert_eq!(node.events(), [lost(1, LostReason::Goodbye)]);
    node.wait_millis(29_999);
    assert_eq!(node.hears_signed(1, 1, 1, 30), Err(Refusal::Stale), "an old announce does not bring it back");
    assert_eq!(node.hears_signed(1, 1, 2, 0), Err(Refusal::Stale));
    assert_eq!(node.hears(1, 1), Err(Refusal::Superseded), "nor an unsigned one, late or forged");
    node.wait_millis(1);
    assert_eq!(node.hears_signed(1, 1, 1, 30), Ok(()));
}

#[test]
fn a_goodbye_never_ends_a_session() {
    let mut node = node_that_heard(1, 1, 30);
    node.discovery.set_live(node.now, id(1), true);
    node.hears_signed(1, 1, 2, 0).unwrap();
    assert_eq!((node.knows(1), node.addrs(1), node.events()), (true, Vec::new(), Vec::new()));
}

#[test]
fn a_goodbye_must_be_newer_too() {
    let mut node = node_that_heard(1, 1, 30);
    assert_eq!(node.hears_signed(2, 1, 1, 0), Err(Refusal::Stale));
    assert!(node.knows(1));
}

#[test]
fn the_sequence_outlives_an_expiry_by_one_time_to_live() {
    let mut node = node_that_heard(1, 1, 30);
    node.wait_millis(59_999);
    assert_eq!(node.hears_signed(1, 1, 1, 30), Err(Refusal::Stale));
    assert_eq!(node.hears_signed(2, 1, 1, 30), Err(Refusal::Stale), "nor from another source: it no longer lives");
    node.wait_millis(1);
    assert_eq!(node.hears_signed(1, 1, 1, 30), Ok(()));
}

#[test]
fn an_authenticated_session_allows_one_lower_epoch_once() {
    let mut node = node_that_heard(9, 9, 30);
    assert_eq!(node.hears_signed(1, 1, 1, 30), Err(Refusal::Stale));
    node.discovery.set_live(node.now, id(1), true);
    assert_eq!(node.hears_signed(1, 9, 8, 30), Err(Refusal::Stale), "a lower sequence is no lost storage");
    assert_eq!(node.hears_signed(1, 2, 1, 30), Ok(()));
    assert_eq!(node.hears_signed(1, 1, 1, 30), Err(Refusal::Stale), "once");
    node.hears_signed(1, 2, 2, 30).unwrap();
}

#[test]
fn a_newer_epoch_spends_the_allowance() {
    let mut node = node_that_heard(9, 9, 30);
    node.discovery.set_live(node.now, id(1), true);
    node.hears_signed(1, 10, 1, 30).unwrap();
    assert_eq!(node.hears_signed(1, 2, 1, 30), Err(Refusal::Stale), "its storage was not lost");
}

#[test]
fn what_the_table_refuses_is_not_remembered() {
    let mut node = Node::new(&Limits { devices_max: 1, ..Limits::default() });
    node.discovery.set_trusted(id(2), true);
    node.hears(2, 2).unwrap();
    assert_eq!(node.hears_signed(1, 1, 1, 30), Err(Refusal::TableFull));
    node.hears_signed(1, 1, 2, 0).unwrap();
    assert_eq!(node.discovery.freshness.size(), 0, "nor is a stranger's goodbye");
}

#[test]
fn the_memory_of_sequences_is_bounded() {
    let mut node = Node::new(&Limits { devices_max: 4, ..Limits::default() });
    for device in 0..50 {
        node.hears_bytes(device, &claim(device).signed(device, 1, 1, 30)).unwrap();
        node.wait_millis(1);
        assert!(node.discovery.freshness.size() <= 8);
    }
    assert_eq!(node.hears_bytes(42, &claim(42).signed(42, 1, 0, 30)), Err(Refusal::Stale), "the newest are kept");
}
