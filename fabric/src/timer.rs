//! Deadlines by name: one table, so that "when next" is a look at its first entry. Knows no clock.

use alloc::collections::{BTreeMap, BTreeSet};
use machine::Instant;

/// At most one deadline for each timer.
#[derive(Debug)]
pub(crate) struct Timers<T> {
    by_time: BTreeSet<(Instant, T)>,
    by_timer: BTreeMap<T, Instant>,
}

impl<T: Copy + Ord> Default for Timers<T> {
    fn default() -> Self {
        Self { by_time: BTreeSet::new(), by_timer: BTreeMap::new() }
    }
}

impl<T: Copy + Ord> Timers<T> {
    /// Sets the deadline of `timer`, or takes it away.
    pub(crate) fn set(&mut self, timer: T, deadline: Option<Instant>) {
        let old = match deadline {
            Some(at) => self.by_timer.insert(timer, at),
            None => self.by_timer.remove(&timer),
        };
        if old == deadline {
            return;
        }
        if let Some(at) = old {
            self.by_time.remove(&(at, timer));
        }
        if let Some(at) = deadline {
            self.by_time.insert((at, timer));
        }
    }

    /// Whether the timer has a deadline.
    pub(crate) fn is_set(&self, timer: T) -> bool {
        self.by_timer.contains_key(&timer)
    }

    /// The first deadline of all.
    pub(crate) fn next(&self) -> Option<Instant> {
        self.by_time.first().map(|(at, _)| *at)
    }

    /// Takes the first timer whose deadline has come.
    pub(crate) fn pop_due(&mut self, now: Instant) -> Option<T> {
        let (at, timer) = *self.by_time.first()?;
        if at > now {
            return None;
        }
        self.set(timer, None);
        Some(timer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_timer_rings_once_at_its_last_deadline() {
        let mut timers = Timers::default();
        let at = Instant::from_nanos;
        timers.set('a', Some(at(5)));
        timers.set('b', Some(at(3)));
        timers.set('a', Some(at(2)));
        assert_eq!((timers.next(), timers.pop_due(at(1))), (Some(at(2)), None));
        assert_eq!([timers.pop_due(at(9)), timers.pop_due(at(9)), timers.pop_due(at(9))], [Some('a'), Some('b'), None]);
        timers.set('a', Some(at(1)));
        timers.set('a', None);
        assert_eq!((timers.next(), timers.pop_due(at(9))), (None, None));
    }
}
