//! When this node announces itself: at once, soon again a few times, and then again and again with jitter; and at last a
//! goodbye. Signs nothing itself, and sends nothing.

use alloc::vec::Vec;

use machine::{Duration, Instant};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

use super::announce::AnnounceDraft;

/// Whatever the configuration says, time goes on between two announces.
const INTERVAL_MIN: Duration = Duration::from_millis(1);

/// After the first announce the next ones follow sooner, each after twice as long, until the time between two is the usual
/// one: whoever lost the first has not to wait for long (as RFC 6762, 8.3, has it).
const EARLY_FIRST: Duration = Duration::from_secs(1);

/// What a node says of itself, in the versions that it speaks.
#[derive(Debug)]
pub(super) struct Said {
    pub(super) unsigned: Vec<u8>,
    pub(super) signed: Option<Signed>,
}

/// The signed version: each announce has a sequence number of its own.
#[derive(Debug)]
pub(super) struct Signed {
    pub(super) draft: AnnounceDraft,
    /// How long others may count on an announce, in seconds; at least 1.
    pub(super) ttl: u16,
    /// Of the next announce.
    pub(super) sequence: u32,
}

/// The node's own announces and their timer.
#[derive(Debug)]
pub(super) struct Announcer {
    jitter: ChaCha8Rng,
    every: Duration,
    jitter_max: Duration,
    /// `None` while the node only listens.
    said: Option<Said>,
    next_at: Option<Instant>,
    due: Due,
    /// The datagram that was given last.
    datagram: Vec<u8>,
    /// The time until the next announce, jitter apart; grows to `every`.
    interval: Duration,
}

/// What is to be sent now, in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Due {
    Nothing,
    Signed,
    Unsigned,
    Goodbye,
}

impl Announcer {
    pub(super) fn new(seed: u64, every: Duration, jitter_max: Duration) -> Self {
        Self {
            jitter: ChaCha8Rng::seed_from_u64(seed),
            every,
            jitter_max,
            said: None,
            next_at: None,
            due: Due::Nothing,
            datagram: Vec::new(),
            interval: EARLY_FIRST,
        }
    }

    /// Announces this from now on, at once first. Sequences go on.
    pub(super) fn start(&mut self, now: Instant, mut said: Said) {
        let before = self.said.as_ref().and_then(|said| said.signed.as_ref());
        if let (Some(before), Some(signed)) = (before, &mut said.signed) {
            signed.sequence = before.sequence;
        }
        self.said = Some(said);
        self.next_at = Some(now);
        self.interval = EARLY_FIRST;
        self.handle_timeout(now);
    }

    /// Announces nothing any more; who signed what it said says goodbye.
    pub(super) fn stop(&mut self) {
        self.next_at = None;
        let has_signed = self.said.as_ref().is_some_and(|said| said.signed.as_ref().is_some_and(Signed::was_sent));
        self.due = if has_signed { Due::Goodbye } else { Due::Nothing };
    }

    pub(super) const fn next_timeout(&self) -> Option<Instant> {
        self.next_at
    }

    /// Whether [`Announcer::poll`] has something to give.
    pub(super) fn is_due(&self) -> bool {
        self.due != Due::Nothing
    }

    pub(super) fn handle_timeout(&mut self, now: Instant) {
        if self.next_at.is_none_or(|next_at| now < next_at) {
            return;
        }
        let is_signed = self.said.as_ref().is_some_and(|said| said.signed.is_some());
        self.due = if is_signed { Due::Signed } else { Due::Unsigned };
        let usual = self.every.saturating_sub(self.draw());
        let interval = usual.min(self.interval).max(INTERVAL_MIN);
        self.interval = self.interval.saturating_mul(2);
        self.next_at = Some(now + interval);
    }

    /// The next datagram to send now; `sign` makes an Ed25519 signature with the device key.
    pub(super) fn poll(&mut self, sign: impl Fn(&[u8]) -> [u8; 64]) -> Option<&[u8]> {
        let Said { unsigned, signed } = self.said.as_mut()?;
        loop {
            let (then, datagram) = match self.due {
                Due::Nothing => return None,
                Due::Signed => (Due::Unsigned, signed.as_mut().and_then(|signed| signed.announce(&sign))),
                Due::Unsigned => (Due::Nothing, Some(unsigned.clone())),
                Due::Goodbye => (Due::Nothing, signed.as_mut().and_then(|signed| signed.goodbye(&sign))),
            };
            self.due = then;
            if let Some(datagram) = datagram {
                self.datagram = datagram;
                return Some(&self.datagram);
            }
        }
    }

    /// Evenly from 0 to the most. The remainder's bias is far below what a clock can tell.
    fn draw(&mut self) -> Duration {
        Duration::from_nanos(self.jitter.next_u64() % self.jitter_max.as_nanos().saturating_add(1))
    }
}

impl Signed {
    fn announce(&mut self, sign: impl Fn(&[u8]) -> [u8; 64]) -> Option<Vec<u8>> {
        self.next(self.ttl, sign)
    }

    fn goodbye(&mut self, sign: impl Fn(&[u8]) -> [u8; 64]) -> Option<Vec<u8>> {
        self.next(0, sign)
    }

    /// `None` when the epoch has no sequence numbers left, after a thousand years.
    fn next(&mut self, ttl: u16, sign: impl Fn(&[u8]) -> [u8; 64]) -> Option<Vec<u8>> {
        let sequence = self.sequence;
        self.sequence = sequence.checked_add(1)?;
        Some(self.draft.sign(sequence, ttl, sign))
    }

    const fn was_sent(&self) -> bool {
        self.sequence > 0
    }
}
