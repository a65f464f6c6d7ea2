//! The core's own limits, narrowed: tiny windows, buffers, tables and timeouts are where protocols break.

use super::Dice;
use super::pace::Pace;
use super::profile::{Profile, Strength};
use crate::scenario::Scenario;
use core::num::NonZeroU64;
use fabric::Config;
use machine::Duration;
use std::collections::BTreeMap;

/// The limits of each node, by name. Nodes that are not there have the wire contract's.
#[derive(Clone, Debug, Default)]
pub(crate) struct Limits(BTreeMap<String, Config>);

impl Limits {
    /// What `node` is configured with.
    pub(crate) fn of(&self, node: &str) -> Config {
        self.0.get(node).cloned().unwrap_or_else(announcing)
    }
}

impl Limits {
    /// The least piece that some node cuts its bytes into.
    pub(super) fn piece_min(&self) -> u64 {
        let piece = |config: &Config| u64::from(config.mux.send_buffer_bytes.min(u32::from(config.mux.data_bytes_max)));
        self.0.values().map(piece).min().unwrap_or(u64::MAX)
    }
}

fn announcing() -> Config {
    Config { announce: true, ..Config::default() }
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
    let mut base = announcing();
    let mut draws = Draws { dice: Dice::new(seed, "nemesis limits"), strength, prefix: "limits".into(), told };
    draws.number("streams_max", 1, 16, |value| base.mux.streams_max = value as u16);
    draws.number("rekey_after", 2, 1_000, |value| {
        base.session.rekey_after = NonZeroU64::new(value).unwrap_or(NonZeroU64::MIN);
    });
    let nodes = scenario.nodes.len() as u64;
    let of_node = |node: &crate::scenario::resolved::Node| {
        let dice = Dice::new(seed, &format!("nemesis limits {}", node.name));
        let mut draws = Draws { dice, strength, prefix: format!("limits.{}", node.name), told: &mut *told };
        let mut config = base.clone();
        streams(&mut config, pace, &mut draws);
        tables(&mut config, nodes, &mut draws);
        timeouts(&mut config, &mut draws);
        (node.name.clone(), config)
    };
    Limits(scenario.nodes.iter().map(of_node).collect())
}

struct Draws<'a> {
    dice: Dice,
    strength: Strength,
    prefix: String,
    told: &'a mut Vec<(String, String)>,
}

impl Draws<'_> {
    /// Draws a number, and sets it in one seed of so many. Whether it is set re-rolls nothing after it.
    fn number(&mut self, name: &str, min: u64, max: u64, set: impl FnOnce(u64)) {
        let drawn = self.dice.magnitude(min, max);
        if self.dice.one_in(self.strength.one_in) {
            self.told.push((format!("{}.{name}", self.prefix), drawn.to_string()));
            set(drawn);
        }
    }

    fn millis(&mut self, name: &str, min: u64, max: u64, set: impl FnOnce(Duration)) {
        let drawn = self.dice.within(min, max);
        if self.dice.one_in(self.strength.one_in) {
            self.told.push((format!("{}.{name}", self.prefix), format!("{drawn}ms")));
            set(Duration::from_millis(drawn));
        }
    }
}

fn streams(config: &mut Config, pace: &Pace, draws: &mut Draws<'_>) {
    let mux = &mut config.mux;
    // Tiny frames spend most of a window on their headers.
    let window = pace.window_min().saturating_mul(10).clamp(4_096, 1 << 20);
    draws.number("stream_window", window, 1 << 20, |value| mux.stream_window = value as u32);
    draws.number("stream_window_max", window, 4 << 20, |value| mux.stream_window_max = value as u32);
    mux.stream_window_max = mux.stream_window_max.max(mux.stream_window);
    draws.number("session_window_max", 1 << 20, 16 << 20, |value| mux.session_window_max = value as u32);
    let piece = pace.piece_min().clamp(1, 1_024);
    draws.number("data_bytes_max", piece, 32_768, |value| mux.data_bytes_max = value as u16);
    draws.number("send_buffer_bytes", piece.max(16), 65_536, |value| mux.send_buffer_bytes = value as u32);
}

fn tables(config: &mut Config, nodes: u64, draws: &mut Draws<'_>) {
    let limits = &mut config.limits;
    draws.number("sessions_max", 4 * nodes, 256.max(4 * nodes), |value| limits.sessions_max = value as u16);
    draws.number("handshakes_max", 2 * nodes, 64.max(2 * nodes), |value| limits.handshakes_max = value as u16);
    draws.number("handshakes_per_source_max", 1, 4, |value| limits.handshakes_per_source_max = value as u16);
    let discovery = &mut config.discovery;
    draws.number("devices_max", 2 * nodes, 64.max(2 * nodes), |value| discovery.devices_max = value as u16);
    draws.number("candidates_max", 1, 4, |value| discovery.candidates_max = value as u8);
}

fn timeouts(config: &mut Config, draws: &mut Draws<'_>) {
    let mux = &mut config.mux;
    draws.millis("keepalive_after", 500, 15_000, |value| mux.keepalive_after = value);
    draws.millis("dead_after", 20_000, 60_000, |value| mux.dead_after = value);
    draws.millis("drain_timeout", 100, 10_000, |value| mux.drain_timeout = value);
    draws.millis("handshake_timeout", 3_000, 10_000, |value| config.session.handshake_timeout = value);
    let limits = &mut config.limits;
    draws.millis("linger", 0, 2_000, |value| limits.linger = value);
    draws.millis("redial_after", 10, 1_000, |value| limits.redial_after = value);
    draws.millis("redial_after_max", 1_000, 10_000, |value| limits.redial_after_max = value);
    draws.millis("next_candidate_after", 100, 2_000, |value| limits.next_candidate_after = value);
    let discovery = &mut config.discovery;
    draws.millis("announce_every", 500, 10_000, |value| discovery.announce_every = value);
    draws.millis("announce_jitter", 0, 2_000, |value| discovery.announce_jitter = value);
    discovery.announce_jitter =
        discovery.announce_jitter.min(Duration::from_nanos(discovery.announce_every.as_nanos() / 2));
    draws.millis("dial_source_every", 100, 2_000, |value| discovery.dial_source_every = value);
    draws.millis("dial_backoff_first", 100, 2_000, |value| discovery.dial_backoff_first = value);
    draws.millis("dial_backoff_max", 2_000, 60_000, |value| discovery.dial_backoff_max = value);
}
