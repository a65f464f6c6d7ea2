//! What a node keeps of one device that it has, or wants, a session with. Knows no bytes.

use crate::config::Limits;
use crate::identity::NoisePublic;
use alloc::vec::Vec;
use machine::{Addr, Duration, Instant, PipeId};
use rand_chacha::rand_core::Rng;

/// One device.
#[derive(Debug, Default)]
pub(super) struct Device {
    /// Whether a session is to be had, and dialled for.
    pub(super) is_wanted: bool,
    /// Nobody has asked for it: it is wanted for as long as discovery knows the device.
    pub(super) is_unasked: bool,
    /// Sessions that are up, the newest last.
    pub(super) sessions: Vec<PipeId>,
    /// Handshakes under way that this node dialled, and where.
    pub(super) dials: Vec<(PipeId, Addr)>,
    /// Where it is to be found without discovery.
    pub(super) address: Option<(Addr, NoisePublic)>,
    /// No dial before this.
    redial_at: Option<Instant>,
    failures: u32,
}

impl Device {
    /// Whether there is nothing to remember.
    pub(super) fn is_idle(&self) -> bool {
        !self.is_wanted && self.sessions.is_empty() && self.dials.is_empty()
    }

    /// Whether a dial or a session has failed lately.
    pub(super) const fn has_failed(&self) -> bool {
        self.failures > 0
    }

    /// How long a dial has to wait yet.
    pub(super) fn waits_until(&self, now: Instant) -> Option<Instant> {
        self.redial_at.filter(|at| *at > now)
    }

    /// A dial failed, or a session that had not lived long: wait longer each time (seeded exponential backoff with jitter).
    pub(super) fn back_off(&mut self, now: Instant, limits: &Limits, random: &mut impl Rng) {
        let longest = limits.redial_after_max.as_nanos();
        let span = limits.redial_after.saturating_mul(1 << self.failures.min(31)).as_nanos().min(longest);
        let less = if span < 2 { 0 } else { random.next_u64() % (span / 2) };
        self.failures = self.failures.saturating_add(1);
        self.redial_at = Some(now + Duration::from_nanos(span - less));
    }

    /// A session lived long enough to call it one.
    pub(super) fn forgive(&mut self) {
        self.failures = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand_chacha::ChaCha8Rng;
    use rand_chacha::rand_core::SeedableRng;

    #[test]
    fn waits_double_up_to_the_cap_and_differ_by_chance() {
        let limits = Limits::default();
        let mut random = ChaCha8Rng::seed_from_u64(1);
        let mut device = Device::default();
        let mut longest = Duration::ZERO;
        let mut distinct = alloc::collections::BTreeSet::new();
        for failure in 0..40 {
            device.back_off(Instant::ZERO, &limits, &mut random);
            let wait = device.waits_until(Instant::ZERO).unwrap().saturating_since(Instant::ZERO);
            let most = limits.redial_after.saturating_mul(1 << failure.min(20)).min(limits.redial_after_max);
            assert!(wait <= most && wait.saturating_mul(2) >= most, "{failure}: {wait}");
            longest = longest.max(wait);
            distinct.insert(wait);
        }
        assert!(longest <= limits.redial_after_max && distinct.len() > 35);
        device.forgive();
        device.back_off(Instant::ZERO, &limits, &mut random);
        assert!(device.waits_until(Instant::ZERO).unwrap() <= Instant::ZERO + limits.redial_after);
        assert_eq!(device.waits_until(Instant::ZERO + limits.redial_after), None);
    }
}
