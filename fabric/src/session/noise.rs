//! The Noise handshake: snow over a [`Suite`](crate::suite::Suite) and a seed. Knows no proofs and no lengths on the wire.

use super::{HandshakeError, Local};
use crate::constant_time;
use crate::identity::NoisePublic;
use crate::suite::{Cipher, Hash, Suite, TAG_BYTES};
use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec;
use alloc::vec::Vec;
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use snow::params::{CipherChoice, DHChoice, HashChoice};
use snow::resolvers::CryptoResolver;
use snow::types::{Cipher as SnowCipher, Dh, Random};
use snow::{Builder, Error, HandshakeState};
use zeroize::Zeroizing;

const PROTOCOL: &str = "Noise_XK_25519_ChaChaPoly_BLAKE2s";
const PROLOGUE: &[u8] = b"dsoftbus-lite/1";

/// A handshake under way. Its state is a kilobyte, so it is boxed.
pub(super) struct Noise(Box<HandshakeState>);

/// The two keys that a handshake ends with. Zeroised on drop.
pub(super) struct Keys {
    pub(super) from_initiator: Zeroizing<[u8; 32]>,
    pub(super) from_responder: Zeroizing<[u8; 32]>,
}

impl Noise {
    /// The side that dials the owner of `remote`. All its chance is `seed`.
    pub(super) fn initiator(local: &Arc<Local>, seed: Seed, remote: NoisePublic) -> Self {
        Self::built(|| {
            let builder = builder(local, seed)?.local_private_key(local.noise.secret())?;
            builder.remote_public_key(remote.as_bytes())?.build_initiator()
        })
    }

    /// The side that was dialled. All its chance is `seed`.
    pub(super) fn responder(local: &Arc<Local>, seed: Seed) -> Self {
        Self::built(|| builder(local, seed)?.local_private_key(local.noise.secret())?.build_responder())
    }

    fn built(build: impl FnOnce() -> Result<HandshakeState, Error>) -> Self {
        let Ok(state) = build() else { unreachable!("the pattern is a constant, and all that it needs is given") };
        Self(Box::new(state))
    }

    /// The handshake hash as it stands.
    pub(super) fn hash(&self) -> [u8; 32] {
        let mut hash = [0; 32];
        hash.copy_from_slice(self.0.get_handshake_hash());
        hash
    }

    /// The next message, of `length` bytes, with `payload` sealed in it as far as there is a key.
    pub(super) fn write(&mut self, payload: &[u8], length: usize) -> Result<Vec<u8>, HandshakeError> {
        let mut message = vec![0; length];
        let written = self.0.write_message(payload, &mut message).map_err(|_| HandshakeError::NoiseFailed)?;
        assert_eq!(written, length, "a message of this pattern has one length");
        Ok(message)
    }

    /// The payload, of `N` bytes, of the next message.
    pub(super) fn read<const N: usize>(&mut self, message: &[u8]) -> Result<[u8; N], HandshakeError> {
        let mut payload = [0; N];
        let read = self.0.read_message(message, &mut payload).map_err(|_| HandshakeError::NoiseFailed)?;
        assert_eq!(read, N, "the length of the message was judged before");
        Ok(payload)
    }

    /// The peer's static key: given to an initiator, read from message 3 by a responder.
    pub(super) fn remote_static(&self) -> NoisePublic {
        let key = self.0.get_remote_static().and_then(|key| key.try_into().ok());
        let Some(key) = key else { unreachable!("asked for once it is known, and it is 32 bytes") };
        NoisePublic::from_bytes(key)
    }

    /// The transport keys, after the last message.
    pub(super) fn split(mut self) -> Keys {
        assert!(self.0.is_handshake_finished(), "split after the last message only");
        let (from_initiator, from_responder) = self.0.dangerously_get_raw_split();
        Keys { from_initiator: Zeroizing::new(from_initiator), from_responder: Zeroizing::new(from_responder) }
    }
}

fn builder(local: &Arc<Local>, seed: Seed) -> Result<Builder<'static>, Error> {
    let parts = Parts { local: Arc::clone(local), seed };
    Builder::with_resolver(PROTOCOL.parse()?, Box::new(parts)).prologue(PROLOGUE)
}

/// The chance of one handshake.
pub(super) type Seed = Zeroizing<[u8; 32]>;

/// Hands the suite's parts to snow.
struct Parts {
    local: Arc<Local>,
    seed: Seed,
}

impl CryptoResolver for Parts {
    fn resolve_rng(&self) -> Option<Box<dyn Random>> {
        Some(Box::new(SeededRandom(ChaCha20Rng::from_seed(*self.seed))))
    }

    fn resolve_dh(&self, _: &DHChoice) -> Option<Box<dyn Dh>> {
        Some(Box::new(KeyPair { local: Arc::clone(&self.local), secret: Zeroizing::default(), public: [0; 32] }))
    }

    fn resolve_hash(&self, _: &HashChoice) -> Option<Box<dyn Hash>> {
        Some(self.local.suite.hash())
    }

    fn resolve_cipher(&self, _: &CipherChoice) -> Option<Box<dyn SnowCipher>> {
        Some(Box::new(HandshakeCipher { suite: Arc::clone(&self.local.suite), cipher: None }))
    }
}

struct SeededRandom(ChaCha20Rng);

impl Random for SeededRandom {
    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Error> {
        self.0.fill_bytes(bytes);
        Ok(())
    }
}

/// A key pair in snow's hands: the node's Noise static or one handshake's ephemeral.
struct KeyPair {
    local: Arc<Local>,
    secret: Zeroizing<[u8; 32]>,
    public: [u8; 32],
}

impl Dh for KeyPair {
    fn name(&self) -> &'static str {
        "25519"
    }

    fn pub_len(&self) -> usize {
        32
    }

    fn priv_len(&self) -> usize {
        32
    }

    fn set(&mut self, secret: &[u8]) {
        let Ok(secret) = secret.try_into() else { unreachable!("the builder was given 32 bytes") };
        *self.secret = secret;
        // A multiplication saved: the builder sets the static afresh for each handshake.
        let is_static = constant_time::is_equal(&secret, self.local.noise.secret());
        let public = if is_static { self.local.noise.public() } else { self.local.suite.noise_public(&secret) };
        self.public = *public.as_bytes();
    }

    fn generate(&mut self, random: &mut dyn Random) -> Result<(), Error> {
        random.try_fill_bytes(&mut *self.secret)?;
        self.public = *self.local.suite.noise_public(&self.secret).as_bytes();
        Ok(())
    }

    fn pubkey(&self) -> &[u8] {
        &self.public
    }

    fn privkey(&self) -> &[u8] {
        &*self.secret
    }

    /// snow hands in buffers for the longest curve, and leaves it to its user to refuse keys of low order.
    fn dh(&self, public: &[u8], shared: &mut [u8]) -> Result<(), Error> {
        let public = NoisePublic::from_bytes(*public.first_chunk().ok_or(Error::Dh)?);
        let secret = Zeroizing::new(self.local.suite.diffie_hellman(&self.secret, &public));
        if constant_time::is_equal(&secret, &[0; 32]) {
            return Err(Error::Dh);
        }
        *shared.first_chunk_mut().ok_or(Error::Dh)? = *secret;
        Ok(())
    }
}

/// A cipher in snow's hands, which copies where ours work in place. It serves the handshake only.
struct HandshakeCipher {
    suite: Arc<dyn Suite>,
    cipher: Option<Box<dyn Cipher>>,
}

impl HandshakeCipher {
    fn keyed(&self) -> &dyn Cipher {
        let Some(cipher) = &self.cipher else { unreachable!("snow sets a key before it uses it") };
        &**cipher
    }
}

impl SnowCipher for HandshakeCipher {
    fn name(&self) -> &'static str {
        "ChaChaPoly"
    }

    fn set(&mut self, key: &[u8; 32]) {
        self.cipher = Some(self.suite.cipher(key));
    }

    fn encrypt(&self, nonce: u64, authtext: &[u8], plaintext: &[u8], out: &mut [u8]) -> usize {
        let (text, rest) = out.split_at_mut(plaintext.len());
        text.copy_from_slice(plaintext);
        rest[..TAG_BYTES].copy_from_slice(&self.keyed().seal(nonce, authtext, text));
        plaintext.len() + TAG_BYTES
    }

    fn decrypt(&self, nonce: u64, authtext: &[u8], ciphertext: &[u8], out: &mut [u8]) -> Result<usize, Error> {
        let (text, tag) = ciphertext.split_last_chunk().ok_or(Error::Decrypt)?;
        let out = out.get_mut(..text.len()).ok_or(Error::Decrypt)?;
        out.copy_from_slice(text);
        self.keyed().open(nonce, authtext, out, tag).map_err(|_| Error::Decrypt)?;
        Ok(text.len())
    }
}

#[cfg(test)]
mod vectors;
