//! Rare states that a test wants to see reached: a run that never gets there has tested less than it seems.
//!
//! A machine marks what it has reached in a set of its own. There are no globals, and without the feature `probes` no set
//! either: production builds hold and do nothing.

/// One list, so that no probe lacks a name or a place in [`Probe::ALL`].
macro_rules! probes {
    ($(#[doc = $meaning:literal] $probe:ident => $label:literal,)*) => {
        /// A state worth reaching. The list is what `sometimes` in a scenario can name.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        #[repr(u8)]
        pub enum Probe {
            $(#[doc = $meaning] $probe,)*
        }

        impl Probe {
            /// Every probe, in the order of their numbers.
            pub const ALL: &[Self] = &[$(Self::$probe,)*];

            /// Its name in scenarios and reports.
            pub const fn label(self) -> &'static str {
                match self {
                    $(Self::$probe => $label,)*
                }
            }

            /// When it is reached, in one sentence.
            pub const fn meaning(self) -> &'static str {
                match self {
                    $(Self::$probe => $meaning.trim_ascii(),)*
                }
            }
        }
    };
}

probes! {
    // Handshakes and sessions.
    /// A device was dialled again after a dial or a session failed.
    HandshakeRetried => "handshake-retried",
    /// An inbound handshake was closed to make room for another.
    HandshakeEvicted => "handshake-evicted",
    /// A peer that proved itself was told that it is not trusted.
    StrangerRefused => "stranger-refused",
    /// A newer session with a device ended an older one.
    DuplicateEnded => "duplicate-ended",
    /// A dial waited for the pace of its source, or after a failure.
    DialPaced => "dial-paced",
    /// A pipe that was dialled did not come about.
    DialFailed => "dial-failed",
    /// A dial was given up since a session with its device came up.
    DialGivenUp => "dial-given-up",
    /// A handshake message was not of its length.
    HandshakeLengthWrong => "handshake-length-wrong",
    /// A handshake message did not open.
    HandshakeNoiseFailed => "handshake-noise-failed",
    /// An identity proof was not what its handshake needs.
    ProofInvalid => "proof-invalid",
    /// A node reached itself.
    SelfConnected => "self-connected",
    /// A dial reached another device than it was meant for.
    IdentityMismatched => "identity-mismatched",
    /// A handshake did not end by its deadline.
    HandshakeTimedOut => "handshake-timed-out",
    /// A pipe ended in the midst of its handshake.
    HandshakeCutOff => "handshake-cut-off",
    /// A trusted peer was sent away because every place was taken.
    SessionRefused => "session-refused",
    /// A device opened so many sessions that its oldest had to go.
    OldestSessionEnded => "oldest-session-ended",
    /// A session that was ending was closed to make room for others that end.
    EndingHurried => "ending-hurried",
    /// A record did not open.
    RecordInvalid => "record-invalid",
    /// The key of a direction was changed.
    RecordRekeyed => "record-rekeyed",
    /// A pipe ended under a session without a word.
    SessionTruncated => "session-truncated",
    /// A session was given up because nothing came.
    PeerDied => "peer-died",
    // Discovery.
    /// An announce was no announce, or made no sense.
    AnnounceMalformed => "announce-malformed",
    /// A node heard its own device id announced.
    OwnAnnounceHeard => "own-announce-heard",
    /// A signed announce was not signed by its device.
    AnnounceForged => "announce-forged",
    /// A signed announce was not newer than the last.
    AnnounceStale => "announce-stale",
    /// An unsigned announce came where a signed one lives.
    AnnounceSuperseded => "announce-superseded",
    /// A source had its share of the peer table.
    SourceFull => "source-full",
    /// All that is known of where a device is was proven, and there was no room for a claim.
    CandidatesFull => "candidates-full",
    /// Every place of the peer table was protected.
    TableFull => "table-full",
    /// A device lost its place in the peer table to another.
    PeerEvicted => "peer-evicted",
    /// A device was not heard for so long that it lost its place.
    PeerExpired => "peer-expired",
    /// A device said goodbye.
    PeerLeft => "peer-left",
    // Credit and turns.
    /// A stream had bytes to send and no credit for the next.
    WindowExhausted => "window-exhausted",
    /// A stream had credit to send, and the session had none.
    SessionWindowExhausted => "session-window-exhausted",
    /// A receiver doubled a stream's window.
    WindowGrown => "window-grown",
    /// A receiver doubled the session's window.
    SessionWindowGrown => "session-window-grown",
    /// A stream's credit had to wait for the session's.
    SessionRaisedFirst => "session-raised-first",
    /// A stream was granted less than was due, since the session had no more.
    GrantCut => "grant-cut",
    /// A lower class was served before a higher one, so that it does not starve.
    LowerClassServed => "lower-class-served",
    /// A record was kept short because streams of several classes waited.
    RecordKeptShort => "record-kept-short",
    /// A writer found its stream's buffer full.
    SendBufferFull => "send-buffer-full",
    // Streams and their state table.
    /// `OPEN_ACK` came for a stream that was closed.
    LateOpenAck => "late-open-ack",
    /// DATA came for a stream that was closed.
    LateData => "late-data",
    /// DATA for a closed stream was more than a RST can have crossed.
    LateDataCharged => "late-data-charged",
    /// `WINDOW_UPDATE` came for a stream that was closed.
    LateWindowUpdate => "late-window-update",
    /// RST came for a stream that was closed.
    LateRst => "late-rst",
    /// CLOSE came for a stream that was closed.
    LateClose => "late-close",
    /// The peer reset a stream that was open.
    StreamReset => "stream-reset",
    /// An OPEN was withdrawn before it was sent.
    OpenWithdrawn => "open-withdrawn",
    /// An OPEN was refused because the session was ending, or too much was left unread.
    OpenRefused => "open-refused",
    /// A RST waited until the peer could bear it.
    RstPaced => "rst-paced",
    // Offences.
    /// A frame was none.
    FrameInvalid => "frame-invalid",
    /// A frame was too long.
    FrameOversize => "frame-oversize",
    /// A frame did not fit its stream's state.
    StreamStateInvalid => "stream-state-invalid",
    /// A frame was for a stream that never was.
    StreamUnknown => "stream-unknown",
    /// Credit was overdrawn, or granted past its bound.
    CreditViolated => "credit-violated",
    /// A peer cost more than its budget.
    Flooded => "flooded",
    /// A peer opened more streams than it may.
    StreamLimitExceeded => "stream-limit-exceeded",
    /// A service had a name that none can have.
    StreamNameInvalid => "stream-name-invalid",
    /// The policy denied a service.
    ServiceDenied => "service-denied",
    /// A PONG came that nobody asked for.
    PongUnasked => "pong-unasked",
    // Silence and ends.
    /// A PING was sent because nothing came for long.
    KeptAlive => "kept-alive",
    /// A node that stood still gave its peer more time.
    PauseForgiven => "pause-forgiven",
    /// A session that drained ran out of time.
    DrainTimedOut => "drain-timed-out",
}

/// As many as the set has bits.
const _: () = assert!(Probe::ALL.len() <= 128);

/// Which probes were reached.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Probes {
    #[cfg(feature = "probes")]
    bits: u128,
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

    /// All that were reached, in the order of their numbers; none without the feature `probes`.
    pub fn iter(self) -> impl Iterator<Item = Probe> {
        Probe::ALL.iter().copied().filter(move |probe| self.has(*probe))
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
        for (number, probe) in Probe::ALL.iter().copied().enumerate() {
            assert_eq!(probe as usize, number);
            assert!(probe.label().bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-'), "{probe:?}");
            let mut probes = Probes::default();
            probes.hit(probe);
            let mut sum = Probes::default();
            sum.add(probes);
            assert_eq!(sum.has(probe), cfg!(feature = "probes"));
            assert_eq!(sum.iter().next(), cfg!(feature = "probes").then_some(probe));
            assert_eq!(sum.iter().count(), usize::from(cfg!(feature = "probes")));
        }
    }
}
