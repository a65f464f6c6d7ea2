//! What lies between the nodes: the simulator's link model, its partitions, and nodes without power. Decides the fate of
//! datagrams and segments by the simulator's own draws; moves none of them.

use ::sim::fate::Key;
use ::sim::{Config, Counts, Directions, LinkProfile, Partitions, PipeProfile, Time, retransmission_after};
use std::collections::BTreeSet;

/// Of IP and TCP, as a limited rate counts them.
const HEADERS: u32 = 40;

pub(super) struct Medium {
    pub(super) links: Directions,
    pub(super) partitions: Partitions,
    /// Nodes without power: nothing reaches them, and nobody learns of it.
    pub(super) dark: BTreeSet<u32>,
    pub(super) pipes: PipeProfile,
    pub(super) counts: Counts,
    /// Datagrams and segments so far.
    pub(super) packets: u64,
    datagram: Key,
    group: Key,
    pipe: Key,
}

/// One copy of a datagram: when it arrives, and as what.
pub(super) type Arrival = (Time, Vec<u8>);

/// A segment on its way, or to be sent again at that time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Transit {
    Arrives(Time),
    Lost { again: Time },
}

impl Medium {
    pub(super) fn new(config: &Config) -> Self {
        let names: Vec<_> = config.nodes.iter().map(|node| ::sim::fate::NameHash::of(&node.name)).collect();
        let place = |name: &str| config.nodes.iter().position(|node| node.name == name).map(|place| place as u32);
        let links = config.links.iter().filter_map(|(from, to, link)| Some((place(from)?, place(to)?, *link)));
        let root = Key::root(config.seed);
        Self {
            links: Directions::new(names, config.link, &links.collect::<Vec<_>>()),
            partitions: Partitions::default(),
            dark: BTreeSet::new(),
            pipes: config.pipes,
            counts: Counts::default(),
            packets: 0,
            datagram: root.named("datagram"),
            group: root.named("group"),
            pipe: root.named("pipe"),
        }
    }

    pub(super) fn profile(&self, from: u32, to: u32) -> LinkProfile {
        *self.links.profile(from, to)
    }

    /// The key of the `dial`-th pipe from one node to the other.
    pub(super) fn pipe_key(&self, from: u32, to: u32, dial: u64) -> Key {
        self.links.key(self.pipe, from, to).number(dial)
    }

    fn is_cut(&self, from: u32, to: u32) -> bool {
        self.partitions.block(from, to)
    }

    /// What becomes of the `number`-th datagram of a direction; `to_group` numbers those to the segment.
    pub(super) fn datagram(
        &mut self,
        now: Time,
        (from, to): (u32, u32),
        to_group: bool,
        number: u64,
        bytes: &[u8],
    ) -> Vec<Arrival> {
        self.packets += 1;
        let root = if to_group { self.group } else { self.datagram };
        let key = self.links.key(root, from, to).number(number);
        let (profile, length) = (self.profile(from, to), bytes.len() as u32);
        if length > profile.mtu {
            self.counts.too_long += 1;
            return Vec::new();
        }
        let fate = profile.fate(key, length);
        let in_burst = self.links.burst_takes(from, to, key);
        if self.is_cut(from, to) {
            self.counts.partitioned += 1;
            return Vec::new();
        }
        if self.dark.contains(&to) {
            self.counts.unreachable += 1;
            return Vec::new();
        }
        let Some(queued) = self.links.departs_after(from, to, now, length) else {
            self.counts.queue_full += 1;
            return Vec::new();
        };
        if fate.lost || in_burst {
            self.counts.lost += 1;
            return Vec::new();
        }
        self.counts.reordered += u64::from(fate.reordered);
        let mut arrivals = Vec::new();
        if let Some(delay) = fate.duplicate {
            self.counts.duplicated += 1;
            arrivals.push((now + queued + delay, bytes.to_vec()));
        }
        let mut bytes = bytes.to_vec();
        if let Some(bit) = fate.flipped_bit
            && let Some(byte) = bytes.get_mut(bit as usize / 8)
        {
            *byte ^= 1 << (bit % 8);
            self.counts.corrupted += 1;
        }
        if let Some(length) = fate.truncated_to {
            bytes.truncate(length as usize);
            self.counts.truncated += 1;
        }
        let mut after = queued + fate.delay;
        if !fate.reordered {
            after = self.links.arrives_after(from, to, now, after);
        }
        arrivals.push((now + after, bytes));
        arrivals
    }

    /// What becomes of one sending of a segment of `length` bytes.
    pub(super) fn segment(
        &mut self,
        now: Time,
        (from, to): (u32, u32),
        key: Key,
        attempt: u32,
        length: u32,
    ) -> Transit {
        self.packets += 1;
        let profile = self.profile(from, to);
        let fate = profile.fate(key.number(u64::from(attempt)), length);
        // TCP's checksum takes a damaged segment for a lost one.
        let is_lost = fate.lost
            || fate.flipped_bit.is_some()
            || fate.truncated_to.is_some()
            || self.links.burst_takes(from, to, key.number(u64::from(attempt)));
        let is_cut = self.is_cut(from, to) || self.dark.contains(&from) || self.dark.contains(&to);
        self.counts.segments_lost += u64::from(is_lost);
        self.counts.partitioned += u64::from(is_cut);
        match self.links.departs_after(from, to, now, length + HEADERS) {
            Some(queued) if !is_lost && !is_cut => Transit::Arrives(now + queued + fate.delay),
            _ => Transit::Lost { again: now + retransmission_after(profile.delay.typical(), attempt) },
        }
    }
}
