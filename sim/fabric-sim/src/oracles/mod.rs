//! The fabric's promises, judged by what applications see. Each check is a type whose first sentence is its promise.
//!
//! A check that saw nothing to judge says so: it did not hold, it was not judged.

mod attacks;
mod calls;
mod candidates;
mod deaths;
mod delivery;
mod dials;
mod drains;
mod duplicates;
mod epochs;
mod judge;
mod memory;
mod newest;
mod offences;
mod order;
mod places;
mod policy;
mod redials;
mod sessions;
mod tables;
mod trust;
mod work;

use crate::scenario::Scenario;
use crate::scenario::resolved::NodeId;
use scenario_actor::Observation;
use sim::Time;

pub(crate) use attacks::{EFFECTS, THROUGH, announces_refused};
pub(crate) use candidates::{Candidates, Table};
pub(crate) use deaths::Deaths;
pub(crate) use dials::{Dial, Dials};
pub(crate) use drains::Drains;
pub(crate) use duplicates::Duplicates;
pub(crate) use epochs::Epochs;
pub(crate) use judge::{Judge, Kind, Outcome, Verdict, kind};
pub(crate) use memory::Memory;
pub(crate) use newest::Newest;
pub(crate) use places::Places;
pub(crate) use redials::Redials;

/// One observation: when, whose, and in which start of that node.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    pub(crate) at: Time,
    pub(crate) node: NodeId,
    pub(crate) incarnation: u64,
    pub(crate) what: Observation,
}

/// A promise, judged from observations in the order in which they happened.
pub(crate) trait Check {
    /// Looks at one observation; the error says how it breaks the promise for good.
    fn observe(&mut self, scenario: &Scenario, seen: &Seen) -> Result<(), String>;

    /// Judges all that was seen: at the deadline of an eventual promise, at the end for the others.
    fn conclude(&self, scenario: &Scenario) -> Outcome;

    /// Where the promise was broken, in words that are the same whenever the cause is: no names, no numbers. What failures
    /// are told apart by, besides the check.
    fn place(&self, _scenario: &Scenario) -> String {
        String::new()
    }

    /// Whose promise was broken at that place: nodes or work, by name. What shrinking keeps, besides check and place.
    fn subject(&self, _scenario: &Scenario) -> String {
        String::new()
    }
}

/// A check that scenarios can name.
pub(crate) struct Known {
    pub(crate) name: &'static str,
    /// What it promises, in one sentence.
    pub(crate) promise: &'static str,
    /// Where it is judged unless a scenario says.
    pub(crate) about: About,
    build: fn() -> Box<dyn Check>,
}

/// What a check is about: a scenario that has none of it need not be judged by it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum About {
    /// Every scenario.
    All,
    /// What people do about trust.
    Acts,
    /// Remote calls.
    Calls,
}

pub(crate) const WORK_DONE: &str = "work-done";
pub(crate) const ATTACKS_FAIL: &str = "attacks-fail";
pub(crate) const ATTACKS_FELT: &str = "attacks-felt";
pub(crate) const TABLES_BOUNDED: &str = "tables-bounded";
/// The checks that a tap in the nodes' ciphers judges: observations show neither credit nor nonces.
pub(crate) const TAPPED: [&str; 6] = [
    "credit-conserved",
    "nonces-unique",
    "keys-change-in-time",
    "never-in-the-clear",
    "no-starvation",
    "pings-answered",
];

/// Judged by who is heard, and who crashes.
pub(crate) const DEATHS: &str = "deaths-in-time";
/// Judged by who ends a session as a duplicate, and who does not.
pub(crate) const DUPLICATES: &str = "duplicates-judged-once";
/// Judged by what is opened where.
pub(crate) const NEWEST: &str = "newest-session-used";
/// Judged by what nodes want and do nothing for.
pub(crate) const WANTED: &str = "wanted-sessions-dialled";
/// Judged by who learns that a session ends.
pub(crate) const DRAINS: &str = "drains-in-time";
/// Judged by how long nodes wait.
pub(crate) const REDIALS: &str = "redials-jittered";
/// Judged by what is in peer tables.
pub(crate) const PLACES: &str = "live-peers-kept";
/// Judged by where devices are said to be.
pub(crate) const CANDIDATES: &str = "candidates-kept";
/// Judged by who dials whom where.
pub(crate) const DIALS: &str = "dials-paced";
/// Judged by what nodes announce.
pub(crate) const EPOCHS: &str = "announces-rise";
/// Judged by what nodes keep for what comes in.
pub(crate) const MEMORY: &str = "memory-follows-bytes";
/// The checks that nodes are looked into for.
pub(crate) const LOOKED: [&str; 11] =
    [DUPLICATES, NEWEST, DRAINS, WANTED, REDIALS, PLACES, CANDIDATES, DIALS, EPOCHS, MEMORY, TABLES_BOUNDED];

pub(crate) const NO_PANIC: &str = "no-panic";
pub(crate) const NO_LIVELOCK: &str = "no-livelock";

/// What no moment of a run may break. The last two are judged in every run, named or not.
pub(crate) const ALWAYS: &[Known] = &[
    Known {
        name: "authenticated-delivery",
        promise: "A message that a service gets names the device that sent it, and reaches only the one it was meant for.",
        about: About::All,
        build: || Box::new(delivery::AuthenticatedDelivery::default()),
    },
    Known {
        name: "messages-in-order",
        promise: "Each try's messages arrive whole, once and in order, and all of them before its work is done.",
        about: About::All,
        build: || Box::new(order::MessagesInOrder::default()),
    },
    Known {
        name: "policy",
        promise: "Nothing reaches a service that the node's policy does not allow.",
        about: About::All,
        build: || Box::new(policy::Policy::default()),
    },
    Known {
        name: "credit-conserved",
        promise: "No sender exceeds the credit that its receiver gave, and no credit is lost or made up.",
        about: About::All,
        build: || Box::new(judge::Engine(judge::UNTAPPED)),
    },
    Known {
        name: "nonces-unique",
        promise: "No two texts are sealed under one key and nonce.",
        about: About::All,
        build: || Box::new(judge::Engine(judge::UNTAPPED)),
    },
    Known {
        name: "keys-change-in-time",
        promise: "Each direction changes its key before each message of which the wire contract says so, and before no other.",
        about: About::All,
        build: || Box::new(judge::Engine(judge::UNTAPPED)),
    },
    Known {
        name: "never-in-the-clear",
        promise: "Nothing that was sealed shows on the wire.",
        about: About::All,
        build: || Box::new(judge::Engine(judge::UNTAPPED)),
    },
    Known {
        name: "no-starvation",
        promise: "A class that has something to send gets its turn, whatever more urgent ones send; so does a stream of it.",
        about: About::All,
        build: || Box::new(judge::Engine(judge::UNTAPPED)),
    },
    Known {
        name: "pings-answered",
        promise: "Every PING is answered, ahead of all data.",
        about: About::All,
        build: || Box::new(judge::Engine(judge::UNTAPPED)),
    },
    Known {
        name: DUPLICATES,
        promise: "Of several sessions with one device one side alone ends all but the newest, and at once.",
        about: About::All,
        build: || Box::new(judge::Engine(judge::UNTAPPED)),
    },
    Known {
        name: NEWEST,
        promise: "Streams are opened on the newest session with a device only.",
        about: About::All,
        build: || Box::new(judge::Engine(judge::UNTAPPED)),
    },
    Known {
        name: WANTED,
        promise: "A node that wants a session dials for it, or will, as long as it knows where.",
        about: About::All,
        build: || Box::new(judge::Engine("nobody was forgotten")),
    },
    Known {
        name: DRAINS,
        promise: "A session that its peer ends in order is over within the time to drain.",
        about: About::All,
        build: || Box::new(judge::Engine(judge::UNTAPPED)),
    },
    Known {
        name: PLACES,
        promise: "No device leaves the peer table while a session with it is up.",
        about: About::All,
        build: || Box::new(judge::Engine(judge::UNTAPPED)),
    },
    Known {
        name: CANDIDATES,
        promise: "Where a device is that is trusted, or in a session, is forgotten in its time only, and no lie blocks the truth.",
        about: About::All,
        build: || Box::new(judge::Engine(judge::UNTAPPED)),
    },
    Known {
        name: DIALS,
        promise: "A device is dialled first where it has proven itself, and unproven addresses ever more seldom.",
        about: About::All,
        build: || Box::new(judge::Engine(judge::UNTAPPED)),
    },
    Known {
        name: EPOCHS,
        promise: "Each signed announce of a device is newer than its last, over restarts too.",
        about: About::All,
        build: || Box::new(judge::Engine(judge::UNTAPPED)),
    },
    Known {
        name: MEMORY,
        promise: "No node keeps more memory for what a peer sends than twice what has come of it.",
        about: About::All,
        build: || Box::new(judge::Engine(judge::UNTAPPED)),
    },
    Known {
        name: REDIALS,
        promise: "A lost peer is dialled again after a wait that chance has a part in, and that is never too long.",
        about: About::All,
        build: || Box::new(judge::Engine(judge::UNTAPPED)),
    },
    Known {
        name: DEATHS,
        promise: "No session is called dead while its peer is heard, and none outlives a peer that is gone.",
        about: About::All,
        build: || Box::new(judge::Engine(judge::UNTAPPED)),
    },
    Known {
        name: "no-false-offence",
        promise: "No honest node ends a session over what another honest one said.",
        about: About::All,
        build: || Box::new(offences::NoFalseOffence::default()),
    },
    Known {
        name: TABLES_BOUNDED,
        promise: "No node holds more peers, handshakes or sessions than the wire contract bounds.",
        about: About::All,
        build: || Box::new(tables::TablesBounded),
    },
    Known {
        name: ATTACKS_FAIL,
        promise: "Nobody gets in under another's name, each offence gets its answer, and no plaintext is on the wire.",
        about: About::All,
        build: || Box::new(attacks::AttacksFail),
    },
    Known {
        name: "paired-by-consent",
        promise: "Two devices pair only when both people said yes to the same digits.",
        about: About::Acts,
        build: || Box::new(trust::PairedByConsent::default()),
    },
    Known {
        name: "revoked-at-once",
        promise: "Who is trusted no more has no session from that moment on, and nothing of his arrives.",
        about: About::Acts,
        build: || Box::new(trust::RevokedAtOnce::default()),
    },
    Known {
        name: "trust-durable",
        promise: "A restart loses nobody of whom it was said that he is durably trusted, and brings back nobody.",
        about: About::Acts,
        build: || Box::new(trust::TrustDurable::default()),
    },
    Known {
        name: "rotation-keeps-sessions",
        promise: "Sessions that are up when a node takes another key go on.",
        about: About::Acts,
        build: || Box::new(trust::RotationKeepsSessions::default()),
    },
    Known {
        name: "denials-audited",
        promise: "Every call that was denied is in its callee's audit, and only calls that the policy allows are let through.",
        about: About::Calls,
        build: || Box::new(calls::DenialsAudited::default()),
    },
    Known {
        name: "calls-in-time",
        promise: "Each call is over within the time that its caller gives it: an answer that comes later counts for nothing.",
        about: About::Calls,
        build: || Box::new(calls::CallsInTime::default()),
    },
    Known {
        name: NO_PANIC,
        promise: "No machine panics.",
        about: About::All,
        build: || Box::new(judge::Engine("no machine panicked")),
    },
    Known {
        name: NO_LIVELOCK,
        promise: "Time goes on: no instant holds events without end.",
        about: About::All,
        build: || Box::new(judge::Engine("time went on")),
    },
];

/// What must have come about by a time that the scenario says.
pub(crate) const EVENTUALLY: &[Known] = &[
    Known {
        name: "sessions-up",
        promise: "Both nodes of each pair with work between them have seen an authenticated session with the other.",
        about: About::All,
        build: || Box::new(sessions::SessionsUp::default()),
    },
    Known {
        name: WORK_DONE,
        promise: "Every piece of work has ended as expected; what has not is named.",
        about: About::All,
        build: || Box::new(work::WorkDone::default()),
    },
    Known {
        name: "goodbyes-heard",
        promise: "Every node that knew a node which has left has heard that it did.",
        about: About::All,
        build: || Box::new(trust::GoodbyesHeard::default()),
    },
    Known {
        name: ATTACKS_FELT,
        promise: "Every attacker has done what it came for, and every victim has felt what the scenario says.",
        about: About::All,
        build: || Box::new(attacks::AttacksFelt::default()),
    },
];

/// What the check `name` promises.
pub(crate) fn promise(name: &str) -> Option<&'static str> {
    ALWAYS.iter().chain(EVENTUALLY).find(|known| known.name == name).map(|known| known.promise)
}

/// A number with its noun, in the plural where it must be.
pub(crate) fn count(number: u64, noun: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{} {noun}{plural}", grouped(number))
}

/// `1,234,567`.
pub(crate) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod testing;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_read_well() {
        assert_eq!(grouped(0), "0");
        assert_eq!(grouped(999), "999");
        assert_eq!(grouped(1_234_567), "1,234,567");
        assert_eq!(count(1, "message"), "1 message");
        assert_eq!(count(1_000, "message"), "1,000 messages");
    }
}
