//! How large the windows that one side gives may have become (wire contract, 4, "Credit"): a window doubles when it was used
//! up, and the session's is raised to what its streams are promised and 4 KiB for each that may still be opened.
//!
//! What was read, and when, does not show in frames. So these are upper bounds: what came in counts as read.

use std::collections::BTreeMap;

/// What a session may be sent before anything is said about it.
pub(super) const SESSION_WINDOW: u64 = 1024 * 1024;
const STREAM_WINDOW_MIN: u64 = 4096;
/// Streams of both sides.
const STREAMS_MAX: u64 = 256;

/// The largest that one window can be.
#[derive(Clone, Copy, Debug)]
struct Window {
    size: u64,
    /// What came since it last doubled.
    came: u64,
}

impl Window {
    fn takes(&mut self, cost: u64) {
        self.came += cost;
        while self.came >= self.size {
            self.came -= self.size;
            self.size *= 2;
        }
    }
}

/// The session's window may have been more than it could: it was, unless streams are opened now that it was raised for.
#[derive(Clone, Copy, Debug)]
struct Suspicion {
    unused: u64,
    size: u64,
}

/// The windows of one side of one session.
#[derive(Debug)]
pub(super) struct Growth {
    session: Window,
    streams: BTreeMap<u32, Window>,
    /// Their sum.
    promised: u64,
    /// The most that the session's window was ever needed to be.
    needed: u64,
    suspicion: Option<Suspicion>,
}

impl Growth {
    pub(super) fn new() -> Self {
        Self {
            session: Window { size: SESSION_WINDOW, came: 0 },
            streams: BTreeMap::new(),
            promised: 0,
            needed: 0,
            suspicion: None,
        }
    }

    /// A stream is opened, by either side, and granted this much.
    pub(super) fn opens(&mut self, stream: u32, credit: u32) {
        let window = Window { size: u64::from(credit).max(STREAM_WINDOW_MIN), came: 0 };
        self.promised += window.size;
        if let Some(before) = self.streams.insert(stream, window) {
            self.promised -= before.size;
        }
        self.raise();
    }

    /// DATA came, with its header.
    pub(super) fn takes(&mut self, stream: u32, cost: u64) {
        self.session.takes(cost);
        if let Some(window) = self.streams.get_mut(&stream) {
            self.promised -= window.size;
            window.takes(cost);
            self.promised += window.size;
            self.raise();
        }
    }

    /// A stream is reset: nothing is promised to it any more.
    pub(super) fn resets(&mut self, stream: u32) {
        self.promised -= self.streams.remove(&stream).map_or(0, |window| window.size);
    }

    fn raise(&mut self) {
        let unopened = STREAMS_MAX.saturating_sub(self.streams.len() as u64);
        self.needed = self.needed.max(self.promised + unopened * STREAM_WINDOW_MIN);
        self.session.size = raised(self.session.size, self.needed);
    }

    /// The session was granted more; so much can be sent now. An OPEN that its window was raised for goes behind.
    pub(super) fn grants(&mut self, unused: u64) {
        let size = self.session.size;
        if unused > size {
            self.suspicion.get_or_insert(Suspicion { unused, size });
        }
    }

    /// No OPEN waits: DATA is sent, or nothing more is.
    pub(super) fn judge(&mut self) -> Result<(), String> {
        let Some(Suspicion { unused, size }) = self.suspicion.take() else { return Ok(()) };
        let size = raised(size, self.needed);
        if unused <= size || self.needed == 0 {
            return Ok(());
        }
        Err(format!("{unused} bytes can be sent on the session, whose window is at most {size}"))
    }
}

/// What a window of this size becomes when so much is needed: twice as large, or more. A window that is no power of two any
/// more doubles at other times than this one: allow for that as well.
const fn raised(size: u64, needed: u64) -> u64 {
    match needed {
        _ if needed <= size => size,
        _ if needed <= 2 * size => 2 * size,
        _ => 2 * needed.next_power_of_two(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_that_grows_as_it_may_holds() {
        let mut growth = Growth::new();
        growth.grants(2 * SESSION_WINDOW); // and then the OPEN for which it was raised
        growth.opens(1, 8_192);
        growth.judge().unwrap();
        for _ in 0..64 {
            growth.takes(1, 32_776);
        }
        growth.grants(4 * SESSION_WINDOW);
        growth.judge().unwrap();
    }

    #[test]
    fn a_window_that_grows_without_a_reason_is_caught() {
        let mut growth = Growth::new();
        growth.opens(1, 8_192);
        growth.grants(2 * SESSION_WINDOW + 1);
        for stream in 2..9 {
            growth.opens(stream, 8_192);
            growth.resets(stream);
        }
        assert!(growth.judge().unwrap_err().contains("2097153 bytes can be sent on the session"));
    }
}
