//! Each signed announce of a device is newer than its last: the epoch rises at each start, since it is durable before it is
//! sent, and the sequence within it (wire contract, 2). Told what nodes send; knows no tables.

use super::count;
use super::trust::rots;
use crate::scenario::Scenario;
use crate::scenario::resolved::NodeId;
use fabric::discovery::announce::Announce;
use std::collections::BTreeMap;

#[derive(Debug, Default)]
pub(crate) struct Epochs {
    last: BTreeMap<NodeId, (u64, u32)>,
    judged: u64,
}

impl Epochs {
    /// `node`, which is honest, sends a datagram.
    pub(crate) fn sends(&mut self, scenario: &Scenario, node: NodeId, datagram: &[u8]) -> Result<(), String> {
        let Ok(Announce::V2(announce)) = Announce::parse(datagram) else { return Ok(()) };
        if rots(scenario, node) {
            return Ok(());
        }
        let this = (announce.epoch, announce.sequence);
        let last = self.last.insert(node, this);
        self.judged += 1;
        match last.filter(|last| *last >= this) {
            None => Ok(()),
            Some(last) => {
                let name = scenario.node_name(node);
                Err(format!("{name} announces epoch {}, sequence {} after {}, {}", this.0, this.1, last.0, last.1))
            }
        }
    }

    /// What was judged; `None` if nothing was.
    pub(crate) fn held(&self) -> Option<String> {
        (self.judged > 0).then(|| count(self.judged, "announce"))
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::scenario;
    use super::*;
    use fabric::discovery::Services;
    use fabric::discovery::announce::{AnnounceV1, AnnounceV2};
    use fabric::identity::NoisePublic;

    fn announce(epoch: u64, sequence: u32) -> Vec<u8> {
        let noise_static = NoisePublic::from_bytes([1; 32]);
        let body = AnnounceV1 { device_id: "hub", port: 1, noise_static, services: Services::default() };
        let (verifying_key, signature) = ([0; 32], [0; 64]);
        AnnounceV2 { body, epoch, sequence, ttl: 30, verifying_key, signature }.encode().unwrap()
    }

    #[test]
    fn announces_that_rise_hold() {
        let (scenario, mut epochs) = (scenario(), Epochs::default());
        for (epoch, sequence) in [(1, 0), (1, 1), (2, 0), (4, 0)] {
            epochs.sends(&scenario, 0, &announce(epoch, sequence)).unwrap();
        }
        epochs.sends(&scenario, 1, &announce(1, 0)).unwrap();
        assert_eq!(epochs.held().as_deref(), Some("5 announces"));
    }

    #[test]
    fn an_epoch_that_is_announced_by_two_starts_is_caught() {
        let (scenario, mut epochs) = (scenario(), Epochs::default());
        epochs.sends(&scenario, 0, &announce(2, 0)).unwrap();
        let how = epochs.sends(&scenario, 0, &announce(2, 0)).unwrap_err();
        assert_eq!(how, "hub announces epoch 2, sequence 0 after 2, 0");
    }
}
