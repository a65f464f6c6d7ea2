//! A suite that checks a signature once, though many nodes ask: an announce reaches everybody on its network, and whether its
//! signature is one does not depend on who asks. Real nodes check it each; what they conclude is the same.

use fabric::identity::{DeviceKey, NoisePublic};
use fabric::suite::{Cipher, Hash, Suite};
use std::sync::{Arc, Mutex, PoisonError};

/// Places for each node: all may announce at once, and few of them are to share a place.
const PLACES_PER_NODE: usize = 16;
/// As many places as two bytes tell apart.
const PLACES_MAX: usize = 1 << 16;

/// `inner`, with its last answers about signatures.
pub(crate) struct Remembering {
    inner: Arc<dyn Suite>,
    /// Each question has one place, by its signature's first bytes; a later one with the same place takes it.
    answers: Mutex<Vec<Option<Box<Answer>>>>,
}

/// A question, whole, and what came of it.
struct Answer {
    verifying_key: [u8; 32],
    signature: [u8; 64],
    message: Vec<u8>,
    is_valid: bool,
}

impl Remembering {
    /// For a run of so many nodes.
    pub(crate) fn new(inner: Arc<dyn Suite>, nodes: usize) -> Self {
        let places = nodes.saturating_mul(PLACES_PER_NODE).clamp(1, PLACES_MAX).next_power_of_two();
        Self { inner, answers: Mutex::new((0..places).map(|_| None).collect()) }
    }
}

impl Answer {
    fn is_about(&self, verifying_key: &[u8; 32], message: &[u8], signature: &[u8; 64]) -> bool {
        self.signature == *signature && self.verifying_key == *verifying_key && self.message == message
    }
}

impl Suite for Remembering {
    fn noise_public(&self, secret: &[u8; 32]) -> NoisePublic {
        self.inner.noise_public(secret)
    }

    fn diffie_hellman(&self, secret: &[u8; 32], public: &NoisePublic) -> [u8; 32] {
        self.inner.diffie_hellman(secret, public)
    }

    fn cipher(&self, key: &[u8; 32]) -> Box<dyn Cipher> {
        self.inner.cipher(key)
    }

    fn hash(&self) -> Box<dyn Hash> {
        self.inner.hash()
    }

    fn sign(&self, key: &DeviceKey, message: &[u8]) -> [u8; 64] {
        self.inner.sign(key, message)
    }

    fn verify(&self, verifying_key: &[u8; 32], message: &[u8], signature: &[u8; 64]) -> bool {
        // Answers stay true whatever panicked while they were held.
        let mut answers = self.answers.lock().unwrap_or_else(PoisonError::into_inner);
        let place = usize::from(u16::from_le_bytes([signature[0], signature[1]])) & (answers.len() - 1);
        if let Some(known) = answers[place].as_ref().filter(|known| known.is_about(verifying_key, message, signature)) {
            return known.is_valid;
        }
        let is_valid = self.inner.verify(verifying_key, message, signature);
        let (verifying_key, signature, message) = (*verifying_key, *signature, message.to_vec());
        answers[place] = Some(Box::new(Answer { verifying_key, signature, message, is_valid }));
        is_valid
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use fabric::suite::RealSuite;

    /// Counts how often it is asked.
    struct Asked(Mutex<u32>);

    impl Suite for Asked {
        fn noise_public(&self, secret: &[u8; 32]) -> NoisePublic {
            RealSuite.noise_public(secret)
        }
        fn diffie_hellman(&self, secret: &[u8; 32], public: &NoisePublic) -> [u8; 32] {
            RealSuite.diffie_hellman(secret, public)
        }
        fn cipher(&self, key: &[u8; 32]) -> Box<dyn Cipher> {
            RealSuite.cipher(key)
        }
        fn hash(&self) -> Box<dyn Hash> {
            RealSuite.hash()
        }
        fn sign(&self, key: &DeviceKey, message: &[u8]) -> [u8; 64] {
            RealSuite.sign(key, message)
        }
        fn verify(&self, verifying_key: &[u8; 32], message: &[u8], signature: &[u8; 64]) -> bool {
            *self.0.lock().unwrap() += 1;
            RealSuite.verify(verifying_key, message, signature)
        }
    }

    fn asked() -> (Arc<Asked>, Remembering) {
        let asked = Arc::new(Asked(Mutex::new(0)));
        let suite = Remembering::new(Arc::clone(&asked) as Arc<dyn Suite>, 1_000);
        (asked, suite)
    }

    #[test]
    fn of_many_who_ask_the_same_only_the_first_has_to_look() {
        let (asked, suite) = asked();
        let key = DeviceKey::from_seed(&[1; 32]);
        let signature = suite.sign(&key, b"here");
        assert!((0..50).all(|_| suite.verify(&key.verifying_key(), b"here", &signature)));
        assert!((0..50).all(|_| !suite.verify(&key.verifying_key(), b"gone", &signature)));
        assert_eq!(*asked.0.lock().unwrap(), 2);
    }

    #[test]
    fn an_answer_is_given_for_the_same_question_only() {
        let (_, suite) = asked();
        let (key, other) = (DeviceKey::from_seed(&[1; 32]), DeviceKey::from_seed(&[2; 32]));
        let signature = suite.sign(&key, b"here");
        // The first two bytes choose the place: this one has the same.
        let mut forged = signature;
        forged[63] ^= 1;
        for _ in 0..2 {
            assert!(suite.verify(&key.verifying_key(), b"here", &signature));
            assert!(!suite.verify(&key.verifying_key(), b"here", &forged));
            assert!(!suite.verify(&key.verifying_key(), b"gone", &signature));
            assert!(!suite.verify(&other.verifying_key(), b"here", &signature));
        }
    }
}
