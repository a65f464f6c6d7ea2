//! See [`SessionsUp`].

use super::{Check, Outcome, Seen, count};
use crate::scenario::Scenario;
use scenario_actor::Observation;
use std::collections::BTreeSet;

/// Both nodes of each pair with work between them have seen an authenticated session with the other.
#[derive(Default)]
pub(super) struct SessionsUp {
    /// Who saw a session with whom.
    up: BTreeSet<(String, String)>,
}

impl Check for SessionsUp {
    fn observe(&mut self, scenario: &Scenario, seen: &Seen) -> Result<(), String> {
        if let Observation::SessionUp { peer } = &seen.what {
            self.up.insert((scenario.node_name(seen.node).to_owned(), peer.clone()));
        }
        Ok(())
    }

    fn conclude(&self, scenario: &Scenario) -> Outcome {
        // A hostile node tells nobody what it sees.
        let is_hostile = |id: u32| scenario.nodes[id as usize].hostile.is_some();
        let honest = scenario.work.iter().filter(|work| !is_hostile(work.to));
        let wanted: BTreeSet<_> = honest.flat_map(|work| [(work.from, work.to), (work.to, work.from)]).collect();
        let missing: Vec<_> = wanted
            .iter()
            .map(|(a, b)| (scenario.node_name(*a), scenario.node_name(*b)))
            .filter(|(a, b)| !self.up.contains(&((*a).to_owned(), (*b).to_owned())))
            .collect();
        if wanted.is_empty() {
            return Outcome::NotJudged("no two nodes have work".into());
        }
        if missing.is_empty() {
            return Outcome::Held(count(wanted.len() as u64 / 2, "pair"));
        }
        Outcome::Failed(named(&missing))
    }
}

fn named(missing: &[(&str, &str)]) -> String {
    /// More would hide the rest of the report.
    const SHOWN: usize = 8;
    let mut all: Vec<_> = missing.iter().take(SHOWN).map(|(a, b)| format!("{a} with {b}")).collect();
    if missing.len() > SHOWN {
        all.push(format!("{} more", missing.len() - SHOWN));
    }
    format!("no session was seen by {}", all.join(", "))
}

#[cfg(test)]
mod tests {
    use super::super::testing::*;
    use super::*;

    #[test]
    fn a_session_that_both_ends_saw_holds() {
        let bench = Bench::new(SessionsUp::default()).sees("hub", session_up("phone-1"));
        bench.sees("phone-1", session_up("hub")).holds();
    }

    #[test]
    fn an_end_that_never_saw_it_is_named() {
        let bench = Bench::new(SessionsUp::default()).sees("hub", session_up("phone-1"));
        bench.fails("no session was seen by phone-1 with hub");
    }
}
