//! The four messages: a commitment, a nonce, the nonce that was committed to, and both people's consent.

use super::PairingNumber;
use crate::suite::Suite;
use crate::wire::Reader;
use alloc::vec::Vec;
use core::fmt;

const COMMIT: u8 = 1;
const NONCE: u8 = 2;
const REVEAL: u8 = 3;
const CONFIRM: u8 = 4;

/// The longest message.
pub const MESSAGE_BYTES_MAX: usize = 1 + 32;

const COMMIT_CONTEXT: &[u8] = b"dsoftbus-lite/1 pair";
const NUMBER_CONTEXT: &[u8] = b"dsoftbus-lite/1 pin";

/// What a peer did wrong; it ends the exchange.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Offence {
    /// A message of unknown kind or wrong length.
    Malformed,
    /// A message that is not due.
    OutOfOrder,
    /// The revealed nonce is not the one that was committed to.
    CommitmentBroken,
}

impl fmt::Display for Offence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Malformed => "a message that is none of pairing",
            Self::OutOfOrder => "a message that was not due",
            Self::CommitmentBroken => "the other side broke its commitment: somebody may be in between",
        })
    }
}

/// What a message leads to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// A message to send.
    Send(Vec<u8>),
    /// The number to show. The initiator has a message to send first.
    Number(PairingNumber, Option<Vec<u8>>),
    /// The peer's person has said yes.
    PeerConfirmed,
}

/// One side of one exchange.
pub struct Exchange {
    handshake_hash: [u8; 32],
    state: State,
}

enum State {
    /// An initiator that has committed to this nonce.
    Committed([u8; 32]),
    /// A responder that has heard nothing; this is its nonce.
    AwaitsCommit([u8; 32]),
    /// A responder that has answered a commitment.
    AwaitsReveal {
        nonce: [u8; 32],
        commitment: [u8; 32],
    },
    /// Both nonces are known.
    Compared {
        number: PairingNumber,
        peer_confirmed: bool,
    },
    Ended,
}

impl Exchange {
    /// The side of the session's initiator, and its first message. `nonce` is fresh and random.
    pub fn initiate(suite: &dyn Suite, handshake_hash: [u8; 32], nonce: [u8; 32]) -> (Self, Vec<u8>) {
        let commitment = hash(suite, &[COMMIT_CONTEXT, &handshake_hash, &nonce]);
        (Self { handshake_hash, state: State::Committed(nonce) }, message(COMMIT, &commitment))
    }

    /// The other side. `nonce` is fresh and random.
    pub const fn respond(handshake_hash: [u8; 32], nonce: [u8; 32]) -> Self {
        Self { handshake_hash, state: State::AwaitsCommit(nonce) }
    }

    /// Takes a whole message of the peer's.
    ///
    /// # Errors
    /// Once: the exchange is over then.
    pub fn receive(&mut self, suite: &dyn Suite, bytes: &[u8]) -> Result<Step, Offence> {
        let (kind, body) = parse(bytes).inspect_err(|_| self.state = State::Ended)?;
        let (state, step) = match (core::mem::replace(&mut self.state, State::Ended), kind) {
            (State::AwaitsCommit(nonce), COMMIT) => {
                (State::AwaitsReveal { nonce, commitment: body }, Step::Send(message(NONCE, &nonce)))
            }
            (State::Committed(nonce), NONCE) => {
                let number = self.number(suite, &nonce, &body);
                let reveal = message(REVEAL, &nonce);
                (State::Compared { number, peer_confirmed: false }, Step::Number(number, Some(reveal)))
            }
            (State::AwaitsReveal { nonce, commitment }, REVEAL) => {
                if hash(suite, &[COMMIT_CONTEXT, &self.handshake_hash, &body]) != commitment {
                    return Err(Offence::CommitmentBroken);
                }
                let number = self.number(suite, &body, &nonce);
                (State::Compared { number, peer_confirmed: false }, Step::Number(number, None))
            }
            (State::Compared { number, peer_confirmed: false }, CONFIRM) => {
                (State::Compared { number, peer_confirmed: true }, Step::PeerConfirmed)
            }
            _ => return Err(Offence::OutOfOrder),
        };
        self.state = state;
        Ok(step)
    }

    /// The number to compare, once it is known.
    pub const fn shown(&self) -> Option<PairingNumber> {
        match self.state {
            State::Compared { number, .. } => Some(number),
            _ => None,
        }
    }

    /// Whether the peer's person has said yes.
    pub const fn is_confirmed_by_peer(&self) -> bool {
        matches!(self.state, State::Compared { peer_confirmed: true, .. })
    }

    /// The message that says this person's yes.
    pub fn confirm() -> Vec<u8> {
        Vec::from([CONFIRM])
    }

    fn number(&self, suite: &dyn Suite, of_initiator: &[u8; 32], of_responder: &[u8; 32]) -> PairingNumber {
        let digest = hash(suite, &[NUMBER_CONTEXT, &self.handshake_hash, of_initiator, of_responder]);
        let first = Reader::new(&digest).u64().unwrap_or_default(); // it has 32 bytes
        PairingNumber((first % 1_000_000) as u32)
    }
}

impl fmt::Debug for Exchange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Exchange").field("shown", &self.shown()).finish_non_exhaustive()
    }
}

fn hash(suite: &dyn Suite, parts: &[&[u8]]) -> [u8; 32] {
    let (mut hash, mut digest) = (suite.hash(), [0; 32]);
    parts.iter().copied().for_each(|part| hash.input(part));
    hash.result(&mut digest);
    digest
}

fn message(kind: u8, body: &[u8; 32]) -> Vec<u8> {
    [&[kind][..], body].concat()
}

/// The kind and the body, which is zeros for a CONFIRM.
fn parse(bytes: &[u8]) -> Result<(u8, [u8; 32]), Offence> {
    match bytes {
        [CONFIRM] => Ok((CONFIRM, [0; 32])),
        [kind @ (COMMIT | NONCE | REVEAL), body @ ..] => {
            body.try_into().map(|body| (*kind, body)).map_err(|_| Offence::Malformed)
        }
        _ => Err(Offence::Malformed),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::suite::RealSuite;
    use alloc::string::{String, ToString};
    use proptest::prelude::*;

    fn hex(bytes: &[u8]) -> String {
        bytes.iter().fold(String::new(), |text, byte| alloc::format!("{text}{byte:02x}"))
    }

    fn sent(step: Result<Step, Offence>) -> Vec<u8> {
        match step {
            Ok(Step::Send(message) | Step::Number(_, Some(message))) => message,
            other => panic!("{other:?}"),
        }
    }

    /// As Python's hashlib computes them: `blake2s(b"dsoftbus-lite/1 pair" + bytes([1]) * 32 + bytes([2]) * 32)`, and the
    /// number of `blake2s(b"dsoftbus-lite/1 pin" + bytes([1]) * 32 + bytes([2]) * 32 + bytes([3]) * 32)`.
    const COMMIT_GOLDEN: &str = "01913d1050f3ce41544364c6cd9de48770b5ff118a699965ee0f7b73f78b5189ef";
    const NUMBER_GOLDEN: &str = "076651";

    #[test]
    fn both_sides_show_the_number_that_the_contract_says() {
        let (mut phone, commit) = Exchange::initiate(&RealSuite, [1; 32], [2; 32]);
        assert_eq!(hex(&commit), COMMIT_GOLDEN);
        let mut hub = Exchange::respond([1; 32], [3; 32]);
        let nonce = sent(hub.receive(&RealSuite, &commit));
        assert_eq!(hex(&nonce), alloc::format!("02{}", "03".repeat(32)));
        let reveal = sent(phone.receive(&RealSuite, &nonce));
        assert_eq!(hex(&reveal), alloc::format!("03{}", "02".repeat(32)));
        assert!(matches!(hub.receive(&RealSuite, &reveal), Ok(Step::Number(_, None))));
        assert_eq!(phone.shown().unwrap().to_string(), NUMBER_GOLDEN);
        assert_eq!(hub.shown(), phone.shown());
        assert!(!hub.is_confirmed_by_peer());
        assert_eq!(hub.receive(&RealSuite, &[4]), Ok(Step::PeerConfirmed));
        assert!(hub.is_confirmed_by_peer());
        assert_eq!(hub.receive(&RealSuite, &[4]), Err(Offence::OutOfOrder), "once");
    }

    #[test]
    fn a_nonce_that_was_not_committed_to_ends_the_exchange() {
        let (_, commit) = Exchange::initiate(&RealSuite, [1; 32], [2; 32]);
        let mut hub = Exchange::respond([1; 32], [3; 32]);
        hub.receive(&RealSuite, &commit).unwrap();
        assert_eq!(hub.receive(&RealSuite, &message(REVEAL, &[9; 32])), Err(Offence::CommitmentBroken));
        assert_eq!((hub.shown(), hub.receive(&RealSuite, &[4])), (None, Err(Offence::OutOfOrder)));
    }

    proptest! {
        #[test]
        fn whatever_comes_no_number_is_shown_without_an_honest_exchange(messages: Vec<Vec<u8>>) {
            let (phone, _) = Exchange::initiate(&RealSuite, [1; 32], [2; 32]);
            for mut side in [phone, Exchange::respond([1; 32], [3; 32])] {
                for message in &messages {
                    let is_message = message.len() == MESSAGE_BYTES_MAX || *message == [4];
                    prop_assert!(is_message || side.receive(&RealSuite, message).is_err());
                }
                prop_assert!(side.shown().is_none());
            }
        }

        #[test]
        fn only_one_order_of_messages_leads_to_a_number(kinds in proptest::collection::vec(1_u8..=4, 0..5)) {
            let mut hub = Exchange::respond([1; 32], [3; 32]);
            for kind in &kinds {
                let reveal = message(REVEAL, &[2; 32]);
                let honest = match *kind {
                    COMMIT => Exchange::initiate(&RealSuite, [1; 32], [2; 32]).1,
                    NONCE => message(NONCE, &[2; 32]),
                    REVEAL => reveal,
                    _ => Exchange::confirm(),
                };
                let _ = hub.receive(&RealSuite, &honest);
            }
            prop_assert_eq!(hub.shown().is_some(), kinds == [1, 3] || kinds == [1, 3, 4]);
        }
    }
}
