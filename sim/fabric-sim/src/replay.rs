//! Runs a capsule again, by this build or a later one: is the failure still there?

use crate::capsule::{Capsule, Fingerprint, calm};
use crate::nemesis::Limits;
use crate::scenario::Scenario;
use crate::worlds::sim::Run;
use ::sim::ledger::Ledger;
use std::rc::Rc;

/// Makes one run of a scenario with these limits and this ledger. Seed and machines are its own.
pub(crate) type Player<'a> = dyn Fn(&Rc<Scenario>, &Limits, Ledger) -> Run + 'a;

/// What became of a failure.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Replayed {
    /// It is there: whether the run is the same to the last event.
    Same { identical: bool },
    /// It is there when what chance did then is done again: so many of so many misfortunes found their place.
    Realigned { placed: usize, of: usize },
    /// The run fails, but in another way: which, and what is said of it.
    Moved(Fingerprint, String),
    /// Nothing fails any more.
    Gone,
    /// Nothing fails, but the run has changed too much for that to mean anything: why.
    NotApplicable(String),
}

/// Runs `capsule`: first as it is, then, if that does not fail as it did, with what chance did then laid on the same events.
pub(crate) fn replay(capsule: &Capsule, play: &Player<'_>) -> Replayed {
    let run = play(&capsule.scenario, &capsule.limits, capsule.ledger());
    if capsule.fingerprint.is_shown_by(&run) {
        return Replayed::Same { identical: run.trace_hash == capsule.trace_hash };
    }
    let of = capsule.misfortunes.len();
    let mut failure = Fingerprint::of_run(&run);
    if of > 0 {
        let again = play(&Rc::new(calm(&capsule.scenario)), &capsule.limits, realigning(capsule));
        if capsule.fingerprint.is_shown_by(&again) {
            return Replayed::Realigned { placed: again.placed, of };
        }
        failure = failure.or_else(|| Fingerprint::of_run(&again));
        if failure.is_none() && again.placed * 2 < of {
            let why = format!("only {} of {of} misfortunes found their place", again.placed);
            return Replayed::NotApplicable(why);
        }
    }
    failure.map_or(Replayed::Gone, |(fingerprint, how)| Replayed::Moved(fingerprint, how))
}

fn realigning(capsule: &Capsule) -> Ledger {
    Ledger::realigning(capsule.misfortunes.iter().filter_map(|entry| entry.entry(&*capsule.scenario)))
}

#[cfg(test)]
mod tests;
