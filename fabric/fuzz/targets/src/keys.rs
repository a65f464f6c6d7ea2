//! Devices whose keys all grow from one byte, and established sessions of two of them.

use fabric::identity::{DeviceKey, NoiseStatic};
use fabric::session::{Limits, Local, Session};
use fabric::suite::{RealSuite, Suite};
use machine::Instant;
use std::sync::Arc;

/// Room for any record.
pub(crate) const AMPLE: usize = 1 << 17;

pub(crate) fn local(secret: u8) -> Local {
    let noise = NoiseStatic::new([secret; 32], RealSuite.noise_public(&[secret; 32]));
    Local { device: DeviceKey::from_seed(&[secret; 32]), noise, features: 0, suite: Arc::new(RealSuite) }
}

/// A session of `secret` that dials the device of `to`.
pub(crate) fn dial(secret: u8, to: u8) -> Session {
    let (own, other) = (Arc::new(local(secret)), local(to));
    let dialled = Session::dial(
        Instant::ZERO,
        &own,
        other.device.device_id(),
        other.noise.public(),
        [secret; 32],
        &Limits::default(),
    );
    dialled.unwrap_or_else(|error| panic!("keys of our own are no low-order ones: {error}"))
}

/// The other end.
pub(crate) fn accept(secret: u8) -> Session {
    Session::accept(Instant::ZERO, &Arc::new(local(secret)), [secret ^ 0xFF; 32], &Limits::default())
}

/// What the session has to say, with `texts` as the next records once it is established.
pub(crate) fn output(session: &mut Session, texts: &mut dyn Iterator<Item = &[u8]>) -> Vec<u8> {
    let (mut output, mut room) = (Vec::new(), vec![0; AMPLE]);
    loop {
        let count = session.fill(&mut room, &mut |space| {
            let text = texts.next().unwrap_or_default();
            let length = text.len().min(space.len());
            space[..length].copy_from_slice(&text[..length]);
            length
        });
        if count == 0 {
            return output;
        }
        output.extend_from_slice(&room[..count]);
    }
}

/// The phone (device 1) and the hub (device 2), whose session is up on both sides.
pub(crate) fn established() -> (Session, Session) {
    let (mut phone, mut hub) = (dial(1, 2), accept(2));
    carry(&mut phone, &mut hub, b"");
    carry(&mut hub, &mut phone, b"");
    carry(&mut phone, &mut hub, b"");
    carry(&mut hub, &mut phone, b"hello");
    assert!(phone.is_established() && hub.is_established());
    (phone, hub)
}

/// What `from` has to say goes to `to`, with a record of `text` if it can be sent.
fn carry(from: &mut Session, to: &mut Session, text: &[u8]) {
    let said = output(from, &mut [text].into_iter());
    let mut rest = &said[..];
    while to.receive(Instant::ZERO, &mut rest).is_ok_and(|received| received.is_some()) {}
}
