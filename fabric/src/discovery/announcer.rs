//! When this node announces itself: at once, and then again and again with jitter. Sends nothing itself.

use alloc::vec::Vec;

use machine::{Duration, Instant};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

/// Whatever the configuration says, time goes on between two announces.
const INTERVAL_MIN: Duration = Duration::from_millis(1);

/// The node's own announce and its timer.
#[derive(Debug)]
pub(super) struct Announcer {
    jitter: ChaCha8Rng,
    every: Duration,
    jitter_max: Duration,
    /// The announce, and when it is next due; `None` while the node only listens.
    announce: Option<(Vec<u8>, Instant)>,
    is_due: bool,
}

impl Announcer {
    pub(super) fn new(seed: u64, every: Duration, jitter_max: Duration) -> Self {
        Self { jitter: ChaCha8Rng::seed_from_u64(seed), every, jitter_max, announce: None, is_due: false }
    }

    /// Announces these bytes from now on, at once first.
    pub(super) fn start(&mut self, now: Instant, bytes: Vec<u8>) {
        self.announce = Some((bytes, now));
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
        let interval = self.every.saturating_sub(self.draw()).max(INTERVAL_MIN);
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
