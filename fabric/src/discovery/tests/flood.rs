//! A hundred thousand devices that do not exist.

use super::*;

const FAKES: u32 = 100_000;

/// What devices without a key announce.
fn fakes() -> impl Iterator<Item = Vec<u8>> {
    let template = claim(0);
    (0..FAKES).map(move |device| {
        let mut bytes = [0xEE; 32];
        bytes[..4].copy_from_slice(&device.to_be_bytes());
        Claimed { device_id: DeviceId::from_bytes(bytes).to_string(), ..template.clone() }.bytes()
    })
}

#[test]
fn a_flood_from_forged_sources_stays_bounded_and_spares_who_is_trusted() {
    let mut node = Node::new(&Limits::default());
    node.discovery.set_trusted(id(1), true);
    node.hears(1, 1).unwrap();
    for (source, fake) in (1000..).zip(fakes()) {
        node.hears_bytes(source, &fake).unwrap();
        node.now = node.now + Duration::from_micros(10);
        if source % 100 == 0 {
            node.discovery.poll();
        }
    }
    assert_eq!(node.devices(), 64);
    assert!(node.knows(1));
    assert!(node.events().len() <= 2 * 64, "what was never told is not told as lost");
}

#[test]
fn a_flood_from_one_source_takes_a_quarter_and_no_more() {
    let mut node = Node::new(&Limits::default());
    for device in 0..40 {
        node.hears(device, 100 + device).unwrap();
    }
    for (count, fake) in fakes().enumerate() {
        assert_eq!(node.hears_bytes(1, &fake), if count < 16 { Ok(()) } else { Err(Refusal::SourceFull) });
    }
    assert_eq!(node.devices(), 56);
    assert!((0..40).all(|device| node.knows(device)), "nobody was evicted");
    assert_eq!(node.discovery.counters().source_full, u64::from(FAKES) - 16);
}

#[test]
fn a_flood_of_candidates_for_one_device_holds_four() {
    let mut node = Node::new(&Limits::default());
    node.hears(1, 1).unwrap();
    node.proves(1, at(1, 7000));
    let claim = claim(1);
    for port in 1..=u16::MAX {
        node.hears_claim(2, &claim.clone().at_port(port)).unwrap();
    }
    assert_eq!(node.addrs(1).len(), 4);
    assert!(node.addrs(1).contains(&at(1, 7000)), "the proven one among them");
}
