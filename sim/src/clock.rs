//! A node's own clock: an offset, a rate and jumps on top of world time. Never falls.

use crate::Time;
use machine::{Duration, Instant};

const BILLION: i128 = 1_000_000_000;

/// Maps world time to one node's time and back. Integer arithmetic, so that a deadline is met to the nanosecond.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    /// Where the current rate began, in world time and in the node's.
    world: u64,
    node: u64,
    /// How much faster than world time, in parts per billion.
    ppb: i32,
}

impl Clock {
    /// A clock that shows `offset` at the start of the world and runs `ppb` parts per billion fast (negative: slow).
    ///
    /// Rates beyond 50 % either way are cut to 50 %.
    pub const fn new(offset: Duration, ppb: i32) -> Self {
        Self { world: 0, node: offset.as_nanos(), ppb: Self::bounded(ppb) }
    }

    const fn bounded(ppb: i32) -> i32 {
        if ppb > 500_000_000 {
            500_000_000
        } else if ppb < -500_000_000 {
            -500_000_000
        } else {
            ppb
        }
    }

    /// What the node's clock shows at `now`.
    #[inline]
    pub fn read(&self, now: Time) -> Instant {
        let elapsed = now.as_nanos().saturating_sub(self.world);
        let advanced = if self.ppb == 0 { elapsed } else { Self::at_rate(elapsed, self.ppb) };
        Instant::from_nanos(self.node.saturating_add(advanced))
    }

    fn at_rate(elapsed: u64, ppb: i32) -> u64 {
        let scaled = i128::from(elapsed) * (BILLION + i128::from(ppb)) / BILLION;
        u64::try_from(scaled).unwrap_or(u64::MAX)
    }

    /// The first world time, not before `now`, at which the clock shows `deadline` or later.
    #[inline]
    pub fn when(&self, deadline: Instant, now: Time) -> Time {
        let Some(ahead) = deadline.as_nanos().checked_sub(self.node) else { return now };
        let elapsed = if self.ppb == 0 {
            ahead
        } else {
            let rate = BILLION + i128::from(self.ppb);
            let exact = (i128::from(ahead) * BILLION + rate - 1) / rate;
            u64::try_from(exact).unwrap_or(u64::MAX)
        };
        Time::from_nanos(self.world.saturating_add(elapsed)).max(now)
    }

    /// How many parts per billion it runs fast.
    pub const fn rate(&self) -> i32 {
        self.ppb
    }

    /// Runs at another rate from `now` on.
    pub fn set_rate(&mut self, now: Time, ppb: i32) {
        self.rebase(now);
        self.ppb = Self::bounded(ppb);
    }

    /// Leaps forward by `by` at `now`.
    pub fn jump(&mut self, now: Time, by: Duration) {
        self.rebase(now);
        self.node = self.node.saturating_add(by.as_nanos());
    }

    fn rebase(&mut self, now: Time) {
        self.node = self.read(now).as_nanos();
        self.world = now.as_nanos();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_node_wakes_at_the_first_moment_its_clock_reaches_the_deadline(
            offset in 0_u64..1 << 50, ppb in -600_000_000_i32..600_000_000,
            now in 0_u64..1 << 50, ahead in 0_u64..1 << 45,
        ) {
            let clock = Clock::new(Duration::from_nanos(offset), ppb);
            let now = Time::from_nanos(now);
            let deadline = clock.read(now) + Duration::from_nanos(ahead);
            let wake = clock.when(deadline, now);
            prop_assert!(clock.read(wake) >= deadline);
            if wake > now {
                prop_assert!(clock.read(Time::from_nanos(wake.as_nanos() - 1)) < deadline);
            }
        }

        #[test]
        fn a_clock_never_falls(steps in proptest::collection::vec((0_u64..1 << 40, -600_000_000_i32..600_000_000, 0_u64..1 << 40), 1..20)) {
            let mut clock = Clock::new(Duration::ZERO, 0);
            let (mut now, mut shown) = (Time::ZERO, Instant::ZERO);
            for (wait, ppb, jump) in steps {
                now = now + Duration::from_nanos(wait);
                prop_assert!(clock.read(now) >= shown);
                clock.set_rate(now, ppb);
                clock.jump(now, Duration::from_nanos(jump));
                shown = clock.read(now);
            }
        }
    }
}
