//! How often devices and unproven addresses may be dialled: a stranger's announces must not make this node a hammer.
//! Outlives the peer table's entries, so that nobody is dialled sooner for having left it. Knows no candidate.

use alloc::collections::BTreeMap;

use machine::{Addr, Duration, Host, Instant};

use super::Limits;
use crate::identity::DeviceId;

/// Remembers recent dials. Bounded.
#[derive(Debug)]
pub(super) struct Pace {
    /// When each device may be dialled again.
    devices: BTreeMap<DeviceId, Instant>,
    /// When each source may be dialled again, unproven, whichever device it is for.
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
        Self { devices: BTreeMap::new(), sources: BTreeMap::new(), targets: BTreeMap::new(), limits }
    }

    /// The most addresses and sources that are remembered: as many as there can be candidates.
    fn addrs_max(&self) -> usize {
        self.limits.devices() * self.limits.candidates()
    }

    /// From when on the device may be dialled; `now` or earlier means now.
    pub(super) fn device_ready_at(&self, now: Instant, device: DeviceId) -> Instant {
        ready_at(&self.devices, &device, self.limits.devices()).unwrap_or(now)
    }

    /// From when on `addr` may be dialled, unproven; `now` or earlier means now.
    pub(super) fn addr_ready_at(&self, now: Instant, addr: Addr) -> Instant {
        let source = ready_at(&self.sources, &addr.host(), self.addrs_max()).unwrap_or(now);
        self.targets.get(&addr).map_or(source, |backoff| source.max(backoff.ready_at))
    }

    /// The device is being dialled.
    pub(super) fn device_dialled(&mut self, now: Instant, device: DeviceId) {
        self.devices.insert(device, now + self.limits.dial_next_after);
    }

    /// `addr` is being dialled, unproven.
    pub(super) fn addr_dialled(&mut self, now: Instant, addr: Addr) {
        self.sources.insert(addr.host(), now + self.limits.dial_source_every);
        let dials = self.targets.get(&addr).map_or(0, |backoff| backoff.dials);
        let backoff = Backoff { dials: dials.saturating_add(1), ready_at: now + self.delay(dials) };
        self.targets.insert(addr, backoff);
        if self.targets.len() > self.addrs_max() {
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
        self.devices.retain(|_, ready_at| *ready_at > now);
        self.sources.retain(|_, ready_at| *ready_at > now);
        self.targets.retain(|_, backoff| backoff.ready_at + forget_after > now);
    }

    /// The pause after a dial that `earlier` others preceded.
    fn delay(&self, earlier: u8) -> Duration {
        let doubled = self.limits.dial_backoff_first.saturating_mul(1 << earlier.min(32));
        doubled.min(self.limits.dial_backoff_max)
    }

    #[cfg(test)]
    pub(super) fn sizes(&self) -> (usize, usize, usize) {
        (self.devices.len(), self.sources.len(), self.targets.len())
    }
}

/// When `key` is ready again. Nothing is forgotten before its time: when all `max` places are taken, newcomers wait.
fn ready_at<K: Ord>(waiting: &BTreeMap<K, Instant>, key: &K, max: usize) -> Option<Instant> {
    let own = waiting.get(key).copied();
    let is_full = waiting.len() >= max;
    own.or_else(|| waiting.values().min().copied().filter(|_| is_full))
}
