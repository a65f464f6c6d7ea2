//! What the peer may still send: windows, and what they promise together (wire contract, 4, Credit). Knows no frames.

use super::Limits;
use machine::{Duration, Instant};

/// The largest window that there is.
pub(super) const WINDOW_MAX: u32 = (1 << 31) - 1;
/// What a session may send before the first `WINDOW_UPDATE`.
pub(super) const SESSION_WINDOW: u32 = 1024 * 1024;
/// The least window of a stream, kept free for every stream that may still be opened.
pub(super) const STREAM_WINDOW_MIN: u32 = 4096;
/// The least that is returned to a stream: more than the KiB of DATA that makes good for one `WINDOW_UPDATE`.
const RETURN_MIN: u32 = 1536;
/// What a segment that is lost below costs at least, before TCP sends it again (RFC 6298, with the floor that is common).
const LOSS_COSTS_MIN: Duration = Duration::from_millis(200);

/// Adds to what a sender may send; `None` past the largest window.
pub(super) fn add(credit: u32, delta: u32) -> Option<u32> {
    credit.checked_add(delta).filter(|sum| *sum <= WINDOW_MAX)
}

/// A receiver's window: each byte of it is either the peer's to use, or waits to be read, or is due to the peer again.
#[derive(Debug)]
pub(super) struct Window {
    unused: u32,
    unread: u32,
    due: u32,
    /// What was read of this window's worth since `cycle_began`.
    cycle: u32,
    cycle_began: Instant,
}

impl Window {
    pub(super) const fn new(now: Instant, size: u32) -> Self {
        Self { unused: size, unread: 0, due: 0, cycle: 0, cycle_began: now }
    }

    pub(super) const fn size(&self) -> u32 {
        self.unused + self.unread + self.due
    }

    pub(super) const fn unused(&self) -> u32 {
        self.unused
    }

    pub(super) const fn unread(&self) -> u32 {
        self.unread
    }

    pub(super) const fn due(&self) -> u32 {
        self.due
    }

    /// DATA came; false when it is more than the peer may send.
    pub(super) fn take(&mut self, cost: u32) -> bool {
        let Some(unused) = self.unused.checked_sub(cost) else { return false };
        self.unused = unused;
        self.unread += cost;
        true
    }

    /// It was read or dropped.
    pub(super) fn release(&mut self, cost: u32) {
        assert!(cost <= self.unread, "no more is read than came");
        self.unread -= cost;
        self.due += cost;
        self.cycle = self.cycle.saturating_add(cost);
    }

    pub(super) fn grow(&mut self, extra: u32) {
        self.due += extra;
    }

    /// Whether enough is due to tell the peer: a quarter, or half where frames are dear.
    pub(super) fn is_worth_returning(&self, frugally: bool) -> bool {
        let part = if frugally { 2 } else { 4 };
        self.due >= (self.size() / part).max(RETURN_MIN)
    }

    /// Grants up to `most` of what is due, and says how much.
    pub(super) fn grant(&mut self, most: u32) -> u32 {
        let delta = self.due.min(most);
        self.due -= delta;
        self.unused += delta;
        delta
    }

    /// Whether a whole window has been read since the last time that this was true, and within two round trips and the
    /// mending of a loss: without that a path that loses now and then would never get more than a few segments a time.
    pub(super) fn was_used_up(&mut self, now: Instant, round_trip: Duration) -> bool {
        if self.cycle < self.size() {
            return false;
        }
        let took = now.saturating_since(self.cycle_began);
        self.cycle = 0;
        self.cycle_began = now;
        let two_trips = round_trip.saturating_mul(2);
        took <= two_trips + two_trips.max(LOSS_COSTS_MIN)
    }
}

/// The session's window, and what its streams may take of it.
///
/// The sum of what streams are promised, and of 4 KiB for each that may still be opened, is never above the session's
/// window. So once all that is due to the session is granted, all that is due to any stream can be.
#[derive(Debug)]
pub(super) struct Pool {
    pub(super) session: Window,
    /// What the peer may send on all streams.
    unused: u64,
    /// What all streams are promised: see [`Share`].
    promised: u64,
    streams_max: u64,
    session_max: u32,
    stream_max: u32,
}

/// What one stream has of the pool; all zero when there is no stream.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Share {
    pub(super) unused: u32,
    /// Its window while the peer may send; after that what is unread, or 4 KiB.
    pub(super) promised: u32,
}

impl Pool {
    pub(super) fn new(now: Instant, limits: &Limits) -> Self {
        let streams_max = 2 * u64::from(limits.streams_max);
        let least = (streams_max * u64::from(STREAM_WINDOW_MIN)).max(u64::from(SESSION_WINDOW)) as u32;
        Self {
            session: Window::new(now, SESSION_WINDOW),
            unused: 0,
            promised: 0,
            streams_max,
            session_max: limits.session_window_max.clamp(least, WINDOW_MAX),
            stream_max: limits.stream_window_max.clamp(STREAM_WINDOW_MIN, WINDOW_MAX),
        }
    }

    /// A stream's share has changed.
    pub(super) fn change(&mut self, before: Share, after: Share) {
        self.unused = self.unused - u64::from(before.unused) + u64::from(after.unused);
        self.promised = self.promised - u64::from(before.promised) + u64::from(after.promised);
    }

    /// Whether a new stream, the `streams`-th, can have 4 KiB: always, unless too many closed ones are not read.
    pub(super) fn affords(&self, streams: usize) -> bool {
        self.needed(streams) + u64::from(STREAM_WINDOW_MIN) <= u64::from(self.session_max)
    }

    /// The window for a new stream, the `streams`-th: as much of what is wanted as there is, and 4 KiB in any case.
    pub(super) fn first_window(&self, wanted: u32, streams: usize) -> u32 {
        let spare = u64::from(self.session_max).saturating_sub(self.needed(streams));
        let wanted = wanted.min(self.stream_max);
        u64::from(wanted).min(spare).max(u64::from(STREAM_WINDOW_MIN)) as u32
    }

    /// How much a stream's window may grow by.
    pub(super) fn growth(&self, window: u32, streams: usize) -> u32 {
        let spare = u64::from(self.session_max).saturating_sub(self.needed(streams));
        let wanted = window.min(self.stream_max.saturating_sub(window));
        u64::from(wanted).min(spare) as u32
    }

    /// Raises the session's window to what was promised; true when the peer is to be told.
    pub(super) fn raise(&mut self, streams: usize) -> bool {
        let (size, needed) = (self.session.size(), self.needed(streams));
        if needed <= u64::from(size) {
            return false;
        }
        self.raise_to(needed.max(2 * u64::from(size)));
        true
    }

    /// Doubles the session's window, as far as it may.
    pub(super) fn double(&mut self) {
        self.raise_to(2 * u64::from(self.session.size()));
    }

    fn raise_to(&mut self, size: u64) {
        let size = size.min(u64::from(self.session_max)) as u32;
        self.session.grow(size.saturating_sub(self.session.size()));
    }

    /// What can be granted to streams before the session is granted more.
    pub(super) fn grantable(&self) -> u32 {
        u64::from(self.session.unused()).saturating_sub(self.unused) as u32
    }

    /// Whether streams were promised more than the session has left, and it can be granted more.
    pub(super) fn is_short(&self) -> bool {
        self.unused > u64::from(self.session.unused()) && self.session.due() > 0
    }

    fn needed(&self, streams: usize) -> u64 {
        let unopened = self.streams_max.saturating_sub(streams as u64);
        self.promised + unopened * u64::from(STREAM_WINDOW_MIN)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Instant = Instant::ZERO;

    #[test]
    fn a_window_is_conserved() {
        let mut window = Window::new(NOW, 8192);
        assert!(window.take(5000) && !window.take(3193) && window.take(3192));
        window.release(8192);
        assert!(window.is_worth_returning(true));
        assert_eq!(window.grant(5000), 5000);
        assert_eq!((window.unused(), window.due(), window.size()), (5000, 3192, 8192));
    }

    #[test]
    fn only_a_window_used_up_within_two_round_trips_and_a_loss_may_grow() {
        let round_trip = Duration::from_millis(200);
        let mut window = Window::new(NOW, 4096);
        let read = |window: &mut Window, millis, bytes| {
            assert!(window.take(bytes));
            window.release(bytes);
            window.grant(bytes);
            window.was_used_up(NOW + Duration::from_millis(millis), round_trip)
        };
        assert!(!read(&mut window, 1, 4095));
        assert!(read(&mut window, 800, 1));
        assert!(!read(&mut window, 1601, 4096));
    }

    #[test]
    fn the_session_keeps_4_kib_for_every_stream_to_come() {
        let limits = Limits { session_window_max: SESSION_WINDOW + 10_000, ..Limits::default() };
        let mut pool = Pool::new(NOW, &limits);
        let mut windows = alloc::vec::Vec::new();
        for stream in 1..=256 {
            let window = pool.first_window(8192, stream);
            pool.change(Share::default(), Share { unused: window, promised: window });
            pool.raise(stream);
            windows.push(window);
        }
        assert_eq!(windows[..4], [8192, 8192, 4096 + 10_000 % 4096, 4096]);
        assert!(windows.iter().all(|window| *window >= STREAM_WINDOW_MIN));
        assert!(windows.iter().map(|window| u64::from(*window)).sum::<u64>() <= u64::from(pool.session.size()));
    }
}
