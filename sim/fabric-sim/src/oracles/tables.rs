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

    /// What is in a node is looked at by who looks on at the run.
    fn conclude(&self, _: &Scenario) -> Outcome {
        Outcome::Held("at every look".to_owned())
    }
}

/// Whether a node's load is within the contract's bounds, whatever the node itself was told. Where there are more nodes than
/// those allow, a node may be told to hold four sessions, two handshakes and two peers for each.
pub(super) fn judge(load: &Load, nodes: usize) -> Result<(), String> {
    let (limits, discovery) = (fabric::Limits::default(), fabric::discovery::Limits::default());
    let streams_max = usize::from(fabric::mux::Limits::default().streams_max);
    let bound = |most: u16, each: usize| usize::from(most).max(each * nodes);
    let bounds = [
        ("peers", load.peers, bound(discovery.devices_max, 2)),
        ("unfinished handshakes", load.handshakes, bound(limits.handshakes_max, 2)),
        (
            "unfinished handshakes of one source",
            load.handshakes_of_one_source,
            bound(limits.handshakes_per_source_max, 0),
        ),
        ("sessions", load.sessions, bound(limits.sessions_max, 4)),
        ("sessions with one device", load.sessions_of_one_device, bound(limits.sessions_per_device_max, 0)),
        ("candidates of one peer", load.candidates_of_one_device, bound(discovery.candidates_max.into(), 0)),
        // Its own that are open, and of the other side's twice as many: half of them may be closed and not read yet.
        ("streams of one session", load.streams_of_one_session, 4 * streams_max),
        ("open streams of one peer", load.streams_open_of_one_peer, streams_max),
        ("sessions that are ending", load.endings, bound(limits.sessions_max, 4)),
    ];
    match bounds.into_iter().find(|(_, held, most)| held > most) {
        Some((what, held, most)) => Err(format!("{held} {what}, at most {most} are allowed")),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_bound_is_caught_when_it_is_passed_by_one() {
        let full = Load {
            peers: 64,
            devices: 65,
            handshakes: 64,
            handshakes_of_one_source: 4,
            sessions: 256,
            sessions_of_one_device: 4,
            endings: 256,
            candidates_of_one_device: 4,
            streams_of_one_session: 512,
            streams_open_of_one_peer: 128,
        };
        judge(&full, 3).unwrap();
        for over in [
            Load { peers: 65, ..full },
            Load { handshakes: 65, ..full },
            Load { handshakes_of_one_source: 5, ..full },
            Load { sessions: 257, ..full },
            Load { sessions_of_one_device: 5, ..full },
            Load { endings: 257, ..full },
            Load { candidates_of_one_device: 5, ..full },
            Load { streams_of_one_session: 513, ..full },
            Load { streams_open_of_one_peer: 129, ..full },
        ] {
            assert!(judge(&over, 3).unwrap_err().contains("at most"));
        }
    }
}
