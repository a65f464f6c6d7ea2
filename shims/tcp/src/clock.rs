//! The node's own time: the system's monotonic clock, counted from the driver's start.

use std::time::{Duration as StdDuration, Instant as StdInstant};

use machine::{Duration, Instant};

#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock(StdInstant);

impl Clock {
    pub(crate) fn start() -> Self {
        Self(StdInstant::now())
    }

    /// Never falls; stands still while the machine sleeps.
    pub(crate) fn now(self) -> Instant {
        Instant::from_nanos(u64::try_from(self.0.elapsed().as_nanos()).unwrap_or(u64::MAX))
    }
}

pub(crate) const fn std_duration(span: Duration) -> StdDuration {
    StdDuration::from_nanos(span.as_nanos())
}
