//! The public test vector of `Noise_XK_25519_ChaChaPoly_BLAKE2s`, from cacophony's `vectors/cacophony.txt` (as in snow's
//! `tests/vectors/`), through the parts that snow is given here, and our own records.

use super::*;
use crate::identity::{DeviceKey, NoiseStatic};
use crate::session::record::CipherState;
use crate::suite::RealSuite;
use core::num::NonZeroU64;

const PROLOGUE: &str = "4a6f686e2047616c74";
const INITIATOR_STATIC: &str = "e61ef9919cde45dd5f82166404bd08e38bceb5dfdfded0a34c8df7ed542214d1";
const INITIATOR_EPHEMERAL: &str = "893e28b9dc6ca8d611ab664754b8ceb7bac5117349a4439a6b0569da977c464a";
const RESPONDER_STATIC: &str = "4a3acbfdb163dec651dfa3194dece676d437029c62a408b4c5ea9114246e4893";
const RESPONDER_PUBLIC: &str = "31e0303fd6418d2f8c0e78b91f22e8caed0fbe48656dcf4767e4834f701b8f62";
const RESPONDER_EPHEMERAL: &str = "bbdb4cdbd309f1a1f2e1456967fe288cadd6f712d65dc7b7793d5e63da6b375b";
const HANDSHAKE_HASH: &str = "899891a0f1a8db67f8bfa46b8bced371c1c25de377f20cf882fdd06fc15517fd";

/// Payload and message, by turns from the initiator and the responder; the fourth is the first that is a record.
const MESSAGES: [(&str, &str); 6] = [
    (
        "4c756477696720766f6e204d69736573",
        "ca35def5ae56cec33dc2036731ab14896bc4c75dbb07a61f879f8e3afa4c7944e953bb4cd3450eecab157a8ce632f74fcac39a3fcd5be082\
         67d5923ca353d4f0",
    ),
    (
        "4d757272617920526f746862617264",
        "95ebc60d2b1fa672c1f46a8aa265ef51bfe38e7ccb39ec5be34069f14480884382521c3ea09af48bfa39627819b007e7c0e179dad4a9a748\
         2841bae32ec8eb",
    ),
    (
        "462e20412e20486179656b",
        "f032de86c8d3c2099478fefb9b2e6a1fef904d3b2470949858ae9f497ff068dbb6ff7cb43fa51946bcd8a87863849aa7f0e663cd83961c75\
         2ce3be41384de8a849e4d130d9a2d717a5c7e8",
    ),
    ("4361726c204d656e676572", "cb54ca2168a55a150760c409e2157b9e57ceab823d897bff36eeab"),
    ("4a65616e2d426170746973746520536179", "948e26c8a5348aec2711343de8e7c8faa7cae4b6bf51e9026eab234ed4f3e8e8fc"),
    (
        "457567656e2042f6686d20766f6e2042617765726b",
        "dbf0cedc457d87e0eaa4629b7167a7e552ac5197d5436a20a1b5ba001ca21116e22669773c",
    ),
];

fn bytes(hex: &str) -> Vec<u8> {
    hex.as_bytes().chunks(2).map(|pair| u8::from_str_radix(str::from_utf8(pair).unwrap(), 16).unwrap()).collect()
}

fn key(hex: &str) -> [u8; 32] {
    bytes(hex).try_into().unwrap()
}

fn local(secret: &str) -> Arc<Local> {
    let noise = NoiseStatic::new(key(secret), RealSuite.noise_public(&key(secret)));
    Arc::new(Local { device: DeviceKey::from_seed(&[0; 32]), noise, features: 0, suite: Arc::new(RealSuite) })
}

fn side(secret: &str, ephemeral: &str, remote: Option<&str>) -> Noise {
    let (local, prologue, ephemeral) = (local(secret), bytes(PROLOGUE), key(ephemeral));
    let parts = Parts { local: Arc::clone(&local), seed: Seed::default() };
    let builder = Builder::with_resolver(PROTOCOL.parse().unwrap(), Box::new(parts)).prologue(&prologue).unwrap();
    let builder = builder.fixed_ephemeral_key_for_testing_only(&ephemeral);
    let builder = builder.local_private_key(local.noise.secret()).unwrap();
    Noise(Box::new(match remote {
        Some(remote) => builder.remote_public_key(&key(remote)).unwrap().build_initiator().unwrap(),
        None => builder.build_responder().unwrap(),
    }))
}

/// Writes `payload` on one side, reads it on the other, and compares both with the vector.
fn exchange<const N: usize>(from: &mut Noise, to: &mut Noise, (payload, message): (&str, &str)) {
    let (payload, message) = (bytes(payload), bytes(message));
    assert_eq!(from.write(&payload, message.len()).unwrap(), message);
    assert_eq!(to.read::<N>(&message).unwrap()[..], payload);
}

fn assert_sealed(state: &mut CipherState, (payload, message): (&str, &str)) {
    let (payload, mut room) = (bytes(payload), [0; 64]);
    let count = state.seal(&mut room, &mut |space| {
        space[..payload.len()].copy_from_slice(&payload);
        payload.len()
    });
    assert_eq!(room[2..count], bytes(message));
}

#[test]
fn the_public_vector_holds() {
    let mut initiator = side(INITIATOR_STATIC, INITIATOR_EPHEMERAL, Some(RESPONDER_PUBLIC));
    let mut responder = side(RESPONDER_STATIC, RESPONDER_EPHEMERAL, None);
    exchange::<16>(&mut initiator, &mut responder, MESSAGES[0]);
    exchange::<15>(&mut responder, &mut initiator, MESSAGES[1]);
    exchange::<11>(&mut initiator, &mut responder, MESSAGES[2]);
    assert_eq!(initiator.hash(), key(HANDSHAKE_HASH));
    assert_eq!(responder.hash(), key(HANDSHAKE_HASH));
    assert_eq!(responder.remote_static(), RealSuite.noise_public(&key(INITIATOR_STATIC)));

    let (keys, same) = (initiator.split(), responder.split());
    assert_eq!((*keys.from_initiator, *keys.from_responder), (*same.from_initiator, *same.from_responder));
    let direction = |key| CipherState::new(Arc::new(RealSuite), key, NonZeroU64::MAX);
    let mut from_responder = direction(&keys.from_responder);
    let mut from_initiator = direction(&keys.from_initiator);
    assert_sealed(&mut from_responder, MESSAGES[3]);
    assert_sealed(&mut from_initiator, MESSAGES[4]);
    assert_sealed(&mut from_responder, MESSAGES[5]);
}

#[test]
fn the_static_key_is_not_derived_again() {
    let local = local(INITIATOR_STATIC);
    let other = NoisePublic::from_bytes([9; 32]);
    let odd =
        Arc::new(Local { noise: NoiseStatic::new(key(INITIATOR_STATIC), other), ..Arc::into_inner(local).unwrap() });
    let parts = Parts { local: odd, seed: Seed::default() };
    let mut pair = parts.resolve_dh(&DHChoice::Curve25519).unwrap();
    pair.set(&key(INITIATOR_STATIC));
    assert_eq!(pair.pubkey(), other.as_bytes(), "taken as it was given");
    pair.set(&key(RESPONDER_STATIC));
    assert_eq!(pair.pubkey(), bytes(RESPONDER_PUBLIC));
}
