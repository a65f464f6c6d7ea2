//! Datagrams of strangers: what an announce says is the only thing that its bytes can mean, and the peer table stays within
//! its bounds whoever fills it.

use crate::choices::Choices;
use fabric::discovery::announce::Announce;
use fabric::discovery::{Discovery, Limits};
use fabric::identity::DeviceId;
use machine::{Addr, Duration, Host, Instant};

/// Whatever says so at its beginning counts as signed: no fuzzer finds a signature.
fn verify(_: &[u8; 32], _: &[u8], signature: &[u8; 64]) -> bool {
    signature[0] == 1
}

pub(crate) fn run(data: &[u8], is_planted: bool) {
    let limits = Limits::default();
    let mut discovery = Discovery::new(DeviceId::from_bytes([7; 32]), 7, &limits);
    let (mut choices, mut now) = (Choices(data), Instant::ZERO);
    while !choices.is_over() {
        let (source, wait, length) = (choices.u8(), choices.u8(), choices.u16());
        let bytes = choices.bytes(usize::from(length));
        means_itself(bytes, is_planted);
        now = now + Duration::from_millis(u64::from(wait) * 50);
        discovery.handle_timeout(now);
        let mut host = [0xFD; 16];
        host[15] = source & 0x0F;
        let _ = discovery.observe(now, Addr::new(Host::new(host), 37_020), bytes, verify);
        while discovery.poll().is_some() {}
        let peers = discovery.peers().count();
        assert!(peers <= usize::from(limits.devices_max), "{peers} peers");
        for (device, peer) in discovery.peers() {
            assert!((1..=4).contains(&peer.candidates().len()), "{device} has {} candidates", peer.candidates().len());
        }
        for device in discovery.peers().map(|(device, _)| device).take(4).collect::<Vec<_>>() {
            let _ = discovery.next_dial(now, device);
        }
    }
}

fn means_itself(bytes: &[u8], is_planted: bool) {
    let Ok(announce) = Announce::parse(bytes) else { return };
    let again = match &announce {
        Announce::V1(body) => body.encode(),
        Announce::V2(signed) => signed.encode(),
    };
    let mut again = again.unwrap_or_else(|error| panic!("what was read cannot be written: {error}"));
    // The planted bug: some ports lose the last byte.
    if is_planted && announce.body().port & 0xFF == 0x77 {
        again.pop();
    }
    assert_eq!(again, bytes, "two byte strings mean the same announce");
}
