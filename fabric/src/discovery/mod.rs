//! Who is there, and where to dial them: announces in and out, and a bounded table of peers (wire contract, 2).
//!
//! An announce is a claim; only a handshake proves it. This module sees datagrams, time and a seed. It opens no pipe, knows
//! no session and answers no announce: whoever owns it tells it what was proven, and decides whom to dial unasked.
//!
//! - [`announce`]: the bytes.
//! - [`Discovery`]: what is taken in, what is told, when to announce and where to dial next.
//!
//! Its owner hands in datagrams and timeouts, then drains [`Discovery::poll_announce`] and [`Discovery::poll`]. To reach a
//! device it asks [`Discovery::next_dial`], asks again at the time it is given or at the device's next event, and reports
//! [`Discovery::proven`] when a handshake succeeds; a dial that fails needs no report.

pub mod announce;
mod announcer;
mod freshness;
mod pace;
mod peer;
mod peers;
mod refusal;
mod services;
mod speaking;

use machine::{Addr, Duration, Instant};

use self::announce::{Announce, AnnounceV1, AnnounceV2};
use self::announcer::Announcer;
use self::freshness::{Age, Freshness};
use self::pace::Pace;
use self::peer::Heard;
use self::peers::Peers;
use crate::identity::{DeviceId, NoisePublic};

pub use self::peer::{Candidate, Claim, Peer};
pub use self::refusal::{Counters, Refusal};
pub use self::services::Services;
pub use self::speaking::LocalAnnounce;

/// The UDP port that announces are sent to and received at (wire contract, 2).
pub const PORT: u16 = 37_020;

/// Every bound of discovery. The defaults are the wire contract's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Most devices in the table; 0 counts as 1. One source holds at most a quarter of them, at least one.
    pub devices_max: u16,
    /// Most candidates of one device; 0 counts as 1.
    pub candidates_max: u8,
    /// How long an announce counts; a signed one may say less.
    pub time_to_live: Duration,
    /// The longest time between two announces of this node.
    pub announce_every: Duration,
    /// How much sooner than that an announce may come, evenly drawn: nodes that started together drift apart.
    pub announce_jitter: Duration,
    /// How long a dial of a device has before its next candidate is tried.
    pub dial_next_after: Duration,
    /// The time between two dials of unproven candidates of one source.
    pub dial_source_every: Duration,
    /// The pause after the first dial of an unproven address and port; each further one doubles it.
    pub dial_backoff_first: Duration,
    /// The longest such pause.
    pub dial_backoff_max: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            devices_max: 64,
            candidates_max: 4,
            time_to_live: Duration::from_secs(30),
            announce_every: Duration::from_secs(10),
            announce_jitter: Duration::from_secs(2),
            dial_next_after: Duration::from_secs(1),
            dial_source_every: Duration::from_secs(1),
            dial_backoff_first: Duration::from_secs(1),
            dial_backoff_max: Duration::from_secs(60),
        }
    }
}

impl Limits {
    fn devices(&self) -> usize {
        usize::from(self.devices_max).max(1)
    }

    fn candidates(&self) -> usize {
        usize::from(self.candidates_max).max(1)
    }

    fn places_per_source(&self) -> usize {
        (self.devices() / 4).max(1)
    }
}

/// What the application learns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// A device has a place in the table.
    Discovered {
        /// Which, by its own claim.
        device: DeviceId,
        /// What it is said to serve.
        services: Services<'static>,
    },
    /// A discovered device has other services or a new candidate: a dial may be possible sooner.
    Updated {
        /// Which.
        device: DeviceId,
        /// What it is said to serve now.
        services: Services<'static>,
    },
    /// A discovered device has left the table.
    Lost {
        /// Which.
        device: DeviceId,
        /// Why.
        reason: LostReason,
    },
}

/// Why a device left the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LostReason {
    /// It was not heard for the time to live.
    Expired,
    /// It was least recently heard, and another took its place.
    Evicted,
    /// It said so, signed.
    Goodbye,
}

/// A candidate to dial now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Dial {
    /// Where.
    pub addr: Addr,
    /// The Noise static to expect.
    pub noise_static: NoisePublic,
    /// How it was learned.
    pub claim: Claim,
    /// Whether the device proved itself there before.
    pub was_proven: bool,
}

/// Where to dial a device, if anywhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NextDial {
    /// Here and now; it counts as dialled.
    Now(Dial),
    /// Ask again then, or at the device's next [`Event::Updated`].
    At(Instant),
    /// No candidate is known.
    Unknown,
}

/// Discovery of one node.
#[derive(Debug)]
pub struct Discovery {
    own: DeviceId,
    limits: Limits,
    announcer: Announcer,
    peers: Peers,
    freshness: Freshness,
    pace: Pace,
    counters: Counters,
}

impl Discovery {
    /// Listens as the device `own`; announces nothing yet. `seed` draws the jitter and nothing else.
    pub fn new(own: DeviceId, seed: u64, limits: &Limits) -> Self {
        let limits = *limits;
        Self {
            own,
            limits,
            announcer: Announcer::new(seed, limits.announce_every, limits.announce_jitter),
            peers: Peers::new(limits),
            // Those in the table, and as many that have left it.
            freshness: Freshness::new(limits.devices() * 2, limits.time_to_live),
            pace: Pace::new(limits),
            counters: Counters::default(),
        }
    }

    /// The table, by device id; at most [`Limits::devices_max`].
    pub fn peers(&self) -> impl Iterator<Item = (DeviceId, &Peer)> {
        self.peers.iter()
    }

    /// One device's entry.
    pub fn peer(&self, device: DeviceId) -> Option<&Peer> {
        self.peers.get(device)
    }

    /// What was taken in and refused so far.
    pub const fn counters(&self) -> &Counters {
        &self.counters
    }

    /// When to call [`Discovery::handle_timeout`].
    pub fn next_timeout(&self) -> Option<Instant> {
        [self.announcer.next_timeout(), self.peers.next_timeout()].into_iter().flatten().min()
    }

    /// Time has passed; before [`Discovery::next_timeout`] it changes nothing.
    pub fn handle_timeout(&mut self, now: Instant) {
        self.announcer.handle_timeout(now);
        self.peers.expire(now);
    }

    /// Takes in a datagram of the discovery port: the device that it speaks of, or why it changed nothing. `verify` checks
    /// an Ed25519 signature (verifying key, message, signature), strictly.
    pub fn observe(
        &mut self,
        now: Instant,
        from: Addr,
        datagram: &[u8],
        verify: impl Fn(&[u8; 32], &[u8], &[u8; 64]) -> bool,
    ) -> Result<DeviceId, Refusal> {
        self.peers.expire(now);
        let outcome = self.take_in(now, from, datagram, verify);
        self.counters.count(&outcome);
        outcome
    }

    /// Trusted devices are never evicted. The node's trust store bounds how many there are.
    pub fn set_trusted(&mut self, device: DeviceId, is_trusted: bool) {
        self.peers.set_trusted(device, is_trusted);
    }

    /// The epoch that the device was last known to have: an announce of a lower one is old, for as long as this is said.
    /// To be told for devices that are remembered over restarts; `None` forgets it.
    pub fn set_epoch_known(&mut self, device: DeviceId, epoch: Option<u64>) {
        self.freshness.set_known(device, epoch);
    }

    /// The epoch of the device's last accepted announce, while that is remembered.
    pub fn newest_epoch(&self, now: Instant, device: DeviceId) -> Option<u64> {
        self.freshness.epoch(now, device)
    }

    /// Whether an authenticated session with the device lives: to be told when the first begins and when the last ends.
    /// In between the device keeps its place, and what was proven is not forgotten. The node's sessions bound how many
    /// such devices there are.
    pub fn set_live(&mut self, now: Instant, device: DeviceId, is_live: bool) {
        if is_live {
            self.freshness.allow_lower_epoch(device);
        }
        self.peers.set_live(now, device, is_live);
    }

    /// A handshake that this node dialled has proven the device at this candidate: whether that is still in the table.
    pub fn proven(&mut self, now: Instant, device: DeviceId, addr: Addr, noise_static: NoisePublic) -> bool {
        self.pace.proven(addr);
        self.peers.prove(now, device, addr, noise_static)
    }

    /// Which candidate of the device to dial: the last proven, then signed ones, then unsigned ones, the next each
    /// [`Limits::dial_next_after`], and so on from the first. What is given counts as dialled. An unproven candidate is
    /// given once each [`Limits::dial_source_every`] for its source, and ever more seldom for its address and port.
    pub fn next_dial(&mut self, now: Instant, device: DeviceId) -> NextDial {
        self.peers.expire(now);
        self.pace.expire(now);
        let Some(peer) = self.peers.get_mut(device) else { return NextDial::Unknown };
        let ready_at = self.pace.device_ready_at(now, device);
        if now < ready_at && !peer.candidates().is_empty() {
            return NextDial::At(ready_at);
        }
        let next = peer.next_dial(now, &self.pace, &self.limits);
        if let NextDial::Now(dial) = next {
            self.pace.device_dialled(now, device);
            if !dial.was_proven {
                self.pace.addr_dialled(now, dial.addr);
            }
        }
        next
    }

    /// What the application has not heard yet.
    pub fn poll(&mut self) -> Option<Event> {
        self.peers.poll()
    }

    fn take_in(
        &mut self,
        now: Instant,
        from: Addr,
        bytes: &[u8],
        verify: impl Fn(&[u8; 32], &[u8], &[u8; 64]) -> bool,
    ) -> Result<DeviceId, Refusal> {
        let announce = Announce::parse(bytes).map_err(Refusal::Malformed)?;
        let device = refusal::judge(announce.body(), self.own)?;
        match announce {
            Announce::V1(_) if self.freshness.said_goodbye(now, device) => return Err(Refusal::Superseded),
            Announce::V1(body) => {
                let heard = heard(from, &body, Claim::V1, now + self.limits.time_to_live);
                self.peers.hear(now, device, &heard)?;
            }
            Announce::V2(signed) => {
                let is_signed = || {
                    let message = announce::signed_message(bytes);
                    verify(&signed.verifying_key, &message, &signed.signature)
                };
                self.take_in_signed(now, from, device, &signed, is_signed)?;
            }
        }
        Ok(device)
    }

    /// The signature is judged last: what is refused without it, such as an announce that is said again, costs next to
    /// nothing.
    fn take_in_signed(
        &mut self,
        now: Instant,
        from: Addr,
        device: DeviceId,
        signed: &AnnounceV2<'_>,
        is_signed: impl Fn() -> bool,
    ) -> Result<(), Refusal> {
        if DeviceId::of(&signed.verifying_key) != device {
            return Err(Refusal::KeyMismatch);
        }
        let age = self.freshness.judge(now, device, signed.epoch, signed.sequence)?;
        if signed.ttl == 0 {
            return self.say_goodbye(now, device, signed, age, is_signed);
        }
        let time_to_live = Duration::from_secs(signed.ttl.into()).min(self.limits.time_to_live);
        let expires_at = match age {
            Age::Newer => now + time_to_live,
            Age::Same(lives_until) => lives_until,
        };
        let heard = heard(from, &signed.body, Claim::V2, expires_at);
        if age != Age::Newer && self.peer(device).is_some_and(|peer| peer.has_signed_candidate(&heard)) {
            return Err(Refusal::Stale);
        }
        if !is_signed() {
            return Err(Refusal::SignatureInvalid);
        }
        self.peers.hear(now, device, &heard)?;
        if age == Age::Newer {
            self.freshness.record(device, (signed.epoch, signed.sequence), expires_at, false);
        }
        Ok(())
    }

    /// Only who was known is remembered: a stranger's goodbyes take no memory.
    fn say_goodbye(
        &mut self,
        now: Instant,
        device: DeviceId,
        signed: &AnnounceV2<'_>,
        age: Age,
        is_signed: impl Fn() -> bool,
    ) -> Result<(), Refusal> {
        if age != Age::Newer {
            return Err(Refusal::Stale);
        }
        if !is_signed() {
            return Err(Refusal::SignatureInvalid);
        }
        if self.peer(device).is_some() || self.freshness.knows(now, device) {
            self.freshness.record(device, (signed.epoch, signed.sequence), now, true);
        }
        self.peers.remove(device, LostReason::Goodbye);
        Ok(())
    }
}

fn heard<'a>(from: Addr, body: &'a AnnounceV1<'_>, claim: Claim, expires_at: Instant) -> Heard<'a> {
    Heard {
        addr: from.with_port(body.port),
        noise_static: body.noise_static,
        claim,
        expires_at,
        services: &body.services,
    }
}

#[cfg(test)]
mod tests;
