//! How often unproven addresses may be dialled: a stranger's announce must not make this node a hammer. Knows no device.

use alloc::collections::BTreeMap;

use machine::{Addr, Duration, Host, Instant};

use super::Limits;

/// Remembers recent dials of unproven candidates, whichever device they were for. Bounded.
#[derive(Debug)]
pub(super) struct Pace {
    /// When each source may be dialled again.
    sources: BTreeMap<Host, Instant>,
    targets: BTreeMap<Addr, Backoff>,
    limits: Limits,
}

#[derive(Clone, Copy, Debug)]
struct Backoff {
    dials: u8,
    ready_at: Instant,
}

impl Pace {
    pub(super) const fn new(limits: Limits) -> Self {
        Self { sources: BTreeMap::new(), targets: BTreeMap::new(), limits }
    }

    /// The most that either map holds: as many as there can be candidates.
    fn capacity(&self) -> usize {
        self.limits.devices() * self.limits.candidates()
    }

    /// From when on `addr` may be dialled; `now` or earlier means now.
    pub(super) fn ready_at(&self, now: Instant, addr: Addr) -> Instant {
        let source = match self.sources.get(&addr.host()) {
            Some(ready_at) => *ready_at,
            // Nothing is forgotten before its time: when the map is full, strangers wait.
            None if self.sources.len() >= self.capacity() => self.sources.values().min().copied().unwrap_or(now),
            None => now,
        };
        self.targets.get(&addr).map_or(source, |backoff| source.max(backoff.ready_at))
    }

    /// `addr` is being dialled, unproven.
    pub(super) fn dialled(&mut self, now: Instant, addr: Addr) {
        self.sources.insert(addr.host(), now + self.limits.dial_source_every);
        let dials = self.targets.get(&addr).map_or(0, |backoff| backoff.dials);
        let backoff = Backoff { dials: dials.saturating_add(1), ready_at: now + self.delay(dials) };
        self.targets.insert(addr, backoff);
        if self.targets.len() > self.capacity() {
            let first = self.targets.iter().min_by_key(|(addr, backoff)| (backoff.ready_at, **addr));
            if let Some(addr) = first.map(|(addr, _)| *addr) {
                self.targets.remove(&addr);
            }
        }
    }

    /// A device proved itself at `addr`.
    pub(super) fn proven(&mut self, addr: Addr) {
        self.targets.remove(&addr);
    }

    /// Forgets what no longer matters; a backoff is forgotten when it has been over for the longest backoff.
    pub(super) fn expire(&mut self, now: Instant) {
        let forget_after = self.limits.dial_backoff_max;
        self.sources.retain(|_, ready_at| *ready_at > now);
        self.targets.retain(|_, backoff| backoff.ready_at + forget_after > now);
    }

    /// The pause after a dial that `earlier` others preceded.
    fn delay(&self, earlier: u8) -> Duration {
        let doubled = self.limits.dial_backoff_first.saturating_mul(1 << earlier.min(32));
        doubled.min(self.limits.dial_backoff_max)
    }

    #[cfg(test)]
    pub(super) fn sizes(&self) -> (usize, usize) {
        (self.sources.len(), self.targets.len())
    }
}
