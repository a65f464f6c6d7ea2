//! The fabric's suite for hosts: records are sealed by ring's assembly, the rest is the [`RealSuite`]'s. Knows no protocol.
//!
//! A package of its own because ring asks the operating system for its processor's features; the fabric must not.

use fabric::identity::{DeviceKey, NoisePublic};
use fabric::suite::{Cipher, Forged, Hash, RealSuite, Suite, TAG_BYTES};
use ring::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, Nonce, Tag, UnboundKey};
use zeroize::Zeroizing;

/// X25519, BLAKE2s and Ed25519 as in [`RealSuite`], ChaCha20-Poly1305 by ring.
#[derive(Clone, Copy, Debug, Default)]
pub struct RingSuite;

impl Suite for RingSuite {
    fn noise_public(&self, secret: &[u8; 32]) -> NoisePublic {
        RealSuite.noise_public(secret)
    }

    fn diffie_hellman(&self, secret: &[u8; 32], public: &NoisePublic) -> [u8; 32] {
        RealSuite.diffie_hellman(secret, public)
    }

    fn cipher(&self, key: &[u8; 32]) -> Box<dyn Cipher> {
        Box::new(Ring(Zeroizing::new(*key)))
    }

    fn hash(&self) -> Box<dyn Hash> {
        RealSuite.hash()
    }

    fn sign(&self, key: &DeviceKey, message: &[u8]) -> [u8; 64] {
        RealSuite.sign(key, message)
    }

    fn verify(&self, verifying_key: &[u8; 32], message: &[u8], signature: &[u8; 64]) -> bool {
        RealSuite.verify(verifying_key, message, signature)
    }
}

/// ring's own key has room for any AEAD's, over 500 bytes, and is not overwritten when it is dropped: it is made for each
/// text, which costs next to nothing.
struct Ring(Zeroizing<[u8; 32]>);

impl Ring {
    fn key(&self) -> LessSafeKey {
        let Ok(key) = UnboundKey::new(&CHACHA20_POLY1305, &*self.0) else { unreachable!("an AEAD's key has 32 bytes") };
        LessSafeKey::new(key)
    }
}

impl Cipher for Ring {
    fn seal(&self, nonce: u64, authtext: &[u8], text: &mut [u8]) -> [u8; TAG_BYTES] {
        let Ok(tag) = self.key().seal_in_place_separate_tag(nonce_of(nonce), Aad::from(authtext), text) else {
            unreachable!("a message of Noise is far below the 256 GiB that one nonce can seal");
        };
        let Ok(tag) = tag.as_ref().try_into() else { unreachable!("a tag of this AEAD has 16 bytes") };
        tag
    }

    fn open(&self, nonce: u64, authtext: &[u8], text: &mut [u8], tag: &[u8; TAG_BYTES]) -> Result<(), Forged> {
        let opened =
            self.key().open_in_place_separate_tag(nonce_of(nonce), Aad::from(authtext), Tag::from(*tag), text, 0..);
        opened.map(drop).map_err(|_| Forged)
    }
}

/// 32 zero bits, then the number, little-endian (Noise, 12.3).
fn nonce_of(nonce: u64) -> Nonce {
    let mut bytes = [0; 12];
    bytes[4..].copy_from_slice(&nonce.to_le_bytes());
    Nonce::assume_unique_for_key(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Lengths around a block, two, and the longest record.
    const LENGTHS: [usize; 8] = [0, 1, 63, 64, 65, 128, 1000, 65_519];
    const KEY: [u8; 32] = [7; 32];

    fn sealed(suite: &dyn Suite, nonce: u64, length: usize) -> (Vec<u8>, [u8; TAG_BYTES]) {
        let mut text: Vec<u8> = (0..length).map(|at| at as u8).collect();
        let tag = suite.cipher(&KEY).seal(nonce, b"with", &mut text);
        (text, tag)
    }

    #[test]
    fn it_seals_to_the_same_bytes_as_the_portable_suite() {
        for length in LENGTHS {
            for nonce in [0, 1, 1 << 33, u64::MAX] {
                assert_eq!(sealed(&RingSuite, nonce, length), sealed(&RealSuite, nonce, length), "{length} bytes");
            }
        }
    }

    #[test]
    fn it_opens_only_what_was_sealed_so() {
        for length in LENGTHS {
            let (text, tag) = sealed(&RealSuite, 3, length);
            let open = |key, nonce, authtext: &[u8], tag: [u8; TAG_BYTES]| {
                let mut text = text.clone();
                RingSuite.cipher(&[key; 32]).open(nonce, authtext, &mut text, &tag).map(|()| text)
            };
            assert_eq!(open(7, 3, b"with", tag), Ok((0..length).map(|at| at as u8).collect()));
            let mut bent = tag;
            bent[15] ^= 1;
            for forged in
                [open(8, 3, b"with", tag), open(7, 4, b"with", tag), open(7, 3, b"", tag), open(7, 3, b"with", bent)]
            {
                assert_eq!(forged, Err(Forged));
            }
        }
    }
}
