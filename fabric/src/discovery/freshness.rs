//! Which signed announces are newer than what was seen (wire contract, 2). Outlives the peer table's entries for a while,
//! so that an old announce cannot bring back who said goodbye. Checks no signature.

use alloc::collections::BTreeMap;

use machine::{Duration, Instant};

use super::refusal::Refusal;
use crate::identity::DeviceId;

/// The last accepted (epoch, sequence) of devices. Bounded.
#[derive(Debug)]
pub(super) struct Freshness {
    seen: BTreeMap<DeviceId, Seen>,
    /// What is known from earlier starts of this node; its owner bounds how many there are.
    known: BTreeMap<DeviceId, Known>,
    capacity: usize,
    time_to_live: Duration,
}

/// One device's last accepted announce.
#[derive(Clone, Copy, Debug)]
struct Seen {
    epoch: u64,
    sequence: u32,
    lives_until: Instant,
    forget_at: Instant,
    said_goodbye: bool,
    /// The device has proven itself since: it may have lost its storage, and start from a lower epoch once.
    may_fall: bool,
}

/// What is known of a device without an announce that is remembered.
#[derive(Clone, Copy, Debug)]
struct Known {
    epoch: u64,
    /// As [`Seen::may_fall`].
    may_fall: bool,
}

/// How an announce compares with the last accepted one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Age {
    Newer,
    /// The same one, which still lives until then: it may have come another way, but says nothing new.
    Same(Instant),
}

impl Freshness {
    pub(super) const fn new(capacity: usize, time_to_live: Duration) -> Self {
        Self { seen: BTreeMap::new(), known: BTreeMap::new(), capacity, time_to_live }
    }

    pub(super) fn judge(&self, now: Instant, device: DeviceId, epoch: u64, sequence: u32) -> Result<Age, Refusal> {
        let Some(last) = self.last(now, device) else { return self.judge_first(device, epoch) };
        match (epoch, sequence).cmp(&(last.epoch, last.sequence)) {
            core::cmp::Ordering::Greater => Ok(Age::Newer),
            core::cmp::Ordering::Equal if now < last.lives_until => Ok(Age::Same(last.lives_until)),
            _ if epoch < last.epoch && last.may_fall => Ok(Age::Newer),
            _ => Err(Refusal::Stale),
        }
    }

    /// No announce of the device is remembered.
    fn judge_first(&self, device: DeviceId, epoch: u64) -> Result<Age, Refusal> {
        let is_old = |known: &Known| epoch < known.epoch && !known.may_fall;
        if self.known.get(&device).is_some_and(is_old) { Err(Refusal::Stale) } else { Ok(Age::Newer) }
    }

    pub(super) fn set_known(&mut self, device: DeviceId, epoch: Option<u64>) {
        match epoch {
            Some(epoch) => drop(self.known.insert(device, Known { epoch, may_fall: false })),
            None => drop(self.known.remove(&device)),
        }
    }

    pub(super) fn epoch(&self, now: Instant, device: DeviceId) -> Option<u64> {
        self.last(now, device).map(|seen| seen.epoch)
    }

    pub(super) fn knows(&self, now: Instant, device: DeviceId) -> bool {
        self.last(now, device).is_some()
    }

    /// Whether the device has said goodbye of late, and nothing signed since.
    pub(super) fn said_goodbye(&self, now: Instant, device: DeviceId) -> bool {
        self.last(now, device).is_some_and(|seen| seen.said_goodbye)
    }

    /// The announce was accepted; it counts until `lives_until` (a goodbye's time is over at once), and is remembered for
    /// one time to live more.
    pub(super) fn record(
        &mut self,
        device: DeviceId,
        (epoch, sequence): (u64, u32),
        lives_until: Instant,
        said_goodbye: bool,
    ) {
        let forget_at = lives_until + self.time_to_live;
        self.known.entry(device).and_modify(|known| *known = Known { epoch, may_fall: false });
        self.seen.insert(device, Seen { epoch, sequence, lives_until, forget_at, said_goodbye, may_fall: false });
        if self.seen.len() > self.capacity {
            // A scan, but only after a signature check, which costs a hundred times as much.
            // Of equal ones the first, in the order of devices.
            let first = self.seen.iter().min_by_key(|(_, seen)| seen.forget_at);
            if let Some(device) = first.map(|(device, _)| *device) {
                self.seen.remove(&device);
            }
        }
    }

    /// A session with the device was authenticated.
    pub(super) fn allow_lower_epoch(&mut self, device: DeviceId) {
        if let Some(seen) = self.seen.get_mut(&device) {
            seen.may_fall = true;
        }
        self.known.entry(device).and_modify(|known| known.may_fall = true);
    }

    fn last(&self, now: Instant, device: DeviceId) -> Option<&Seen> {
        self.seen.get(&device).filter(|seen| seen.forget_at > now)
    }

    #[cfg(test)]
    pub(super) fn size(&self) -> usize {
        self.seen.len()
    }
}
