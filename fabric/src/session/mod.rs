//! One authenticated session over one pipe: the handshake, the identity proofs, then sealed records (wire contract, 3).
//!
//! A [`Session`] takes the pipe's bytes and gives plaintext records; it asks a source of plaintext when the pipe has room.
//! Whom to dial, whom to trust, how many sessions to hold and what is in a record are for others: [`mux`](crate::mux) and
//! the node.
//!
//! ```
//! use fabric::identity::{DeviceKey, NoiseStatic};
//! use fabric::session::{Limits, Local, Received, Session};
//! use fabric::suite::{RealSuite, Suite};
//! use machine::Instant;
//! use std::sync::Arc;
//!
//! fn device(secret: u8) -> Arc<Local> {
//!     let noise = NoiseStatic::new([secret; 32], RealSuite.noise_public(&[secret; 32]));
//!     Arc::new(Local { device: DeviceKey::from_seed(&[secret; 32]), noise, features: 0, suite: Arc::new(RealSuite) })
//! }
//!
//! let (phone, hub, now, limits) = (device(1), device(2), Instant::ZERO, Limits::default());
//! let mut dialled = Session::dial(now, &phone, hub.device.device_id(), hub.noise.public(), [3; 32], &limits)?;
//! let mut accepted = Session::accept(now, &hub, [4; 32], &limits);
//!
//! // A driver moves bytes until there are none; the responder's first record completes the initiator's session.
//! let (mut greetings, mut log) = (1, Vec::new());
//! for turn in 0..6 {
//!     let (from, to) = if turn % 2 == 0 { (&mut dialled, &mut accepted) } else { (&mut accepted, &mut dialled) };
//!     let mut room = [0; 2048];
//!     let count = from.fill(&mut room, &mut |plaintext| {
//!         plaintext[..5].copy_from_slice(b"hello");
//!         std::mem::take(&mut greetings) * 5
//!     });
//!     let mut bytes = &room[..count];
//!     while let Some(received) = to.receive(now, &mut bytes)? {
//!         match received {
//!             Received::Established(peer) => log.push(peer.device.to_string()),
//!             Received::Record(plaintext) => log.push(String::from_utf8_lossy(plaintext).into_owned()),
//!         }
//!     }
//! }
//! assert_eq!(log, [phone.device.device_id().to_string(), hub.device.device_id().to_string(), "hello".to_owned()]);
//! # Ok::<(), fabric::session::SessionError>(())
//! ```

mod error;
mod handshake;
mod held;
mod inbox;
mod noise;
mod proof;
mod record;

use crate::identity::{DeviceId, DeviceKey, NoisePublic, NoiseStatic};
use crate::suite::Suite;
use alloc::boxed::Box;
use alloc::sync::Arc;
use core::mem;
use core::num::NonZeroU64;
use handshake::{Authenticated, Handshake, Step};
use held::Held;
use inbox::Inbox;
use machine::{Duration, Instant};
use record::{CipherState, HEADER_BYTES, Opener};
use zeroize::Zeroizing;

pub use error::{HandshakeError, SessionError};

/// Where the room in the pipe is smaller, a record is sealed aside, at most this long, and written as room comes.
///
/// It holds every frame that cannot be cut, and keeps little ahead of a frame of higher priority.
const SMALL_RECORD_BYTES: usize = 1024;

/// The least room that [`Session::fill`] offers its source of plaintext, in bytes.
pub const PLAINTEXT_ROOM_MIN: usize = SMALL_RECORD_BYTES - HEADER_BYTES - crate::suite::TAG_BYTES;

/// 2^20, as the wire contract has it.
const REKEY_AFTER: NonZeroU64 = NonZeroU64::MIN.saturating_add((1 << 20) - 1);

/// What bounds a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// From dial or accept to the end of the handshake, however slowly it comes in.
    pub handshake_timeout: Duration,
    /// Records of one direction under one key. Part of the wire contract: both sides must have the same.
    pub rekey_after: NonZeroU64,
}

impl Default for Limits {
    /// Those of the wire contract.
    fn default() -> Self {
        Self { handshake_timeout: Duration::from_secs(5), rekey_after: REKEY_AFTER }
    }
}

/// Who this node is, for all its sessions.
pub struct Local {
    /// The key that its proofs are signed with.
    pub device: DeviceKey,
    /// Its Noise static.
    pub noise: NoiseStatic,
    /// The features that it has, a bit each (wire contract, 3: none yet).
    pub features: u32,
    /// The cryptography.
    pub suite: Arc<dyn Suite>,
}

/// Who the other side has proven to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Peer {
    /// The id of its device key.
    pub device: DeviceId,
    /// Its Noise static.
    pub noise_static: NoisePublic,
    /// The features that both sides have.
    pub features: u32,
    /// The final handshake hash: the same on both sides, and on no other session (Noise, 11.2).
    pub handshake_hash: [u8; 32],
}

/// What the peer's bytes have led to.
#[derive(Debug, PartialEq, Eq)]
pub enum Received<'a> {
    /// The session exists from now on, and [`Session::fill`] asks for plaintext. Given once, before the first record.
    ///
    /// A responder reports it when message 3 was checked, an initiator when the first record has opened: only then does it
    /// know that its own proof was.
    Established(Peer),
    /// The plaintext of one record; empty is possible.
    Record(&'a [u8]),
}

/// One authenticated connection of two nodes over one pipe.
pub struct Session {
    state: State,
    held: Held,
    /// When the handshake must be over; `None` once it is.
    deadline: Option<Instant>,
    rekey_after: NonZeroU64,
}

enum State {
    Handshaking(Handshake, Box<Inbox>),
    /// An initiator that waits for the first record.
    Unconfirmed(Box<Transport>),
    /// An initiator whose first record has opened, and was not handed out yet.
    Confirmed(Box<Transport>),
    Established(Box<Transport>),
    Ended,
}

/// What is left of a handshake that held.
struct Transport {
    peer: Peer,
    sealing: CipherState,
    opener: Opener,
}

#[derive(Clone, Copy)]
enum Role {
    Initiator,
    Responder,
}

enum Progress {
    Established,
    Record,
}

impl Session {
    /// Starts the handshake with `expected` as the side that dials. `remote` is the Noise static that it is said to have,
    /// and `seed` is fresh for each session.
    ///
    /// Message 1 is ready then, so that the pipe may still be connecting.
    ///
    /// # Errors
    /// [`HandshakeError::NoiseFailed`] for a `remote` of low order.
    pub fn dial(
        now: Instant,
        local: &Arc<Local>,
        expected: DeviceId,
        remote: NoisePublic,
        seed: [u8; 32],
        limits: &Limits,
    ) -> Result<Self, HandshakeError> {
        let (handshake, message) = Handshake::dial(local, expected, remote, Zeroizing::new(seed))?;
        let mut session = Self::start(now, handshake, limits);
        session.held.hold_message(&message);
        Ok(session)
    }

    /// Starts the handshake as the side that was dialled. `seed` is fresh for each session.
    pub fn accept(now: Instant, local: &Arc<Local>, seed: [u8; 32], limits: &Limits) -> Self {
        let (local, seed) = (Arc::clone(local), Zeroizing::new(seed));
        Self::start(now, Handshake::AwaitingMessage1 { local, seed }, limits)
    }

    fn start(now: Instant, handshake: Handshake, limits: &Limits) -> Self {
        Self {
            state: State::Handshaking(handshake, Box::default()),
            held: Held::default(),
            deadline: Some(now + limits.handshake_timeout),
            rekey_after: limits.rekey_after,
        }
    }

    /// Whether [`Received::Established`] was given, and the session has not ended.
    pub const fn is_established(&self) -> bool {
        matches!(self.state, State::Confirmed(_) | State::Established(_))
    }

    /// Who the peer has proven to be. An initiator knows it before the session is established.
    pub fn peer(&self) -> Option<&Peer> {
        match &self.state {
            State::Unconfirmed(open) | State::Confirmed(open) | State::Established(open) => Some(&open.peer),
            State::Handshaking(..) | State::Ended => None,
        }
    }

    /// Whether this is a responder that has not received a valid message 1: the first to go when places are short.
    pub const fn awaits_message_1(&self) -> bool {
        matches!(self.state, State::Handshaking(Handshake::AwaitingMessage1 { .. }, _))
    }

    /// Whether a direction's key was changed since the session came to be.
    pub fn has_rekeyed(&self) -> bool {
        match &self.state {
            State::Unconfirmed(open) | State::Confirmed(open) | State::Established(open) => {
                open.sealing.has_rekeyed() || open.opener.has_rekeyed()
            }
            State::Handshaking(..) | State::Ended => false,
        }
    }

    /// How many bytes of memory it keeps for records that come in.
    pub fn record_memory(&self) -> usize {
        match &self.state {
            State::Unconfirmed(open) | State::Confirmed(open) | State::Established(open) => open.opener.memory(),
            State::Handshaking(..) | State::Ended => 0,
        }
    }

    /// Whether [`fill`](Self::fill) has bytes of its own, whatever the source of plaintext has.
    pub const fn wants_fill(&self) -> bool {
        !self.held.is_empty()
    }

    /// When to call [`handle_timeout`](Self::handle_timeout); `None` once the handshake is over.
    pub const fn next_timeout(&self) -> Option<Instant> {
        self.deadline
    }

    /// Judges the handshake's deadline. Before it, nothing happens.
    pub fn handle_timeout(&mut self, now: Instant) -> Result<(), SessionError> {
        if self.deadline.is_none_or(|deadline| now < deadline) {
            return Ok(());
        }
        self.end();
        Err(HandshakeError::HandshakeTimeout.into())
    }

    /// Takes bytes of the pipe off the front of `bytes` until they lead to something, which the caller handles and then
    /// calls again; after `None` all are taken.
    ///
    /// # Errors
    /// Once. The session has ended then: it writes nothing more, and swallows what comes in.
    pub fn receive(&mut self, now: Instant, bytes: &mut &[u8]) -> Result<Option<Received<'_>>, SessionError> {
        self.handle_timeout(now)?;
        let progress = self.advance(bytes).inspect_err(|_| self.end())?;
        Ok(match (progress, &self.state) {
            (Some(Progress::Established), State::Confirmed(open) | State::Established(open)) => {
                Some(Received::Established(open.peer))
            }
            (Some(Progress::Record), State::Established(open)) => Some(Received::Record(open.opener.plaintext())),
            _ => None,
        })
    }

    /// Writes the session's next bytes into `room` and returns how many; 0 when it has none for now.
    ///
    /// Handshake messages first, then records. `source` writes whole frames into the space that it is given, at least
    /// [`PLAINTEXT_ROOM_MIN`], and returns how many bytes, 0 when it has none; it is asked once the session is established.
    pub fn fill(&mut self, room: &mut [u8], source: &mut dyn FnMut(&mut [u8]) -> usize) -> usize {
        let mut filled = self.held.take(room);
        let (State::Confirmed(open) | State::Established(open)) = &mut self.state else { return filled };
        while filled < room.len() {
            let count = open.fill(&mut room[filled..], &mut self.held, source);
            if count == 0 {
                break;
            }
            filled += count;
        }
        filled
    }

    /// Gives back the buffers that are kept for the next records. For a session on which little has happened for a while,
    /// between two calls of [`receive`](Self::receive) that gave `None`.
    pub fn release_buffers(&mut self) {
        self.held.release();
        if let State::Established(open) = &mut self.state {
            open.opener.release();
        }
    }

    fn end(&mut self) {
        self.state = State::Ended;
        self.held = Held::default();
        self.deadline = None;
    }

    fn advance(&mut self, bytes: &mut &[u8]) -> Result<Option<Progress>, SessionError> {
        loop {
            let progress = self.step(bytes)?;
            if progress.is_some() || bytes.is_empty() {
                return Ok(progress);
            }
        }
    }

    /// One message or record, or all that `bytes` has of it.
    fn step(&mut self, bytes: &mut &[u8]) -> Result<Option<Progress>, SessionError> {
        let (state, progress) = match mem::replace(&mut self.state, State::Ended) {
            State::Handshaking(handshake, inbox) => self.step_handshake(handshake, inbox, bytes)?,
            State::Unconfirmed(mut open) => {
                if open.opener.advance(bytes)? {
                    self.deadline = None;
                    (State::Confirmed(open), Some(Progress::Established))
                } else {
                    (State::Unconfirmed(open), None)
                }
            }
            State::Confirmed(open) => (State::Established(open), Some(Progress::Record)),
            State::Established(mut open) => {
                let progress = open.opener.advance(bytes)?.then_some(Progress::Record);
                (State::Established(open), progress)
            }
            State::Ended => {
                *bytes = &[];
                (State::Ended, None)
            }
        };
        self.state = state;
        Ok(progress)
    }

    fn step_handshake(
        &mut self,
        handshake: Handshake,
        mut inbox: Box<Inbox>,
        bytes: &mut &[u8],
    ) -> Result<(State, Option<Progress>), HandshakeError> {
        let Some(message) = inbox.advance(handshake.message_bytes(), bytes)? else {
            return Ok((State::Handshaking(handshake, inbox), None));
        };
        match handshake.receive(message)? {
            Step::Reply(next, message) => {
                self.held.hold_message(&message);
                Ok((State::Handshaking(next, Box::default()), None))
            }
            Step::Done(authenticated, Some(message)) => {
                self.held.hold_message(&message);
                Ok((State::Unconfirmed(self.open(&authenticated)), None))
            }
            Step::Done(authenticated, None) => {
                self.deadline = None;
                Ok((State::Established(self.open(&authenticated)), Some(Progress::Established)))
            }
        }
    }

    fn open(&self, from: &Authenticated) -> Box<Transport> {
        let (sealing, opening) = match from.role {
            Role::Initiator => (&from.keys.from_initiator, &from.keys.from_responder),
            Role::Responder => (&from.keys.from_responder, &from.keys.from_initiator),
        };
        let direction = |key| CipherState::new(Arc::clone(&from.local.suite), key, self.rekey_after);
        Box::new(Transport { peer: from.peer, sealing: direction(sealing), opener: Opener::new(direction(opening)) })
    }
}

impl Transport {
    /// Seals straight into `room` where a record fits whole, else aside.
    fn fill(&mut self, room: &mut [u8], held: &mut Held, source: &mut dyn FnMut(&mut [u8]) -> usize) -> usize {
        if room.len() >= SMALL_RECORD_BYTES {
            return self.sealing.seal(room, source);
        }
        held.hold(SMALL_RECORD_BYTES, |record| self.sealing.seal(record, source));
        held.take(room)
    }
}
