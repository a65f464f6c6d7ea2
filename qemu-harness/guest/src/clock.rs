//! The node's clock, by the machine's.

use crate::arch::{Arch, Board};
use machine::Instant;

/// Starts and runs as the runner says.
#[derive(Clone, Copy)]
pub(crate) struct Clock(pub(crate) guest_contract::Clock);

impl Clock {
    /// How much of its own time passes in a second of the machine's, in nanoseconds.
    fn rate(self) -> u128 {
        u128::from((1_000_000_000 + i64::from(self.0.ppb)).max(1).unsigned_abs())
    }

    /// What it shows.
    pub(crate) fn now(self) -> Instant {
        let passed = u128::from(Board::now().as_nanos()) * self.rate() / 1_000_000_000;
        Instant::from_nanos(self.0.nanos.saturating_add(u64::try_from(passed).unwrap_or(u64::MAX)))
    }

    /// The machine's time once this clock shows `at`, or just after.
    pub(crate) fn when(self, at: Instant) -> Instant {
        let until = u128::from(at.as_nanos().saturating_sub(self.0.nanos));
        let machine = (until * 1_000_000_000).div_ceil(self.rate());
        Instant::from_nanos(u64::try_from(machine).unwrap_or(u64::MAX))
    }
}
