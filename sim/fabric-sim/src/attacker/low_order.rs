//! Handshakes with a key of low order, with which everybody knows the shared secret: it is all zeros (RFC 7748, 6.1).
//!
//! Who makes such handshakes uses the core's own, which refuses that secret. So the core is told another, a mark, and the
//! hash takes zeros where it is given the mark.

use fabric::identity::{DeviceKey, NoisePublic, NoiseStatic};
use fabric::session::Local;
use fabric::suite::{Cipher, Hash, Suite};
use scenario_actor::Part;
use std::sync::Arc;

/// A point of order 1.
const POINT: [u8; 32] = [0; 32];
/// Stands for the shared secret of that point and any other.
const MARK: [u8; 32] = *b"the secret that everybody knows!";

/// Which of the dialler's keys is of low order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Weak {
    Ephemeral,
    Static,
}

impl Weak {
    pub(super) const ALL: [Self; 2] = [Self::Ephemeral, Self::Static];
}

/// See the module.
pub(super) struct WeakSuite {
    inner: Arc<dyn Suite>,
    weak: Weak,
    static_secret: [u8; 32],
}

impl WeakSuite {
    /// The device of `part`, with one key of low order.
    pub(super) fn local(weak: Weak, part: &Part, inner: &Arc<dyn Suite>) -> Local {
        let secret = part.noise_secret.0;
        let public = match weak {
            Weak::Ephemeral => inner.noise_public(&secret),
            Weak::Static => NoisePublic::from_bytes(POINT),
        };
        let suite = Self { inner: Arc::clone(inner), weak, static_secret: secret };
        Local {
            device: DeviceKey::from_seed(&part.device_seed.0),
            noise: NoiseStatic::new(secret, public),
            features: 0,
            suite: Arc::new(suite),
        }
    }

    fn is_weak(&self, secret: &[u8; 32]) -> bool {
        (self.weak == Weak::Static) == (*secret == self.static_secret)
    }
}

impl Suite for WeakSuite {
    fn noise_public(&self, secret: &[u8; 32]) -> NoisePublic {
        if self.is_weak(secret) { NoisePublic::from_bytes(POINT) } else { self.inner.noise_public(secret) }
    }

    fn diffie_hellman(&self, secret: &[u8; 32], public: &NoisePublic) -> [u8; 32] {
        if self.is_weak(secret) { MARK } else { self.inner.diffie_hellman(secret, public) }
    }

    fn cipher(&self, key: &[u8; 32]) -> Box<dyn Cipher> {
        self.inner.cipher(key)
    }

    fn hash(&self) -> Box<dyn Hash> {
        Box::new(WeakHash(self.inner.hash()))
    }

    fn sign(&self, key: &DeviceKey, message: &[u8]) -> [u8; 64] {
        self.inner.sign(key, message)
    }

    fn verify(&self, verifying_key: &[u8; 32], message: &[u8], signature: &[u8; 64]) -> bool {
        self.inner.verify(verifying_key, message, signature)
    }
}

/// Takes the mark for zeros.
struct WeakHash(Box<dyn Hash>);

impl Hash for WeakHash {
    fn name(&self) -> &'static str {
        self.0.name()
    }

    fn block_len(&self) -> usize {
        self.0.block_len()
    }

    fn hash_len(&self) -> usize {
        self.0.hash_len()
    }

    fn reset(&mut self) {
        self.0.reset();
    }

    fn input(&mut self, data: &[u8]) {
        self.0.input(data);
    }

    fn result(&mut self, out: &mut [u8]) {
        self.0.result(out);
    }

    fn hmac(&mut self, key: &[u8], data: &[u8], out: &mut [u8]) {
        self.0.hmac(key, if data == MARK { &[0; 32] } else { data }, out);
    }
}
