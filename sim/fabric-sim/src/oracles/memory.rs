//! Memory for what comes in follows what has come in, not what a header says will (wire contract, 3): at most twice as much.
//! Told who has sent how many bytes to whom, and how many are kept; knows no records.

use super::count;
use crate::scenario::Scenario;
use crate::scenario::resolved::NodeId;
use std::collections::BTreeMap;

/// A buffer has room for a little in any case.
const BYTES_MIN: u64 = 64;

#[derive(Debug, Default)]
pub(crate) struct Memory {
    /// By receiver and sender.
    sent: BTreeMap<(NodeId, NodeId), u64>,
    most: u64,
}

impl Memory {
    /// `peer` has sent bytes to `node`.
    pub(crate) fn sends(&mut self, peer: NodeId, node: NodeId, bytes: usize) {
        *self.sent.entry((node, peer)).or_default() += bytes as u64;
    }

    /// `node` keeps so much memory for what comes from `peer`.
    pub(crate) fn keeps(
        &mut self,
        scenario: &Scenario,
        node: NodeId,
        peer: NodeId,
        bytes: usize,
    ) -> Result<(), String> {
        if self.sent.is_empty() {
            return Ok(()); // there are no pipes in this world: who sends what does not show
        }
        let sent = self.sent.get(&(node, peer)).copied().unwrap_or_default();
        self.most = self.most.max(bytes as u64);
        if bytes as u64 <= sent * 2 + BYTES_MIN {
            return Ok(());
        }
        let (node, peer) = (scenario.node_name(node), scenario.node_name(peer));
        Err(format!("{node} keeps {bytes} bytes for {sent} that {peer} has sent"))
    }

    /// What was judged; `None` if nothing was.
    pub(crate) fn held(&self) -> Option<String> {
        (self.most > 0).then(|| format!("at most {}", count(self.most, "byte")))
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::scenario;
    use super::*;

    #[test]
    fn memory_for_what_has_come_holds_and_for_what_is_to_come_is_caught() {
        let (scenario, mut memory) = (scenario(), Memory::default());
        memory.sends(2, 0, 500);
        memory.keeps(&scenario, 0, 2, 1_000).unwrap();
        assert_eq!(memory.held().as_deref(), Some("at most 1,000 bytes"));
        let how = memory.keeps(&scenario, 0, 2, 65_537).unwrap_err();
        assert_eq!(how, "hub keeps 65537 bytes for 500 that phone-1 has sent");
    }
}
