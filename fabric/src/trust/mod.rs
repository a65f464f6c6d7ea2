//! Which devices this one trusts, under which local labels and in which groups, since when and how, and the newest epoch of
//! each; kept in the node's storage so that no crash loses what was told to be durable (wire contract, 1 and 6). Decides
//! nothing about sessions or services: the node and its policy do.

mod label;
mod text;

pub use label::{InvalidLabel, LABEL_BYTES_MAX, Label};

use crate::durable::{Durable, Name};
use crate::identity::DeviceId;
use crate::policy::Groups;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use machine::StoreFailed;

/// Most devices of a store.
pub const DEVICES_MAX: usize = 256;
/// Most groups that one device is in.
pub const GROUPS_MAX: usize = 16;

const TRUST: Name = Name { label: "trust", keys: ["fabric.trust.a", "fabric.trust.b"], version: 1 };

/// How a device came to be trusted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum How {
    /// Two people compared six digits.
    Pairing,
    /// Somebody with access to this device said so.
    Manual,
}

/// One trusted device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trusted {
    /// What it is called here; no other device is.
    pub label: Label,
    /// The groups that it is in here; at most [`GROUPS_MAX`].
    pub groups: BTreeSet<Label>,
    /// How it came to be trusted.
    pub how: How,
    /// When, in seconds since 1970, as the application had it; the core has no such clock.
    pub since: u64,
    /// The highest epoch that it has announced: an announce of a lower one is old.
    pub epoch: u64,
}

impl Trusted {
    /// A device that is in no group, and was not heard yet.
    pub const fn new(label: Label, how: How, since: u64) -> Self {
        Self { label, groups: BTreeSet::new(), how, since, epoch: 0 }
    }
}

/// Why a device was not added.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TrustError {
    /// Another device has the label: to give it away silently would give away what it is allowed.
    LabelTaken(DeviceId),
    /// There are [`DEVICES_MAX`] already.
    Full,
    /// The device would be in more than [`GROUPS_MAX`] groups.
    TooManyGroups,
    /// It is this device itself.
    OwnDevice,
}

impl fmt::Display for TrustError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::LabelTaken(device) => write!(f, "device {device} has this label"),
            Self::Full => write!(f, "{DEVICES_MAX} devices are trusted already"),
            Self::TooManyGroups => write!(f, "a device is in at most {GROUPS_MAX} groups"),
            Self::OwnDevice => f.write_str("it is this device itself"),
        }
    }
}

impl core::error::Error for TrustError {}

/// What storage had at the start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Loaded {
    /// Nothing: a device that is new.
    Nothing,
    /// A whole store.
    Whole,
    /// Something that is no store: nobody is trusted until somebody says so anew.
    Damaged,
}

/// The trusted devices of one node.
#[derive(Debug)]
pub struct TrustStore {
    devices: BTreeMap<DeviceId, Trusted>,
    loaded: Loaded,
    durable: Durable,
}

impl TrustStore {
    /// What storage has. What does not check is not believed: of two slots the one before counts, of none nobody is trusted.
    pub(crate) fn load(stored: &BTreeMap<String, Vec<u8>>) -> Self {
        let (durable, body) = Durable::load(TRUST, stored);
        let was_written = TRUST.keys.iter().any(|key| stored.contains_key(*key));
        let devices = body.as_deref().and_then(text::parse);
        let loaded = match (&devices, was_written) {
            (Some(_), _) => Loaded::Whole,
            (None, true) => Loaded::Damaged,
            (None, false) => Loaded::Nothing,
        };
        Self { devices: devices.unwrap_or_default(), loaded, durable }
    }

    /// What storage had at the start.
    pub const fn loaded(&self) -> Loaded {
        self.loaded
    }

    /// Whether all of this survives the loss of the node's memory.
    pub fn is_durable(&self) -> bool {
        self.durable.is_settled()
    }

    /// The trusted devices, by id.
    pub fn iter(&self) -> impl Iterator<Item = (DeviceId, &Trusted)> {
        self.devices.iter().map(|(device, trusted)| (*device, trusted))
    }

    /// One device.
    pub fn get(&self, device: DeviceId) -> Option<&Trusted> {
        self.devices.get(&device)
    }

    /// The device with this label.
    pub fn by_label(&self, label: Label) -> Option<DeviceId> {
        self.iter().find(|(_, trusted)| trusted.label == label).map(|(device, _)| device)
    }

    /// Every group and who is in it now, to load a [`Policy`](crate::Policy) with.
    pub fn groups(&self) -> Groups {
        let mut groups = Groups::new();
        for (device, trusted) in self.iter() {
            for group in &trusted.groups {
                groups.entry(group.as_str().into()).or_default().insert(device);
            }
        }
        groups
    }

    /// Adds a device, or changes what is known of it, and writes that to storage.
    pub(crate) fn add(&mut self, device: DeviceId, trusted: Trusted) -> Result<(), TrustError> {
        if let Some(holder) = self.by_label(trusted.label).filter(|holder| *holder != device) {
            return Err(TrustError::LabelTaken(holder));
        }
        if trusted.groups.len() > GROUPS_MAX {
            return Err(TrustError::TooManyGroups);
        }
        if self.devices.len() >= DEVICES_MAX && !self.devices.contains_key(&device) {
            return Err(TrustError::Full);
        }
        self.devices.insert(device, trusted);
        self.write();
        Ok(())
    }

    /// Removes a device: whether it was there.
    pub(crate) fn remove(&mut self, device: DeviceId) -> bool {
        let was_there = self.devices.remove(&device).is_some();
        if was_there {
            self.write();
        }
        was_there
    }

    /// The device has announced this epoch.
    pub(crate) fn heard(&mut self, device: DeviceId, epoch: u64) {
        if let Some(trusted) = self.devices.get_mut(&device)
            && trusted.epoch != epoch
        {
            trusted.epoch = epoch;
            self.write();
        }
    }

    pub(crate) fn poll_store(&mut self) -> Option<(&'static str, Vec<u8>)> {
        self.durable.poll()
    }

    /// A write has ended: whether all that was asked for is durable now; `None` when it was none of these.
    pub(crate) fn stored(&mut self, key: &str, result: Result<(), StoreFailed>) -> Option<Result<(), StoreFailed>> {
        self.durable.stored(key, result)
    }

    /// Writes all of it.
    pub(crate) fn write(&mut self) {
        self.durable.write(text::encode(&self.devices));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    type Disk = BTreeMap<String, Vec<u8>>;

    fn id(number: u8) -> DeviceId {
        DeviceId::from_bytes([number; 32])
    }

    fn label(text: &str) -> Label {
        text.parse().unwrap()
    }

    fn trusted(text: &str) -> Trusted {
        Trusted::new(label(text), How::Manual, 0)
    }

    fn sync(store: &mut TrustStore, disk: &mut Disk) {
        while let Some((key, bytes)) = store.poll_store() {
            disk.insert(key.into(), bytes);
            store.stored(key, Ok(()));
        }
    }

    #[test]
    fn what_is_trusted_is_there_after_a_restart() {
        let mut disk = Disk::new();
        let mut store = TrustStore::load(&disk);
        assert_eq!((store.loaded(), store.iter().count()), (Loaded::Nothing, 0));
        let groups = BTreeSet::from([label("family"), label("work")]);
        let phone = Trusted { groups, how: How::Pairing, since: 1_800_000_000, ..trusted("phone") };
        store.add(id(1), phone.clone()).unwrap();
        store.add(id(2), trusted("hub")).unwrap();
        store.heard(id(1), 7);
        store.heard(id(3), 7);
        sync(&mut store, &mut disk);
        let mut store = TrustStore::load(&disk);
        assert_eq!(store.loaded(), Loaded::Whole);
        assert_eq!(store.get(id(1)), Some(&Trusted { epoch: 7, ..phone }));
        assert_eq!((store.by_label(label("hub")), store.by_label(label("tv"))), (Some(id(2)), None));
        assert_eq!(store.groups()["family"], BTreeSet::from([id(1)]));
        assert!(store.remove(id(1)) && !store.remove(id(1)));
        sync(&mut store, &mut disk);
        assert_eq!(TrustStore::load(&disk).iter().map(|(device, _)| device).collect::<Vec<_>>(), [id(2)]);
    }

    #[test]
    fn a_label_is_never_given_to_a_second_device() {
        let mut store = TrustStore::load(&Disk::new());
        store.add(id(1), trusted("phone")).unwrap();
        assert_eq!(store.add(id(2), trusted("phone")), Err(TrustError::LabelTaken(id(1))));
        store.add(id(1), trusted("old-phone")).unwrap();
        store.add(id(2), trusted("phone")).unwrap();
        assert_eq!(store.iter().count(), 2);
    }

    #[test]
    fn a_full_store_holds_its_bounds_and_fits_its_slot() {
        let mut store = TrustStore::load(&Disk::new());
        let long = |prefix: char, number: usize| label(&alloc::format!("{prefix}{number:031}"));
        let groups: BTreeSet<_> = (0..GROUPS_MAX).map(|number| long('g', number)).collect();
        let device = |number: usize| DeviceId::of(&[number as u8; 32]);
        for number in 0..DEVICES_MAX {
            let most = Trusted { groups: groups.clone(), since: u64::MAX, epoch: u64::MAX, ..trusted("x") };
            store.add(device(number), Trusted { label: long('x', number), ..most }).unwrap();
        }
        assert_eq!(store.add(id(1), trusted("more")), Err(TrustError::Full));
        let mut too_many = trusted("many");
        too_many.groups = (0..=GROUPS_MAX).map(|number| long('g', number)).collect();
        assert_eq!(store.add(device(0), too_many), Err(TrustError::TooManyGroups));
        let mut disk = Disk::new();
        sync(&mut store, &mut disk);
        assert_eq!(TrustStore::load(&disk).devices, store.devices);
    }

    #[test]
    fn a_store_that_is_damaged_trusts_nobody_and_says_so() {
        let mut disk = Disk::new();
        let mut store = TrustStore::load(&disk);
        store.add(id(1), trusted("phone")).unwrap();
        sync(&mut store, &mut disk);
        for value in disk.values_mut() {
            value[40] ^= 1;
        }
        let store = TrustStore::load(&disk);
        assert_eq!((store.loaded(), store.iter().count()), (Loaded::Damaged, 0));
    }

    proptest! {
        /// Power fails in the middle of any write: what was acknowledged before is there, or what was being written.
        #[test]
        fn a_torn_write_loses_nothing_that_was_durable(labels in proptest::collection::vec("[g-z]{1,8}", 1..8), cut: u16) {
            let (mut disk, mut store) = (Disk::new(), TrustStore::load(&Disk::new()));
            for (number, text) in (0..).zip(&labels) {
                let before = TrustStore::load(&disk).devices;
                if store.add(id(number), trusted(text)).is_err() {
                    continue;
                }
                let (key, bytes) = store.poll_store().unwrap();
                let old = disk.get(key).cloned().unwrap_or_default();
                let cut = usize::from(cut) % (bytes.len() + 1);
                let mut torn = disk.clone();
                torn.insert(key.into(), [&bytes[..cut], old.get(cut..).unwrap_or_default()].concat());
                let after = TrustStore::load(&torn).devices;
                prop_assert!(after == before || after == store.devices);
                disk.insert(key.into(), bytes);
                store.stored(key, Ok(()));
            }
        }
    }
}
