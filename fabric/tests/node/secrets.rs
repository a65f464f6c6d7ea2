//! No secret of a node shows in anything that it prints, stores or sends in the clear.

use crate::net::{Net, config, id, local};
use fabric::call::Calls;
use fabric::identity::DeviceId;
use fabric::trust::{How, Trusted};
use fabric::{Admitting, Config};
use machine::Duration;

/// Every way in which 32 bytes may come to stand in a text or in bytes.
fn shows(haystack: &[u8], secret: &[u8; 32]) -> bool {
    let hex = DeviceId::from_bytes(*secret).to_string();
    let list = format!("{secret:?}");
    let spaced = format!("{secret:02x?}");
    let forms = [&secret[..], hex.as_bytes(), hex.to_uppercase().as_bytes(), list.as_bytes(), spaced.as_bytes()]
        .map(<[u8]>::to_vec);
    forms.iter().any(|form| haystack.windows(form.len()).any(|window| window == form))
}

/// All that two nodes print, store and announce over a life with sessions, pairing and trust.
fn everything_said() -> Vec<u8> {
    let pairing = |trusted: &[u8]| Config { admitting: Admitting::Pairing, dial_trusted: true, ..config(trusted) };
    let mut net = Net::new([pairing(&[2]), pairing(&[1]), pairing(&[])]);
    net.nodes[0].trust_as(id(2), Trusted::new("hub".parse().unwrap(), How::Manual, 0)).unwrap();
    net.run(Duration::from_secs(2));
    let now = net.now;
    net.nodes[0].enter_pairing(now).unwrap();
    net.nodes[2].enter_pairing(now).unwrap();
    net.nodes[2].pair(now, id(1)).unwrap();
    net.run(Duration::from_secs(3));
    let mut said = format!("{:?} {:?}", net.events, Calls::new(&fabric::call::Limits::default())).into_bytes();
    for (node, disk) in net.nodes.iter().zip(&net.disks) {
        let parts = (node.load(), node.counters(), node.discovery(), node.trust_store(), node.config());
        said.extend(format!("{node:?} {node:#?} {parts:?}").into_bytes());
        said.extend(disk.values().flatten());
    }
    said.extend(net.announces.iter().flat_map(|(_, bytes)| bytes));
    for secret in [1, 2, 3] {
        let local = local(secret);
        said.extend(format!("{:?} {:?}", local.device, local.noise).into_bytes());
    }
    said
}

#[test]
fn nothing_that_a_node_prints_stores_or_announces_shows_a_key() {
    let said = everything_said();
    assert!(said.len() > 10_000, "{}", said.len());
    for secret in [1, 2, 3] {
        // Device seed and Noise secret are the same bytes in these tests.
        assert!(!shows(&said, &[secret; 32]), "device {secret}");
    }
    let public = local(1).noise.public();
    assert!(shows(&said, public.as_bytes()), "what is public does");
}

#[test]
fn a_key_that_shows_is_found_in_each_form() {
    #[derive(Debug)]
    #[expect(dead_code, reason = "it is printed")]
    struct Careless([u8; 32]);
    let secret = [0xAB; 32];
    for leak in [format!("{:?}", Careless(secret)), format!("{secret:02x?}"), "ab".repeat(32), "AB".repeat(32)] {
        assert!(shows(format!("log: {leak}.").as_bytes(), &secret), "{leak}");
    }
    assert!(shows(&[&[0][..], &secret, &[1]].concat(), &secret));
    assert!(!shows(&[0xAB; 31], &secret));
}
