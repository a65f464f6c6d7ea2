//! A node that lost a session, or whose dial failed, waits before it dials again: longer each time up to a bound, and each
//! time less up to half of that by chance (wire contract, 7, Sessions). Without the chance, devices that lost a peer together
//! would dial it together. Told how long nodes wait; knows no dials.

use super::count;
use crate::scenario::Scenario;
use crate::scenario::resolved::NodeId;
use fabric::Limits;
use machine::Duration;
use std::collections::BTreeMap;

/// So many waits in a row that are no shorter than they may be are no chance: one is, once in some millions.
const UNDRAWN_MAX: u32 = 1;

#[derive(Debug, Default)]
pub(crate) struct Redials {
    /// How many waits of each node in a row were as long as they may be.
    undrawn: BTreeMap<NodeId, u32>,
    judged: u64,
}

impl Redials {
    /// `node`, with these limits, has just failed to reach `peer`, and waits so long before it dials it again.
    pub(crate) fn waits(
        &mut self,
        scenario: &Scenario,
        node: NodeId,
        peer: &str,
        wait: Duration,
        limits: &Limits,
    ) -> Result<(), String> {
        let (name, longest) = (scenario.node_name(node), limits.redial_after_max);
        if wait == Duration::ZERO {
            return Ok(()); // it does not want to dial
        }
        self.judged += 1;
        if wait > longest {
            return Err(format!("{name} waits {wait} before it dials {peer} again, {longest} is the longest"));
        }
        let undrawn = self.undrawn.entry(node).or_default();
        *undrawn = if is_undrawn(wait, limits) { *undrawn + 1 } else { 0 };
        if *undrawn > UNDRAWN_MAX {
            return Err(format!(
                "{name} waits exactly {wait} before it dials {peer} again, and chance has no part in it"
            ));
        }
        Ok(())
    }

    /// What was judged; `None` if nothing was.
    pub(crate) fn held(&self) -> Option<String> {
        (self.judged > 0).then(|| count(self.judged, "wait"))
    }
}

/// Whether the wait is the first one doubled some times, or the longest.
fn is_undrawn(wait: Duration, limits: &Limits) -> bool {
    let doubled = |times: u32| limits.redial_after.saturating_mul(1 << times).min(limits.redial_after_max);
    (0..32).map(doubled).any(|span| span == wait)
}

#[cfg(test)]
mod tests {
    use super::super::testing::scenario;
    use super::*;

    struct Bench(Redials, Scenario);

    impl Bench {
        fn waits(&mut self, millis: u64) -> Result<(), String> {
            self.0.waits(&self.1, 0, "phone-1", Duration::from_millis(millis), &Limits::default())
        }
    }

    fn bench() -> Bench {
        Bench(Redials::default(), scenario())
    }

    #[test]
    fn waits_of_any_length_up_to_the_longest_hold() {
        let mut bench = bench();
        for millis in [0, 200, 250, 317, 500, 9_999] {
            bench.waits(millis).unwrap();
        }
        assert_eq!(bench.0.held().as_deref(), Some("5 waits"));
    }

    #[test]
    fn a_wait_that_is_too_long_is_caught() {
        assert_eq!(
            bench().waits(10_001).unwrap_err(),
            "hub waits 10001ms before it dials phone-1 again, 10s is the longest"
        );
    }

    #[test]
    fn waits_that_chance_has_no_part_in_are_caught() {
        let mut bench = bench();
        bench.waits(250).unwrap();
        assert!(bench.waits(500).unwrap_err().contains("exactly 500ms"));
    }
}
