//! Which candidate is dialled, and how often.

use super::*;

/// The seconds after now at which a device can be dialled, when asked as soon as allowed; its announces go on.
fn dial_times(node: &mut Node, device: u32, source: u32, count: usize) -> Vec<u64> {
    let start = node.now;
    let mut times = Vec::new();
    while times.len() < count {
        match node.discovery.next_dial(node.now, id(device)) {
            NextDial::Now(_) => times.push(node.now.saturating_since(start).as_millis() / 1000),
            NextDial::At(later) => {
                assert!(later > node.now, "waiting moves on");
                while node.now < later {
                    let step = later.saturating_since(node.now).min(Duration::from_secs(10));
                    node.wait(step);
                    node.hears(device, source).unwrap();
                }
            }
            NextDial::Unknown => panic!("it announces itself"),
        }
    }
    times
}

#[test]
fn the_last_proven_goes_first_then_signed_then_unsigned_each_a_second_later() {
    let mut node = Node::new(&Limits::default());
    let [unsigned, proven, signed] = [1, 2, 3].map(|source| at(source, 7000));
    node.hears(1, 1).unwrap();
    node.hears(1, 2).unwrap();
    node.hears_bytes(3, &claim(1).signed(1, 1, 1, 30)).unwrap();
    node.proves(1, proven);
    for expected in [proven, signed, unsigned, proven, signed, unsigned] {
        assert_eq!(node.dials(1), Some(expected));
        node.wait_millis(999);
        let later = node.now + Duration::from_millis(1);
        assert_eq!(node.discovery.next_dial(node.now, id(1)), NextDial::At(later));
        node.wait_millis(1);
    }
}

#[test]
fn a_dial_says_what_to_expect() {
    let mut node = Node::new(&Limits::default());
    node.hears(1, 1).unwrap();
    let noise_static = claim(1).noise_static;
    let mut dial = Dial { addr: at(1, 7000), noise_static, claim: Claim::V1, was_proven: false };
    assert_eq!(node.discovery.next_dial(node.now, id(1)), NextDial::Now(dial));
    node.proves(1, at(1, 7000));
    node.wait_millis(1_000);
    dial.was_proven = true;
    assert_eq!(node.discovery.next_dial(node.now, id(1)), NextDial::Now(dial));
    assert_eq!(node.discovery.next_dial(node.now, id(2)), NextDial::Unknown);
}

#[test]
fn of_equals_the_last_heard_goes_first() {
    let mut node = Node::new(&Limits::default());
    node.hears(1, 1).unwrap();
    node.wait_millis(1);
    node.hears(1, 2).unwrap();
    assert_eq!(node.dials(1), Some(at(2, 7000)), "it may have moved");
}

#[test]
fn an_unproven_address_is_dialled_ever_more_seldom() {
    let mut node = Node::new(&Limits::default());
    node.hears(1, 1).unwrap();
    assert_eq!(dial_times(&mut node, 1, 1, 9), [0, 1, 3, 7, 15, 31, 63, 123, 183]);
}

#[test]
fn a_proof_ends_the_backoff() {
    let mut node = Node::new(&Limits::default());
    node.hears(1, 1).unwrap();
    dial_times(&mut node, 1, 1, 5);
    node.proves(1, at(1, 7000));
    node.wait_millis(1_000);
    assert_eq!(dial_times(&mut node, 1, 1, 4), [0, 1, 2, 3], "the device itself asked for its address");
}

#[test]
fn the_backoff_of_an_address_holds_for_every_device_and_key_announced_there() {
    let mut node = Node::new(&Limits::default());
    node.hears(1, 1).unwrap();
    dial_times(&mut node, 1, 1, 4);
    node.hears(2, 1).unwrap();
    node.hears_claim(1, &claim(1).with_static(8)).unwrap();
    node.wait_millis(7_999);
    assert_eq!((node.dials(1), node.dials(2)), (None, None));
    node.wait_millis(1);
    assert_eq!(node.dials(2), Some(at(1, 7000)));
    assert_eq!(node.dials(1), None, "16 seconds from here");
}

#[test]
fn the_backoff_outlives_the_candidate() {
    let limits = Limits { candidates_max: 1, ..Limits::default() };
    let mut node = Node::new(&limits);
    node.hears(1, 1).unwrap();
    dial_times(&mut node, 1, 1, 4);
    node.wait_millis(1_000);
    node.hears(1, 2).unwrap();
    node.hears(1, 1).unwrap();
    assert_eq!(node.addrs(1), [at(1, 7000)]);
    assert_eq!(node.discovery.next_dial(node.now, id(1)), NextDial::At(node.now + Duration::from_secs(7)));
}

#[test]
fn a_device_that_left_and_came_back_is_not_dialled_sooner() {
    let mut node = Node::new(&Limits::default());
    node.hears(1, 1).unwrap();
    assert!(node.dials(1).is_some());
    node.hears_bytes(1, &claim(1).signed(1, 1, 1, 0)).unwrap();
    assert_eq!(node.discovery.next_dial(node.now, id(1)), NextDial::Unknown);
    node.hears_bytes(2, &claim(1).signed(1, 1, 2, 30)).unwrap();
    assert_eq!(node.discovery.next_dial(node.now, id(1)), NextDial::At(node.now + Duration::from_secs(1)));
}

#[test]
fn a_backoff_long_over_is_forgotten() {
    let mut node = Node::new(&Limits::default());
    node.hears(1, 1).unwrap();
    dial_times(&mut node, 1, 1, 3);
    node.wait_millis(4_000 + 60_000);
    node.hears(1, 1).unwrap();
    assert_eq!(dial_times(&mut node, 1, 1, 3), [0, 1, 3]);
}

#[test]
fn one_source_is_dialled_unproven_once_a_second_whatever_it_announces() {
    let mut node = Node::new(&Limits::default());
    for device in 1..=3 {
        node.hears_claim(1, &claim(device).at_port(7000 + device as u16)).unwrap();
    }
    node.hears(4, 2).unwrap();
    assert_eq!(node.dials(1), Some(at(1, 7001)));
    assert_eq!(node.discovery.next_dial(node.now, id(2)), NextDial::At(node.now + Duration::from_secs(1)));
    assert_eq!(node.dials(4), Some(at(2, 7000)), "another source");
    node.wait_millis(999);
    assert_eq!(node.dials(2), None);
    node.wait_millis(1);
    assert_eq!(node.dials(2), Some(at(1, 7002)));
    assert_eq!(node.dials(3), None);
    assert!(node.discovery.proven(node.now, id(3), at(1, 7003), claim(3).noise_static));
    assert_eq!(node.dials(3), Some(at(1, 7003)), "a proven candidate does not wait for strangers");
}

#[test]
fn a_blocked_candidate_lets_the_next_go_first() {
    let mut node = Node::new(&Limits::default());
    node.hears(1, 1).unwrap();
    node.hears(2, 1).unwrap();
    node.hears(2, 2).unwrap();
    node.wait_millis(1);
    node.hears(2, 1).unwrap();
    assert_eq!(node.dials(1), Some(at(1, 7000)));
    assert_eq!(node.dials(2), Some(at(2, 7000)));
}

#[test]
fn new_candidates_without_end_do_not_keep_the_proven_one_from_its_turn() {
    let mut node = Node::new(&Limits::default());
    node.hears(1, 1).unwrap();
    node.proves(1, at(1, 7000));
    let mut turns = 0;
    for forged in 0..20 {
        node.hears(1, 100 + forged).unwrap();
        turns += u32::from(node.dials(1) == Some(at(1, 7000)));
        node.wait_millis(1_000);
    }
    assert_eq!(turns, 5, "one dial in four");
}

#[test]
fn lies_about_a_device_do_not_keep_the_truth_from_being_dialled() {
    let mut node = Node::new(&Limits::default());
    let (truth, lie) = (claim(1), claim(1).with_static(8));
    let mut dialled = 0;
    for second in 0..300 {
        // Always the last heard, the lies are dialled when nothing else counts; and one of them waits for no other.
        if second % 10 == 0 {
            node.hears_claim(1, &truth).unwrap();
            node.wait_millis(1);
            node.hears_claim(1, &lie).unwrap();
            node.hears_claim(1, &truth.clone().at_port(9)).unwrap();
        }
        if let NextDial::Now(dial) = node.discovery.next_dial(node.now, id(1)) {
            dialled += u32::from(dial.addr == at(1, 7000) && dial.noise_static == truth.noise_static);
        }
        node.wait_millis(1_000);
    }
    assert!(dialled >= 3, "{dialled} times in five minutes, with a backoff that lies at its address share");
}

#[test]
fn after_a_session_the_last_proven_is_dialled_first_again() {
    let mut node = Node::new(&Limits::default());
    node.hears(1, 1).unwrap();
    node.hears(1, 2).unwrap();
    node.proves(1, at(1, 7000));
    assert_eq!(node.dials(1), Some(at(1, 7000)));
    node.discovery.set_live(node.now, id(1), true);
    node.wait_millis(1_000);
    node.discovery.set_live(node.now, id(1), false);
    assert_eq!(node.dials(1), Some(at(1, 7000)));
    node.proves(1, at(2, 7000));
    node.wait_millis(1_000);
    assert_eq!(node.dials(1), Some(at(2, 7000)), "the last proven is another now");
}

#[test]
fn the_memory_of_dials_is_bounded_and_a_full_one_makes_strangers_wait() {
    let limits = Limits { devices_max: 2, candidates_max: 1, ..Limits::default() };
    let mut node = Node::new(&limits);
    for device in 0..2 {
        node.hears(device, device).unwrap();
        assert!(node.dials(device).is_some());
    }
    node.hears(2, 2).unwrap();
    assert_eq!(node.discovery.next_dial(node.now, id(2)), NextDial::At(node.now + Duration::from_secs(1)));
    for device in 3..100 {
        node.hears(device, device).unwrap();
        node.wait_millis(1_000);
        assert!(node.dials(device).is_some());
        let (devices, sources, targets) = node.discovery.pace.sizes();
        assert!(devices <= 2 && sources <= 2 && targets <= 2);
    }
    node.wait(DAY);
    node.dials(0);
    node.hears(0, 0).unwrap();
    node.dials(0);
    assert_eq!(node.discovery.pace.sizes(), (1, 1, 1), "and what is long over is forgotten");
}
