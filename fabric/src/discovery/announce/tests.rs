//! The codec by golden bytes, minimal faults and random input.

use alloc::format;
use alloc::string::String;

use ed25519_dalek::Signer;
use proptest::prelude::*;

use super::*;
use crate::identity::DeviceKey;

/// RFC 8032, 7.1, test 1.
const SEED: &str = "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60";
const DEVICE: &str = "21fe31dfa154a261626bf854046fd2271b7bed4b6abe45aa58877ef47f9721b9";

// Both vectors were made by another implementation (Python, with OpenSSL's Ed25519).
const V1: &str = "\
    4e58534201403231666533316466613135346132363136323662663835343034366664323237316237626564346236616265\
    34356161353838373765663437663937323162391b6d0102030405060708090a0b0c0d0e0f101112131415161718191a1b1c\
    1d1e1f2002046563686f0566696c6573";
const V2: &str = "\
    4e58534202403231666533316466613135346132363136323662663835343034366664323237316237626564346236616265\
    34356161353838373765663437663937323162391b6d0102030405060708090a0b0c0d0e0f101112131415161718191a1b1c\
    1d1e1f2002046563686f0566696c6573000000000000000500000007001ed75a980182b10ab7d54bfed3c964073a0ee172f3\
    daa62325af021a68f707511a7c295c72f8e338f0ca29ff98c1594fc359e00434452bbd818c011af7077423960adee06f789b\
    63e1bf4fd784b66b828a11a654d163f4a06d8ab60154a41fe40e";

fn unhex(text: &str) -> Vec<u8> {
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap()).collect()
}

fn golden() -> AnnounceV1<'static> {
    AnnounceV1 {
        device_id: DEVICE,
        port: 7021,
        noise_static: NoisePublic::from_bytes(core::array::from_fn(|at| at as u8 + 1)),
        services: Services::new(["echo", "files"]).unwrap(),
    }
}

fn golden_signed() -> AnnounceV2<'static> {
    let key = DeviceKey::from_seed(&unhex(SEED).try_into().unwrap());
    let mut signed = AnnounceV2 {
        body: golden(),
        epoch: 5,
        sequence: 7,
        ttl: 30,
        verifying_key: key.verifying_key(),
        signature: [0; 64],
    };
    signed.signature = key.signing_key().sign(&signed.signed_message().unwrap()).to_bytes();
    signed
}

#[test]
fn version_1_has_these_bytes() {
    assert_eq!(golden().encode().unwrap(), unhex(V1));
    assert_eq!(Announce::parse(&unhex(V1)), Ok(Announce::V1(golden())));
}

#[test]
fn version_2_has_these_bytes_and_this_signature() {
    assert_eq!(golden_signed().encode().unwrap(), unhex(V2));
    let bytes = unhex(V2);
    assert_eq!(Announce::parse(&bytes), Ok(Announce::V2(golden_signed())));
    assert_eq!(signed_message(&bytes), golden_signed().signed_message().unwrap());
}

#[test]
fn services_come_out_as_they_went_in() {
    let bytes = unhex(V1);
    let announce = Announce::parse(&bytes).unwrap();
    assert_eq!(announce.body().services.names().collect::<Vec<_>>(), ["echo", "files"]);
    assert_eq!(format!("{:?}", announce.body().services), r#"["echo", "files"]"#);
}

/// An announce up to a field: `NXSB`, version 1, id `a`, port 1, a Noise static, no service.
fn up_to(field: &str) -> Vec<u8> {
    let whole = [b"NXSB\x01\x01a\x00\x01".as_slice(), &[9; 32], &[0]].concat();
    let end = match field {
        "magic" => 0,
        "version" => 4,
        "device_id" => 5,
        "port" => 7,
        "noise_static" => 9,
        "service_count" => 41,
        "trailing bytes" => 42,
        other => panic!("no field {other}"),
    };
    whole[..end].to_vec()
}

fn refused(start: &str, rest: &[u8]) -> AnnounceError {
    Announce::parse(&[&up_to(start), rest].concat()).unwrap_err()
}

#[test]
fn each_fault_of_version_1_has_its_error() {
    use AnnounceError::{BadMagic, InvalidInput, Truncated, UnsupportedVersion, Utf8};
    let name = |length: u8| [&[length][..], &[b'x'; 65][..usize::from(length)]].concat();
    let cases: [(&str, &[u8], AnnounceError); 24] = [
        ("magic", b"", Truncated),
        ("magic", b"NXS", Truncated),
        ("magic", b"XXX", Truncated),
        ("magic", b"NXSX", BadMagic),
        ("version", b"", Truncated),
        ("version", b"\x00", UnsupportedVersion(0)),
        ("version", b"\x03", UnsupportedVersion(3)),
        ("device_id", b"", Truncated),
        ("device_id", b"\x00", InvalidInput("device_id")),
        ("device_id", b"\x41", InvalidInput("device_id")),
        ("device_id", b"\x02\xff", Truncated),
        ("device_id", b"\x01\xff", Utf8),
        ("port", b"\x00", Truncated),
        ("noise_static", &[9; 31], Truncated),
        ("service_count", b"", Truncated),
        ("service_count", b"\x11", InvalidInput("service_count")),
        ("service_count", b"\x01", Truncated),
        ("service_count", b"\x01\x00", InvalidInput("service")),
        ("service_count", b"\x01\x41", InvalidInput("service")),
        ("service_count", b"\x01\x02\xff", Truncated),
        ("service_count", b"\x01\x01\xff", Utf8),
        ("service_count", &[&[2], &name(64)[..]].concat(), Truncated),
        ("service_count", &[&[1], &name(65)[..]].concat(), InvalidInput("service")),
        ("trailing bytes", b"\x00", InvalidInput("trailing bytes")),
    ];
    for (start, rest, error) in cases {
        assert_eq!(refused(start, rest), error, "{start} {rest:02x?}");
    }
    assert!(Announce::parse(&up_to("trailing bytes")).is_ok(), "and without a fault there is none");
}

#[test]
fn of_two_faults_the_first_field_counts() {
    use AnnounceError::{BadMagic, InvalidInput, UnsupportedVersion};
    assert_eq!(Announce::parse(b"NXSX\x09"), Err(BadMagic));
    assert_eq!(Announce::parse(b"NXSB\x09\x00"), Err(UnsupportedVersion(9)));
    assert_eq!(refused("device_id", b"\x00\x00"), InvalidInput("device_id"));
    assert_eq!(refused("device_id", b"\xff\xff"), InvalidInput("device_id"), "the bound before the missing bytes");
    assert_eq!(Announce::parse(&[b'X'; 1201]), Err(InvalidInput("length")), "the length of all before the magic");
}

#[test]
fn every_cut_of_an_announce_is_truncated() {
    for whole in [unhex(V1), unhex(V2)] {
        for end in 0..whole.len() {
            assert_eq!(Announce::parse(&whole[..end]), Err(AnnounceError::Truncated), "{end}");
        }
        let longer = [&whole[..], &[0]].concat();
        assert_eq!(Announce::parse(&longer), Err(AnnounceError::InvalidInput("trailing bytes")));
    }
}

#[test]
fn the_longest_of_each_version_fit_a_datagram() {
    let longest = |count: usize| {
        let names: Vec<String> = (0..count).map(|at| format!("{at:064}")).collect();
        AnnounceV1 { services: Services::new(names.iter().map(String::as_str)).unwrap(), ..golden() }
    };
    assert_eq!(longest(16).encode().unwrap().len(), 1145);
    let signed = AnnounceV2 { body: longest(15), ..golden_signed() }.encode().unwrap();
    assert_eq!(signed.len(), 1190);
    assert!(Announce::parse(&signed).is_ok());
    let too_many = AnnounceV2 { body: longest(16), ..golden_signed() };
    assert_eq!(too_many.encode(), Err(AnnounceError::InvalidInput("service_count")));
    let mut bytes = AnnounceV1 { services: Services::new(["x"; 16]).unwrap(), ..golden() }.encode().unwrap();
    bytes[4] = 2;
    assert_eq!(Announce::parse(&bytes), Err(AnnounceError::InvalidInput("service_count")));
}

#[test]
fn what_would_not_parse_is_not_encoded() {
    use AnnounceError::InvalidInput;
    let long = "x".repeat(65);
    for device_id in ["", &long] {
        assert_eq!(AnnounceV1 { device_id, ..golden() }.encode(), Err(InvalidInput("device_id")));
    }
    assert_eq!(Services::new([""]), Err(InvalidInput("service")));
    assert_eq!(Services::new([long.as_str()]), Err(InvalidInput("service")));
    assert_eq!(Services::new(["x"; 17]), Err(InvalidInput("service_count")));
    assert!(Services::new(["x"; 16]).is_ok());
}

/// The promise of the codec for any bytes at all.
fn check(bytes: &[u8]) {
    let Ok(announce) = Announce::parse(bytes) else { return };
    assert!(bytes.len() <= ANNOUNCE_BYTES_MAX);
    let body = announce.body();
    assert!((1..=NAME_BYTES_MAX).contains(&body.device_id.len()));
    assert_eq!(body.services.names().count(), usize::from(body.services.count()));
    assert!(body.services.count() <= SERVICES_MAX);
    let again = match &announce {
        Announce::V1(body) => body.encode(),
        Announce::V2(signed) => signed.encode(),
    };
    assert_eq!(again.as_deref(), Ok(bytes), "canonical");
}

proptest! {
    #[test]
    fn any_bytes_parse_or_are_refused(bytes in proptest::collection::vec(any::<u8>(), 0..1300)) {
        check(&bytes);
        check(&[&up_to("version"), &bytes[..]].concat());
        check(&[&up_to("service_count"), &bytes[..]].concat());
    }

    #[test]
    fn a_changed_announce_parses_canonically_or_is_refused(
        is_signed: bool, at: prop::sample::Index, value: u8, cut in 0_usize..3,
    ) {
        let mut bytes = unhex(if is_signed { V2 } else { V1 });
        let at = at.index(bytes.len());
        bytes[at] = value;
        bytes.truncate(bytes.len() - cut);
        check(&bytes);
    }

    #[test]
    fn any_announce_survives_the_wire(
        device_id in "\\PC{1,16}", port: u16, key: [u8; 32], names in proptest::collection::vec("\\PC{1,16}", 0..=15),
        (epoch, sequence, ttl) in any::<(u64, u32, u16)>(),
    ) {
        let services = Services::new(names.iter().map(String::as_str)).unwrap();
        let body = AnnounceV1 { device_id: &device_id, port, noise_static: NoisePublic::from_bytes(key), services };
        let bytes = body.encode().unwrap();
        prop_assert_eq!(Announce::parse(&bytes), Ok(Announce::V1(body.clone())));
        let signed = AnnounceV2 { body, epoch, sequence, ttl, verifying_key: key, signature: [7; 64] };
        let bytes = signed.encode().unwrap();
        prop_assert_eq!(Announce::parse(&bytes), Ok(Announce::V2(signed)));
    }
}
