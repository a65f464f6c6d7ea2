//! Datagrams meet what the link's profile says, and groups reach everyone else on a segment of their sender's.

use crate::lab::{A, B, Do, Lab, Saw, millis};
use sim::{Burst, Chance, Config, Delay, LinkProfile};

/// Sends 200 datagrams of 100 bytes from "a" to "b", one each 10 ms; the place of each one that came, in order.
fn sent_200(change: impl FnOnce(&mut Config)) -> (Lab, Vec<u8>) {
    let mut lab = Lab::new(&["a", "b"], change);
    for number in 0..200_u8 {
        lab.send(10 + 10 * u64::from(number), "a", "b", &[number; 100]);
    }
    lab.run(60_000);
    let places = lab.got("b").iter().map(|bytes| bytes.first().copied().unwrap_or(255)).collect();
    (lab, places)
}

fn all() -> Vec<u8> {
    (0..200).collect()
}

#[test]
fn a_perfect_link_delivers_everything_in_order_after_its_delay() {
    let (lab, places) = sent_200(|_| ());
    assert_eq!(places, all());
    assert_eq!(lab.saw_at("b")[0].0, 20);
    assert!(lab.counts().list().is_empty(), "{:?}", lab.counts().list());
}

#[test]
fn each_misfortune_strikes_about_as_often_as_it_is_told_to_and_is_counted() {
    let half = Chance::from_percent(50);
    let (lab, places) = sent_200(|config| config.link.loss = half);
    assert!((70..130).contains(&places.len()));
    assert_eq!(lab.counts().lost, 200 - places.len() as u64);
    let (lab, places) = sent_200(|config| config.link.duplicate = half);
    assert!((270..330).contains(&places.len()));
    assert_eq!(lab.counts().duplicated, places.len() as u64 - 200);
    let (lab, places) = sent_200(|config| config.link.reorder = half);
    assert!(!places.is_sorted() && places.len() == 200);
    assert!((70..130).contains(&lab.counts().reordered));
    let (lab, _) = sent_200(|config| config.link.corrupt = half);
    let intact = |bytes: &&Vec<u8>| bytes.windows(2).all(|pair| pair[0] == pair[1]) && bytes.len() == 100;
    assert_eq!(lab.got("b").iter().filter(intact).count() as u64, 200 - lab.counts().corrupted);
    assert!((70..130).contains(&lab.counts().corrupted));
    let (lab, _) = sent_200(|config| config.link.truncate = half);
    assert_eq!(lab.got("b").iter().filter(intact).count() as u64, 200 - lab.counts().truncated);
    assert!((70..130).contains(&lab.counts().truncated));
}

#[test]
fn a_burst_takes_neighbours() {
    let burst = Burst { enter: Chance::from_percent(5), leave: Chance::from_percent(20) };
    let (lab, places) = sent_200(|config| config.link.burst = Some(burst));
    let lost: Vec<u8> = all().into_iter().filter(|place| !places.contains(place)).collect();
    let neighbours = lost.windows(2).filter(|pair| pair[0] + 1 == pair[1]).count();
    assert!(lost.len() > 10 && neighbours * 2 > lost.len(), "{lost:?}");
    assert_eq!(lab.counts().lost, lost.len() as u64);
}

#[test]
fn a_rate_spaces_packets_and_its_queue_is_bounded() {
    let mut lab = Lab::new(&["a", "b"], |config| {
        config.link.rate = Some(8_000); // a byte each millisecond
        config.link.queue = 250;
    });
    for _ in 0..5 {
        lab.send(100, "a", "b", &[1; 100]);
    }
    lab.run(10_000);
    let arrivals: Vec<_> = lab.saw_at("b").into_iter().map(|(at, _)| at).collect();
    assert_eq!(arrivals, [210, 310, 410]);
    assert_eq!(lab.counts().queue_full, 2);
}

#[test]
fn what_is_longer_than_the_mtu_is_lost_and_pipes_are_cut_to_fit() {
    let mut lab = Lab::new(&["a", "b"], |config| config.link.mtu = 100);
    lab.send(10, "a", "b", &[1; 100]);
    lab.send(10, "a", "b", &[1; 101]);
    let pipe = lab.open(10, "a", 0, "b");
    lab.write(100, "a", pipe, &[2; 600]);
    lab.run(1_000);
    assert_eq!(lab.got("b"), [[1; 100]]);
    assert_eq!(lab.counts().too_long, 1);
    assert_eq!(lab.read("b", crate::lab::ACCEPTED), (vec![2; 600], 10), "60 bytes beside 40 of headers");
}

#[test]
fn a_direction_of_its_own_leaves_the_others_alone() {
    let profile = LinkProfile { delay: Delay::Fixed(millis(50)), ..LinkProfile::default() };
    let mut lab = Lab::new(&["a", "b"], |config| config.links = vec![("a".into(), "b".into(), profile)]);
    lab.send(100, "a", "b", b"");
    lab.send(100, "b", "a", b"");
    lab.run(1_000);
    assert_eq!((lab.saw_at("b")[0].0, lab.saw_at("a")[0].0), (150, 110));
}

#[test]
fn a_group_datagram_reaches_every_other_node_once() {
    let mut lab = Lab::new(&["a", "b", "c"], |config| config.nodes[2].port = 9);
    lab.at(100, "a", Do::SendGroup(b"hi".to_vec()));
    lab.run(1_000);
    let got = vec![(110, Saw::Datagram(lab.addr("a"), b"hi".to_vec()))];
    assert_eq!([lab.saw_at("a"), lab.saw_at("b"), lab.saw_at("c")], [vec![], got.clone(), got]);
}

#[test]
fn a_group_datagram_stays_on_the_segments_of_its_sender_and_an_address_is_reached_from_any() {
    let mut lab = Lab::new(&["a", "b", "c"], |config| {
        for (node, segments) in config.nodes.iter_mut().zip([vec![1], vec![1, 2], vec![2]]) {
            node.segments = segments;
        }
    });
    lab.at(100, "a", Do::SendGroup(b"a".to_vec()));
    lab.at(200, "b", Do::SendGroup(b"b".to_vec()));
    lab.send(300, "a", "c", b"to c");
    lab.run(1_000);
    let got = ["a", "b", "c"].map(|node| lab.got(node).concat());
    assert_eq!(got, [b"b".as_slice(), b"a", b"bto c"]);
}

#[test]
fn a_group_datagram_may_be_lost_for_one_and_not_for_another() {
    let mut lab = Lab::new(&["a", "b", "c"], |config| config.link.loss = Chance::from_percent(50));
    for at in 1..100 {
        lab.at(at, "a", Do::SendGroup(vec![at as u8]));
    }
    lab.run(1_000);
    let (b, c) = (lab.got("b"), lab.got("c"));
    assert!(b.iter().any(|bytes| !c.contains(bytes)) && c.iter().any(|bytes| !b.contains(bytes)));
}

#[test]
fn a_datagram_to_nobody_or_to_a_wrong_port_is_discarded_and_counted() {
    let mut lab = Lab::new(&["a", "b"], |_| ());
    let wrong_port = lab.addr("b").with_port(1);
    let nobody = machine::Addr::new(machine::Host::new([9; 16]), 7_000);
    lab.at(10, "a", Do::Send(wrong_port, vec![1]));
    lab.at(10, "a", Do::Send(nobody, vec![1]));
    lab.run(1_000);
    assert!(lab.saw("b").is_empty());
    assert_eq!(lab.counts().unreachable, 2);
}

#[test]
fn a_world_knows_its_nodes_by_name() {
    let lab = Lab::new(&["b", "a"], |_| ());
    assert_eq!(lab.world.names(), ["a", "b"]);
    assert_eq!((lab.world.node("a"), lab.world.node("b"), lab.world.node("c")), (Some(A), Some(B), None));
    assert_ne!(lab.addr("a"), lab.addr("b"));
}
