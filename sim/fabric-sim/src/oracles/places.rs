//! A device that a session is up with keeps its place in the peer table, whatever else is announced (wire contract, 2). Told
//! what is in the table, step by step.

use super::count;
use crate::scenario::Scenario;
use crate::scenario::resolved::NodeId;
use fabric::identity::DeviceId;
use std::collections::BTreeMap;

#[derive(Debug, Default)]
pub(crate) struct Places {
    /// By node: the devices that had both a session and a place.
    placed: BTreeMap<NodeId, Vec<DeviceId>>,
    judged: u64,
}

impl Places {
    /// These are the devices that `node` has sessions with; `has_place` says which are in its table.
    pub(crate) fn look(
        &mut self,
        scenario: &Scenario,
        node: NodeId,
        live: &[DeviceId],
        has_place: impl Fn(DeviceId) -> bool,
    ) -> Result<(), String> {
        let placed = self.placed.entry(node).or_default();
        let lost = placed.iter().find(|device| !has_place(**device) && live.contains(device)).copied();
        placed.clear();
        placed.extend(live.iter().copied().filter(|device| has_place(*device)));
        self.judged = self.judged.max(placed.len() as u64);
        match lost {
            None => Ok(()),
            Some(_) => Err(format!("{} forgets a device that it has a session with", scenario.node_name(node))),
        }
    }

    /// What was judged; `None` if nothing was.
    pub(crate) fn held(&self) -> Option<String> {
        (self.judged > 0).then(|| format!("at most {} of one node", count(self.judged, "device")))
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::scenario;
    use super::*;

    #[test]
    fn who_has_a_session_keeps_its_place_and_others_need_not() {
        let (scenario, mut places) = (scenario(), Places::default());
        let device = DeviceId::from_bytes([1; 32]);
        places.look(&scenario, 0, &[device], |_| false).unwrap();
        places.look(&scenario, 0, &[device], |_| true).unwrap();
        places.look(&scenario, 0, &[], |_| false).unwrap();
        places.look(&scenario, 0, &[device], |_| true).unwrap();
        let how = places.look(&scenario, 0, &[device], |_| false).unwrap_err();
        assert_eq!(how, "hub forgets a device that it has a session with");
    }
}
