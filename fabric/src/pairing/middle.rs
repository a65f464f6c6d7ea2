//! A man in the middle of a pairing. Two of the digits are compared, so that chance shows in thousands of tries rather than
//! in hundreds of millions.

use super::*;
use crate::suite::{RealSuite, Suite};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

const TRIES: u32 = 20_000;

/// What two people compare here.
fn digits(number: Option<PairingNumber>) -> u32 {
    number.expect("both sides got as far as a number").as_u32() % 100
}

fn message(step: Result<Step, Offence>) -> alloc::vec::Vec<u8> {
    match step {
        Ok(Step::Send(message) | Step::Number(_, Some(message))) => message,
        other => panic!("{other:?}"),
    }
}

struct Middle {
    random: ChaCha8Rng,
}

impl Middle {
    fn new() -> Self {
        Self { random: ChaCha8Rng::seed_from_u64(1) }
    }

    fn bytes(&mut self) -> [u8; 32] {
        let mut bytes = [0; 32];
        self.random.fill_bytes(&mut bytes);
        bytes
    }

    /// One exchange with the phone and one with the hub, at best: whether their people see the same.
    fn deceives(&mut self) -> bool {
        let (with_phone, with_hub) = (self.bytes(), self.bytes());
        let (mut phone, commit) = Exchange::initiate(&RealSuite, with_phone, self.bytes());
        let mut hub = Exchange::respond(with_hub, self.bytes());
        // He is the hub to the phone, and the phone to the hub; each of his nonces is fixed before he sees the other's.
        let mut as_hub = Exchange::respond(with_phone, self.bytes());
        let (mut as_phone, own_commit) = Exchange::initiate(&RealSuite, with_hub, self.bytes());
        let nonce = message(hub.receive(&RealSuite, &own_commit));
        let reveal = message(as_phone.receive(&RealSuite, &nonce));
        let own_nonce = message(as_hub.receive(&RealSuite, &commit));
        message(phone.receive(&RealSuite, &own_nonce));
        hub.receive(&RealSuite, &reveal).unwrap();
        digits(phone.shown()) == digits(hub.shown())
    }

    /// The same without a commitment: the phone says its nonce first, and he chooses his by it.
    fn deceives_without_a_commitment(&mut self) -> bool {
        let number = |h: &[u8], of_phone: &[u8], of_hub: &[u8]| {
            let (mut hash, mut digest) = (RealSuite.hash(), [0; 32]);
            for part in [h, of_phone, of_hub] {
                hash.input(part);
            }
            hash.result(&mut digest);
            u32::from(digest[0]) * 256 % 100 + u32::from(digest[1]) % 100
        };
        let (with_phone, with_hub) = (self.bytes(), self.bytes());
        let (of_phone, of_hub) = (self.bytes(), self.bytes());
        let at_hub = number(&with_hub, &self.bytes(), &of_hub);
        (0..10_000).any(|_| number(&with_phone, &of_phone, &self.bytes()) == at_hub)
    }
}

#[test]
fn a_man_in_the_middle_gets_equal_numbers_no_more_often_than_chance() {
    let mut middle = Middle::new();
    let deceived = (0..TRIES).filter(|_| middle.deceives()).count();
    // One in a hundred is 200; the standard deviation is 14.
    assert!((130..270).contains(&deceived), "{deceived} of {TRIES}");
}

#[test]
fn without_the_commitment_he_always_does() {
    let mut middle = Middle::new();
    assert!((0..50).all(|_| middle.deceives_without_a_commitment()));
}

#[test]
fn with_as_many_exchanges_as_he_likes_he_always_does_in_the_end() {
    let mut middle = Middle::new();
    assert!((0..50).all(|_| (0..2_000).any(|_| middle.deceives())));
}
