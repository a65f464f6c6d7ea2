//! How far a sweep has come: one line that is written over on a terminal, a plain line now and then elsewhere. Nothing that
//! matters is said here alone.

use crate::oracles::grouped;
use crate::terminal::Terminal;

/// Between two lines on a terminal, and elsewhere, in milliseconds.
const LIVE_EVERY: u64 = 200;
const PLAIN_EVERY: u64 = 10_000;

/// How long the program itself has taken: for people and for `--for`, never for what a run decides.
#[expect(clippy::disallowed_types, reason = "wall time decides nothing in a run")]
pub(crate) struct Stopwatch(std::time::Instant);

#[expect(clippy::disallowed_types, clippy::disallowed_methods, reason = "wall time decides nothing in a run")]
impl Stopwatch {
    pub(crate) fn start() -> Self {
        Self(std::time::Instant::now())
    }

    pub(crate) fn millis(&self) -> u64 {
        u64::try_from(self.0.elapsed().as_millis()).unwrap_or(u64::MAX)
    }
}

/// See the module.
pub(super) struct Progress<'a> {
    terminal: &'a Terminal,
    /// Runs in all, where that is known.
    total: Option<u64>,
    /// When it ends, in milliseconds from its start, where that is known.
    ends_at: Option<u64>,
    said_at: u64,
}

impl<'a> Progress<'a> {
    pub(super) const fn new(terminal: &'a Terminal, total: Option<u64>, ends_at: Option<u64>) -> Self {
        Self { terminal, total, ends_at, said_at: 0 }
    }

    /// `fresh` of the `done` runs were made by this process, in `millis`.
    pub(super) fn tell(&mut self, millis: u64, done: u64, fresh: u64, failed: u64) {
        let every = if self.terminal.is_live() { LIVE_EVERY } else { PLAIN_EVERY };
        if millis < self.said_at + every {
            return;
        }
        self.said_at = millis;
        let of = self.total.map(|total| format!(" of {}", grouped(total))).unwrap_or_default();
        let rate = fresh.saturating_mul(1_000) / millis.max(1);
        let left = self.left(millis, done, fresh).map(|left| format!(", {} left", clock(left))).unwrap_or_default();
        let text = format!("{}{of} runs, {}/s, {} failed{left}", grouped(done), grouped(rate), grouped(failed));
        self.terminal.overwrite(&text);
    }

    fn left(&self, millis: u64, done: u64, fresh: u64) -> Option<u64> {
        let by_time = self.ends_at.map(|ends_at| ends_at.saturating_sub(millis));
        let by_count = self.total.filter(|_| fresh > 0).map(|total| {
            let left = u128::from(total.saturating_sub(done)) * u128::from(millis) / u128::from(fresh);
            u64::try_from(left).unwrap_or(u64::MAX)
        });
        by_time.into_iter().chain(by_count).min()
    }

    /// Leaves the line to whatever is said next.
    pub(super) fn clear(&self) {
        self.terminal.clear_line();
    }
}

/// `1h02m`, `3m20s`, `12s`.
fn clock(millis: u64) -> String {
    let seconds = millis.div_ceil(1_000);
    match seconds {
        3_600.. => format!("{}h{:02}m", seconds / 3_600, seconds % 3_600 / 60),
        60.. => format!("{}m{:02}s", seconds / 60, seconds % 60),
        _ => format!("{seconds}s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_read_well() {
        assert_eq!([clock(1), clock(59_001), clock(200_000), clock(3_720_000)], ["1s", "1m00s", "3m20s", "1h02m"]);
    }

    #[test]
    fn what_is_left_is_known_from_the_count_or_the_time() {
        let terminal = Terminal::plain(80);
        let left = |total, ends_at, fresh| Progress::new(&terminal, total, ends_at).left(1_000, 50, fresh);
        assert_eq!(left(Some(100), None, 10), Some(5_000));
        assert_eq!(left(Some(100), Some(3_000), 10), Some(2_000));
        assert_eq!(left(Some(100), None, 0), None);
        assert_eq!(left(None, None, 10), None);
    }
}
