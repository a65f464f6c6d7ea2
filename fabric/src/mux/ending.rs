//! How a session's streams come to their end: at once, after draining, by silence, with the pipe (wire contract, 3 and 4).

use super::control::Control;
use super::keepalive::Verdict;
use super::{Ended, Event, Mux, Reject, code};
use crate::probe::Probe;
use machine::Instant;

/// How far the session is from its end.
#[derive(Debug)]
pub(super) enum Phase {
    Open,
    Draining(Draining),
    Ended,
}

/// A session that ends when its streams have.
#[derive(Debug)]
pub(super) struct Draining {
    /// The code that this side sent.
    local: Option<u32>,
    /// The code that the peer sent first.
    peer: Option<u32>,
    deadline: Instant,
}

impl Draining {
    /// Who began it says why it ends.
    fn reason(&self) -> Ended {
        match (self.local, self.peer) {
            (Some(code), _) => Ended::Local(code),
            (None, code) => Ended::Peer(code.unwrap_or(code::DONE)),
        }
    }
}

impl Phase {
    pub(super) const fn is_ended(&self) -> bool {
        matches!(self, Self::Ended)
    }

    /// Whether this side has said that the session ends.
    pub(super) const fn is_closed_here(&self) -> bool {
        matches!(self, Self::Draining(Draining { local: Some(_), .. }))
    }

    /// Whether the peer has said that the session ends.
    pub(super) const fn is_closed_by_peer(&self) -> bool {
        matches!(self, Self::Draining(Draining { peer: Some(_), .. }))
    }
}

impl Mux {
    /// Begins to end the session, by CLOSE of stream 0: a code that drains lets streams finish and what came be read, for
    /// as long as [`Limits::drain_timeout`](super::Limits::drain_timeout); any other ends them now. [`Event::Ended`] follows.
    pub fn close(&mut self, now: Instant, code: u32) {
        match &self.phase {
            Phase::Ended => {}
            _ if !code::drains(code) => self.end_now(code, Ended::Local(code)),
            Phase::Draining(_) => {}
            Phase::Open => {
                let deadline = now + self.limits.drain_timeout;
                self.phase = Phase::Draining(Draining { local: Some(code), peer: None, deadline });
                self.control.push(Control::SessionClose { code });
            }
        }
    }

    /// The pipe has ended: unless the session had, it is [`Ended::Truncated`] now.
    pub fn pipe_ended(&mut self) {
        let reason = match &self.phase {
            Phase::Ended => return,
            // Both sides know that the streams are done; what is not read yet can be.
            Phase::Draining(draining) if draining.peer.is_some() && self.streams.live() == 0 => draining.reason(),
            _ => {
                self.streams.clear();
                Ended::Truncated
            }
        };
        self.control.clear();
        self.end(reason);
    }

    /// When to call [`Mux::handle_timeout`].
    pub fn next_timeout(&self) -> Option<Instant> {
        let silence = self.keepalive.deadline();
        let next = self.pace_timeout().map_or(silence, |due| due.min(silence));
        match &self.phase {
            Phase::Open => Some(next),
            Phase::Draining(draining) => Some(draining.deadline.min(next)),
            Phase::Ended => None,
        }
    }

    /// Time has passed; before [`Mux::next_timeout`] it changes nothing.
    pub fn handle_timeout(&mut self, now: Instant) {
        match &self.phase {
            Phase::Ended => return,
            Phase::Draining(draining) if draining.deadline <= now => {
                self.probes.hit(Probe::DrainTimedOut);
                self.streams.clear();
                return self.end_drained();
            }
            _ => {}
        }
        if self.paced_until.is_some_and(|due| due <= now) {
            self.paced_until = None; // the next fill looks
        }
        match self.keepalive.handle_timeout(now) {
            Verdict::Wait => {}
            verdict @ (Verdict::Ping | Verdict::Forgive) => {
                let is_forgiven = verdict == Verdict::Forgive;
                self.probes.hit(if is_forgiven { Probe::PauseForgiven } else { Probe::KeptAlive });
                self.release_spares();
                self.ping(now);
            }
            Verdict::Dead => self.end_now(code::KEEPALIVE, Ended::Dead),
        }
    }

    /// The peer has said that the session ends.
    pub(super) fn peer_closes(&mut self, now: Instant, code: u32) {
        if !code::drains(code) {
            self.control.clear();
            self.streams.clear();
            return self.end(Ended::Peer(code));
        }
        match &mut self.phase {
            Phase::Ended => return,
            Phase::Draining(draining) => {
                draining.peer.get_or_insert(code);
                return;
            }
            Phase::Open => {}
        }
        let deadline = now + self.limits.drain_timeout;
        self.phase = Phase::Draining(Draining { local: None, peer: Some(code), deadline });
        self.events.push_back(Event::Draining { code });
    }

    /// The peer broke the contract.
    pub(super) fn reject(&mut self, reject: Reject) {
        self.probes.hit(reject.probe());
        self.end_now(reject.code(), Ended::Rejected(reject));
    }

    /// Ends a session that drains once both sides have said so and no stream is left, here too: what came is read first.
    pub(super) fn end_if_drained(&mut self) {
        if self.phase.is_closed_by_peer() && self.streams.is_empty() {
            self.end_drained();
        }
    }

    fn end_drained(&mut self) {
        let Phase::Draining(draining) = &self.phase else { return };
        let reason = draining.reason();
        let is_answer = draining.local.is_none();
        self.release_all_paced();
        if is_answer {
            self.control.push(Control::SessionClose { code: code::DONE });
        }
        self.end(reason);
    }

    /// Ends it with a last frame, ahead of which nothing else is sent.
    fn end_now(&mut self, code: u32, reason: Ended) {
        self.control.clear();
        self.streams.clear();
        self.control.push(Control::SessionClose { code });
        self.end(reason);
    }

    fn end(&mut self, reason: Ended) {
        self.phase = Phase::Ended;
        self.schedule.clear();
        self.release_spares();
        self.events.push_back(Event::Ended { reason });
    }

    /// Nothing has come for a while: memory that only speed needs is given back.
    fn release_spares(&mut self) {
        self.spare = super::spare::Spare::default();
        self.schedule.shrink();
        self.control.shrink();
        self.events.shrink_to_fit();
    }
}
