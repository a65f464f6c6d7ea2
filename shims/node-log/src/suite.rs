//! The node's cryptography while it is recorded, and while it is replayed.

use crate::line::Line;
use crate::log::Log;
use crate::text::{Hex, Text};
use fabric::identity::{DeviceKey, NoisePublic};
use fabric::suite::{Cipher, Hash, RealSuite, Suite};
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use zeroize::Zeroizing;

/// One value for the node's calls and its suite's, which the node owns.
pub(crate) struct Shared<T>(Arc<Mutex<T>>);

impl<T> Shared<T> {
    pub(crate) fn new(value: T) -> Self {
        Self(Arc::new(Mutex::new(value)))
    }

    /// A panic of another holder leaves a log that ends there.
    pub(crate) fn lock(&self) -> MutexGuard<'_, T> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T> Clone for Shared<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

/// The real suite, every answer of which that a secret has gone into is written down.
pub(crate) struct Recording {
    pub(crate) log: Shared<Log>,
    /// The device's own, used as it is.
    pub(crate) noise_secret: Zeroizing<[u8; 32]>,
    /// What every other secret is mixed with: those are drawn from the seed, which is in the log.
    pub(crate) mixed_with: Zeroizing<[u8; 32]>,
}

impl Recording {
    fn real_secret(&self, secret: &[u8; 32]) -> Zeroizing<[u8; 32]> {
        if secret == &*self.noise_secret {
            return self.noise_secret.clone();
        }
        let mut hash = RealSuite.hash();
        hash.input(&self.mixed_with[..]);
        hash.input(secret);
        let mut mixed = Zeroizing::new([0; 32]);
        hash.result(&mut mixed[..]);
        mixed
    }
}

impl Suite for Recording {
    fn noise_public(&self, secret: &[u8; 32]) -> NoisePublic {
        let public = RealSuite.noise_public(&self.real_secret(secret));
        self.log.lock().write(&Line::NoisePublic { is: Text(public) });
        public
    }

    fn diffie_hellman(&self, secret: &[u8; 32], public: &NoisePublic) -> [u8; 32] {
        let shared = RealSuite.diffie_hellman(&self.real_secret(secret), public);
        self.log.lock().write(&Line::DiffieHellman { is: Hex::of(&shared) });
        shared
    }

    fn cipher(&self, key: &[u8; 32]) -> Box<dyn Cipher> {
        RealSuite.cipher(key)
    }

    fn hash(&self) -> Box<dyn Hash> {
        RealSuite.hash()
    }

    fn sign(&self, key: &DeviceKey, message: &[u8]) -> [u8; 64] {
        let signature = RealSuite.sign(key, message);
        self.log.lock().write(&Line::Sign { is: Hex::of(&signature) });
        signature
    }

    fn verify(&self, verifying_key: &[u8; 32], message: &[u8], signature: &[u8; 64]) -> bool {
        RealSuite.verify(verifying_key, message, signature)
    }
}

/// The answers of a log, in the order in which they were given.
#[derive(Debug, Default)]
pub(crate) struct Answers {
    pub(crate) waiting: VecDeque<Line>,
    /// Another question was asked than when the log was written.
    pub(crate) are_wrong: bool,
    /// A question was asked, and no answer was left.
    pub(crate) have_run_out: bool,
}

/// Has no secrets: asks the log.
pub(crate) struct Replaying(pub(crate) Shared<Answers>);

impl Replaying {
    fn answer<T: Default>(&self, take: impl FnOnce(Line) -> Option<T>) -> T {
        let mut answers = self.0.lock();
        let line = answers.waiting.pop_front();
        answers.have_run_out |= line.is_none();
        let answer = line.and_then(take);
        answers.are_wrong |= answer.is_none();
        answer.unwrap_or_default()
    }
}

impl Suite for Replaying {
    fn noise_public(&self, _: &[u8; 32]) -> NoisePublic {
        let answer = self.answer(|line| match line {
            Line::NoisePublic { is } => Some(*is.0.as_bytes()),
            _ => None,
        });
        NoisePublic::from_bytes(answer)
    }

    fn diffie_hellman(&self, _: &[u8; 32], _: &NoisePublic) -> [u8; 32] {
        self.answer(|line| match line {
            Line::DiffieHellman { is } => is.array(),
            _ => None,
        })
    }

    fn cipher(&self, key: &[u8; 32]) -> Box<dyn Cipher> {
        RealSuite.cipher(key)
    }

    fn hash(&self) -> Box<dyn Hash> {
        RealSuite.hash()
    }

    fn sign(&self, _: &DeviceKey, _: &[u8]) -> [u8; 64] {
        let answer = self.answer(|line| match line {
            Line::Sign { is } => <[u8; 64]>::try_from(&is.0[..]).ok().map(Some),
            _ => None,
        });
        answer.unwrap_or([0; 64])
    }

    fn verify(&self, verifying_key: &[u8; 32], message: &[u8], signature: &[u8; 64]) -> bool {
        RealSuite.verify(verifying_key, message, signature)
    }
}
