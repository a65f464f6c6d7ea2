//! A suite that lets oracles see what the ciphers of all nodes see: keys by digest, nonces, and plaintexts.
//!
//! It judges two promises as it goes: no nonce is used twice under one key, and every side keeps to the credit rules.

use super::credit::Books;
use fabric::identity::{DeviceKey, NoisePublic};
use fabric::suite::{Cipher, Forged, Hash, Suite, TAG_BYTES};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The nonce under which a key seals its successor (Noise, 4.2): no record's.
const REKEY: u64 = u64::MAX;

/// What a check and how it was broken.
pub(crate) type Broken = (&'static str, String);

/// Everything that was seen in a run. Shared by the suites of all its nodes.
#[derive(Debug, Default)]
pub(crate) struct Tap {
    nodes: BTreeMap<String, NodeTap>,
    /// By key digest: the first nonce that was not used yet.
    nonces: BTreeMap<u64, u64>,
    records: u64,
    broken: Option<Broken>,
}

/// What one start of a node has seen. Ciphers are numbered in the order of their making, one that replaces another by
/// rekeying keeps its number; the two of a session are made one after the other, the sealing one first.
#[derive(Debug, Default)]
struct NodeTap {
    made: u64,
    /// By key digest.
    numbers: BTreeMap<u64, u64>,
    /// By the number of the sealing cipher.
    books: BTreeMap<u64, Books>,
}

impl Tap {
    /// The first promise that was broken since this was last asked.
    pub(crate) fn take_broken(&mut self) -> Option<Broken> {
        self.broken.take()
    }

    /// How many records were sealed.
    pub(crate) const fn records(&self) -> u64 {
        self.records
    }

    /// At the end of a run: what of the credit rules can only be judged then.
    pub(crate) fn conclude(&self) -> Result<(), String> {
        for (name, node) in &self.nodes {
            for books in node.books.values() {
                books.conclude().map_err(|how| format!("{name}: {how}"))?;
            }
        }
        Ok(())
    }

    fn made(&mut self, node: &str, key: u64) {
        let node = self.nodes.entry(node.to_owned()).or_default();
        if !node.numbers.contains_key(&key) {
            node.numbers.insert(key, node.made);
            node.made += 1;
        }
    }

    fn rekeyed(&mut self, node: &str, old: u64, new: u64) {
        let node = self.nodes.entry(node.to_owned()).or_default();
        if let Some(number) = node.numbers.get(&old).copied() {
            node.numbers.insert(new, number);
        }
    }

    fn uses(&mut self, node: &str, key: u64, nonce: u64) {
        let next = self.nonces.entry(key).or_default();
        if nonce < *next {
            self.broken.get_or_insert_with(|| ("nonces-unique", format!("{node} sealed under nonce {nonce} twice")));
        }
        *next = nonce.saturating_add(1);
    }

    fn sealed(&mut self, node: &str, key: u64, record: &[u8]) {
        self.records += 1;
        let Some(books) = self.books(node, key, 0) else { return };
        if let Err(how) = books.sealed(record) {
            self.broken.get_or_insert_with(|| ("credit-conserved", format!("{node}: {how}")));
        }
    }

    fn opened(&mut self, node: &str, key: u64, record: &[u8]) {
        if let Some(books) = self.books(node, key, 1) {
            books.opened(record);
        }
    }

    /// The books of the session whose sealing cipher was made `before` this one.
    fn books(&mut self, node: &str, key: u64, before: u64) -> Option<&mut Books> {
        let node = self.nodes.get_mut(node)?;
        let number = node.numbers.get(&key)?.checked_sub(before)?;
        Some(node.books.entry(number).or_insert_with(Books::new))
    }
}

/// One node's suite: another one, watched.
pub(crate) struct TappingSuite {
    inner: Arc<dyn Suite>,
    tap: Arc<Mutex<Tap>>,
    node: Arc<str>,
}

impl TappingSuite {
    /// Watches `inner` as `node`, which names one start of one node.
    pub(crate) fn new(inner: Arc<dyn Suite>, tap: Arc<Mutex<Tap>>, node: &str) -> Self {
        Self { inner, tap, node: node.into() }
    }
}

impl Suite for TappingSuite {
    fn noise_public(&self, secret: &[u8; 32]) -> NoisePublic {
        self.inner.noise_public(secret)
    }

    fn diffie_hellman(&self, secret: &[u8; 32], public: &NoisePublic) -> [u8; 32] {
        self.inner.diffie_hellman(secret, public)
    }

    fn cipher(&self, key: &[u8; 32]) -> Box<dyn Cipher> {
        let digest = sim::digest(key);
        let (tap, node) = (Arc::clone(&self.tap), Arc::clone(&self.node));
        lock(&tap).made(&node, digest);
        Box::new(TappedCipher { inner: self.inner.cipher(key), key: digest, tap, node })
    }

    fn hash(&self) -> Box<dyn Hash> {
        self.inner.hash()
    }

    fn sign(&self, key: &DeviceKey, message: &[u8]) -> [u8; 64] {
        self.inner.sign(key, message)
    }

    fn verify(&self, verifying_key: &[u8; 32], message: &[u8], signature: &[u8; 64]) -> bool {
        self.inner.verify(verifying_key, message, signature)
    }
}

struct TappedCipher {
    inner: Box<dyn Cipher>,
    key: u64,
    tap: Arc<Mutex<Tap>>,
    node: Arc<str>,
}

impl Cipher for TappedCipher {
    fn seal(&self, nonce: u64, authtext: &[u8], text: &mut [u8]) -> [u8; TAG_BYTES] {
        let mut tap = lock(&self.tap);
        // A handshake authenticates its hash; records authenticate nothing but themselves.
        if authtext.is_empty() && nonce != REKEY {
            tap.sealed(&self.node, self.key, text);
        }
        let tag = self.inner.seal(nonce, authtext, text);
        if nonce == REKEY {
            tap.rekeyed(&self.node, self.key, sim::digest(text));
        } else {
            tap.uses(&self.node, self.key, nonce);
        }
        tag
    }

    fn open(&self, nonce: u64, authtext: &[u8], text: &mut [u8], tag: &[u8; TAG_BYTES]) -> Result<(), Forged> {
        self.inner.open(nonce, authtext, text, tag)?;
        if authtext.is_empty() {
            lock(&self.tap).opened(&self.node, self.key, text);
        }
        Ok(())
    }
}

/// A panic of a machine is a failed check, and what was seen until then still counts.
fn lock(tap: &Mutex<Tap>) -> MutexGuard<'_, Tap> {
    tap.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use fabric::suite::RealSuite;

    fn tapped() -> (Arc<Mutex<Tap>>, TappingSuite) {
        let tap = Arc::new(Mutex::new(Tap::default()));
        let suite = TappingSuite::new(Arc::new(RealSuite), Arc::clone(&tap), "hub 0");
        (tap, suite)
    }

    #[test]
    fn a_nonce_that_is_used_twice_under_one_key_is_caught() {
        let (tap, suite) = tapped();
        let (one, again, other) = (suite.cipher(&[1; 32]), suite.cipher(&[1; 32]), suite.cipher(&[2; 32]));
        one.seal(0, b"h", &mut []);
        other.seal(0, b"h", &mut []);
        one.seal(1, b"h", &mut []);
        assert_eq!(lock(&tap).take_broken(), None);
        again.seal(1, b"h", &mut []);
        assert_eq!(lock(&tap).take_broken().unwrap().0, "nonces-unique");
    }

    #[test]
    fn books_are_kept_across_a_change_of_keys() {
        let (tap, suite) = tapped();
        let (sealing, _opening) = (suite.cipher(&[1; 32]), suite.cipher(&[2; 32]));
        let mut key = [0; 32];
        sealing.seal(REKEY, &[], &mut key);
        let sealing = suite.cipher(&key);
        // DATA of 4 bytes on a stream that was never granted any.
        sealing.seal(7, &[], &mut [3, 0, 0, 4, 0, 0, 0, 1, 0, 0, 0, 0]);
        let (check, how) = lock(&tap).take_broken().unwrap();
        assert_eq!(check, "credit-conserved");
        assert!(how.contains("hub 0: stream 1: 12 bytes sent of 0"), "{how}");
        assert_eq!(lock(&tap).nodes["hub 0"].books.len(), 1);
    }
}
