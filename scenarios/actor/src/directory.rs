//! Who is who in a scenario: one list that all parts share, since a list each would be as many entries as pairs of nodes.

use crate::part::Peer;
use alloc::sync::Arc;
use alloc::vec::Vec;
use fabric::identity::DeviceId;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Every node of a scenario, found by name and by device. A clone costs nothing.
#[derive(Clone, Debug)]
pub struct Directory(Arc<Listed>);

#[derive(Debug)]
struct Listed {
    /// By name.
    peers: Vec<Peer>,
    /// Their places in the order of devices.
    by_device: Vec<u32>,
}

impl Directory {
    /// The directory of these nodes, in any order.
    pub fn new(mut peers: Vec<Peer>) -> Self {
        peers.sort_by(|one, other| one.name.cmp(&other.name));
        let mut by_device: Vec<u32> = (0..peers.len() as u32).collect();
        by_device.sort_by_key(|place| peers[*place as usize].device);
        Self(Arc::new(Listed { peers, by_device }))
    }

    /// Every node, by name.
    pub fn iter(&self) -> core::slice::Iter<'_, Peer> {
        self.0.peers.iter()
    }

    /// The device of the node with this name.
    pub fn device(&self, name: &str) -> Option<DeviceId> {
        let peers = &self.0.peers;
        let place = peers.binary_search_by(|peer| peer.name.as_str().cmp(name)).ok()?;
        Some(peers[place].device_id())
    }

    /// The name of the node with this device.
    pub fn name(&self, device: DeviceId) -> Option<&str> {
        let Listed { peers, by_device } = &*self.0;
        let place = by_device.binary_search_by_key(&device, |place| peers[*place as usize].device_id()).ok()?;
        Some(&peers[by_device[place] as usize].name)
    }
}

impl PartialEq for Directory {
    fn eq(&self, other: &Self) -> bool {
        self.0.peers == other.0.peers
    }
}

impl Eq for Directory {}

impl<'a> IntoIterator for &'a Directory {
    type Item = &'a Peer;
    type IntoIter = core::slice::Iter<'a, Peer>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl Serialize for Directory {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.peers.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Directory {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Vec::deserialize(deserializer).map(Self::new)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::part::Bytes32;
    use alloc::borrow::ToOwned;

    #[test]
    fn nodes_are_found_by_name_and_by_device() {
        let peer = |(name, device): (&str, u8)| Peer { name: name.to_owned(), device: Bytes32([device; 32]) };
        let directory = Directory::new([("phone-2", 1), ("hub", 9), ("phone-10", 5)].map(peer).to_vec());
        for (name, device) in [("hub", 9), ("phone-10", 5), ("phone-2", 1)] {
            let device = DeviceId::from_bytes([device; 32]);
            assert_eq!((directory.device(name), directory.name(device)), (Some(device), Some(name)));
        }
        assert_eq!((directory.device("phone"), directory.name(DeviceId::from_bytes([2; 32]))), (None, None));
        let json = serde_json::to_string(&directory).unwrap();
        assert_eq!(serde_json::from_str::<Directory>(&json).unwrap(), directory);
    }
}
