//! One pipe of a node and what is on it: a handshake, then streams, then the end. Knows no other pipe.

use crate::event::SessionEnd;
use crate::identity::{DeviceId, NoisePublic};
use crate::mux::{self, Admission, Mux, Role, code};
use crate::probe::{Probe, Probes};
use crate::session::{HandshakeError, Peer, Received, Session, SessionError};
use alloc::boxed::Box;
use core::cmp::Ordering;
use machine::{Addr, Instant};

/// Whom this node dialled, and where.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Dialled {
    pub(super) device: DeviceId,
    pub(super) noise_static: NoisePublic,
}

/// One pipe.
pub(super) struct Connection {
    pub(super) addr: Addr,
    /// `None` for a pipe that was accepted.
    pub(super) dialled: Option<Dialled>,
    /// When the session came up.
    pub(super) up_since: Option<Instant>,
    pub(super) phase: Phase,
    session: Session,
    mux: Option<Box<Mux>>,
    /// A `FillPipe` was given, and `fill` has not returned 0 since.
    fill_is_due: bool,
}

/// How far a pipe has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// No session yet.
    Handshaking,
    /// A session that the application knows of.
    Up(DeviceId),
    /// The session is over; the pipe is read to its end, but not for longer than this.
    Lingering(Instant),
}

/// What the bytes of a pipe have led to.
#[derive(Debug)]
pub(super) enum Progress {
    /// The peer has proven itself; what is trusted, and what the first record says, is still to be judged.
    Established(Peer),
    /// A record was taken in.
    Record,
}

impl Connection {
    pub(super) fn new(addr: Addr, dialled: Option<Dialled>, session: Session) -> Self {
        Self { addr, dialled, up_since: None, phase: Phase::Handshaking, session, mux: None, fill_is_due: false }
    }

    /// Whom it leads to: as proven, else as dialled.
    pub(super) fn device(&self) -> Option<DeviceId> {
        if let Phase::Up(device) = self.phase {
            return Some(device); // a record that did not open has ended the handshake's state, and what it had proven
        }
        self.session.peer().map(|peer| peer.device).or(self.dialled.map(|dialled| dialled.device))
    }

    /// Who the other side has proven to be.
    pub(super) fn peer(&self) -> Option<Peer> {
        self.session.peer().copied()
    }

    /// Whether the other side cannot have a session on it yet: this side dialled, and has not proven itself.
    pub(super) fn is_unproven_dial(&self) -> bool {
        self.dialled.is_some() && self.session.peer().is_none()
    }

    /// Accepted, and not proven yet: what the bounds of section 3 count.
    pub(super) fn is_inbound_handshake(&self) -> bool {
        self.dialled.is_none() && self.phase == Phase::Handshaking && !self.session.is_established()
    }

    /// Over, or refused: only its last words are still to be sent.
    pub(super) fn is_ending(&self) -> bool {
        match self.phase {
            Phase::Handshaking => self.dialled.is_none() && self.session.is_established(),
            Phase::Up(_) => false,
            Phase::Lingering(_) => true,
        }
    }

    /// Which of two inbound handshakes is to go first, when both are as old.
    pub(super) fn by_worth(&self, other: &Self) -> Ordering {
        other.session.awaits_message_1().cmp(&self.session.awaits_message_1())
    }

    /// The streams, while the session is up.
    pub(super) fn streams(&mut self) -> Option<&mut Mux> {
        match self.phase {
            Phase::Up(_) => self.mux.as_deref_mut(),
            Phase::Handshaking | Phase::Lingering(_) => None,
        }
    }

    /// The same, to look at.
    pub(super) fn streams_seen(&self) -> Option<&Mux> {
        self.mux.as_deref().filter(|_| matches!(self.phase, Phase::Up(_)))
    }

    /// Whether new streams can be opened on it.
    pub(super) fn is_open(&self) -> bool {
        self.streams_seen().is_some_and(Mux::is_open)
    }

    /// How many streams it keeps.
    pub(super) fn stream_count(&self) -> usize {
        self.mux.as_ref().map_or(0, |mux| mux.streams())
    }

    /// How many streams of the other side are open on it.
    pub(super) fn streams_of_peer(&self) -> usize {
        self.mux.as_ref().map_or(0, |mux| mux.streams_of_peer())
    }

    /// How many streams this side has opened on it.
    pub(super) fn streams_opened(&self) -> u32 {
        self.mux.as_ref().map_or(0, |mux| mux.opened())
    }

    /// How many bytes of memory it keeps for records that come in.
    pub(super) fn record_memory(&self) -> usize {
        self.session.record_memory()
    }

    pub(super) fn probes(&self) -> Probes {
        let mut probes = self.mux.as_ref().map_or_else(Probes::default, |mux| mux.probes());
        if self.session.has_rekeyed() {
            probes.hit(Probe::RecordRekeyed);
        }
        probes
    }

    pub(super) fn opens_refused(&self) -> mux::OpensRefused {
        self.mux.as_ref().map_or_else(mux::OpensRefused::default, |mux| mux.opens_refused())
    }

    /// Whether the session's end has come, told or not.
    pub(super) fn has_ended(&self) -> bool {
        self.mux.as_ref().is_some_and(|mux| mux.has_ended())
    }

    /// The streams of a session that has just been established.
    pub(super) fn establish(&mut self, now: Instant, limits: &mux::Limits, is_trusted: bool) {
        let role = if self.dialled.is_some() { Role::Initiator } else { Role::Responder };
        let mut mux = Mux::new(now, role, limits);
        match role {
            Role::Responder if is_trusted => mux.ping(now),
            Role::Responder => mux.close(now, code::NOT_TRUSTED),
            Role::Initiator => {}
        }
        self.mux = Some(Box::new(mux));
    }

    /// Takes bytes of the pipe until they lead to something; `None` when all are taken.
    pub(super) fn receive(
        &mut self,
        now: Instant,
        bytes: &mut &[u8],
        mut admit: impl FnMut(DeviceId, &str) -> Admission,
    ) -> Result<Option<Progress>, SessionError> {
        let device = self.device();
        match self.session.receive(now, bytes)? {
            None => Ok(None),
            Some(Received::Established(peer)) => Ok(Some(Progress::Established(peer))),
            Some(Received::Record(plaintext)) => {
                if let (Some(mux), Some(device)) = (&mut self.mux, device) {
                    // The offence has ended the session: its end is among the events.
                    let _ = mux.receive(now, plaintext, &mut |service| admit(device, service));
                }
                Ok(Some(Progress::Record))
            }
        }
    }

    /// Begins to end the session; before there is one, nothing.
    pub(super) fn close(&mut self, now: Instant, code: u32) {
        if let Some(mux) = &mut self.mux {
            mux.close(now, code);
        }
    }

    pub(super) fn poll(&mut self) -> Option<mux::Event> {
        self.mux.as_mut()?.poll()
    }

    pub(super) fn fill(&mut self, now: Instant, room: &mut [u8]) -> usize {
        let Self { session, mux, .. } = self;
        let filled = session.fill(room, &mut |space| mux.as_mut().map_or(0, |mux| mux.fill(now, space)));
        self.fill_is_due &= filled > 0;
        filled
    }

    /// Whether the driver is to be told that there is something to fill, which it is only once.
    pub(super) fn starts_filling(&mut self) -> bool {
        let has_bytes = self.session.wants_fill()
            || (self.session.is_established() && self.mux.as_ref().is_some_and(|mux| mux.wants_fill()));
        let starts = has_bytes && !self.fill_is_due;
        self.fill_is_due |= starts;
        starts
    }

    pub(super) fn next_timeout(&self) -> Option<Instant> {
        match self.phase {
            Phase::Lingering(until) => Some(until),
            Phase::Handshaking | Phase::Up(_) => {
                let mux = self.mux.as_ref().and_then(|mux| mux.next_timeout());
                [self.session.next_timeout(), mux].into_iter().flatten().min()
            }
        }
    }

    /// Judges the deadline of the handshake, and those of the streams.
    pub(super) fn handle_timeout(&mut self, now: Instant) -> Result<(), SessionError> {
        self.session.handle_timeout(now)?;
        if let Some(mux) = self.mux.as_mut().filter(|mux| mux.next_timeout().is_some_and(|due| due <= now)) {
            self.session.release_buffers(); // most of the time it is a silence that has come to its keepalive
            mux.handle_timeout(now);
        }
        Ok(())
    }

    /// The pipe has ended. What that says of a session that had not.
    pub(super) fn pipe_ended(&mut self) -> SessionEnd {
        match self.phase {
            Phase::Up(_) => SessionEnd::Truncated,
            Phase::Handshaking | Phase::Lingering(_) => SessionEnd::Handshake(HandshakeError::PeerClosed),
        }
    }
}
