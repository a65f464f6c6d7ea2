//! When this node announces itself: at once, soon again a few times, and then again and again with jitter. Sends nothing
//! itself.

use alloc::vec::Vec;

use machine::{Duration, Instant};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

/// Whatever the configuration says, time goes on between two announces.
const INTERVAL_MIN: Duration = Duration::from_millis(1);

/// After the first announce the next ones follow sooner, each after twice as long, until the time between two is the usual
/// one: whoever lost the first has not to wait for long (as RFC 6762, 8.3, has it).
const EARLY_FIRST: Duration = Duration::from_secs(1);

/// The node's own announce and its timer.
#[derive(Debug)]
pub(super) struct Announcer {
    jitter: ChaCha8Rng,
    every: Duration,
    jitter_max: Duration,
    /// The announce, and when it is next due; `None` while the node only listens.
    announce: Option<(Vec<u8>, Instant)>,
    is_due: bool,
    /// The time until the next announce, jitter apart; grows to `every`.
    interval: Duration,
}

impl Announcer {
    pub(super) fn new(seed: u64, every: Duration, jitter_max: Duration) -> Self {
        let jitter = ChaCha8Rng::seed_from_u64(seed);
        Self { jitter, every, jitter_max, announce: None, is_due: false, interval: EARLY_FIRST }
    }

    /// Announces these bytes from now on, at once first.
    pub(super) fn start(&mut self, now: Instant, bytes: Vec<u8>) {
        self.announce = Some((bytes, now));
        self.interval = EARLY_FIRST;
        self.handle_timeout(now);
    }

    pub(super) fn stop(&mut self) {
        self.announce = None;
        self.is_due = false;
    }

    pub(super) fn next_timeout(&self) -> Option<Instant> {
        self.announce.as_ref().map(|(_, next_at)| *next_at)
    }

    pub(super) fn handle_timeout(&mut self, now: Instant) {
        if self.next_timeout().is_none_or(|next_at| now < next_at) {
            return;
        }
        self.is_due = true;
        let usual = self.every.saturating_sub(self.draw());
        let interval = usual.min(self.interval).max(INTERVAL_MIN);
        self.interval = self.interval.saturating_mul(2);
        if let Some((_, next_at)) = &mut self.announce {
            *next_at = now + interval;
        }
    }

    pub(super) fn poll(&mut self) -> Option<&[u8]> {
        if !core::mem::take(&mut self.is_due) {
            return None;
        }
        self.announce.as_ref().map(|(bytes, _)| bytes.as_slice())
    }

    /// Evenly from 0 to the most. The remainder's bias is far below what a clock can tell.
    fn draw(&mut self) -> Duration {
        Duration::from_nanos(self.jitter.next_u64() % self.jitter_max.as_nanos().saturating_add(1))
    }
}
