//! A hundred thousand devices that do not exist.

use super::*;

const FAKES: u32 = 100_000;

fn fake(device: u32) -> Vec<u8> {
    let mut bytes = [0xEE; 32];
    bytes[..4].copy_from_slice(&device.to_be_bytes());
    Claimed { device_id: DeviceId::from_bytes(bytes).to_string(), ..claim(0) }.bytes()
}

#[test]
fn a_flood_from_forged_sources_stays_bounded_and_spares_who_is_trusted() {
    let mut node = Node::new(&Limits::default());
    node.discovery.set_trusted(id(1), true);
    node.hears(1, 1).unwrap();
    for device in 0..FAKES {
        node.hears_bytes(1000 + device, &fake(device)).unwrap();
        node.now = node.now + Duration::from_micros(10);
        if device % 1000 == 0 {
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
    for device in 0..FAKES {
        let taken = node.hears_bytes(1, &fake(device));
        assert_eq!(taken, if device < 16 { Ok(()) } else { Err(Refusal::SourceFull) });
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
    for port in 1..=u16::MAX {
        node.hears_claim(2, &claim(1).at_port(port)).unwrap();
    }
    assert_eq!(node.addrs(1).len(), 4);
    assert!(node.addrs(1).contains(&at(1, 7000)), "the proven one among them");
}
