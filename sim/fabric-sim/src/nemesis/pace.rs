//! How much a scenario has to move, and over what: the least that pipes and limits may be drawn to, so that all work can
//! still be done in time. Without that bound a nemesis finds nothing but slowness.

use crate::scenario::Scenario;
use crate::scenario::resolved::Work;
use crate::scenario::units::Delay;

/// Moving everything may take so long, in nanoseconds of virtual time.
const SPENT_MAX: u128 = 20_000_000_000;
/// And so many pieces.
const PIECES_MAX: u64 = 20_000;
/// The shortest wait before a lost segment is sent again.
const RESEND_NANOS: u128 = 250_000_000;
/// What a call may need: a session of its own, with its handshake, and the call's frames.
const CALL_BYTES: u64 = 2_048;
const BILLION: u128 = 1_000_000_000;

/// See the module.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pace {
    /// All bytes of all work, there and back.
    pub(super) bytes: u64,
    /// The longest usual round trip, in nanoseconds.
    round_trip: u64,
    /// The worst loss after everything has healed, in parts per billion.
    loss: u32,
}

impl Pace {
    pub(super) fn of(scenario: &Scenario) -> Self {
        let links = || scenario.links.values().chain([&scenario.link]);
        let moved = |work: &Work| match work.call {
            Some(_) => CALL_BYTES,
            None => work.bytes.0.saturating_mul(2),
        };
        let bytes = scenario.work.iter().map(moved).fold(0_u64, u64::saturating_add);
        let one_way = links().map(|link| usual(link.delay)).max().unwrap_or_default();
        let loss = |link: &crate::scenario::resolved::Link| {
            let burst = if link.burst.is_some() { 50_000_000 } else { 0 };
            link.loss.0.saturating_add(link.corrupt.0).saturating_add(link.truncate.0).saturating_add(burst)
        };
        Self { bytes, round_trip: one_way.saturating_mul(2), loss: links().map(loss).max().unwrap_or_default() }
    }

    /// The least window that moves all bytes in time.
    pub(super) fn window_min(&self) -> u64 {
        let least = u128::from(self.bytes) * u128::from(self.round_trip) / SPENT_MAX;
        u64::try_from(least).unwrap_or(u64::MAX)
    }

    /// The least piece that all bytes may be cut into.
    pub(super) const fn piece_min(&self) -> u64 {
        self.bytes / PIECES_MAX
    }

    /// The least segment: each one that is lost holds up all behind it.
    pub(super) fn segment_min(&self) -> u64 {
        let stalls = u128::from(self.bytes) * u128::from(self.loss) * RESEND_NANOS / BILLION / SPENT_MAX;
        self.piece_min().max(u64::try_from(stalls).unwrap_or(u64::MAX))
    }

    /// The highest chance, in parts per billion, of a misfortune that undoes a whole try and may strike each of the pieces
    /// of `piece` bytes.
    pub(super) const fn undoing_max(&self, piece: u64) -> u64 {
        let pieces = self.bytes / if piece == 0 { 1 } else { piece } + 20;
        300_000_000 / pieces
    }
}

const fn usual(delay: Delay) -> u64 {
    match delay {
        Delay::Fixed(delay) | Delay::Uniform(_, delay) => delay.0,
        Delay::Exponential(min, mean) => min.0 + mean.0,
        Delay::LongTail(min, _) => min.0 * 2,
    }
}
