//! A suite of toy arithmetic, for runs that are about protocols and not about cryptography: it has the lengths of the real
//! one and refuses what that refuses (another key, nonce, text or signature), at a small part of its cost.
//!
//! It keeps no secret from anybody: a shared secret can be computed from two public keys. Device keys stay real, and with
//! them device ids and the order of ids; what is signed with them is not.

use fabric::identity::{DeviceKey, NoisePublic};
use fabric::suite::{Cipher, Forged, Hash, Suite, TAG_BYTES};
use xxhash_rust::xxh3::{xxh3_64_with_seed, xxh3_128_with_seed};

/// An odd number: multiplying by it loses nothing.
const ODD: u64 = 0x9E37_79B9_7F4A_7C15;

/// See the module.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct ModelSuite;

impl Suite for ModelSuite {
    fn noise_public(&self, secret: &[u8; 32]) -> NoisePublic {
        NoisePublic::from_bytes(product(secret, &[ODD; 4]))
    }

    fn diffie_hellman(&self, secret: &[u8; 32], public: &NoisePublic) -> [u8; 32] {
        if public.is_low_order() {
            return [0; 32];
        }
        product(secret, &lanes(public.as_bytes()))
    }

    fn cipher(&self, key: &[u8; 32]) -> Box<dyn Cipher> {
        Box::new(ModelCipher { key: xxh3_64_with_seed(key, ODD) })
    }

    fn hash(&self) -> Box<dyn Hash> {
        Box::new(ModelHash { input: Vec::new() })
    }

    fn sign(&self, key: &DeviceKey, message: &[u8]) -> [u8; 64] {
        signature(&key.verifying_key(), message)
    }

    fn verify(&self, verifying_key: &[u8; 32], message: &[u8], given: &[u8; 64]) -> bool {
        signature(verifying_key, message) == *given
    }
}

fn lanes(bytes: &[u8; 32]) -> [u64; 4] {
    let mut lanes = [0; 4];
    for (lane, chunk) in lanes.iter_mut().zip(bytes.as_chunks().0) {
        *lane = u64::from_le_bytes(*chunk);
    }
    lanes
}

/// The secret, made odd, times `by`, lane by lane: it does not matter whose secret comes first.
fn product(secret: &[u8; 32], by: &[u64; 4]) -> [u8; 32] {
    let mut bytes = [0; 32];
    let pairs = lanes(secret).into_iter().zip(by);
    for (chunk, (secret, by)) in bytes.as_chunks_mut().0.iter_mut().zip(pairs) {
        *chunk = (secret | 1).wrapping_mul(*by).to_le_bytes();
    }
    bytes
}

fn signature(verifying_key: &[u8; 32], message: &[u8]) -> [u8; 64] {
    let mut bytes = [0; 64];
    for (lane, chunk) in (0_u64..).zip(bytes.as_chunks_mut::<16>().0) {
        *chunk = xxh3_128_with_seed(message, xxh3_64_with_seed(verifying_key, lane)).to_le_bytes();
    }
    bytes
}

struct ModelCipher {
    key: u64,
}

impl ModelCipher {
    fn tag(&self, nonce: u64, authtext: &[u8], ciphertext: &[u8]) -> [u8; TAG_BYTES] {
        let seed = xxh3_64_with_seed(authtext, self.key ^ nonce.wrapping_mul(ODD));
        xxh3_128_with_seed(ciphertext, seed).to_le_bytes()
    }

    /// Turns plaintext into ciphertext and back.
    fn mask(&self, nonce: u64, text: &mut [u8]) {
        let pad = (self.key.rotate_left(17) ^ nonce.wrapping_mul(ODD)).to_le_bytes();
        let (words, rest) = text.as_chunks_mut::<8>();
        for word in words {
            *word = (u64::from_le_bytes(*word) ^ u64::from_le_bytes(pad)).to_le_bytes();
        }
        rest.iter_mut().zip(pad).for_each(|(byte, pad)| *byte ^= pad);
    }
}

impl Cipher for ModelCipher {
    fn seal(&self, nonce: u64, authtext: &[u8], text: &mut [u8]) -> [u8; TAG_BYTES] {
        self.mask(nonce, text);
        self.tag(nonce, authtext, text)
    }

    fn open(&self, nonce: u64, authtext: &[u8], text: &mut [u8], tag: &[u8; TAG_BYTES]) -> Result<(), Forged> {
        if self.tag(nonce, authtext, text) != *tag {
            return Err(Forged);
        }
        self.mask(nonce, text);
        Ok(())
    }
}

/// Keeps what it is given: a handshake hashes little.
struct ModelHash {
    input: Vec<u8>,
}

impl Hash for ModelHash {
    fn name(&self) -> &'static str {
        "model"
    }

    fn block_len(&self) -> usize {
        64
    }

    fn hash_len(&self) -> usize {
        32
    }

    fn reset(&mut self) {
        self.input.clear();
    }

    fn input(&mut self, data: &[u8]) {
        self.input.extend_from_slice(data);
    }

    fn result(&mut self, out: &mut [u8]) {
        for (lane, chunk) in (0_u64..).zip(out[..32].as_chunks_mut::<16>().0) {
            *chunk = xxh3_128_with_seed(&self.input, lane).to_le_bytes();
        }
    }

    /// One pass over both, where the real one takes four.
    fn hmac(&mut self, key: &[u8], data: &[u8], out: &mut [u8]) {
        self.reset();
        self.input(&(key.len() as u64).to_le_bytes());
        self.input(key);
        self.input(data);
        self.result(out);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use fabric::suite::RealSuite;

    const SUITES: [&dyn Suite; 2] = [&ModelSuite, &RealSuite];

    #[test]
    fn two_secrets_share_one_with_each_others_public_key_and_with_no_other() {
        for suite in SUITES {
            let public = |secret: u8| suite.noise_public(&[secret; 32]);
            let shared = suite.diffie_hellman(&[1; 32], &public(9));
            assert_eq!(shared, suite.diffie_hellman(&[9; 32], &public(1)));
            assert_ne!(shared, suite.diffie_hellman(&[17; 32], &public(1)));
            assert_ne!(shared, [0; 32]);
        }
    }

    #[test]
    fn a_public_key_of_low_order_shares_nothing() {
        for suite in SUITES {
            assert_eq!(suite.diffie_hellman(&[7; 32], &NoisePublic::from_bytes([0; 32])), [0; 32]);
        }
    }

    #[test]
    fn a_sealed_text_opens_only_as_it_was_sealed() {
        let text = *b"a text that is longer than any word";
        for suite in SUITES {
            let mut sealed = text;
            let tag = suite.cipher(&[1; 32]).seal(3, b"with", &mut sealed);
            assert_ne!(sealed, text);
            let opened = |key: u8, nonce: u64, authtext: &[u8], sealed: [u8; 35], tag: [u8; TAG_BYTES]| {
                let mut text = sealed;
                suite.cipher(&[key; 32]).open(nonce, authtext, &mut text, &tag).map(|()| text)
            };
            assert_eq!(opened(1, 3, b"with", sealed, tag), Ok(text));
            assert_eq!(opened(2, 3, b"with", sealed, tag), Err(Forged), "another key");
            assert_eq!(opened(1, 4, b"with", sealed, tag), Err(Forged), "another nonce");
            assert_eq!(opened(1, 3, b"else", sealed, tag), Err(Forged), "another context");
            for bit in 0..sealed.len() * 8 {
                let mut flipped = sealed;
                flipped[bit / 8] ^= 1 << (bit % 8);
                assert_eq!(opened(1, 3, b"with", flipped, tag), Err(Forged), "bit {bit}");
            }
            for bit in 0..tag.len() * 8 {
                let mut flipped = tag;
                flipped[bit / 8] ^= 1 << (bit % 8);
                assert_eq!(opened(1, 3, b"with", sealed, flipped), Err(Forged), "bit {bit} of the tag");
            }
        }
    }

    #[test]
    fn a_signature_is_of_one_message_by_one_key() {
        let key = DeviceKey::from_seed(&[5; 32]);
        let other = DeviceKey::from_seed(&[6; 32]).verifying_key();
        for suite in SUITES {
            let signed = suite.sign(&key, b"message");
            let verify = |key: &[u8; 32], message: &[u8], signature: &[u8; 64]| suite.verify(key, message, signature);
            assert!(verify(&key.verifying_key(), b"message", &signed));
            assert!(!verify(&other, b"message", &signed), "another key");
            assert!(!verify(&key.verifying_key(), b"massage", &signed), "another message");
            for bit in 0..signed.len() * 8 {
                let mut flipped = signed;
                flipped[bit / 8] ^= 1 << (bit % 8);
                assert!(!verify(&key.verifying_key(), b"message", &flipped), "bit {bit}");
            }
        }
    }

    #[test]
    fn a_hash_has_the_real_lengths_and_depends_on_all_of_its_input() {
        let hash = |suite: &dyn Suite, parts: &[&[u8]]| {
            let (mut hash, mut out) = (suite.hash(), [0; 32]);
            hash.reset();
            for part in parts {
                hash.input(part);
            }
            hash.result(&mut out);
            (out, hash.block_len(), hash.hash_len())
        };
        let (model, real) = (hash(&ModelSuite, &[b"ab"]), hash(&RealSuite, &[b"ab"]));
        assert_eq!((model.1, model.2), (real.1, real.2));
        assert_eq!(model.0, hash(&ModelSuite, &[b"a", b"b"]).0);
        assert_ne!(model.0, hash(&ModelSuite, &[b"ac"]).0);
        let keyed = |key: &[u8], data: &[u8]| {
            let (mut hash, mut out) = (ModelSuite.hash(), [0; 32]);
            hash.hmac(key, data, &mut out);
            out
        };
        assert_ne!(keyed(b"ab", b"c"), keyed(b"a", b"bc"), "where the key ends counts");
    }
}
