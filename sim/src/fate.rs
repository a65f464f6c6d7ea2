//! Chance as a function of what is asked, not of what was asked before.
//!
//! What happens to the seventh packet from `hub` to `phone` is a keyed function of the seed, both names and seven. There is
//! no generator state, so that removing one packet re-rolls no other: without that, shrinking a failure does not work.
//! The mixing is `SplitMix64`'s finaliser (Steele, Lea, Flood, 2014) and 64x64 to 128 bit folded multiplication.

use machine::Duration;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;
use xxhash_rust::xxh3::{xxh3_64, xxh3_64_with_seed};

const GOLDEN: u64 = 0x9E37_79B9_7F4A_7C15;

/// The two halves of a full product, folded: one multiplication that depends on every bit of both operands.
#[inline]
pub(crate) const fn fold(a: u64, b: u64) -> u64 {
    let product = (a as u128) * (b as u128);
    (product as u64) ^ ((product >> 64) as u64)
}

#[inline]
const fn finalise(z: u64) -> u64 {
    let z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

/// A place in the tree of all draws of a run. Children are reached by names and numbers; leaves are lanes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Key(u64);

/// The hash of a name, the same in every run: what [`Key::pair`] takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NameHash(u64);

impl NameHash {
    /// Hashes `name`.
    pub fn of(name: &str) -> Self {
        Self(xxh3_64(name.as_bytes()))
    }

    /// The hash itself.
    pub const fn as_u64(self) -> u64 {
        self.0
    }
}

impl Key {
    /// The root of `seed`'s tree.
    pub const fn root(seed: u64) -> Self {
        Self(finalise(seed.wrapping_add(GOLDEN)))
    }

    /// The child called `name`.
    #[must_use]
    pub fn named(self, name: &str) -> Self {
        self.pair(NameHash::of(name), NameHash(GOLDEN))
    }

    /// The child for an ordered pair of names.
    #[inline]
    #[must_use]
    pub const fn pair(self, from: NameHash, to: NameHash) -> Self {
        Self(fold(self.0 ^ from.0, to.0.rotate_left(32) ^ GOLDEN))
    }

    /// The child with number `number`.
    #[inline]
    #[must_use]
    pub const fn number(self, number: u64) -> Self {
        Self(finalise(self.0.wrapping_add(number.wrapping_mul(GOLDEN))))
    }

    /// The value in `lane`: 64 uniform bits. Each question that is asked of one key has a lane of its own.
    #[inline]
    pub const fn draw(self, lane: u64) -> u64 {
        finalise(self.0 ^ lane.wrapping_mul(0xD6E8_FEB8_6659_FD93))
    }

    /// A uniform value in `min..=max`; `min` when `max` is smaller.
    #[inline]
    pub const fn within(self, lane: u64, min: u64, max: u64) -> u64 {
        scale(self.draw(lane), min, max)
    }
}

/// Maps 64 uniform bits to `min..=max`.
#[inline]
const fn scale(bits: u64, min: u64, max: u64) -> u64 {
    let span = max.saturating_sub(min) as u128 + 1;
    min + ((bits as u128 * span) >> 64) as u64
}

/// A stream of its own for things that are drawn once: node seeds, plans. `purpose` names it.
pub fn stream(seed: u64, purpose: &str) -> ChaCha8Rng {
    let mut key = [0; 32];
    for (lane, chunk) in (0_u64..).zip(key.chunks_exact_mut(8)) {
        chunk.copy_from_slice(
            &xxh3_64_with_seed(purpose.as_bytes(), finalise(seed ^ lane.wrapping_mul(GOLDEN))).to_le_bytes(),
        );
    }
    key[..8].copy_from_slice(&seed.to_le_bytes());
    ChaCha8Rng::from_seed(key)
}

/// A probability, exact to one part in 2^32.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Chance(u64);

impl Chance {
    /// Impossible.
    pub const NEVER: Self = Self(0);
    /// Certain.
    pub const ALWAYS: Self = Self(1 << 32);

    /// `ppb` parts per billion; a billion and more is certain.
    pub const fn from_ppb(ppb: u64) -> Self {
        if ppb >= 1_000_000_000 { Self::ALWAYS } else { Self((ppb << 32) / 1_000_000_000) }
    }

    /// `percent` parts per hundred.
    pub const fn from_percent(percent: u64) -> Self {
        Self::from_ppb(percent.saturating_mul(10_000_000))
    }

    /// Whether it can happen at all.
    #[inline]
    pub const fn is_possible(self) -> bool {
        self.0 != 0
    }

    /// Decides by 64 uniform bits.
    #[inline]
    pub const fn hits(self, bits: u64) -> bool {
        (bits >> 32) < self.0
    }
}

/// How long something takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Delay {
    /// Always the same.
    Fixed(Duration),
    /// Anything from the first to the second, both included, equally likely.
    Uniform(Duration, Duration),
    /// At least `min`, and on average `mean` more: exponential, cut at 32 means.
    Exponential {
        /// The least.
        min: Duration,
        /// The average of what comes on top.
        mean: Duration,
    },
    /// At least `min`; beyond it a Pareto tail of shape 2, where half of all stay below 1.41 `min`, cut at `max`.
    LongTail {
        /// The least, and the tail's scale.
        min: Duration,
        /// The most.
        max: Duration,
    },
}

impl Default for Delay {
    fn default() -> Self {
        Self::Fixed(Duration::ZERO)
    }
}

impl Delay {
    /// The delay that `key` draws in `lane`.
    #[inline]
    pub fn draw(self, key: Key, lane: u64) -> Duration {
        match self {
            Self::Fixed(delay) => delay,
            Self::Uniform(min, max) => Duration::from_nanos(key.within(lane, min.as_nanos(), max.as_nanos())),
            Self::Exponential { min, mean } => min + exponential(mean, key.draw(lane)),
            Self::LongTail { min, max } => long_tail(min, key.draw(lane)).min(max).max(min),
        }
    }

    /// A typical value, for deriving retransmission times from: the middle or the mean.
    pub fn typical(self) -> Duration {
        match self {
            Self::Fixed(delay) => delay,
            Self::Uniform(min, max) => Duration::from_nanos(u64::midpoint(min.as_nanos(), max.as_nanos())),
            Self::Exponential { min, mean } => min + mean,
            Self::LongTail { min, .. } => min.saturating_mul(2),
        }
    }
}

/// `mean` times the exponential distribution's value for u = `bits` / 2^64.
fn exponential(mean: Duration, bits: u64) -> Duration {
    let drawn = (u128::from(mean.as_nanos()) * u128::from(minus_ln_q32(bits))) >> 32;
    Duration::from_nanos(u64::try_from(drawn).unwrap_or(u64::MAX))
}

/// `min` / sqrt(u) for u = `bits` / 2^64.
fn long_tail(min: Duration, bits: u64) -> Duration {
    let root = u128::from((bits | 1).isqrt());
    let drawn = (u128::from(min.as_nanos()) << 32) / root.max(1);
    Duration::from_nanos(u64::try_from(drawn).unwrap_or(u64::MAX))
}

/// `-ln(u)` for u = `bits` / 2^64, with 32 fractional bits; at most 32. Integers only, so equal on every machine.
fn minus_ln_q32(bits: u64) -> u64 {
    const LN_2_Q32: u128 = 2_977_044_472;
    let bits = bits.max(1 << 18);
    let whole = u64::from(bits.leading_zeros());
    // log2 of the mantissa by repeated squaring: 32 fractional bits, one a step.
    let mut mantissa = u128::from(bits << whole) >> 32;
    let mut fraction = 0_u64;
    for _ in 0..32 {
        mantissa = (mantissa * mantissa) >> 31;
        let carry = u64::from(mantissa >= 1 << 32);
        fraction = (fraction << 1) | carry;
        mantissa >>= carry;
    }
    let minus_log2_q32 = ((whole + 1) << 32) - fraction;
    ((u128::from(minus_log2_q32) * LN_2_Q32) >> 32) as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn draws_are_pinned_so_that_old_seeds_keep_their_meaning() {
        let key = Key::root(1).pair(NameHash::of("hub"), NameHash::of("phone-1")).number(7);
        insta::assert_debug_snapshot!([key.draw(0), key.draw(1), key.within(2, 10, 20)]);
    }

    #[test]
    fn names_and_numbers_and_order_all_count() {
        let (a, b) = (NameHash::of("a"), NameHash::of("b"));
        let root = Key::root(9);
        assert_ne!(root.pair(a, b), root.pair(b, a));
        assert_ne!(root.pair(a, b).number(0), root.pair(a, b).number(1));
        assert_ne!(Key::root(9).draw(0), Key::root(10).draw(0));
    }

    #[test]
    fn a_chance_of_one_percent_hits_one_percent_of_the_draws() {
        let key = Key::root(3);
        let hits = (0..100_000).filter(|n| Chance::from_percent(1).hits(key.number(*n).draw(0))).count();
        assert!((900..1100).contains(&hits), "{hits}");
        assert!(Chance::ALWAYS.hits(u64::MAX) && !Chance::NEVER.hits(0));
    }

    #[test]
    fn the_exponential_has_its_mean_and_the_tail_its_median() {
        let key = Key::root(4);
        let sum = |delay: Delay| -> u64 { (0..100_000).map(|n| delay.draw(key.number(n), 0).as_nanos()).sum() };
        let mean = sum(Delay::Exponential { min: Duration::ZERO, mean: Duration::from_millis(10) }) / 100_000;
        assert!((9_900_000..10_100_000).contains(&mean), "{mean}");
        let tail = Delay::LongTail { min: Duration::from_millis(10), max: Duration::from_secs(1) };
        let below = (0..100_000).filter(|n| tail.draw(key.number(*n), 0).as_nanos() < 14_142_136).count();
        assert!((49_000..51_000).contains(&below), "{below}");
    }

    #[test]
    fn the_extremes_of_every_delay_are_in_range() {
        let (min, max) = (Duration::from_millis(5), Duration::from_millis(20));
        for bits in [0, 1, u64::MAX] {
            let uniform = Duration::from_nanos(scale(bits, min.as_nanos(), max.as_nanos()));
            assert!((min..=max).contains(&uniform), "{bits}");
            assert!(long_tail(min, bits) >= min, "{bits}");
            assert!(exponential(min, bits) <= min.saturating_mul(32), "{bits}");
        }
    }

    #[test]
    fn a_tail_is_cut_and_a_fixed_delay_is_what_it_is() {
        let (min, max) = (Duration::from_millis(5), Duration::from_millis(6));
        let longest = (0..1_000).map(|n| Delay::LongTail { min, max }.draw(Key::root(5).number(n), 0)).max();
        assert_eq!(longest, Some(max));
        assert_eq!(Delay::Fixed(max).draw(Key::root(5), 0), max);
    }
}
