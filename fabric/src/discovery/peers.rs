//! The bounded table of announced devices: who gets a place, who loses it, and what of it is news. Knows no bytes.

use alloc::collections::{BTreeMap, BTreeSet};

use machine::{Addr, Host, Instant};

use super::peer::{Claim, Heard, Peer};
use super::refusal::Refusal;
use super::{Event, Limits, LostReason};
use crate::identity::{DeviceId, NoisePublic};
use crate::probe::Probe;

/// The table. An entry is only changed between [`Peers::take`] and [`Peers::settle`], which keep the indexes true; every
/// operation is O(log devices), but for a trusted newcomer from a full source.
#[derive(Debug)]
pub(super) struct Peers {
    limits: Limits,
    entries: BTreeMap<DeviceId, Peer>,
    /// Who may be evicted, the least recently heard first.
    evictable: BTreeSet<(Instant, DeviceId)>,
    /// When each entry next loses a candidate.
    expiries: BTreeSet<(Instant, DeviceId)>,
    /// How many entries each source has a candidate of.
    places: BTreeMap<Host, usize>,
    /// What the node knows of devices, announced or not; bounded by its trust store and its sessions.
    standings: BTreeMap<DeviceId, Standing>,
    news: News,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Standing {
    is_trusted: bool,
    is_live: bool,
}

/// What the application has not heard yet. A device is told as discovered only when none is to be told as lost, so
/// [`News::lost`] never holds more than the table can, however late it is drained.
#[derive(Debug, Default)]
struct News {
    /// Devices in the table that the application has not heard of.
    discovered: BTreeSet<DeviceId>,
    /// Devices in the table that it has heard of, but not all.
    updated: BTreeSet<DeviceId>,
    /// Devices that it has heard of, and that left the table.
    lost: BTreeMap<DeviceId, LostReason>,
}

impl Peers {
    pub(super) const fn new(limits: Limits) -> Self {
        Self {
            limits,
            entries: BTreeMap::new(),
            evictable: BTreeSet::new(),
            expiries: BTreeSet::new(),
            places: BTreeMap::new(),
            standings: BTreeMap::new(),
            news: News { discovered: BTreeSet::new(), updated: BTreeSet::new(), lost: BTreeMap::new() },
        }
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (DeviceId, &Peer)> {
        self.entries.iter().map(|(device, peer)| (*device, peer))
    }

    pub(super) fn get(&self, device: DeviceId) -> Option<&Peer> {
        self.entries.get(&device)
    }

    /// To dial it: nothing that the indexes hold may be changed through this.
    pub(super) fn get_mut(&mut self, device: DeviceId) -> Option<&mut Peer> {
        self.entries.get_mut(&device)
    }

    pub(super) fn next_timeout(&self) -> Option<Instant> {
        self.expiries.first().map(|(at, _)| *at)
    }

    pub(super) fn poll(&mut self) -> Option<Event> {
        if let Some((device, reason)) = self.news.lost.pop_first() {
            return Some(Event::Lost { device, reason });
        }
        if let Some(device) = self.news.discovered.pop_first() {
            return Some(Event::Discovered { device, services: self.entries.get(&device)?.services().clone() });
        }
        let device = self.news.updated.pop_first()?;
        Some(Event::Updated { device, services: self.entries.get(&device)?.services().clone() })
    }

    /// Takes in what an announce says of a device, where the bounds allow it.
    pub(super) fn hear(&mut self, now: Instant, device: DeviceId, heard: &Heard<'_>) -> Result<(), Refusal> {
        let peer = self.entries.get(&device);
        if heard.claim == Claim::V1 && peer.is_some_and(|peer| peer.has_signed(now)) {
            return Err(Refusal::Superseded);
        }
        if !peer.is_some_and(|peer| peer.has_candidate(heard.addr, heard.noise_static)) {
            self.make_room(device, heard.addr.host())?;
        }
        let known = self.take(device);
        let is_new = known.is_none();
        let mut peer = known.unwrap_or_default();
        let has_new_candidate = peer.hear(now, heard, &self.limits);
        if is_new {
            self.news.discovered.insert(device);
        } else if has_new_candidate {
            self.update(device);
        }
        self.settle(device, peer, LostReason::Expired);
        Ok(())
    }

    /// Sees to it that `source` may add a candidate to `device`.
    fn make_room(&mut self, device: DeviceId, source: Host) -> Result<(), Refusal> {
        let peer = self.entries.get(&device);
        peer.map_or(Ok(()), |peer| peer.has_room(&self.limits))?;
        let is_new_here = !peer.is_some_and(|peer| peer.has_source(source));
        let is_source_full = self.places.get(&source).is_some_and(|places| *places >= self.limits.places_per_source());
        if is_new_here && is_source_full {
            // The source may be forged to keep a trusted device out: strangers give way.
            let gives_way = if self.is_protected(device) { self.oldest_stranger_of(source) } else { None };
            self.evict_from(source, gives_way.ok_or(Refusal::SourceFull)?);
        }
        if self.entries.contains_key(&device) || self.entries.len() < self.limits.devices() {
            return Ok(());
        }
        let (_, oldest) = *self.evictable.first().ok_or(Refusal::TableFull)?;
        self.remove(oldest, LostReason::Evicted);
        Ok(())
    }

    fn oldest_stranger_of(&self, source: Host) -> Option<DeviceId> {
        let mut oldest_first = self.evictable.iter().map(|(_, device)| *device);
        oldest_first.find(|device| self.entries.get(device).is_some_and(|peer| peer.has_source(source)))
    }

    fn evict_from(&mut self, source: Host, device: DeviceId) {
        if let Some(mut peer) = self.take(device) {
            peer.drop_source(source);
            self.settle(device, peer, LostReason::Evicted);
        }
    }

    /// The device says goodbye.
    pub(super) fn remove(&mut self, device: DeviceId, reason: LostReason) {
        if let Some(mut peer) = self.take(device) {
            peer.drop_all();
            self.settle(device, peer, reason);
        }
    }

    pub(super) fn expire(&mut self, now: Instant) {
        while let Some((at, device)) = self.expiries.first().copied()
            && at <= now
        {
            self.expire_entry(now, device);
        }
    }

    fn expire_entry(&mut self, now: Instant, device: DeviceId) {
        let is_live = self.standing(device).is_live;
        if let Some(mut peer) = self.take(device) {
            peer.expire(now, is_live);
            self.settle(device, peer, LostReason::Expired);
        }
    }

    /// A handshake with the device succeeded at this candidate: whether it is still in the table.
    pub(super) fn prove(&mut self, now: Instant, device: DeviceId, addr: Addr, noise_static: NoisePublic) -> bool {
        let Some(mut peer) = self.take(device) else { return false };
        let is_known = peer.prove(now, addr, noise_static, now + self.limits.time_to_live);
        self.settle(device, peer, LostReason::Expired);
        is_known
    }

    pub(super) fn set_trusted(&mut self, device: DeviceId, is_trusted: bool) {
        let peer = self.take(device);
        self.set_standing(device, Standing { is_trusted, ..self.standing(device) });
        if let Some(peer) = peer {
            self.settle(device, peer, LostReason::Expired);
        }
    }

    pub(super) fn set_live(&mut self, now: Instant, device: DeviceId, is_live: bool) {
        let earlier = self.standing(device);
        let peer = self.take(device);
        self.set_standing(device, Standing { is_live, ..earlier });
        if let Some(mut peer) = peer {
            if earlier.is_live && !is_live {
                peer.end_session(now, now + self.limits.time_to_live);
            }
            self.settle(device, peer, LostReason::Expired);
        }
    }

    fn standing(&self, device: DeviceId) -> Standing {
        self.standings.get(&device).copied().unwrap_or_default()
    }

    fn set_standing(&mut self, device: DeviceId, standing: Standing) {
        if standing == Standing::default() {
            self.standings.remove(&device);
        } else {
            self.standings.insert(device, standing);
        }
    }

    /// Never evicted.
    fn is_protected(&self, device: DeviceId) -> bool {
        self.standings.contains_key(&device)
    }

    fn update(&mut self, device: DeviceId) {
        if !self.news.discovered.contains(&device) {
            self.news.updated.insert(device);
        }
    }

    /// Takes an entry out, and out of the indexes.
    fn take(&mut self, device: DeviceId) -> Option<Peer> {
        let peer = self.entries.remove(&device)?;
        self.evictable.remove(&(peer.heard_at(), device));
        if let Some(at) = peer.next_expiry(self.standing(device).is_live) {
            self.expiries.remove(&(at, device));
        }
        for source in peer.sources() {
            let places = self.places.remove(&source).unwrap_or(0);
            assert!(places > 0, "a candidate's source has a place");
            if places > 1 {
                self.places.insert(source, places - 1);
            }
        }
        Some(peer)
    }

    /// Puts a changed entry back, and into the indexes; one without candidates goes, unless a session keeps it.
    fn settle(&mut self, device: DeviceId, mut peer: Peer, reason: LostReason) {
        let standing = self.standing(device);
        if peer.candidates().is_empty() && !standing.is_live {
            return self.news.lose(device, reason);
        }
        if peer.refresh_services() {
            self.update(device);
        }
        if !self.is_protected(device) {
            self.evictable.insert((peer.heard_at(), device));
        }
        if let Some(at) = peer.next_expiry(standing.is_live) {
            self.expiries.insert((at, device));
        }
        for source in peer.sources() {
            *self.places.entry(source).or_insert(0) += 1;
        }
        self.entries.insert(device, peer);
    }
}

impl LostReason {
    /// What a node that loses a device so has reached.
    pub(crate) const fn probe(self) -> Probe {
        match self {
            Self::Expired => Probe::PeerExpired,
            Self::Evicted => Probe::PeerEvicted,
            Self::Goodbye => Probe::PeerLeft,
        }
    }
}

impl News {
    fn lose(&mut self, device: DeviceId, reason: LostReason) {
        self.updated.remove(&device);
        if !self.discovered.remove(&device) {
            self.lost.insert(device, reason);
        }
    }
}
