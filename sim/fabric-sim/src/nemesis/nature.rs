//! What a seed makes of the things that do not heal: pipes, disks, clocks, and the liberties of a driver.

use super::pace::Pace;
use super::profile::{Profile, Strength};
use super::{Dice, Nanos};
use crate::scenario::Scenario;
use crate::scenario::resolved::{Disk, Node, Perturb, Pipes};
use crate::scenario::units::{Delay, Percent, Skew};

/// However little a scenario has to move, a handshake has to go through within its deadline: 216 bytes of the initiator's (docs/wire.md,
/// 3), in four round trips at most.
const HANDSHAKE_BUFFER_MIN: u64 = 64;

pub(super) fn draw(
    scenario: &mut Scenario,
    pace: &Pace,
    heals_at: Nanos,
    profile: Profile,
    seed: u64,
    told: &mut Vec<(String, String)>,
) {
    let strength = profile.strength();
    let mut tell = |key: String, value: String| told.push((key, value));
    scenario.pipes = pipes(scenario.pipes, pace, strength, seed, &mut tell);
    let mut dice = Dice::new(seed, "nemesis perturb");
    if dice.one_in(strength.one_in) {
        let perturb = Perturb { spurious_timeout: dice.percent(100), late_drain: dice.percent(100) };
        tell("perturb.spurious_timeout".into(), perturb.spurious_timeout.to_string());
        tell("perturb.late_drain".into(), perturb.late_drain.to_string());
        scenario.perturb = perturb;
    }
    for node in &mut scenario.nodes {
        of_node(node, heals_at, strength, seed, &mut tell);
    }
}

fn pipes(mut pipes: Pipes, pace: &Pace, strength: Strength, seed: u64, tell: &mut impl FnMut(String, String)) -> Pipes {
    let mut dice = Dice::new(seed, "nemesis pipes");
    let mut size = |name: &str, field: &mut u32, min: u64| {
        let drawn = dice.magnitude(min, u64::from(*field)).min(u64::from(*field)) as u32;
        if dice.one_in(strength.one_in) {
            *field = drawn;
            tell(format!("pipes.{name}"), format!("{drawn}B"));
        }
    };
    let least = pace.window_min().saturating_mul(2).max(pace.piece_min().saturating_mul(2)).max(HANDSHAKE_BUFFER_MIN);
    size("buffer", &mut pipes.buffer, least);
    size("segment", &mut pipes.segment, pace.segment_min());
    size("room_max", &mut pipes.room_max, pace.piece_min().saturating_mul(2));
    let mut chunk = pipes.segment;
    size("chunk_max", &mut chunk, pace.piece_min().saturating_mul(2));
    pipes.chunk_max = (chunk < pipes.segment).then_some(chunk).or(pipes.chunk_max);
    // Dials back off to a minute: seven in a row that fail would use up any deadline.
    for (name, field) in [("refuse", &mut pipes.refuse), ("silent", &mut pipes.silent)] {
        let drawn = dice.percent(strength.percent_max.min(10));
        if dice.one_in(strength.one_in) {
            *field = drawn;
            tell(format!("pipes.{name}"), drawn.to_string());
        }
    }
    // No system gives a connection up sooner: where queues overflow, a segment is tried many times.
    let patience = dice.millis(30_000, 120_000);
    if dice.one_in(strength.one_in) {
        pipes.patience = patience;
        tell("pipes.patience".into(), patience.to_string());
    }
    pipes
}

/// A connection that is reset undoes the try on it: the more pieces it takes, the less likely each one is to be the end.
pub(super) fn draw_resets(
    pipes: &mut Pipes,
    pace: &Pace,
    piece_min: u64,
    profile: Profile,
    seed: u64,
    told: &mut Vec<(String, String)>,
) {
    let mut dice = Dice::new(seed, "nemesis resets");
    let piece = u64::from(pipes.segment.min(pipes.room_max).min(pipes.buffer)).min(piece_min);
    let reset = dice.within(0, pace.undoing_max(piece));
    if dice.one_in(profile.strength().one_in) {
        pipes.reset = Percent(reset as u32);
        told.push(("pipes.reset".into(), pipes.reset.to_string()));
    }
}

fn of_node(node: &mut Node, heals_at: Nanos, strength: Strength, seed: u64, tell: &mut impl FnMut(String, String)) {
    let mut dice = Dice::new(seed, &format!("nemesis node {}", node.name));
    let name = format!("nodes.{}", node.name);
    let disk = disk(&mut dice, strength);
    if dice.one_in(strength.one_in) {
        node.disk = disk;
        let Disk { delay, fail, torn, rot } = disk;
        tell(format!("{name}.disk"), format!("delay {delay}, fail {fail}, torn {torn}, rot {rot}"));
    }
    let late = dice.millis(0, heals_at.0 / 2_000_000);
    if dice.one_in(strength.one_in * 2) {
        node.starts_at = late;
        tell(format!("{name}.starts_at"), late.to_string());
    }
    let offset = dice.millis(0, strength.jump_millis_max);
    let skew = skew(&mut dice, strength);
    if dice.one_in(strength.one_in) {
        (node.clock_offset, node.clock_skew) = (offset, skew);
        tell(format!("{name}.clock_offset"), offset.to_string());
        tell(format!("{name}.clock_skew"), skew.to_string());
    }
}

pub(super) fn disk(dice: &mut Dice, strength: Strength) -> Disk {
    Disk {
        delay: Delay::Uniform(Nanos(0), dice.millis(1, strength.delay_millis_max)),
        fail: dice.percent(strength.percent_max),
        torn: dice.percent(100),
        rot: dice.percent(strength.percent_max),
    }
}

pub(super) fn skew(dice: &mut Dice, strength: Strength) -> Skew {
    let drawn = dice.within(0, 2 * strength.skew_max);
    Skew((drawn.cast_signed() - strength.skew_max.cast_signed()) as i32)
}
