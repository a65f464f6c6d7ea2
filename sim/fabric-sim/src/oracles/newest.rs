//! Streams are opened on the newest session with a device only (wire contract, 3). Told what was opened on the others, step by
//! step.

use super::count;
use crate::scenario::Scenario;
use crate::scenario::resolved::NodeId;
use fabric::Older;
use std::collections::BTreeMap;

#[derive(Debug, Default)]
pub(crate) struct Newest {
    /// By node: its devices with several sessions.
    older: BTreeMap<NodeId, Vec<Older>>,
    judged: u64,
}

impl Newest {
    /// These are the devices that `node` has several sessions with.
    pub(crate) fn look(
        &mut self,
        scenario: &Scenario,
        node: NodeId,
        older: impl Iterator<Item = Older>,
    ) -> Result<(), String> {
        let now: Vec<_> = older.collect();
        if now.is_empty() && !self.older.contains_key(&node) {
            return Ok(()); // as nearly always
        }
        self.judged += now.len() as u64;
        let before = self.older.insert(node, now.clone()).unwrap_or_default();
        let known = |now: &Older| before.iter().find(|it| it.device == now.device && it.newest == now.newest).copied();
        if now.iter().any(|now| known(now).is_some_and(|before| now.opened > before.opened)) {
            return Err(format!("{} opens a stream on a session that is not its newest", scenario.node_name(node)));
        }
        Ok(())
    }

    /// What was judged; `None` if nothing was.
    pub(crate) fn held(&self) -> Option<String> {
        (self.judged > 0).then(|| count(self.judged, "step"))
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::scenario;
    use super::*;
    use fabric::identity::DeviceId;
    use machine::PipeId;

    fn older(newest: u64, opened: u32) -> Older {
        Older { device: DeviceId::from_bytes([1; 32]), newest: PipeId::opened(newest), opened }
    }

    #[test]
    fn what_was_opened_before_there_was_a_newer_one_holds() {
        let (scenario, mut newest) = (scenario(), Newest::default());
        newest.look(&scenario, 0, [].into_iter()).unwrap();
        newest.look(&scenario, 0, [older(1, 3)].into_iter()).unwrap();
        newest.look(&scenario, 0, [older(2, 4)].into_iter()).unwrap();
        assert_eq!(newest.held().as_deref(), Some("2 steps"));
    }

    #[test]
    fn what_is_opened_on_an_older_one_is_caught() {
        let (scenario, mut newest) = (scenario(), Newest::default());
        newest.look(&scenario, 0, [older(1, 3)].into_iter()).unwrap();
        let how = newest.look(&scenario, 0, [older(1, 4)].into_iter()).unwrap_err();
        assert_eq!(how, "hub opens a stream on a session that is not its newest");
    }
}
