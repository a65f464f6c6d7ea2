//! See [`TablesBounded`].

use super::{Check, Outcome, Seen};
use crate::scenario::Scenario;
use fabric::Load;

/// No node holds more peers, handshakes or sessions than the wire contract bounds.
pub(super) struct TablesBounded;

impl Check for TablesBounded {
    fn observe(&mut self, _: &Scenario, _: &Seen) -> Result<(), String> {
        Ok(())
    }

    /// What is in a node is looked at after each of its inputs.
    fn conclude(&self, _: &Scenario) -> Outcome {
        Outcome::Held("after every input".to_owned())
    }
}

/// Whether a node's load is within the contract's bounds, whatever the node itself was told.
pub(super) fn judge(load: &Load) -> Result<(), String> {
    let (limits, discovery) = (fabric::Limits::default(), fabric::discovery::Limits::default());
    let bounds = [
        ("peers", load.peers, discovery.devices_max),
        ("unfinished handshakes", load.handshakes, limits.handshakes_max),
        ("unfinished handshakes of one source", load.handshakes_of_one_source, limits.handshakes_per_source_max),
        ("sessions", load.sessions, limits.sessions_max),
        ("sessions that are ending", load.endings, limits.sessions_max),
    ];
    match bounds.into_iter().find(|(_, held, most)| *held > usize::from(*most)) {
        Some((what, held, most)) => Err(format!("{held} {what}, at most {most} are allowed")),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_bound_is_caught_when_it_is_passed_by_one() {
        let full = Load { peers: 64, handshakes: 64, handshakes_of_one_source: 4, sessions: 256, endings: 256 };
        judge(&full).unwrap();
        for over in [
            Load { peers: 65, ..full },
            Load { handshakes: 65, ..full },
            Load { handshakes_of_one_source: 5, ..full },
            Load { sessions: 257, ..full },
            Load { endings: 257, ..full },
        ] {
            assert!(judge(&over).unwrap_err().contains("at most"));
        }
    }
}
