//! A suite that lets oracles see what the ciphers of all nodes see: keys by digest, nonces, and plaintexts.
//!
//! It judges as it goes: no nonce is used twice under one key, keys change when they should, and every side keeps to the
//! credit rules.

use super::clear::Sealed;
use super::credit::{Books, Fault};
use crate::capture::KeyLog;
use fabric::identity::{DeviceKey, NoisePublic};
use fabric::suite::{Cipher, Forged, Hash, Suite, TAG_BYTES};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The nonce under which a key seals its successor (Noise, 4.2): no record's.
const REKEY: u64 = u64::MAX;

const CREDIT: &str = "credit-conserved";
const NONCES: &str = "nonces-unique";
const CLEAR: &str = "never-in-the-clear";
const STARVATION: &str = "no-starvation";
const PINGS: &str = "pings-answered";
const REKEYS: &str = "keys-change-in-time";
/// A direction changes its key before each message whose number is a multiple of this (wire contract, 3).
const REKEY_AFTER: u64 = 1 << 20;

/// What one start of a node is called in a tap.
pub(crate) fn start_label(node: &str, incarnation: u64) -> String {
    format!("{node} start {incarnation}")
}

/// Which node a start is of.
pub(crate) fn node_of(start: &str) -> &str {
    start.rsplit_once(" start ").map_or(start, |(node, _)| node)
}

/// One record that was opened: by whom, and who had sealed it.
pub(crate) type Heard = (Arc<str>, Arc<str>);

/// Which check, and how it was broken.
pub(crate) type Broken = (&'static str, String);

/// Everything that was seen in a run. Shared by the suites of all its nodes.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tap(Arc<Mutex<Log>>);

#[derive(Debug)]
struct Log {
    nodes: BTreeMap<String, NodeTap>,
    /// By key digest: the first nonce that was not used yet.
    nonces: BTreeMap<u64, u64>,
    /// Who seals under a key, by its digest.
    sealers: BTreeMap<u64, Arc<str>>,
    /// Since it was last asked.
    heard: Vec<Heard>,
    /// Likewise, those that end their session, and by which code.
    closes: Vec<(Heard, u32)>,
    sealed: Sealed,
    records: u64,
    /// [`REKEY_AFTER`], unless nodes are told otherwise.
    rekey_after: u64,
    broken: Option<Broken>,
    keylog: Option<KeyLog>,
}

impl Default for Log {
    fn default() -> Self {
        Self {
            nodes: BTreeMap::new(),
            nonces: BTreeMap::new(),
            sealers: BTreeMap::new(),
            heard: Vec::new(),
            closes: Vec::new(),
            sealed: Sealed::default(),
            records: 0,
            rekey_after: REKEY_AFTER,
            broken: None,
            keylog: None,
        }
    }
}

/// What one start of a node has seen. Ciphers are numbered in the order in which they were last made; one that replaces
/// another by rekeying has its number. The two of a session are made one after the other, the sealing one first.
#[derive(Debug, Default)]
struct NodeTap {
    made: u64,
    /// By key digest.
    numbers: BTreeMap<u64, u64>,
    /// Keys that replace others, and whose cipher was not made yet.
    successors: BTreeSet<u64>,
    /// By the number of the sealing cipher.
    books: BTreeMap<u64, Books>,
}

impl Tap {
    /// The suite of `node`, which names one start of one node: `inner`, watched.
    pub(crate) fn suite(&self, inner: Arc<dyn Suite>, node: &str) -> TappingSuite {
        TappingSuite { inner, tap: self.clone(), node: node.into() }
    }

    /// From now on, keys go to `keylog` when they are used first.
    pub(crate) fn log_keys(&self, keylog: KeyLog) {
        self.lock().keylog = Some(keylog);
    }

    /// Nodes are told to change keys so often.
    pub(crate) fn rekeys_after(&self, messages: u64) {
        self.lock().rekey_after = messages;
    }

    /// The first promise that was broken since this was last asked.
    pub(crate) fn take_broken(&self) -> Option<Broken> {
        self.lock().broken.take()
    }

    /// The records that were opened since this was last asked.
    pub(crate) fn take_heard(&self) -> Vec<Heard> {
        core::mem::take(&mut self.lock().heard)
    }

    /// Of the records that were opened since this was last asked, those that end their session, and by which code.
    pub(crate) fn take_closes(&self) -> Vec<(Heard, u32)> {
        core::mem::take(&mut self.lock().closes)
    }

    /// `node` puts bytes on the wire.
    pub(crate) fn crosses(&self, node: &str, wire: &[u8]) {
        let mut log = self.lock();
        if let Some(at) = log.sealed.shows_in(wire) {
            log.broken
                .get_or_insert_with(|| (CLEAR, format!("{node} sent what it had sealed in the clear (byte {at})")));
        }
    }

    /// How many records were sealed.
    pub(crate) fn records(&self) -> u64 {
        self.lock().records
    }

    /// At the end of a run: what of the credit rules can only be judged then.
    pub(crate) fn conclude(&self) -> Option<Broken> {
        let mut log = self.lock();
        let all = log.nodes.iter_mut().flat_map(|(name, node)| node.books.values_mut().map(move |books| (name, books)));
        let mut broken = all.filter_map(|(name, books)| Some((name, books.conclude().err()?)));
        broken.next().map(|(name, how)| (CREDIT, format!("{name}: {how}")))
    }

    /// A panic of a machine is a failed check, and what was seen until then still counts.
    fn lock(&self) -> MutexGuard<'_, Log> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Log {
    fn made(&mut self, node: &str, key: u64) {
        let node = self.nodes.entry(node.to_owned()).or_default();
        if !node.successors.remove(&key) {
            node.numbers.insert(key, node.made);
            node.made += 1;
        }
    }

    fn rekeyed(&mut self, node: &str, old: u64, new: u64) {
        let next = self.nonces.get(&old).copied().unwrap_or_default();
        if !next.is_multiple_of(self.rekey_after) {
            let every = self.rekey_after;
            self.broken
                .get_or_insert_with(|| (REKEYS, format!("{node} changes a key before message {next}, not {every}")));
        }
        let node = self.nodes.entry(node.to_owned()).or_default();
        if let Some(number) = node.numbers.get(&old).copied() {
            node.numbers.insert(new, number);
            node.successors.insert(new);
        }
    }

    fn uses(&mut self, node: &str, key: u64, nonce: u64) {
        let is_first = !self.nonces.contains_key(&key);
        let next = self.nonces.entry(key).or_default();
        if nonce < *next {
            self.broken.get_or_insert_with(|| (NONCES, format!("{node} sealed under nonce {nonce} twice")));
        }
        *next = nonce.saturating_add(1);
        // The nonce runs on: the first message that a key should not have sealed is a multiple of this.
        if nonce > 0 && nonce.is_multiple_of(self.rekey_after) && !is_first {
            self.broken
                .get_or_insert_with(|| (REKEYS, format!("{node} seals message {nonce} under the key before it")));
        }
    }

    fn sealed(&mut self, node: &Arc<str>, key: u64, record: &[u8]) {
        self.records += 1;
        self.sealers.entry(key).or_insert_with(|| Arc::clone(node));
        self.sealed.remember(record);
        let Some(books) = self.books(node, key, 0) else { return };
        let (check, how) = match books.sealed(record) {
            Ok(()) => return,
            Err(Fault::Credit(how)) => (CREDIT, how),
            Err(Fault::Starved(how)) => (STARVATION, how),
            Err(Fault::Unanswered(how)) => (PINGS, how),
        };
        self.broken.get_or_insert_with(|| (check, format!("{node}: {how}")));
    }

    fn opened(&mut self, node: &Arc<str>, key: u64, record: &[u8]) {
        let code = self.books(node, key, 1).and_then(|books| books.opened(record));
        let Some(sealer) = self.sealers.get(&key) else { return };
        let heard = (Arc::clone(node), Arc::clone(sealer));
        self.closes.extend(code.map(|code| (heard.clone(), code)));
        self.heard.push(heard);
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
    tap: Tap,
    node: Arc<str>,
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
        let (tap, node) = (self.tap.clone(), Arc::clone(&self.node));
        tap.lock().made(&node, digest);
        let logged = tap.lock().keylog.clone().map(|keylog| (keylog, *key));
        Box::new(TappedCipher { inner: self.inner.cipher(key), key: digest, tap, node, logged })
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
    tap: Tap,
    node: Arc<str>,
    /// The key itself, and where it goes, if keys are logged.
    logged: Option<(KeyLog, [u8; 32])>,
}

impl Cipher for TappedCipher {
    fn seal(&self, nonce: u64, authtext: &[u8], text: &mut [u8]) -> [u8; TAG_BYTES] {
        let mut tap = self.tap.lock();
        // A handshake authenticates its hash; records authenticate nothing but themselves.
        if authtext.is_empty() && nonce != REKEY {
            tap.sealed(&self.node, self.key, text);
        }
        let tag = self.inner.seal(nonce, authtext, text);
        if nonce == REKEY {
            tap.rekeyed(&self.node, self.key, sim::digest(text));
        } else {
            tap.uses(&self.node, self.key, nonce);
            if let Some((keylog, key)) = &self.logged {
                keylog.sealed(key, nonce, &tag);
            }
        }
        tag
    }

    fn open(&self, nonce: u64, authtext: &[u8], text: &mut [u8], tag: &[u8; TAG_BYTES]) -> Result<(), Forged> {
        self.inner.open(nonce, authtext, text, tag)?;
        if authtext.is_empty() {
            self.tap.lock().opened(&self.node, self.key, text);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use fabric::suite::RealSuite;

    fn tapped() -> (Tap, TappingSuite) {
        let tap = Tap::default();
        let suite = tap.suite(Arc::new(RealSuite), "hub 0");
        (tap, suite)
    }

    #[test]
    fn a_nonce_that_is_used_twice_under_one_key_is_caught() {
        let (tap, suite) = tapped();
        let (one, again, other) = (suite.cipher(&[1; 32]), suite.cipher(&[1; 32]), suite.cipher(&[2; 32]));
        one.seal(0, b"h", &mut []);
        other.seal(0, b"h", &mut []);
        one.seal(1, b"h", &mut []);
        assert_eq!(tap.take_broken(), None);
        again.seal(1, b"h", &mut []);
        assert_eq!(tap.take_broken().unwrap().0, "nonces-unique");
    }

    /// Seals messages `from..to` under the key, and then makes the next key of it.
    fn seal_and_rekey(suite: &TappingSuite, key: [u8; 32], messages: core::ops::Range<u64>) -> [u8; 32] {
        let cipher = suite.cipher(&key);
        messages.for_each(|nonce| _ = cipher.seal(nonce, b"h", &mut []));
        let mut next = [0; 32];
        cipher.seal(REKEY, &[], &mut next);
        next
    }

    #[test]
    fn keys_that_change_when_they_should_hold() {
        let (tap, suite) = tapped();
        tap.rekeys_after(3);
        let next = seal_and_rekey(&suite, [1; 32], 0..3);
        seal_and_rekey(&suite, next, 3..6);
        assert_eq!(tap.take_broken(), None);
    }

    #[test]
    fn a_key_that_changes_too_soon_or_too_late_is_caught() {
        for (messages, how) in [(0..2, "before message 2"), (0..4, "seals message 3 under the key before it")] {
            let (tap, suite) = tapped();
            tap.rekeys_after(3);
            seal_and_rekey(&suite, [1; 32], messages);
            let (check, said) = tap.take_broken().unwrap();
            assert_eq!(check, REKEYS);
            assert!(said.contains(how), "{said}");
        }
    }

    #[test]
    fn books_are_kept_across_a_change_of_keys() {
        let (tap, suite) = tapped();
        tap.rekeys_after(7);
        let (sealing, _opening) = (suite.cipher(&[1; 32]), suite.cipher(&[2; 32]));
        let mut key = [0; 32];
        (0..7).for_each(|nonce| _ = sealing.seal(nonce, b"h", &mut []));
        sealing.seal(REKEY, &[], &mut key);
        let sealing = suite.cipher(&key);
        // DATA of 4 bytes on a stream that was never granted any.
        sealing.seal(7, &[], &mut [3, 0, 0, 4, 0, 0, 0, 1, 0, 0, 0, 0]);
        let (check, how) = tap.take_broken().unwrap();
        assert_eq!(check, "credit-conserved");
        assert!(how.contains("hub 0: stream 1: 12 bytes sent of 0"), "{how}");
        assert_eq!(tap.lock().nodes["hub 0"].books.len(), 1);
    }
}
