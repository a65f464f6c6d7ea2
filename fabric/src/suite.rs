//! The cryptography that a node is given: one [`Suite`] for all its sessions. Knows no protocol, and draws nothing at random.
//!
//! A suite is injected rather than chosen at build time, so that one build holds the [`RealSuite`], faster ones over a
//! platform's own code, and others that a simulator brings along: a model with toy arithmetic, or one that wraps another
//! and watches the keys, nonces and plaintexts that pass. All have the lengths of
//! `Noise_XK_25519_ChaChaPoly_BLAKE2s` with Ed25519, and refuse what those refuse.

use crate::identity::{DeviceKey, NoisePublic};
use alloc::boxed::Box;
use chacha20poly1305::{AeadInPlace, ChaCha20Poly1305, KeyInit};
use curve25519_dalek::montgomery::MontgomeryPoint;
use ed25519_dalek::{Signature, Signer, VerifyingKey};
use snow::params::HashChoice;
use snow::resolvers::{CryptoResolver, DefaultResolver};

pub use snow::types::Hash;

/// Bytes of an authentication tag, which follows each sealed text.
pub const TAG_BYTES: usize = 16;

/// Every operation on secrets that the fabric needs.
pub trait Suite: Send + Sync {
    /// The public key that belongs to an X25519 secret (RFC 7748, 6.1). The secret is any 32 bytes.
    fn noise_public(&self, secret: &[u8; 32]) -> NoisePublic;

    /// The shared secret of one's own X25519 secret and another's public key (RFC 7748, 6.1).
    ///
    /// It is all zeros for a public key of low order, and its caller refuses that.
    fn diffie_hellman(&self, secret: &[u8; 32], public: &NoisePublic) -> [u8; 32];

    /// The AEAD under `key`. A new one is asked for each time that a key changes.
    fn cipher(&self, key: &[u8; 32]) -> Box<dyn Cipher>;

    /// A fresh hash of 32 bytes and blocks of 64.
    fn hash(&self) -> Box<dyn Hash>;

    /// Signs `message` with a device key (RFC 8032, 5.1.6).
    fn sign(&self, key: &DeviceKey, message: &[u8]) -> [u8; 64];

    /// Whether `signature` is one of `message` by the owner of `verifying_key`, all three from anybody. Keys of low order and
    /// signatures that have a second encoding are refused (wire contract, 1).
    fn verify(&self, verifying_key: &[u8; 32], message: &[u8], signature: &[u8; 64]) -> bool;
}

/// An AEAD under one key, which works in place. Its caller never uses a nonce twice.
pub trait Cipher: Send + Sync {
    /// Turns plaintext into ciphertext, and gives the tag that authenticates it and `authtext`.
    fn seal(&self, nonce: u64, authtext: &[u8], text: &mut [u8]) -> [u8; TAG_BYTES];

    /// Turns ciphertext into plaintext; after an error `text` holds neither.
    fn open(&self, nonce: u64, authtext: &[u8], text: &mut [u8], tag: &[u8; TAG_BYTES]) -> Result<(), Forged>;
}

/// A ciphertext is not what the owner of the key sealed under that nonce.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Forged;

impl core::fmt::Display for Forged {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("the ciphertext is not authentic")
    }
}

impl core::error::Error for Forged {}

/// X25519, ChaCha20-Poly1305, BLAKE2s and Ed25519 in portable Rust.
#[derive(Clone, Copy, Debug, Default)]
pub struct RealSuite;

impl Suite for RealSuite {
    fn noise_public(&self, secret: &[u8; 32]) -> NoisePublic {
        NoisePublic::from_bytes(MontgomeryPoint::mul_base_clamped(*secret).to_bytes())
    }

    fn diffie_hellman(&self, secret: &[u8; 32], public: &NoisePublic) -> [u8; 32] {
        MontgomeryPoint(*public.as_bytes()).mul_clamped(*secret).to_bytes()
    }

    fn cipher(&self, key: &[u8; 32]) -> Box<dyn Cipher> {
        Box::new(ChaChaPoly(ChaCha20Poly1305::new(key.into())))
    }

    fn hash(&self) -> Box<dyn Hash> {
        let Some(hash) = DefaultResolver.resolve_hash(&HashChoice::Blake2s) else {
            unreachable!("snow is built with BLAKE2");
        };
        hash
    }

    fn sign(&self, key: &DeviceKey, message: &[u8]) -> [u8; 64] {
        key.signing_key().sign(message).to_bytes()
    }

    fn verify(&self, verifying_key: &[u8; 32], message: &[u8], signature: &[u8; 64]) -> bool {
        VerifyingKey::from_bytes(verifying_key)
            .is_ok_and(|key| key.verify_strict(message, &Signature::from_bytes(signature)).is_ok())
    }
}

/// The key is overwritten when it is dropped.
struct ChaChaPoly(ChaCha20Poly1305);

impl Cipher for ChaChaPoly {
    fn seal(&self, nonce: u64, authtext: &[u8], text: &mut [u8]) -> [u8; TAG_BYTES] {
        let Ok(tag) = self.0.encrypt_in_place_detached(&nonce_bytes(nonce).into(), authtext, text) else {
            unreachable!("a message of Noise is far below the 256 GiB that one nonce can seal");
        };
        tag.into()
    }

    fn open(&self, nonce: u64, authtext: &[u8], text: &mut [u8], tag: &[u8; TAG_BYTES]) -> Result<(), Forged> {
        self.0.decrypt_in_place_detached(&nonce_bytes(nonce).into(), authtext, text, tag.into()).map_err(|_| Forged)
    }
}

/// 32 zero bits, then the number, little-endian (Noise, 12.3).
fn nonce_bytes(nonce: u64) -> [u8; 12] {
    let mut bytes = [0; 12];
    bytes[4..].copy_from_slice(&nonce.to_le_bytes());
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;
    use ed25519_dalek::Verifier;

    #[test]
    fn x25519_is_that_of_the_rfc() {
        // RFC 7748, 6.1.
        let secret = |text: &str| *text.parse::<NoisePublic>().unwrap().as_bytes();
        let alice = secret("77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a");
        let bob = secret("5dab087e624a8a4b79e17f8b83800ee66f3bb1292618b6fd1c2f8b27ff88e0eb");
        let shared = secret("4a5d9d5ba4ce2de1728e3bf480350f25e07e21c947d19e3376f09b3c1e161742");
        assert_eq!(RealSuite.diffie_hellman(&alice, &RealSuite.noise_public(&bob)), shared);
        assert_eq!(RealSuite.diffie_hellman(&bob, &RealSuite.noise_public(&alice)), shared);
    }

    #[test]
    fn a_key_that_signs_everything_signs_nothing() {
        let mut identity = [0; 32];
        identity[0] = 1;
        let mut signature = [0; 64];
        signature[0] = 1;
        let lax = VerifyingKey::from_bytes(&identity).unwrap().verify(b"any", &Signature::from_bytes(&signature));
        assert_eq!(lax.ok(), Some(()), "the looser check takes it for every message");
        assert!(!RealSuite.verify(&identity, b"any", &signature));
    }

    #[test]
    fn a_verifying_key_that_is_no_point_verifies_nothing() {
        assert!(VerifyingKey::from_bytes(&[2; 32]).is_err());
        assert!(!RealSuite.verify(&[2; 32], b"any", &[0; 64]));
    }

    #[test]
    fn a_sealed_text_opens_only_as_it_was_sealed() {
        let cipher = RealSuite.cipher(&[1; 32]);
        let mut sealed = *b"text";
        let tag = cipher.seal(3, b"with", &mut sealed);
        assert_ne!(&sealed, b"text");
        let opened = |key, nonce, authtext: &[u8]| {
            let mut text = sealed;
            RealSuite.cipher(&[key; 32]).open(nonce, authtext, &mut text, &tag).map(|()| text)
        };
        assert_eq!(opened(1, 3, b"with"), Ok(*b"text"));
        assert_eq!(opened(2, 3, b"with"), Err(Forged));
        assert_eq!(opened(1, 4, b"with"), Err(Forged));
        assert_eq!(opened(1, 3, b"else"), Err(Forged));
    }
}
