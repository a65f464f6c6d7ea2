//! Every table of a node is within its bound, as its limits have it.

use fabric::{Config, Load};

/// What is fuller than it may be.
pub(crate) fn judge(load: &Load, config: &Config) -> Result<(), String> {
    let limits = &config.limits;
    let handshakes = usize::from(limits.handshakes_max).max(1);
    let sessions = usize::from(limits.sessions_max);
    let of_one_source = usize::from(limits.handshakes_per_source_max).max(1);
    let candidates = usize::from(config.discovery.candidates_max).max(1);
    let tables = [
        ("peers", load.peers, usize::from(config.discovery.devices_max).max(1)),
        ("candidates of one device", load.candidates_of_one_device, candidates),
        ("sessions", load.sessions, sessions),
        ("unfinished handshakes", load.handshakes, handshakes),
        ("unfinished handshakes of one source", load.handshakes_of_one_source, of_one_source),
        // As many as sessions may be refused at a time, and as many as handshakes may linger after theirs.
        ("endings", load.endings, sessions + handshakes),
        // Its own that are open, and of the peer's twice as many: half of them may be closed and not read yet.
        ("streams of one session", load.streams_of_one_session, 4 * usize::from(config.mux.streams_max)),
    ];
    match tables.into_iter().find(|(_, used, most)| used > most) {
        Some((what, used, most)) => Err(format!("{used} {what}, of {most} at most")),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn breaks(fill: impl FnOnce(&mut Load)) -> String {
        let mut load = FULL;
        fill(&mut load);
        judge(&load, &Config::default()).unwrap_err()
    }

    const FULL: Load = Load {
        peers: 64,
        handshakes: 64,
        handshakes_of_one_source: 4,
        sessions: 256,
        endings: 320,
        candidates_of_one_device: 4,
        streams_of_one_session: 512,
    };

    #[test]
    fn every_table_is_judged_by_its_own_bound() {
        judge(&FULL, &Config::default()).unwrap();
        assert_eq!(breaks(|load| load.peers += 1), "65 peers, of 64 at most");
        assert_eq!(breaks(|load| load.candidates_of_one_device += 1), "5 candidates of one device, of 4 at most");
        assert_eq!(breaks(|load| load.sessions += 1), "257 sessions, of 256 at most");
        assert_eq!(breaks(|load| load.handshakes += 1), "65 unfinished handshakes, of 64 at most");
        assert_eq!(
            breaks(|load| load.handshakes_of_one_source += 1),
            "5 unfinished handshakes of one source, of 4 at most"
        );
        assert_eq!(breaks(|load| load.endings += 1), "321 endings, of 320 at most");
        assert_eq!(breaks(|load| load.streams_of_one_session += 1), "513 streams of one session, of 512 at most");
    }
}
