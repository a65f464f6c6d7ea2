//! Rare states that a test wants to see reached: a run that never gets there has tested less than it seems.
//!
//! A machine marks what it has reached in a set of its own. There are no globals, and without the feature `probes` no set
//! either: production builds hold and do nothing.

/// A state worth reaching. The list is what `sometimes` in a scenario can name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Probe {
    /// A device was dialled again after a dial or a session failed.
    HandshakeRetried,
    /// An inbound handshake was closed to make room for another.
    HandshakeEvicted,
    /// A peer that proved itself was told that it is not trusted.
    StrangerRefused,
    /// A newer session with a device ended an older one.
    DuplicateEnded,
    /// A stream had bytes to send and no credit for the next.
    WindowExhausted,
    /// A stream had credit to send, and the session had none.
    SessionWindowExhausted,
    /// A receiver doubled a stream's window.
    WindowGrown,
    /// A lower class was served before a higher one, so that it does not starve.
    LowerClassServed,
    /// DATA came for a stream that was closed.
    LateData,
    /// An OPEN was refused because the session was ending.
    OpenRefused,
    /// A session that drained ran out of time.
    DrainTimedOut,
    /// A PING was sent because nothing came for long.
    KeptAlive,
}

impl Probe {
    /// Every probe, in the order of their numbers.
    pub const ALL: [Self; 12] = [
        Self::HandshakeRetried,
        Self::HandshakeEvicted,
        Self::StrangerRefused,
        Self::DuplicateEnded,
        Self::WindowExhausted,
        Self::SessionWindowExhausted,
        Self::WindowGrown,
        Self::LowerClassServed,
        Self::LateData,
        Self::OpenRefused,
        Self::DrainTimedOut,
        Self::KeptAlive,
    ];

    /// Its name in scenarios and reports.
    pub const fn label(self) -> &'static str {
        match self {
            Self::HandshakeRetried => "handshake-retried",
            Self::HandshakeEvicted => "handshake-evicted",
            Self::StrangerRefused => "stranger-refused",
            Self::DuplicateEnded => "duplicate-ended",
            Self::WindowExhausted => "window-exhausted",
            Self::SessionWindowExhausted => "session-window-exhausted",
            Self::WindowGrown => "window-grown",
            Self::LowerClassServed => "lower-class-served",
            Self::LateData => "late-data",
            Self::OpenRefused => "open-refused",
            Self::DrainTimedOut => "drain-timed-out",
            Self::KeptAlive => "kept-alive",
        }
    }
}

/// Which probes were reached.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Probes {
    #[cfg(feature = "probes")]
    bits: u64,
}

impl Probes {
    /// Marks `probe` as reached.
    #[cfg_attr(not(feature = "probes"), expect(clippy::unused_self, reason = "there is no set"))]
    pub(crate) const fn hit(&mut self, probe: Probe) {
        #[cfg(feature = "probes")]
        {
            self.bits |= 1 << probe as u8;
        }
        #[cfg(not(feature = "probes"))]
        let _ = probe;
    }

    /// Adds what another set has.
    pub const fn add(&mut self, other: Self) {
        #[cfg(feature = "probes")]
        {
            self.bits |= other.bits;
        }
        #[cfg(not(feature = "probes"))]
        let _ = (self, other);
    }

    /// Whether `probe` was reached; never without the feature `probes`.
    pub const fn has(self, probe: Probe) -> bool {
        #[cfg(feature = "probes")]
        {
            self.bits & (1 << probe as u8) != 0
        }
        #[cfg(not(feature = "probes"))]
        {
            let _ = probe;
            false
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_probe_has_a_number_and_a_name_of_its_own() {
        let labels: alloc::collections::BTreeSet<_> = Probe::ALL.iter().map(|probe| probe.label()).collect();
        assert_eq!(labels.len(), Probe::ALL.len());
        for (number, probe) in Probe::ALL.into_iter().enumerate() {
            assert_eq!(probe as usize, number);
            let mut probes = Probes::default();
            probes.hit(probe);
            let mut sum = Probes::default();
            sum.add(probes);
            assert_eq!(sum.has(probe), cfg!(feature = "probes"));
            assert!(Probe::ALL.into_iter().filter(|other| *other != probe).all(|other| !sum.has(other)));
        }
    }
}
