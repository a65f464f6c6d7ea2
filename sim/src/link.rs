//! What the network does to a datagram between two nodes, as a profile and a draw. Moves nothing itself.

use crate::Time;
use crate::fate::{Chance, Delay, Key, NameHash};
use machine::Duration;
use std::collections::BTreeMap;

/// How one direction of a link behaves. The default is perfect: no delay, no loss, no limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LinkProfile {
    /// From sending to arrival, apart from waiting in the queue.
    pub delay: Delay,
    /// Each packet is lost with this chance, independently.
    pub loss: Chance,
    /// Losses in a row, on top of `loss`.
    pub burst: Option<Burst>,
    /// A second copy arrives, with a delay of its own.
    pub duplicate: Chance,
    /// The packet is held back by one to four typical delays, at least 1 ms, so that later ones pass it.
    pub reorder: Chance,
    /// One bit is flipped. A pipe's segment with a flipped bit is lost, as TCP's checksum has it.
    pub corrupt: Chance,
    /// The packet's tail is missing. A pipe's segment without its tail is lost.
    pub truncate: Chance,
    /// Bits a second; `None` for no limit.
    pub rate: Option<u64>,
    /// Bytes that wait for a limited rate; a packet that does not fit is lost.
    pub queue: u32,
    /// Longest datagram in bytes; a longer one is lost. Pipes are cut to fit.
    pub mtu: u32,
    /// As on a wire, however the delay varies, no datagram passes an earlier one that was not held back. Pipes are in order
    /// anyway.
    pub in_order: bool,
}

/// Gilbert's model of burst loss (1960): two states, and in the bad one everything is lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Burst {
    /// The chance, at each packet, that a burst begins.
    pub enter: Chance,
    /// The chance, at each packet of a burst, that it is over.
    pub leave: Chance,
}

impl Default for LinkProfile {
    fn default() -> Self {
        Self {
            delay: Delay::default(),
            loss: Chance::NEVER,
            burst: None,
            duplicate: Chance::NEVER,
            reorder: Chance::NEVER,
            corrupt: Chance::NEVER,
            truncate: Chance::NEVER,
            rate: None,
            queue: 256 * 1024,
            mtu: 65_535,
            in_order: false,
        }
    }
}

/// The questions that are asked of one packet's key. A number, once given, is never given to another question.
mod lane {
    pub(super) const DELAY: u64 = 0;
    pub(super) const LOSS: u64 = 1;
    pub(super) const DUPLICATE: u64 = 2;
    pub(super) const DUPLICATE_DELAY: u64 = 3;
    pub(super) const REORDER: u64 = 4;
    pub(super) const REORDER_DELAY: u64 = 5;
    pub(super) const CORRUPT: u64 = 6;
    pub(super) const CORRUPT_BIT: u64 = 7;
    pub(super) const TRUNCATE: u64 = 8;
    pub(super) const TRUNCATE_LENGTH: u64 = 9;
    pub(super) const BURST: u64 = 10;
}

/// What happens to one packet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PacketFate {
    /// It does not arrive.
    pub lost: bool,
    /// How long it takes, apart from waiting in the queue.
    pub delay: Duration,
    /// It was held back so that others could pass it; the time is part of `delay`.
    pub reordered: bool,
    /// A second copy arrives after so long.
    pub duplicate: Option<Duration>,
    /// This bit of it is flipped.
    pub flipped_bit: Option<u32>,
    /// Only so many of its bytes arrive.
    pub truncated_to: Option<u32>,
}

impl LinkProfile {
    /// What `key`'s packet of `length` bytes meets, bursts apart.
    #[inline]
    pub fn fate(&self, key: Key, length: u32) -> PacketFate {
        let mut fate = PacketFate { delay: self.delay.draw(key, lane::DELAY), ..PacketFate::default() };
        if self.loss.is_possible() {
            fate.lost = self.loss.hits(key.draw(lane::LOSS));
        }
        if self.duplicate.is_possible() && self.duplicate.hits(key.draw(lane::DUPLICATE)) {
            fate.duplicate = Some(self.delay.draw(key, lane::DUPLICATE_DELAY));
        }
        if self.reorder.is_possible() && self.reorder.hits(key.draw(lane::REORDER)) {
            let typical = self.delay.typical().max(Duration::from_millis(1)).as_nanos();
            let held = key.within(lane::REORDER_DELAY, typical, typical.saturating_mul(4));
            fate.delay = fate.delay + Duration::from_nanos(held);
            fate.reordered = true;
        }
        if length > 0 && self.corrupt.is_possible() && self.corrupt.hits(key.draw(lane::CORRUPT)) {
            fate.flipped_bit = Some(key.within(lane::CORRUPT_BIT, 0, u64::from(length) * 8 - 1) as u32);
        }
        if length > 0 && self.truncate.is_possible() && self.truncate.hits(key.draw(lane::TRUNCATE)) {
            fate.truncated_to = Some(key.within(lane::TRUNCATE_LENGTH, 0, u64::from(length) - 1) as u32);
        }
        fate
    }

    const fn has_state(&self) -> bool {
        self.rate.is_some() || self.burst.is_some() || self.in_order
    }

    /// Whether a packet that fits can meet anything but the delay.
    const fn is_rough(&self) -> bool {
        self.has_state()
            || self.loss.is_possible()
            || self.duplicate.is_possible()
            || self.reorder.is_possible()
            || self.corrupt.is_possible()
            || self.truncate.is_possible()
    }
}

/// A link that does nothing but delay, evenly: most packets meet one, so it answers with little work.
#[derive(Clone, Copy, Debug)]
struct Calm {
    /// Longer packets do not fit.
    mtu: u32,
    min: u64,
    /// How many delays there are, from `min` on.
    span: u64,
}

impl Calm {
    fn new(profile: &LinkProfile) -> Option<Self> {
        let (min, max) = match profile.delay {
            Delay::Fixed(delay) => (delay.as_nanos(), delay.as_nanos()),
            Delay::Uniform(min, max) => (min.as_nanos(), max.as_nanos()),
            Delay::Exponential { .. } | Delay::LongTail { .. } => return None,
        };
        let span = max.saturating_sub(min).checked_add(1)?;
        (!profile.is_rough()).then_some(Self { mtu: profile.mtu, min, span })
    }

    /// What [`Delay::draw`] draws.
    #[inline]
    const fn delay(self, key: Key) -> Duration {
        let drawn = (key.draw(lane::DELAY) as u128 * self.span as u128) >> 64;
        // At most the longest delay.
        Duration::from_nanos(self.min.wrapping_add(drawn as u64))
    }
}

/// What one direction has of its own: a profile, a burst, a queue.
#[derive(Clone, Copy, Debug)]
struct Special {
    profile: LinkProfile,
    in_burst: bool,
    /// When the last byte that waits will have left.
    busy_until: Time,
    /// When the last packet that was not held back arrives.
    arrives: Time,
}

/// Every direction between any two of some nodes, by their places: profiles, bursts, queues.
#[derive(Debug)]
pub struct Directions {
    default: LinkProfile,
    /// `default`, if it does nothing but delay.
    calm: Option<Calm>,
    special: BTreeMap<(u32, u32), Special>,
    /// By source: whether a look into `special` can find anything.
    is_special: Vec<bool>,
    names: Vec<NameHash>,
}

impl Directions {
    /// Directions between nodes of these names; all behave as `default` but those of `overrides`.
    pub fn new(names: Vec<NameHash>, default: LinkProfile, overrides: &[(u32, u32, LinkProfile)]) -> Self {
        let mut directions = Self {
            is_special: vec![default.has_state(); names.len()],
            calm: Calm::new(&default),
            default,
            special: BTreeMap::new(),
            names,
        };
        for (from, to, profile) in overrides {
            directions.set_profile(*from, *to, *profile);
        }
        directions
    }

    /// The key of this direction's draws.
    #[inline]
    pub fn key(&self, root: Key, from: u32, to: u32) -> Key {
        root.pair(self.names[from as usize], self.names[to as usize])
    }

    /// How long `key`'s packet of `length` bytes takes, when it is clear at once that nothing else befalls what `from` sends.
    #[inline]
    pub(crate) fn calm_delay(&self, from: u32, length: usize, key: Key) -> Option<Duration> {
        let calm = self.calm.filter(|calm| length <= calm.mtu as usize && !self.is_special[from as usize])?;
        Some(calm.delay(key))
    }

    /// How the direction behaves.
    #[inline]
    pub fn profile(&self, from: u32, to: u32) -> &LinkProfile {
        if self.is_special[from as usize] {
            self.special.get(&(from, to)).map_or(&self.default, |special| &special.profile)
        } else {
            &self.default
        }
    }

    /// Lets the direction behave otherwise from now on; its burst and its queue stay.
    pub fn set_profile(&mut self, from: u32, to: u32, profile: LinkProfile) {
        self.is_special[from as usize] = true;
        self.special.entry((from, to)).and_modify(|special| special.profile = profile).or_insert(Special {
            profile,
            in_burst: false,
            busy_until: Time::ZERO,
            arrives: Time::ZERO,
        });
    }

    /// Steps the burst model by one packet: whether a burst takes it.
    #[inline]
    pub fn burst_takes(&mut self, from: u32, to: u32, key: Key) -> bool {
        if !self.is_special[from as usize] {
            return false;
        }
        let default = self.default;
        let Some(special) = Self::state(&mut self.special, (from, to), default) else { return false };
        let Some(burst) = special.profile.burst else { return false };
        let bits = key.draw(lane::BURST);
        special.in_burst = if special.in_burst { !burst.leave.hits(bits) } else { burst.enter.hits(bits) };
        special.in_burst
    }

    /// Queues `length` bytes: how long they wait and take to leave, or `None` when the queue is full.
    #[inline]
    pub fn departs_after(&mut self, from: u32, to: u32, now: Time, length: u32) -> Option<Duration> {
        if !self.is_special[from as usize] {
            return Some(Duration::ZERO);
        }
        let default = self.default;
        let Some(special) = Self::state(&mut self.special, (from, to), default) else { return Some(Duration::ZERO) };
        let Some(rate) = special.profile.rate else { return Some(Duration::ZERO) };
        let nanos_for =
            |bytes: u64| u64::try_from(u128::from(bytes) * 8_000_000_000 / u128::from(rate.max(1))).unwrap_or(u64::MAX);
        let waits = special.busy_until.since(now);
        if waits.as_nanos() > nanos_for(u64::from(special.profile.queue)) {
            return None;
        }
        let takes = waits + Duration::from_nanos(nanos_for(u64::from(length)));
        special.busy_until = now + takes;
        Some(takes)
    }

    /// How long a packet takes that alone would take so long: it waits for those before it where order is kept.
    #[inline]
    pub fn arrives_after(&mut self, from: u32, to: u32, now: Time, alone: Duration) -> Duration {
        if !self.is_special[from as usize] {
            return alone;
        }
        let default = self.default;
        let Some(special) = Self::state(&mut self.special, (from, to), default) else { return alone };
        if !special.profile.in_order {
            return alone;
        }
        special.arrives = special.arrives.max(now + alone);
        special.arrives.since(now)
    }

    fn state(
        special: &mut BTreeMap<(u32, u32), Special>,
        direction: (u32, u32),
        default: LinkProfile,
    ) -> Option<&mut Special> {
        if default.has_state() {
            let fresh = Special { profile: default, in_burst: false, busy_until: Time::ZERO, arrives: Time::ZERO };
            return Some(special.entry(direction).or_insert(fresh));
        }
        special.get_mut(&direction)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn two_nodes(profile: LinkProfile) -> Directions {
        Directions::new(vec![NameHash::of("a"), NameHash::of("b")], profile, &[])
    }

    #[test]
    fn a_limited_rate_spaces_packets_and_a_full_queue_refuses() {
        let mut link = two_nodes(LinkProfile { rate: Some(8_000), queue: 2_000, ..LinkProfile::default() });
        let takes: Vec<_> = (0..4).map(|_| link.departs_after(0, 1, Time::ZERO, 1_000)).collect();
        let secs = |n| Some(Duration::from_secs(n));
        assert_eq!(takes, [secs(1), secs(2), secs(3), None]);
        assert_eq!(link.departs_after(1, 0, Time::ZERO, 1_000), secs(1), "the other direction has a queue of its own");
        assert_eq!(link.departs_after(0, 1, Time::from_secs(3), 1_000), secs(1));
    }

    #[test]
    fn a_link_that_keeps_order_lets_no_packet_pass_an_earlier_one() {
        let (ms, at) = (Duration::from_millis, Time::from_millis);
        let mut link = two_nodes(LinkProfile { in_order: true, ..LinkProfile::default() });
        let sent = [(0, 20), (1, 5), (2, 30), (40, 1)];
        let arrivals: Vec<_> =
            sent.into_iter().map(|(now, alone)| at(now) + link.arrives_after(0, 1, at(now), ms(alone))).collect();
        assert_eq!(arrivals, [at(20), at(20), at(32), at(41)]);
        assert_eq!(link.arrives_after(1, 0, at(0), ms(3)), ms(3), "the other direction has an order of its own");
        assert_eq!(two_nodes(LinkProfile::default()).arrives_after(0, 1, at(1), ms(5)), ms(5));
    }

    #[test]
    fn losses_come_in_bursts_of_the_drawn_length() {
        let burst = Burst { enter: Chance::from_percent(1), leave: Chance::from_percent(25) };
        let mut link = two_nodes(LinkProfile { burst: Some(burst), ..LinkProfile::default() });
        let key = Key::root(5);
        let lost: Vec<bool> = (0..100_000).map(|n| link.burst_takes(0, 1, key.number(n))).collect();
        let total = lost.iter().filter(|lost| **lost).count();
        let bursts = lost.windows(2).filter(|pair| !pair[0] && pair[1]).count();
        assert!((3_000..5_000).contains(&total), "{total}");
        assert!((3..=5).contains(&(total / bursts)), "{total} / {bursts}");
    }

    #[test]
    fn another_question_does_not_change_the_answers() {
        let calm = LinkProfile { loss: Chance::from_percent(50), ..LinkProfile::default() };
        let rough = LinkProfile { duplicate: Chance::from_percent(50), corrupt: Chance::from_percent(50), ..calm };
        for number in 0..100 {
            let key = Key::root(1).number(number);
            assert_eq!(calm.fate(key, 100).lost, rough.fate(key, 100).lost);
        }
    }

    #[test]
    fn a_calm_link_does_to_a_packet_what_its_fate_would_say() {
        let (short, long) = (Duration::from_millis(1), Duration::from_millis(9));
        let all = Duration::from_nanos(u64::MAX - 1);
        for delay in [
            Delay::Uniform(short, long),
            Delay::Uniform(long, short),
            Delay::Uniform(Duration::ZERO, all),
            Delay::Fixed(Duration::ZERO),
            Delay::Fixed(long),
        ] {
            let link = two_nodes(LinkProfile { delay, ..LinkProfile::default() });
            for number in 0..100 {
                let key = Key::root(1).number(number);
                let fate = PacketFate { delay: link.calm_delay(0, 100, key).unwrap(), ..PacketFate::default() };
                assert_eq!(link.profile(0, 1).fate(key, 100), fate);
            }
        }
    }

    #[test]
    fn a_link_that_can_do_more_than_delay_is_not_calm() {
        let (some, default) = (Chance::from_ppb(1), LinkProfile::default());
        let burst = Some(Burst { enter: some, leave: some });
        let rough = [
            LinkProfile { loss: some, ..default },
            LinkProfile { burst, ..default },
            LinkProfile { duplicate: some, ..default },
            LinkProfile { reorder: some, ..default },
            LinkProfile { corrupt: some, ..default },
            LinkProfile { truncate: some, ..default },
            LinkProfile { rate: Some(1), ..default },
            LinkProfile { in_order: true, ..default },
        ];
        let is_calm = |link: &Directions, from, length| link.calm_delay(from, length, Key::root(1)).is_some();
        for profile in rough {
            assert!(!is_calm(&two_nodes(profile), 0, 1), "{profile:?}");
            let mut link = two_nodes(default);
            link.set_profile(0, 1, profile);
            assert!(!is_calm(&link, 0, 1) && is_calm(&link, 1, 1), "{profile:?}");
        }
        let narrow = two_nodes(LinkProfile { mtu: 100, ..default });
        assert!(is_calm(&narrow, 0, 100) && !is_calm(&narrow, 0, 101));
        for delay in [
            Delay::Exponential { min: Duration::ZERO, mean: Duration::ZERO },
            Delay::LongTail { min: Duration::ZERO, max: Duration::ZERO },
            Delay::Uniform(Duration::ZERO, Duration::from_nanos(u64::MAX)),
        ] {
            assert!(!is_calm(&two_nodes(LinkProfile { delay, ..default }), 0, 1), "{delay:?}");
        }
    }
}
