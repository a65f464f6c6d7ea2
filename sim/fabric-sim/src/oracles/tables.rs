//! Every table of a node is within its bound, as its limits have it.

use fabric::{Config, Usage};

/// What is fuller than it may be.
pub(crate) fn judge(usage: &Usage, config: &Config) -> Result<(), String> {
    let limits = &config.limits;
    let handshakes = usize::from(limits.handshakes_max).max(1);
    let tables = [
        ("devices", usage.devices, usize::from(config.discovery.devices_max).max(1)),
        ("candidates of a device", usage.candidates_max, usize::from(config.discovery.candidates_max).max(1)),
        ("sessions", usage.sessions, usize::from(limits.sessions_max)),
        ("unfinished handshakes", usage.handshakes, handshakes),
        ("lingering pipes", usage.lingering, handshakes),
        // Its own that are open, and of the peer's twice as many: half of them may be closed and not read yet.
        ("streams of a session", usage.streams_max, 4 * usize::from(config.mux.streams_max)),
    ];
    match tables.into_iter().find(|(_, used, most)| used > most) {
        Some((what, used, most)) => Err(format!("{used} {what}, of {most} at most")),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn breaks(usage: Usage) -> String {
        judge(&usage, &Config::default()).unwrap_err()
    }

    #[test]
    fn every_table_is_judged_by_its_own_bound() {
        let full =
            Usage { devices: 64, candidates_max: 4, sessions: 256, handshakes: 64, lingering: 64, streams_max: 512 };
        judge(&full, &Config::default()).unwrap();
        assert_eq!(breaks(Usage { devices: 65, ..full }), "65 devices, of 64 at most");
        assert_eq!(breaks(Usage { candidates_max: 5, ..full }), "5 candidates of a device, of 4 at most");
        assert_eq!(breaks(Usage { sessions: 257, ..full }), "257 sessions, of 256 at most");
        assert_eq!(breaks(Usage { handshakes: 65, ..full }), "65 unfinished handshakes, of 64 at most");
        assert_eq!(breaks(Usage { lingering: 65, ..full }), "65 lingering pipes, of 64 at most");
        assert_eq!(breaks(Usage { streams_max: 513, ..full }), "513 streams of a session, of 512 at most");
    }
}
