//! One device as its announces tell it: at most a few candidates, and which of them to dial next. Knows no other device.

use alloc::vec::Vec;
use core::cmp::Reverse;

use machine::{Addr, Host, Instant};

use super::pace::Pace;
use super::refusal::Refusal;
use super::services::Services;
use super::{Dial, Limits, NextDial};
use crate::identity::NoisePublic;

/// How a candidate was learned; the better one is greater.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Claim {
    /// By an unsigned announce: anybody's word.
    V1,
    /// By an announce that the device key has signed.
    V2,
}

/// One way in which a device may be reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// The announce's source with the announced port.
    pub addr: Addr,
    /// The Noise static to expect there.
    pub noise_static: NoisePublic,
    /// Who says so.
    pub claim: Claim,
    /// When it was last announced or proven.
    pub heard_at: Instant,
    /// When it goes unless it is heard again; a proven one stays while a session with the device lives.
    pub expires_at: Instant,
    /// When a handshake with the device last succeeded here.
    pub proven_at: Option<Instant>,
    services: Services<'static>,
    /// When it was last dialled, since the device last proved itself.
    dialled_at: Option<Instant>,
}

impl Candidate {
    /// What the device is said to serve.
    pub const fn services(&self) -> &Services<'static> {
        &self.services
    }

    const fn key(&self) -> (Addr, NoisePublic) {
        (self.addr, self.noise_static)
    }

    /// The smaller is dialled first: the last proven, then signed ones, then unsigned ones, each the last heard first.
    fn rank(&self) -> impl Ord + use<> {
        (Reverse(self.proven_at), Reverse(self.claim), Reverse(self.heard_at), self.key())
    }
}

/// What an accepted announce says.
#[derive(Debug)]
pub(super) struct Heard<'a> {
    pub(super) addr: Addr,
    pub(super) noise_static: NoisePublic,
    pub(super) claim: Claim,
    pub(super) expires_at: Instant,
    pub(super) services: &'a Services<'a>,
}

/// One announced device.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Peer {
    /// By address and Noise static.
    candidates: Vec<Candidate>,
    heard_at: Instant,
    /// Those of the candidate that would be dialled first, as they were when last looked at.
    services: Services<'static>,
    dials_in_round: u8,
}

impl Peer {
    /// The ways in which it may be reached, at most [`Limits::candidates_max`].
    pub fn candidates(&self) -> &[Candidate] {
        &self.candidates
    }

    /// What it is said to serve, by the candidate that would be dialled first.
    pub const fn services(&self) -> &Services<'static> {
        &self.services
    }

    /// When it was last announced or proven.
    pub const fn heard_at(&self) -> Instant {
        self.heard_at
    }

    /// The sources that hold a place here.
    pub(super) fn sources(&self) -> impl Iterator<Item = Host> {
        let host = |at: usize| self.candidates[at].addr.host();
        (0..self.candidates.len()).filter(move |&at| at == 0 || host(at) != host(at - 1)).map(host)
    }

    pub(super) fn has_source(&self, source: Host) -> bool {
        self.candidates.iter().any(|candidate| candidate.addr.host() == source)
    }

    pub(super) fn has_signed(&self, now: Instant) -> bool {
        self.candidates.iter().any(|candidate| candidate.claim == Claim::V2 && candidate.expires_at > now)
    }

    pub(super) fn has_candidate(&self, addr: Addr, noise_static: NoisePublic) -> bool {
        self.position(addr, noise_static).is_ok()
    }

    pub(super) fn has_signed_candidate(&self, heard: &Heard<'_>) -> bool {
        let at = self.position(heard.addr, heard.noise_static);
        at.is_ok_and(|at| self.candidates[at].claim == Claim::V2)
    }

    fn position(&self, addr: Addr, noise_static: NoisePublic) -> Result<usize, usize> {
        self.candidates.binary_search_by_key(&(addr, noise_static), Candidate::key)
    }

    /// Whether another candidate can be had: a place is free, or an unproven one can go.
    pub(super) fn has_room(&self, limits: &Limits) -> Result<(), Refusal> {
        let is_full = self.candidates.len() >= limits.candidates();
        if is_full && self.candidates.iter().all(|candidate| candidate.proven_at.is_some()) {
            return Err(Refusal::CandidatesFull);
        }
        Ok(())
    }

    /// Takes an announce in; whether it added a candidate. [`Peer::has_room`] holds, or the candidate is there.
    pub(super) fn hear(&mut self, now: Instant, heard: &Heard<'_>, limits: &Limits) -> bool {
        self.heard_at = now;
        if let Ok(at) = self.position(heard.addr, heard.noise_static) {
            let candidate = &mut self.candidates[at];
            candidate.claim = heard.claim;
            candidate.heard_at = now;
            candidate.expires_at = heard.expires_at;
            if candidate.services != *heard.services {
                candidate.services = heard.services.to_owned();
            }
            return false;
        }
        if self.candidates.len() >= limits.candidates() {
            self.drop_oldest_unproven();
        }
        let at = self.position(heard.addr, heard.noise_static).unwrap_or_else(|at| at);
        let candidate = Candidate {
            addr: heard.addr,
            noise_static: heard.noise_static,
            claim: heard.claim,
            heard_at: now,
            expires_at: heard.expires_at,
            proven_at: None,
            services: heard.services.to_owned(),
            dialled_at: None,
        };
        self.candidates.insert(at, candidate);
        true
    }

    fn drop_oldest_unproven(&mut self) {
        let unproven = self.candidates.iter().enumerate().filter(|(_, candidate)| candidate.proven_at.is_none());
        let oldest = unproven.min_by_key(|(_, candidate)| (candidate.claim, candidate.heard_at, candidate.key()));
        if let Some((at, _)) = oldest {
            self.candidates.remove(at);
        }
    }

    /// A handshake with the device succeeded at this candidate: whether it is still known.
    pub(super) fn prove(&mut self, now: Instant, addr: Addr, noise_static: NoisePublic, expires_at: Instant) -> bool {
        let Ok(at) = self.position(addr, noise_static) else { return false };
        self.heard_at = now;
        self.restart_round();
        let candidate = &mut self.candidates[at];
        candidate.proven_at = Some(now);
        candidate.heard_at = now;
        candidate.expires_at = candidate.expires_at.max(expires_at);
        true
    }

    /// A session with the device has ended: until now it was a sign of life.
    pub(super) fn end_session(&mut self, now: Instant, expires_at: Instant) {
        self.heard_at = now;
        self.restart_round();
        for candidate in self.candidates.iter_mut().filter(|candidate| candidate.proven_at.is_some()) {
            candidate.heard_at = now;
            candidate.expires_at = candidate.expires_at.max(expires_at);
        }
    }

    /// When [`Peer::expire`] next drops something.
    pub(super) fn next_expiry(&self, is_live: bool) -> Option<Instant> {
        let expiring = self.candidates.iter().filter(|candidate| !(is_live && candidate.proven_at.is_some()));
        expiring.map(|candidate| candidate.expires_at).min()
    }

    /// Drops what was not heard for too long.
    pub(super) fn expire(&mut self, now: Instant, is_live: bool) {
        let stays = |candidate: &Candidate| is_live && candidate.proven_at.is_some();
        self.candidates.retain(|candidate| candidate.expires_at > now || stays(candidate));
    }

    pub(super) fn drop_source(&mut self, source: Host) {
        self.candidates.retain(|candidate| candidate.addr.host() != source);
    }

    pub(super) fn drop_all(&mut self) {
        self.candidates.clear();
    }

    /// Looks again at what the first candidate serves: whether that is news.
    pub(super) fn refresh_services(&mut self) -> bool {
        let Some(first) = self.candidates.iter().min_by_key(|candidate| candidate.rank()) else { return false };
        if first.services == self.services {
            return false;
        }
        self.services = first.services.clone();
        true
    }

    /// The candidate to dial now, which then counts as dialled, or when to ask again.
    ///
    /// A round has as many dials as there are candidates. Its first goes to the last proven, or to a signed one: a stream of
    /// new candidates never keeps the best from being tried again. The others go to whichever was not dialled for longest:
    /// lies about a device, of which there can be more than its announces, never keep the truth from being tried.
    pub(super) fn next_dial(&mut self, now: Instant, pace: &Pace, limits: &Limits) -> NextDial {
        if self.candidates.is_empty() {
            return NextDial::Unknown;
        }
        if usize::from(self.dials_in_round) >= self.candidates.len().min(limits.candidates()) {
            self.dials_in_round = 0;
        }
        let is_first = self.dials_in_round == 0;
        let order = |candidate: &Candidate| {
            let best = is_first.then_some((Reverse(candidate.proven_at), Reverse(candidate.claim)));
            (best, candidate.dialled_at, candidate.rank())
        };
        let ready_at = |candidate: &Candidate| match candidate.proven_at {
            Some(_) => now,
            None => pace.addr_ready_at(now, candidate.addr),
        };
        let ready = self.candidates.iter().enumerate().filter(|(_, candidate)| ready_at(candidate) <= now);
        let chosen = ready.min_by_key(|(_, candidate)| order(candidate));
        let Some((at, _)) = chosen else {
            return self.candidates.iter().map(ready_at).min().map_or(NextDial::Unknown, NextDial::At);
        };
        NextDial::Now(self.mark_dialled(now, at))
    }

    fn mark_dialled(&mut self, now: Instant, at: usize) -> Dial {
        self.dials_in_round = self.dials_in_round.saturating_add(1);
        let candidate = &mut self.candidates[at];
        candidate.dialled_at = Some(now);
        Dial {
            addr: candidate.addr,
            noise_static: candidate.noise_static,
            claim: candidate.claim,
            was_proven: candidate.proven_at.is_some(),
        }
    }

    fn restart_round(&mut self) {
        self.dials_in_round = 0;
        for candidate in &mut self.candidates {
            candidate.dialled_at = None;
        }
    }
}
