//! The real world's clock: the only place where a run depends on the time that passes outside.

use ::sim::Time;

/// Counts from the start of the run.
#[derive(Debug)]
#[expect(clippy::disallowed_types, reason = "in the real world time is real")]
pub(super) struct Wall(std::time::Instant);

#[expect(clippy::disallowed_types, clippy::disallowed_methods, reason = "in the real world time is real")]
impl Wall {
    pub(super) fn start() -> Self {
        Self(std::time::Instant::now())
    }

    pub(super) fn now(&self) -> Time {
        Time::from_nanos(u64::try_from(self.0.elapsed().as_nanos()).unwrap_or(u64::MAX))
    }
}

/// Lets a moment pass.
#[expect(clippy::disallowed_methods, reason = "in the real world time is real")]
pub(super) fn pause(span: std::time::Duration) {
    std::thread::sleep(span);
}
