//! Two sessions and the bytes between them. The only part that touches the API.

use fabric::identity::{DeviceKey, NoisePublic, NoiseStatic};
use fabric::session::{HandshakeError, Limits, Local, PLAINTEXT_ROOM_MIN, Peer, Received, Session, SessionError};
use fabric::suite::{Cipher, Forged, Hash, RealSuite, Suite, TAG_BYTES};
use machine::Instant;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

/// What one end has reported.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Seen {
    Established(Peer),
    Record(Vec<u8>),
    Ended(SessionError),
}

/// One end of a pipe, and what its application sends and sees.
pub(crate) struct End {
    pub(crate) session: Session,
    pub(crate) to_send: VecDeque<Vec<u8>>,
    pub(crate) seen: Vec<Seen>,
    pub(crate) now: Instant,
}

/// Room enough for any record.
pub(crate) const AMPLE: usize = 1 << 17;

impl End {
    pub(crate) fn dialling(local: &Arc<Local>, remote: &Local, limits: &Limits) -> Self {
        let (expected, noise) = (remote.device.device_id(), remote.noise.public());
        Self::of(Session::dial(Instant::ZERO, local, expected, noise, [0xD1; 32], limits).unwrap())
    }

    pub(crate) fn accepting(local: &Arc<Local>, limits: &Limits) -> Self {
        Self::of(Session::accept(Instant::ZERO, local, [0xAC; 32], limits))
    }

    pub(crate) fn of(session: Session) -> Self {
        Self { session, to_send: VecDeque::new(), seen: Vec::new(), now: Instant::ZERO }
    }

    /// Each of `messages` becomes a record, if the room allows.
    pub(crate) fn send(&mut self, messages: &[&[u8]]) {
        self.to_send.extend(messages.iter().map(|message| message.to_vec()));
    }

    /// One `fill`. A message that is longer than the space for plaintext is cut.
    pub(crate) fn fill(&mut self, room: &mut [u8]) -> usize {
        let to_send = &mut self.to_send;
        self.session.fill(room, &mut |space| {
            assert!((PLAINTEXT_ROOM_MIN..=65535 - TAG_BYTES).contains(&space.len()), "{}", space.len());
            let Some(mut message) = to_send.pop_front() else { return 0 };
            let rest = message.split_off(message.len().min(space.len()));
            if !rest.is_empty() {
                to_send.push_front(rest);
            }
            space[..message.len()].copy_from_slice(&message);
            message.len()
        })
    }

    /// All that it has to write, into rooms of `room_bytes`.
    pub(crate) fn output(&mut self, room_bytes: usize) -> Vec<u8> {
        let mut output = Vec::new();
        loop {
            let mut room = vec![0; room_bytes];
            let count = self.fill(&mut room);
            if count == 0 {
                return output;
            }
            output.extend_from_slice(&room[..count]);
        }
    }

    /// The next message or record alone.
    pub(crate) fn next_message(&mut self) -> Vec<u8> {
        let rest: Vec<_> = self.to_send.drain(self.to_send.len().min(1)..).collect();
        let message = self.output(AMPLE);
        self.to_send.extend(rest);
        message
    }

    pub(crate) fn input(&mut self, mut bytes: &[u8]) {
        loop {
            match self.session.receive(self.now, &mut bytes) {
                Ok(Some(Received::Established(peer))) => self.seen.push(Seen::Established(peer)),
                Ok(Some(Received::Record(plaintext))) => self.seen.push(Seen::Record(plaintext.to_vec())),
                Ok(None) => return assert!(bytes.is_empty(), "bytes are consumed whole"),
                Err(error) => return self.seen.push(Seen::Ended(error)),
            }
        }
    }

    pub(crate) fn peer(&self) -> Peer {
        *self.session.peer().unwrap()
    }

    /// The plaintext that came in, without its cuts.
    pub(crate) fn text(&self) -> Vec<u8> {
        let texts = self.seen.iter().map(|seen| if let Seen::Record(text) = seen { &text[..] } else { &[] });
        texts.collect::<Vec<_>>().concat()
    }

    /// It has ended for this reason, has reported nothing since, and is silent.
    pub(crate) fn assert_ended(&mut self, error: SessionError) {
        assert_eq!(self.seen.last(), Some(&Seen::Ended(error)));
        let reports = self.seen.len();
        self.send(&[b"too late"]);
        assert_eq!(self.output(AMPLE), [0; 0], "not another byte");
        self.input(&[0; 200]);
        assert_eq!(self.seen.len(), reports, "an end is reported once");
        assert!(!self.session.is_established() && self.session.peer().is_none());
        assert_eq!(self.session.next_timeout(), None);
    }

    pub(crate) fn assert_refused(&mut self, error: HandshakeError) {
        assert_eq!(self.seen.len(), 1, "{:?}", self.seen);
        self.assert_ended(SessionError::Handshake(error));
    }

    pub(crate) fn assert_record_invalid(&mut self) {
        self.assert_ended(SessionError::RecordInvalid);
    }
}

/// The two ends of one pipe.
pub(crate) struct Pair {
    pub(crate) a: End,
    pub(crate) b: End,
}

impl Pair {
    /// `a` has dialled `b`; nothing was carried yet.
    pub(crate) fn dialled(a: &Arc<Local>, b: &Arc<Local>, limits: &Limits) -> Self {
        Self { a: End::dialling(a, b, limits), b: End::accepting(b, limits) }
    }

    /// Devices 1 and 2, with nothing said yet.
    pub(crate) fn new() -> Self {
        Self::dialled(&device(1), &device(2), &Limits::default())
    }

    /// Devices 1 and 2, both established: the responder has said `ping`.
    pub(crate) fn established(limits: &Limits) -> Self {
        let mut pair = Self::dialled(&device(1), &device(2), limits);
        pair.b.send(&[b"ping"]);
        pair.run();
        assert!(pair.a.session.is_established() && pair.b.session.is_established());
        pair
    }

    /// Carries bytes until there are none.
    pub(crate) fn run(&mut self) {
        self.run_cut(AMPLE, AMPLE);
    }

    /// Carries bytes until there are none, in pieces of `cut` through rooms of `room_bytes`.
    pub(crate) fn run_cut(&mut self, cut: usize, room_bytes: usize) {
        loop {
            let (to_b, to_a) = (self.a.output(room_bytes), self.b.output(room_bytes));
            to_b.chunks(cut).for_each(|piece| self.b.input(piece));
            to_a.chunks(cut).for_each(|piece| self.a.input(piece));
            if to_a.is_empty() && to_b.is_empty() {
                return;
            }
        }
    }
}

/// A device whose keys all grow from `secret`.
pub(crate) fn device(secret: u8) -> Arc<Local> {
    device_with(secret, Arc::new(RealSuite))
}

pub(crate) fn device_with(secret: u8, suite: Arc<dyn Suite>) -> Arc<Local> {
    let noise = [secret | 0x80; 32];
    let noise = NoiseStatic::new(noise, RealSuite.noise_public(&noise));
    Arc::new(Local { device: DeviceKey::from_seed(&[secret; 32]), noise, features: 0, suite })
}

type SignFn = Box<dyn Fn(&DeviceKey, &[u8]) -> [u8; 64] + Send + Sync>;
type PublicFn = Box<dyn Fn(NoisePublic) -> NoisePublic + Send + Sync>;

/// Keys, and the nonces sealed under them.
type Sealed = Arc<Mutex<Vec<([u8; 32], u64)>>>;

/// A suite whose owner cheats, or is watched.
pub(crate) struct OtherSuite {
    pub(crate) sign: SignFn,
    /// Bends the public keys of ephemerals.
    pub(crate) public: PublicFn,
    /// Every key that a cipher was made for, and every nonce that was sealed under one.
    pub(crate) keys: Mutex<Vec<[u8; 32]>>,
    pub(crate) sealed: Sealed,
}

impl Default for OtherSuite {
    fn default() -> Self {
        Self {
            sign: Box::new(|key, message| RealSuite.sign(key, message)),
            public: Box::new(|public| public),
            keys: Mutex::default(),
            sealed: Arc::default(),
        }
    }
}

impl Suite for OtherSuite {
    fn noise_public(&self, secret: &[u8; 32]) -> NoisePublic {
        (self.public)(RealSuite.noise_public(secret))
    }

    fn diffie_hellman(&self, secret: &[u8; 32], public: &NoisePublic) -> [u8; 32] {
        RealSuite.diffie_hellman(secret, public)
    }

    fn cipher(&self, key: &[u8; 32]) -> Box<dyn Cipher> {
        self.keys.lock().unwrap().push(*key);
        Box::new(WatchedCipher { cipher: RealSuite.cipher(key), key: *key, sealed: Arc::clone(&self.sealed) })
    }

    fn hash(&self) -> Box<dyn Hash> {
        RealSuite.hash()
    }

    fn sign(&self, key: &DeviceKey, message: &[u8]) -> [u8; 64] {
        (self.sign)(key, message)
    }

    fn verify(&self, verifying_key: &[u8; 32], message: &[u8], signature: &[u8; 64]) -> bool {
        RealSuite.verify(verifying_key, message, signature)
    }
}

struct WatchedCipher {
    cipher: Box<dyn Cipher>,
    key: [u8; 32],
    sealed: Sealed,
}

impl Cipher for WatchedCipher {
    fn seal(&self, nonce: u64, authtext: &[u8], text: &mut [u8]) -> [u8; TAG_BYTES] {
        self.sealed.lock().unwrap().push((self.key, nonce));
        self.cipher.seal(nonce, authtext, text)
    }

    fn open(&self, nonce: u64, authtext: &[u8], text: &mut [u8], tag: &[u8; TAG_BYTES]) -> Result<(), Forged> {
        self.cipher.open(nonce, authtext, text, tag)
    }
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |text, byte| format!("{text}{byte:02x}"))
}
