//! See [`SessionsUp`].

use super::{Check, Outcome, Seen, count};
use crate::scenario::Scenario;
use crate::scenario::resolved::{NodeId, Work};
use scenario_actor::{Expect, Observation};
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
        let wanted = wanted(scenario);
        let missing = self.missing(scenario);
        if wanted.is_empty() {
            return Outcome::NotJudged("no two nodes have work".into());
        }
        if missing.is_empty() {
            return Outcome::Held(count(wanted.len() as u64 / 2, "pair"));
        }
        Outcome::Failed(named(&missing))
    }

    fn subject(&self, scenario: &Scenario) -> String {
        self.missing(scenario).first().map(|(a, b)| format!("{a} with {b}")).unwrap_or_default()
    }
}

/// Both directions of each pair with work. A hostile node tells nobody what it sees.
fn wanted(scenario: &Scenario) -> BTreeSet<(NodeId, NodeId)> {
    let is_hostile = |id: NodeId| scenario.nodes[id as usize].hostile.is_some();
    let is_wanted = |work: &&Work| !is_hostile(work.to) && work.expect != Expect::Untrusted;
    let honest = scenario.work.iter().filter(is_wanted);
    honest.flat_map(|work| [(work.from, work.to), (work.to, work.from)]).collect()
}

impl SessionsUp {
    fn missing<'a>(&self, scenario: &'a Scenario) -> Vec<(&'a str, &'a str)> {
        let names = wanted(scenario).into_iter().map(|(a, b)| (scenario.node_name(a), scenario.node_name(b)));
        names.filter(|(a, b)| !self.up.contains(&((*a).to_owned(), (*b).to_owned()))).collect()
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
