use super::*;
use crate::plan::host;
use sim::{Burst, Chance};

fn lane(profile: LinkProfile) -> Lane {
    Lane { profile, key: Key::root(1), frames: 0, in_burst: false, busy_until: Instant::now() }
}

#[test]
fn a_limited_rate_spaces_frames_and_a_full_queue_refuses() {
    let mut lane = lane(LinkProfile { rate: Some(8_000), queue: 2_000, ..LinkProfile::default() });
    let now = Instant::now();
    lane.busy_until = now;
    let waits: Vec<_> = (0..4).map(|_| lane.pass(now, 1_000).map(|(waits, _)| waits.as_secs())).collect();
    assert_eq!(waits, [Some(1), Some(2), Some(3), None]);
}

#[test]
fn the_same_seed_gives_the_same_fates_and_bursts_come_in_rows() {
    let burst = Burst { enter: Chance::from_percent(1), leave: Chance::from_percent(25) };
    let profile = LinkProfile { burst: Some(burst), loss: Chance::from_percent(1), ..LinkProfile::default() };
    let fates = || {
        let mut lane = lane(profile);
        (0..10_000).map(|_| lane.pass(Instant::now(), 100).is_none()).collect::<Vec<_>>()
    };
    let lost = fates();
    assert_eq!(lost, fates());
    let total = lost.iter().filter(|lost| **lost).count();
    assert!((200..1_000).contains(&total), "{total}");
    assert!(lost.windows(3).any(|three| three == [true; 3]));
}

#[test]
fn a_damaged_arp_frame_is_lost_and_a_damaged_packet_arrives() {
    let fate = PacketFate { flipped_bit: Some(300), ..PacketFate::default() };
    let mut frame = vec![0; 60];
    let arrives = damage(&frame, &fate).unwrap();
    assert_eq!(arrives[37], 1 << 4);
    frame[12..14].copy_from_slice(&ARP);
    assert_eq!(damage(&frame, &fate), None);
    assert_eq!(damage(&frame, &PacketFate::default()), Some(frame));
}

#[test]
fn a_frame_meets_the_card_it_is_for_and_a_broadcast_all_others() {
    let folder = std::env::temp_dir().join(format!("relay-test-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let path = |name: &str, place: usize| folder.join(format!("{place}.{name}"));
    let (cards, hubs): (Vec<_>, Vec<_>) = (0..3).map(|place| (path("card", place), path("hub", place))).unzip();
    let part = |name: &str| crate::plan::tests::part(name);
    let plan = Plan::new(vec![part("a"), part("b"), part("c")], PathBuf::new(), PathBuf::new());
    let sockets: Vec<_> = cards.iter().map(|path| bind(path).unwrap()).collect();
    let relay = Relay::start(&plan, cards, &hubs).unwrap();
    let mut frame = vec![0; 60];
    frame[..6].copy_from_slice(&guest_contract::mac(host(1)));
    sockets[0].send_to(&frame, &hubs[0]).unwrap();
    frame[..6].fill(0xFF);
    sockets[2].send_to(&frame, &hubs[2]).unwrap();
    let received = |place: usize| {
        let mut buffer = [0; 100];
        (0..20).filter(|_| sockets[place].recv(&mut buffer).is_ok()).count()
    };
    // One unicast for b, and a broadcast for a and b.
    let counts = (0..3).map(received).collect::<Vec<_>>();
    assert_eq!(counts, [1, 2, 0]);
    assert_eq!(relay.end().delivered, 3);
    std::fs::remove_dir_all(&folder).unwrap();
}
