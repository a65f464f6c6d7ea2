//! The handshake: it proves who is there, and each fault ends it, in the order in which faults are judged.

use crate::support::{AMPLE, End, OtherSuite, Pair, Seen, device, device_with};
use fabric::identity::{DeviceKey, NoisePublic, NoiseStatic};
use fabric::session::{HandshakeError, Limits, Local, Session, SessionError};
use fabric::suite::{RealSuite, Suite};
use machine::{Duration, Instant};
use std::sync::{Arc, Mutex};

#[test]
fn both_sides_learn_who_the_other_is() {
    let mut pair = Pair::new();
    pair.b.send(&[b"ping"]);
    pair.run();
    let (Seen::Established(hub), Seen::Established(phone)) = (&pair.a.seen[0], &pair.b.seen[0]) else {
        panic!("{:?} {:?}", pair.a.seen, pair.b.seen)
    };
    assert_eq!(hub.device, device(2).device.device_id());
    assert_eq!(hub.noise_static, device(2).noise.public());
    assert_eq!(phone.device, device(1).device.device_id());
    assert_eq!(phone.noise_static, device(1).noise.public());
    assert_eq!(hub.handshake_hash, phone.handshake_hash);
    assert_eq!(pair.a.seen[1..], [Seen::Record(b"ping".to_vec())]);
    assert_eq!(pair.b.seen.len(), 1);
}

#[test]
fn a_feature_is_used_when_both_sides_have_it() {
    let with = |secret, features| {
        let Local { device, noise, suite, .. } = Arc::into_inner(device(secret)).unwrap();
        Arc::new(Local { device, noise, features, suite })
    };
    let mut pair = Pair::dialled(&with(1, 0x8000_0003), &with(2, 0x8000_0006), &Limits::default());
    pair.run();
    assert_eq!((pair.a.peer().features, pair.b.peer().features), (0x8000_0002, 0x8000_0002));
}

#[test]
fn the_initiator_is_silent_until_the_first_record_opens() {
    let mut pair = Pair::new();
    pair.a.send(&[b"eager"]);
    pair.run();
    assert!(pair.b.session.is_established());
    assert!(!pair.a.session.is_established(), "it cannot know that its proof was accepted");
    assert_eq!(pair.a.peer().device, device(2).device.device_id());
    assert!(pair.a.session.next_timeout().is_some(), "its deadline still runs");
    assert_eq!((pair.a.seen.len(), pair.b.text()), (0, vec![]));

    pair.b.send(&[b"ping"]);
    pair.run();
    assert!(pair.a.session.is_established());
    assert_eq!(pair.a.session.next_timeout(), None);
    assert_eq!(pair.b.text(), b"eager");
}

#[test]
fn a_wrong_length_ends_the_handshake_before_the_body_is_there() {
    for wrong in [0_u16, 1, 47, 49, 147, 148, 149, 163, 164, 165, 65535] {
        let header = &wrong.to_be_bytes();
        let mut pair = Pair::new();
        pair.b.input(header);
        pair.b.assert_refused(HandshakeError::HandshakeLength);

        if wrong != 148 {
            pair.a.input(header);
            pair.a.assert_refused(HandshakeError::HandshakeLength);
        }
        if wrong != 164 {
            let mut pair = Pair::new();
            pair.b.input(&pair.a.next_message());
            pair.b.input(header);
            pair.b.assert_refused(HandshakeError::HandshakeLength);
        }
    }
}

#[test]
fn a_message_does_not_pass_when_it_is_reflected() {
    let mut pair = Pair::new();
    let (message_1, mut own) = (pair.a.next_message(), End::accepting(&device(1), &Limits::default()));
    pair.a.input(&message_1);
    pair.a.assert_refused(HandshakeError::HandshakeLength);
    own.input(&message_1);
    own.assert_refused(HandshakeError::NoiseFailed);

    pair.b.input(&message_1);
    let message_2 = pair.b.next_message();
    pair.b.input(&message_2);
    pair.b.assert_refused(HandshakeError::HandshakeLength);
}

/// Carries one handshake whose `which`-th message `change` has changed; no session may come of it.
fn with_message(which: usize, change: impl Fn(&mut Vec<u8>)) -> Pair {
    let mut pair = Pair::new();
    pair.b.send(&[b"ping"]);
    for turn in 0..4 {
        let (from, to) = if turn % 2 == 0 { (&mut pair.a, &mut pair.b) } else { (&mut pair.b, &mut pair.a) };
        let mut message = from.next_message();
        if turn == which {
            change(&mut message);
        }
        to.input(&message);
    }
    pair
}

#[test]
fn the_helper_that_changes_messages_is_honest_otherwise() {
    let pair = with_message(0, |_| {});
    assert!(pair.a.session.is_established() && pair.b.session.is_established());
}

#[test]
fn no_session_comes_of_a_handshake_with_any_byte_changed() {
    for (which, length) in [(0, 50), (1, 150), (2, 166)] {
        for at in 0..length {
            for bit in [0x01, 0x80] {
                let mut pair = with_message(which, |message| message[at] ^= bit);
                let error = if at < 2 { HandshakeError::HandshakeLength } else { HandshakeError::NoiseFailed };
                let victim = if which == 1 { &mut pair.a } else { &mut pair.b };
                victim.assert_refused(error);
                let other = if which == 1 { &mut pair.b } else { &mut pair.a };
                assert_eq!(other.seen, [], "message {}, byte {at}", which + 1);
            }
        }
    }
}

#[test]
fn messages_of_another_handshake_do_not_fit() {
    let mut recorded = Pair::new();
    recorded.a = End::of(dial(&device(1), &device(2), [0x77; 32]));
    let message_1 = recorded.a.next_message();
    recorded.b.input(&message_1);
    let message_2 = recorded.b.next_message();
    recorded.a.input(&message_2);
    let message_3 = recorded.a.next_message();

    let mut victim = Pair::new();
    victim.a.input(&message_2);
    victim.a.assert_refused(HandshakeError::NoiseFailed);
    victim.b = End::of(Session::accept(Instant::ZERO, &device(2), [0x78; 32], &Limits::default()));
    victim.b.input(&message_1);
    assert_eq!(victim.b.seen, [], "anybody can repeat message 1");
    victim.b.input(&message_3);
    victim.b.assert_refused(HandshakeError::NoiseFailed);
}

fn dial(from: &Arc<Local>, to: &Local, seed: [u8; 32]) -> Session {
    let limits = Limits::default();
    Session::dial(Instant::ZERO, from, to.device.device_id(), to.noise.public(), seed, &limits).unwrap()
}

/// The two sides, one of which signs what `lie` makes of the text that it should sign.
fn lying(initiator_lies: bool, lie: impl Fn(&mut Vec<u8>) + Send + Sync + 'static) -> Pair {
    let sign = Box::new(move |key: &DeviceKey, text: &[u8]| {
        let mut text = text.to_vec();
        lie(&mut text);
        RealSuite.sign(key, &text)
    });
    let liar = device_with(1, Arc::new(OtherSuite { sign, ..OtherSuite::default() }));
    let (a, b) = if initiator_lies { (liar, device(2)) } else { (device(2), liar) };
    let mut pair = Pair::dialled(&a, &b, &Limits::default());
    pair.run();
    pair
}

/// Asserts that the side that was lied to has refused the proof, and that the liar is none the wiser.
fn assert_lie_is_caught(initiator_lies: bool, lie: impl Fn(&mut Vec<u8>) + Send + Sync + 'static) {
    let mut pair = lying(initiator_lies, lie);
    let (victim, liar) = if initiator_lies { (&mut pair.b, &pair.a) } else { (&mut pair.a, &pair.b) };
    victim.assert_refused(HandshakeError::ProofInvalid);
    assert_eq!(liar.seen, []);
}

#[test]
fn a_proof_covers_every_field() {
    for initiator_lies in [true, false] {
        assert_eq!(lying(initiator_lies, |_| {}).b.seen.len(), 1, "an honest liar gets a session");
        for at in 0..125 {
            assert_lie_is_caught(initiator_lies, move |text| text[at] ^= 1);
        }
        assert_lie_is_caught(initiator_lies, |text| text[24] ^= b'I' ^ b'R');
        assert_lie_is_caught(initiator_lies, |text| text.truncate(124));
        assert_lie_is_caught(initiator_lies, |text| text.push(0));
    }
}

#[test]
fn a_proof_is_of_the_key_that_is_in_it() {
    let sign = Box::new(|_: &DeviceKey, text: &[u8]| RealSuite.sign(&DeviceKey::from_seed(&[9; 32]), text));
    let thief = device_with(1, Arc::new(OtherSuite { sign, ..OtherSuite::default() }));
    let mut pair = Pair::dialled(&thief, &device(2), &Limits::default());
    pair.run();
    pair.b.assert_refused(HandshakeError::ProofInvalid);
}

#[test]
fn a_proof_does_not_serve_a_second_handshake() {
    for initiator_replays in [true, false] {
        let first = Arc::new(Mutex::new(None));
        let sign = Box::new(move |key: &DeviceKey, text: &[u8]| {
            *first.lock().unwrap().get_or_insert_with(|| RealSuite.sign(key, text))
        });
        let replayer = device_with(1, Arc::new(OtherSuite { sign, ..OtherSuite::default() }));
        let run = |seed| {
            let honest = device(2);
            let (a, b) = if initiator_replays { (&replayer, &honest) } else { (&honest, &replayer) };
            let mut pair = Pair::dialled(a, b, &Limits::default());
            pair.a = End::of(dial(a, b, [seed; 32]));
            pair.run();
            pair
        };
        assert!(run(1).b.session.is_established(), "the proof holds where it was made");
        let mut second = run(2);
        let victim = if initiator_replays { &mut second.b } else { &mut second.a };
        victim.assert_refused(HandshakeError::ProofInvalid);
    }
}

#[test]
fn a_device_does_not_connect_to_itself() {
    let mut pair = Pair::dialled(&device(1), &device(1), &Limits::default());
    pair.run();
    pair.a.assert_refused(HandshakeError::SelfConnect);
    assert_eq!(pair.b.seen, []);
}

#[test]
fn a_responder_does_not_accept_itself_either() {
    let me = device(1);
    let mut responder = End::accepting(&me, &Limits::default());
    let mut copy = RawInitiator::dialling(&me.noise);
    responder.input(&copy.message_1());
    let message_2 = responder.next_message();
    responder.input(&copy.message_3(&message_2, &me.device));
    responder.assert_refused(HandshakeError::SelfConnect);
}

#[test]
fn the_raw_initiator_gets_a_session_as_another_device() {
    let mut responder = End::accepting(&device(1), &Limits::default());
    let mut other = RawInitiator::dialling(&device(1).noise);
    responder.input(&other.message_1());
    let message_2 = responder.next_message();
    responder.input(&other.message_3(&message_2, &device(3).device));
    assert_eq!(responder.peer().device, device(3).device.device_id());
}

#[test]
fn the_initiator_gets_the_device_that_it_dialled_or_none() {
    let mut pair = Pair::dialled(&device(1), &device_of(2, 3), &Limits::default());
    pair.b = End::accepting(&device(2), &Limits::default());
    pair.run();
    pair.a.assert_refused(HandshakeError::IdentityMismatch);
    assert_eq!(pair.b.seen, []);
}

#[test]
fn the_wrong_noise_static_is_found_before_any_proof() {
    let mut pair = Pair::dialled(&device(1), &device_of(3, 2), &Limits::default());
    pair.b = End::accepting(&device(2), &Limits::default());
    pair.run();
    pair.b.assert_refused(HandshakeError::NoiseFailed);
}

#[test]
fn of_several_faults_the_first_in_order_is_reported() {
    // The proof is forged, the device is the dialler itself, and not the one that was dialled.
    let sign = Box::new(|_: &DeviceKey, _: &[u8]| [0; 64]);
    let forger = device_with(1, Arc::new(OtherSuite { sign, ..OtherSuite::default() }));
    let mut pair = Pair::dialled(&device(1), &device_of(1, 3), &Limits::default());
    pair.b = End::accepting(&forger, &Limits::default());
    pair.run();
    pair.a.assert_refused(HandshakeError::ProofInvalid);

    // The same with a proof that holds.
    let mut pair = Pair::dialled(&device(1), &device_of(1, 3), &Limits::default());
    pair.b = End::accepting(&device(1), &Limits::default());
    pair.run();
    pair.a.assert_refused(HandshakeError::SelfConnect);
}

/// The keys of low order that bytes can name; either top bit does.
fn low_order_keys() -> impl Iterator<Item = NoisePublic> {
    let mut one = [0; 32];
    one[0] = 1;
    let mut order_minus_one = [0xFF; 32];
    (order_minus_one[0], order_minus_one[31]) = (0xEC, 0x7F);
    let high = |mut key: [u8; 32]| {
        key[31] |= 0x80;
        key
    };
    [[0; 32], one, order_minus_one, high([0; 32]), high(one), high(order_minus_one)]
        .into_iter()
        .map(NoisePublic::from_bytes)
        .inspect(|key| assert!(key.is_low_order()))
}

#[test]
fn ephemerals_of_low_order_are_refused_on_both_sides() {
    for low in low_order_keys() {
        let cheat = || device_with(1, Arc::new(OtherSuite { public: Box::new(move |_| low), ..OtherSuite::default() }));
        let mut pair = Pair::dialled(&cheat(), &device(2), &Limits::default());
        pair.run();
        pair.b.assert_refused(HandshakeError::NoiseFailed);

        let mut pair = Pair::dialled(&device(2), &cheat(), &Limits::default());
        pair.run();
        pair.a.assert_refused(HandshakeError::NoiseFailed);
    }
}

#[test]
fn statics_of_low_order_are_refused_on_both_sides() {
    for low in low_order_keys() {
        let cheat = Arc::new(Local { noise: NoiseStatic::new([7; 32], low), ..parts(1) });
        let mut pair = Pair::dialled(&cheat, &device(2), &Limits::default());
        pair.run();
        pair.b.assert_refused(HandshakeError::NoiseFailed);

        let id = cheat.device.device_id();
        let dialled = Session::dial(Instant::ZERO, &device(2), id, low, [0; 32], &Limits::default());
        assert_eq!(dialled.err(), Some(HandshakeError::NoiseFailed));
    }
}

#[test]
fn the_default_limits_are_those_of_the_wire_contract() {
    let Limits { handshake_timeout, rekey_after } = Limits::default();
    assert_eq!((handshake_timeout, rekey_after.get()), (Duration::from_secs(5), 1 << 20));
}

#[test]
fn a_handshake_that_drips_in_ends_at_its_one_deadline() {
    let mut pair = Pair::new();
    pair.b.input(&pair.a.next_message());
    pair.a.input(&pair.b.next_message());
    let message_3 = pair.a.next_message();
    let deadline = Instant::ZERO + Duration::from_secs(5);
    for (at, byte) in message_3[..165].iter().enumerate() {
        pair.b.now = Instant::ZERO + Duration::from_millis(30 * at as u64);
        pair.b.input(&[*byte]);
        assert_eq!(pair.b.session.next_timeout(), Some(deadline), "bytes do not move it");
        assert_eq!(pair.b.session.handle_timeout(pair.b.now), Ok(()), "a timeout before its time changes nothing");
    }
    pair.b.now = deadline;
    let timed_out = pair.b.session.handle_timeout(deadline);
    assert_eq!(timed_out, Err(SessionError::Handshake(HandshakeError::HandshakeTimeout)));
    pair.b.input(&message_3[165..]);
    assert_eq!(pair.b.seen, [], "the last byte came too late");
}

#[test]
fn bytes_that_come_in_before_the_timeout_is_judged_are_too_late_all_the_same() {
    let mut pair = Pair::new();
    pair.b.now = Instant::ZERO + Duration::from_secs(5);
    pair.b.input(&pair.a.next_message());
    pair.b.assert_refused(HandshakeError::HandshakeTimeout);
}

#[test]
fn an_initiator_that_is_never_answered_times_out() {
    let mut pair = Pair::new();
    pair.run();
    pair.a.now = Instant::ZERO + Duration::from_secs(5);
    pair.a.input(&[]);
    pair.a.assert_refused(HandshakeError::HandshakeTimeout);
}

#[test]
fn an_established_session_has_no_deadline() {
    let mut pair = Pair::established(&Limits::default());
    for end in [&mut pair.a, &mut pair.b] {
        assert_eq!(end.session.next_timeout(), None);
        assert_eq!(end.session.handle_timeout(Instant::ZERO + Duration::MAX), Ok(()));
        assert!(end.session.is_established());
    }
}

#[test]
fn a_responder_tells_who_has_not_even_said_hello() {
    let mut pair = Pair::new();
    assert!(pair.b.session.awaits_message_1() && !pair.a.session.awaits_message_1());
    let message_1 = pair.a.next_message();
    pair.b.input(&message_1[..49]);
    assert!(pair.b.session.awaits_message_1() && !pair.b.session.wants_fill());
    pair.b.input(&message_1[49..]);
    assert!(!pair.b.session.awaits_message_1() && pair.b.session.wants_fill());
}

#[test]
fn equal_seeds_give_equal_handshakes_and_others_do_not() {
    let message_1 = |seed| End::of(dial(&device(1), &device(2), seed)).output(AMPLE);
    assert_eq!(message_1([1; 32]), message_1([1; 32]));
    assert_ne!(message_1([1; 32]), message_1([2; 32]));
}

fn parts(secret: u8) -> Local {
    Arc::into_inner(device(secret)).unwrap()
}

/// A device with the Noise static of one device and the device key of another.
fn device_of(noise: u8, key: u8) -> Arc<Local> {
    Arc::new(Local { noise: parts(noise).noise, ..parts(key) })
}

/// The initiator over plain snow, written from the wire contract: it proves whatever it is told to.
struct RawInitiator(snow::HandshakeState);

impl RawInitiator {
    fn dialling(remote: &NoiseStatic) -> Self {
        let params = "Noise_XK_25519_ChaChaPoly_BLAKE2s".parse().unwrap();
        let builder = snow::Builder::with_resolver(params, Box::new(CountingResolver));
        let builder = builder.prologue(b"dsoftbus-lite/1").unwrap().local_private_key(&[0x55; 32]).unwrap();
        Self(builder.remote_public_key(remote.public().as_bytes()).unwrap().build_initiator().unwrap())
    }

    fn message_1(&mut self) -> Vec<u8> {
        self.write(&[])
    }

    /// Believes what message 2 says, and claims to be the owner of `key`.
    fn message_3(&mut self, message_2: &[u8], key: &DeviceKey) -> Vec<u8> {
        self.0.read_message(&message_2[2..], &mut [0; 100]).unwrap();
        let noise = RealSuite.noise_public(&[0x55; 32]);
        let (verifying_key, features) = (key.verifying_key(), [0; 4]);
        let hash = self.0.get_handshake_hash();
        let text = [b"dsoftbus-lite/1 identity", &b"I"[..], &verifying_key, noise.as_bytes(), &features, hash].concat();
        let signature = RealSuite.sign(key, &text);
        self.write(&[&verifying_key[..], &features, &signature].concat())
    }

    fn write(&mut self, payload: &[u8]) -> Vec<u8> {
        let mut message = [0; 256];
        let length = self.0.write_message(payload, &mut message).unwrap();
        [&(length as u16).to_be_bytes(), &message[..length]].concat()
    }
}

/// snow's own parts, and a random source that it lacks here.
struct CountingResolver;

impl snow::resolvers::CryptoResolver for CountingResolver {
    fn resolve_rng(&self) -> Option<Box<dyn snow::types::Random>> {
        struct Counting;
        impl snow::types::Random for Counting {
            fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), snow::Error> {
                (0..).zip(bytes).for_each(|(count, byte)| *byte = count);
                Ok(())
            }
        }
        Some(Box::new(Counting))
    }

    fn resolve_dh(&self, choice: &snow::params::DHChoice) -> Option<Box<dyn snow::types::Dh>> {
        snow::resolvers::DefaultResolver.resolve_dh(choice)
    }

    fn resolve_hash(&self, choice: &snow::params::HashChoice) -> Option<Box<dyn snow::types::Hash>> {
        snow::resolvers::DefaultResolver.resolve_hash(choice)
    }

    fn resolve_cipher(&self, choice: &snow::params::CipherChoice) -> Option<Box<dyn snow::types::Cipher>> {
        snow::resolvers::DefaultResolver.resolve_cipher(choice)
    }
}
