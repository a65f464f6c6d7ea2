//! Of several sessions with one device the node with the smaller id ends all but the newest, at once, and the other node
//! none (wire contract, 3). Told who holds how many and who ends one as a duplicate; knows no records.

use super::count;
use crate::scenario::Scenario;
use crate::scenario::resolved::NodeId;

#[derive(Debug, Default)]
pub(crate) struct Duplicates {
    judged: u64,
}

impl Duplicates {
    /// `node` has ended a session with `peer` as a duplicate; whether its id is the smaller one.
    pub(crate) fn ended(
        &mut self,
        scenario: &Scenario,
        node: NodeId,
        peer: NodeId,
        is_smaller: bool,
    ) -> Result<(), String> {
        self.judged += 1;
        let (node, peer) = (scenario.node_name(node), scenario.node_name(peer));
        if is_smaller {
            return Ok(());
        }
        Err(format!("{node} ends a session with {peer} as a duplicate, which is for {peer} to do"))
    }

    /// `node` has so many sessions with devices of larger ids beside the newest of each, and has not begun to end them.
    pub(crate) fn kept(scenario: &Scenario, node: NodeId, kept: usize) -> Result<(), String> {
        let node = scenario.node_name(node);
        if kept == 0 { Ok(()) } else { Err(format!("{node} does not end {}", count(kept as u64, "duplicate session"))) }
    }

    /// What was judged; `None` if nothing was.
    pub(crate) fn held(&self) -> Option<String> {
        (self.judged > 0).then(|| count(self.judged, "duplicate"))
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::scenario;
    use super::*;

    #[test]
    fn only_the_smaller_id_ends_duplicates() {
        let (scenario, mut duplicates) = (scenario(), Duplicates::default());
        duplicates.ended(&scenario, 0, 2, true).unwrap();
        assert_eq!(duplicates.held().as_deref(), Some("1 duplicate"));
        let how = duplicates.ended(&scenario, 2, 0, false).unwrap_err();
        assert_eq!(how, "phone-1 ends a session with hub as a duplicate, which is for hub to do");
    }

    #[test]
    fn the_smaller_id_keeps_none() {
        let scenario = scenario();
        Duplicates::kept(&scenario, 0, 0).unwrap();
        assert_eq!(Duplicates::kept(&scenario, 0, 1).unwrap_err(), "hub does not end 1 duplicate session");
    }
}
