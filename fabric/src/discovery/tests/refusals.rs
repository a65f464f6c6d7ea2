//! What is refused, and that each reason is counted as itself and changes nothing.

use super::*;
use crate::discovery::announce::AnnounceError;

/// A fresh node hears some bytes: the refusal, and the one counter that rose.
fn refused(bytes: &[u8]) -> (Refusal, Counters) {
    let mut node = Node::new(&Limits::default());
    let refusal = node.hears_bytes(1, bytes).unwrap_err();
    assert_eq!((node.devices(), node.events().len(), node.discovery.next_timeout()), (0, 0, None));
    (refusal, *node.discovery.counters())
}

#[test]
fn bytes_that_are_no_announce_are_counted_by_their_fault() {
    let cases: [(&[u8], AnnounceError, Counters); 5] = [
        (b"", AnnounceError::Truncated, Counters { truncated: 1, ..Counters::default() }),
        (b"NXSX", AnnounceError::BadMagic, Counters { bad_magic: 1, ..Counters::default() }),
        (b"NXSB\x03", AnnounceError::UnsupportedVersion(3), Counters { unsupported_version: 1, ..Counters::default() }),
        (&[0; 1201], AnnounceError::InvalidInput("length"), Counters { invalid_input: 1, ..Counters::default() }),
        (b"NXSB\x01\x01\xff", AnnounceError::Utf8, Counters { utf8: 1, ..Counters::default() }),
    ];
    for (bytes, error, counters) in cases {
        assert_eq!(refused(bytes), (Refusal::Malformed(error), counters));
    }
}

#[test]
fn claims_that_make_no_sense_are_counted_by_their_fault() {
    let named = |device_id: &str| Claimed { device_id: device_id.to_string(), ..claim(1) };
    let none = Counters::default;
    let cases = [
        (named("hub"), Refusal::DeviceIdFormat, Counters { device_id_format: 1, ..none() }),
        (named(&id(1).to_string().to_uppercase()), Refusal::DeviceIdFormat, Counters { device_id_format: 1, ..none() }),
        (named(&own().to_string()), Refusal::OwnDevice, Counters { own_device: 1, ..none() }),
        (claim(1).at_port(0), Refusal::PortZero, Counters { port_zero: 1, ..none() }),
        (claim(1).with_static(0), Refusal::LowOrderStatic, Counters { low_order_static: 1, ..none() }),
        (claim(1).serving(["a", "b", "a"]), Refusal::DuplicateService, Counters { duplicate_service: 1, ..none() }),
        (claim(1).serving(["a\u{7}"]), Refusal::ControlCharacter, Counters { control_character: 1, ..none() }),
        (claim(1).serving(["\u{85}"]), Refusal::ControlCharacter, Counters { control_character: 1, ..none() }),
    ];
    for (claim, refusal, counters) in cases {
        assert_eq!(refused(&claim.bytes()), (refusal, counters));
    }
}

#[test]
fn of_two_senseless_claims_the_first_field_counts() {
    let own = Claimed { device_id: own().to_string(), ..claim(1) };
    assert_eq!(refused(&own.at_port(0).bytes()).0, Refusal::OwnDevice);
    assert_eq!(refused(&claim(1).at_port(0).with_static(0).bytes()).0, Refusal::PortZero);
    assert_eq!(refused(&claim(1).with_static(0).serving(["a", "a"]).bytes()).0, Refusal::LowOrderStatic);
}

#[test]
fn signatures_are_checked_key_first() {
    let mut forged = claim(1).signed(1, 1, 1, 30);
    *forged.last_mut().unwrap() ^= 1;
    let counters = Counters { signature_invalid: 1, ..Counters::default() };
    assert_eq!(refused(&forged), (Refusal::SignatureInvalid, counters));
    let counters = Counters { key_mismatch: 1, ..Counters::default() };
    assert_eq!(refused(&claim(1).signed(2, 1, 1, 30)), (Refusal::KeyMismatch, counters));
}

#[test]
fn no_byte_of_a_signed_announce_can_be_changed() {
    let whole = claim(1).signed(1, 1, 1, 30);
    for at in 0..whole.len() {
        let mut changed = whole.clone();
        changed[at] ^= 1;
        refused(&changed);
    }
    assert_eq!(Node::new(&Limits::default()).hears_bytes(1, &whole), Ok(()));
}

#[test]
fn what_is_taken_in_is_counted_too() {
    let mut node = Node::new(&Limits::default());
    node.hears(1, 1).unwrap();
    node.hears(1, 1).unwrap();
    assert_eq!(*node.discovery.counters(), Counters { accepted: 2, ..Counters::default() });
}
