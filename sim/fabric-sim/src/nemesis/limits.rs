//! The core's own limits, narrowed: tiny windows, buffers, tables and timeouts are where protocols break.

use super::Dice;
use super::pace::Pace;
use super::profile::{Profile, Strength};
use crate::scenario::Scenario;
use crate::scenario::resolved::NodeId;
use core::num::NonZeroU64;
use fabric::Config;
use machine::Duration;
use scenario_actor::Expect;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The limits of each node that are not the wire contract's, by the node's name and then the limit's. Times are in
/// milliseconds.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Limits(pub(crate) BTreeMap<String, BTreeMap<String, u64>>);

impl Limits {
    /// What `node` is configured with.
    pub(crate) fn of(&self, node: &str) -> Config {
        let mut config = Config::default();
        for (name, value) in self.0.get(node).into_iter().flatten() {
            set(&mut config, name, *value);
        }
        let (mux, discovery) = (&mut config.mux, &mut config.discovery);
        mux.stream_window_max = mux.stream_window_max.max(mux.stream_window);
        let jitter_max = Duration::from_nanos(discovery.announce_every.as_nanos() / 2);
        discovery.announce_jitter = discovery.announce_jitter.min(jitter_max);
        config
    }

    /// The first name that is no limit's.
    pub(crate) fn unknown(&self) -> Option<&str> {
        let mut names = self.0.values().flatten();
        names.find(|(name, value)| !set(&mut Config::default(), name, **value)).map(|(name, _)| name.as_str())
    }

    /// The least piece that some node cuts its bytes into.
    pub(super) fn piece_min(&self) -> u64 {
        let piece = |config: Config| u64::from(config.mux.send_buffer_bytes.min(u32::from(config.mux.data_bytes_max)));
        self.0.keys().map(|node| piece(self.of(node))).min().unwrap_or(u64::MAX)
    }
}

/// Sets the limit called `name`. False when there is none.
fn set(config: &mut Config, name: &str, value: u64) -> bool {
    let time = Duration::from_millis(value);
    let Config { mux, session, limits, discovery, .. } = config;
    match name {
        "streams_max" => mux.streams_max = value as u16,
        "rekey_after" => session.rekey_after = NonZeroU64::new(value).unwrap_or(NonZeroU64::MIN),
        "stream_window" => mux.stream_window = value as u32,
        "stream_window_max" => mux.stream_window_max = value as u32,
        "session_window_max" => mux.session_window_max = value as u32,
        "data_bytes_max" => mux.data_bytes_max = value as u16,
        "send_buffer_bytes" => mux.send_buffer_bytes = value as u32,
        "sessions_max" => limits.sessions_max = value as u16,
        "handshakes_max" => limits.handshakes_max = value as u16,
        "handshakes_per_source_max" => limits.handshakes_per_source_max = value as u16,
        "devices_max" => discovery.devices_max = value as u16,
        "candidates_max" => discovery.candidates_max = value as u8,
        "keepalive_after" => mux.keepalive_after = time,
        "dead_after" => mux.dead_after = time,
        "drain_timeout" => mux.drain_timeout = time,
        "handshake_timeout" => session.handshake_timeout = time,
        "linger" => limits.linger = time,
        "redial_after" => limits.redial_after = time,
        "redial_after_max" => limits.redial_after_max = time,
        "next_candidate_after" => limits.next_candidate_after = time,
        "announce_every" => discovery.announce_every = time,
        "announce_jitter" => discovery.announce_jitter = time,
        "dial_source_every" => discovery.dial_source_every = time,
        "dial_backoff_first" => discovery.dial_backoff_first = time,
        "dial_backoff_max" => discovery.dial_backoff_max = time,
        _ => return false,
    }
    true
}

/// One seed's limits: what both sides must have alike once for all nodes, the rest for each node.
pub(super) fn draw(
    scenario: &Scenario,
    pace: &Pace,
    profile: Profile,
    seed: u64,
    told: &mut Vec<(String, String)>,
) -> Limits {
    let strength = profile.strength();
    let mut common = BTreeMap::new();
    let dice = Dice::new(seed, "nemesis limits");
    let mut draws = Draws { dice, strength, prefix: "limits".into(), told, drawn: &mut common };
    let left_open = streams_left_open(scenario);
    let streams_max = u64::from(Config::default().mux.streams_max);
    draws.number("streams_max", (1 + left_open).min(streams_max), (16 + left_open).min(streams_max));
    draws.number("rekey_after", 2, 1_000);
    let nodes = scenario.nodes.len() as u64;
    let of_node = |node: &crate::scenario::resolved::Node| {
        let dice = Dice::new(seed, &format!("nemesis limits {}", node.name));
        let (mut of_this, prefix) = (common.clone(), format!("limits.{}", node.name));
        let mut draws = Draws { dice, strength, prefix, told: &mut *told, drawn: &mut of_this };
        streams(pace, &mut draws);
        tables(nodes, &mut draws);
        timeouts(&mut draws);
        (node.name.clone(), of_this)
    };
    Limits(scenario.nodes.iter().map(of_node).collect())
}

/// The most streams that one node opens to another and leaves open: beside them there must be room for one.
fn streams_left_open(scenario: &Scenario) -> u64 {
    let mut left: BTreeMap<(NodeId, NodeId), u64> = BTreeMap::new();
    for work in scenario.work.iter().filter(|work| work.expect == Expect::Opened) {
        *left.entry((work.from, work.to)).or_default() += 1;
    }
    left.into_values().max().unwrap_or_default()
}

struct Draws<'a> {
    dice: Dice,
    strength: Strength,
    prefix: String,
    told: &'a mut Vec<(String, String)>,
    drawn: &'a mut BTreeMap<String, u64>,
}

impl Draws<'_> {
    /// Draws a number, and sets it in one seed of so many. Whether it is set re-rolls nothing after it.
    fn number(&mut self, name: &str, min: u64, max: u64) {
        let drawn = self.dice.magnitude(min, max);
        self.keep(name, drawn, "");
    }

    fn millis(&mut self, name: &str, min: u64, max: u64) {
        let drawn = self.dice.within(min, max);
        self.keep(name, drawn, "ms");
    }

    fn keep(&mut self, name: &str, drawn: u64, unit: &str) {
        if self.dice.one_in(self.strength.one_in) {
            self.told.push((format!("{}.{name}", self.prefix), format!("{drawn}{unit}")));
            self.drawn.insert(name.to_owned(), drawn);
        }
    }
}

fn streams(pace: &Pace, draws: &mut Draws<'_>) {
    // Tiny frames spend most of a window on their headers.
    let window = pace.window_min().saturating_mul(10).clamp(4_096, 1 << 20);
    draws.number("stream_window", window, 1 << 20);
    draws.number("stream_window_max", window, 4 << 20);
    draws.number("session_window_max", 1 << 20, 16 << 20);
    let piece = pace.piece_min().clamp(1, 1_024);
    draws.number("data_bytes_max", piece, 32_768);
    draws.number("send_buffer_bytes", piece.max(16), 65_536);
}

fn tables(nodes: u64, draws: &mut Draws<'_>) {
    draws.number("sessions_max", 4 * nodes, 256.max(4 * nodes));
    draws.number("handshakes_max", 2 * nodes, 64.max(2 * nodes));
    draws.number("handshakes_per_source_max", 1, 4);
    draws.number("devices_max", 2 * nodes, 64.max(2 * nodes));
    draws.number("candidates_max", 1, 4);
}

fn timeouts(draws: &mut Draws<'_>) {
    draws.millis("keepalive_after", 500, 15_000);
    draws.millis("dead_after", 20_000, 60_000);
    draws.millis("drain_timeout", 100, 10_000);
    draws.millis("handshake_timeout", 3_000, 10_000);
    draws.millis("linger", 0, 2_000);
    draws.millis("redial_after", 10, 1_000);
    draws.millis("redial_after_max", 1_000, 10_000);
    draws.millis("next_candidate_after", 100, 2_000);
    draws.millis("announce_every", 500, 10_000);
    draws.millis("announce_jitter", 0, 2_000);
    draws.millis("dial_source_every", 100, 2_000);
    draws.millis("dial_backoff_first", 100, 2_000);
    draws.millis("dial_backoff_max", 2_000, 60_000);
}
