//! The formats are total, canonical and fixed to the byte.

use proptest::prelude::*;
use toys::echo::Ping;
use toys::stop_wait::{Ack, Data};
use toys::wire;

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |text, byte| format!("{text}{byte:02x}"))
}

#[test]
fn golden_vectors() {
    let data = Data { flow: 7, session: 2, index: 3, message: b"hi" };
    assert_eq!(hex(&data.encode()), "01000000070000000000000002000000036869ffb5e5d6f8cce2a9");
    let ack = Ack { flow: 7, session: 2, receiver: 1, next: 4 };
    assert_eq!(hex(&ack.encode()), "0200000007000000000000000200000000000000010000000470307e71d67613e5");
    let ping = Ping { incarnation: 2, number: 9 };
    assert_eq!(hex(&ping.encode()), "0100000000000000020000000906028c7a110f787d");
    assert_eq!(hex(&ping.encode_pong(300)), "02000000000000000200000009000000000000012c93b3f070b2705179");
}

proptest! {
    #[test]
    fn any_bytes_with_a_right_checksum_parse_canonically_or_not_at_all(mut bytes in prop::collection::vec(any::<u8>(), 0..64)) {
        if let Some(kind) = bytes.first_mut() {
            *kind %= 4; // or hardly any would be of a known kind
        }
        wire::seal(&mut bytes);
        if let Some(data) = Data::parse(&bytes) {
            prop_assert_eq!(data.encode(), bytes.clone());
        }
        if let Some(ack) = Ack::parse(&bytes) {
            prop_assert_eq!(ack.encode(), bytes.clone());
        }
        if let Some(ping) = Ping::parse(&bytes) {
            prop_assert_eq!(ping.encode(), bytes.clone());
        }
        if let Some((ping, counter)) = Ping::parse_pong(&bytes) {
            prop_assert_eq!(ping.encode_pong(counter), bytes);
        }
    }

    #[test]
    fn what_is_encoded_parses_back(flow: u32, session: u64, index in 0..u32::MAX, receiver: u64, message: Vec<u8>) {
        let data = Data { flow, session, index, message: &message };
        let encoded = data.encode();
        prop_assert_eq!(Data::parse(&encoded), Some(data));
        let ack = Ack { flow, session, receiver, next: index };
        prop_assert_eq!(Ack::parse(&ack.encode()), Some(ack));
        let ping = Ping { incarnation: session, number: index };
        prop_assert_eq!(Ping::parse(&ping.encode()), Some(ping));
        prop_assert_eq!(Ping::parse_pong(&ping.encode_pong(receiver)), Some((ping, receiver)));
    }

    #[test]
    fn one_changed_byte_is_found(bytes: Vec<u8>, at: prop::sample::Index, change in 1..=255_u8) {
        let mut sealed = bytes;
        wire::seal(&mut sealed);
        let at = at.index(sealed.len());
        sealed[at] ^= change;
        prop_assert_eq!(wire::open(&sealed), None);
    }
}
