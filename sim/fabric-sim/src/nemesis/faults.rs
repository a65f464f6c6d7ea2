//! The first phase: faults of a random subset of kinds, none of which outlasts it.

use super::nature::{disk, skew};
use super::profile::{Profile, Strength};
use super::{Dice, Nanos};
use crate::scenario::Scenario;
use crate::scenario::resolved::{Begin, Fault, Link, NodeId, What};
use crate::scenario::units::{BitRate, Delay};

/// More directions than this are not made rough one by one.
const DIRECTIONS_MAX: u32 = 64;

const MILLI: u64 = 1_000_000;

type Kind = (&'static str, fn(&mut Dice, &Scenario, Strength) -> What);

/// Every kind of fault, each drawn from a stream of its own.
pub(super) const KINDS: [Kind; 11] = [
    ("partition", |dice, scenario, _| sides(dice, scenario, false, None)),
    ("one_way", |dice, scenario, _| sides(dice, scenario, true, None)),
    ("flap", |dice, scenario, _| {
        let every = dice.millis(50, 2_000);
        sides(dice, scenario, false, Some(every))
    }),
    ("restart", |dice, scenario, _| What::Restart(node(dice, scenario))),
    ("crash", |dice, scenario, _| What::Crash(node(dice, scenario))),
    ("pause", |dice, scenario, _| What::Pause(node(dice, scenario))),
    ("clock_jump", |dice, scenario, strength| {
        What::ClockJump(node(dice, scenario), dice.millis(1, strength.jump_millis_max))
    }),
    ("clock_rate", |dice, scenario, strength| What::ClockRate(node(dice, scenario), skew(dice, strength))),
    ("link", |dice, scenario, strength| {
        let (from, to) = pair(dice, scenario);
        What::Link(from, to, rough(dice, link(scenario, from, to), strength))
    }),
    ("reset", |dice, scenario, _| {
        let (a, b) = pair(dice, scenario);
        What::Reset(a, b)
    }),
    ("disk", |dice, scenario, strength| What::Disk(node(dice, scenario), disk(dice, strength))),
];

/// Adds what strikes until `heals_at` to the scenario's own faults.
pub(super) fn draw(
    scenario: &mut Scenario,
    heals_at: Nanos,
    profile: Profile,
    seed: u64,
    told: &mut Vec<(String, String)>,
) {
    let strength = profile.strength();
    let mut drawn = rough_links(scenario, heals_at, strength, seed);
    if !drawn.is_empty() {
        told.push(("faults.rough-links".into(), drawn.len().to_string()));
    }
    for (name, kind) in KINDS {
        let mut dice = Dice::new(seed, &format!("nemesis {name}"));
        if !dice.one_in(strength.one_in) {
            continue;
        }
        let count = dice.within(1, strength.faults_max);
        for _ in 0..count {
            let heals_at = heals_at.0 / MILLI;
            let begin = dice.within(0, heals_at);
            let lasts = dice.millis(0, strength.lasts_millis_max.min(heals_at - begin));
            let (begin, lasts) = (Nanos(begin * MILLI), Some(lasts));
            let what = kind(&mut dice, scenario, strength);
            drawn.push(Fault { begin: Begin::At(begin), lasts, what });
        }
        told.push((format!("faults.{name}"), count.to_string()));
    }
    scenario.faults.extend(drawn);
}

/// Links that are rough for the whole of the first phase: in every second seed all alike, else each direction by itself.
fn rough_links(scenario: &Scenario, heals_at: Nanos, strength: Strength, seed: u64) -> Vec<Fault> {
    let mut dice = Dice::new(seed, "nemesis rough links");
    if !dice.one_in(strength.one_in) {
        return Vec::new();
    }
    let nodes = scenario.nodes.len() as NodeId;
    let all_alike = dice.one_in(2);
    let mut shared = Dice::new(seed, "nemesis rough link");
    let alike = rough(&mut shared, scenario.link, strength);
    let all = (0..nodes).flat_map(|from| (0..nodes).map(move |to| (from, to))).filter(|(from, to)| from != to);
    let direction = |(from, to)| {
        let own = link(scenario, from, to);
        let profile = if all_alike {
            // A fault makes no link better than it is.
            Link { rate: alike.rate.or(own.rate), burst: alike.burst.or(own.burst), ..alike }
        } else {
            rough(&mut dice, own, strength)
        };
        let what = What::Link(from, to, profile);
        Fault { begin: Begin::At(Nanos(0)), lasts: Some(heals_at), what }
    };
    all.take(DIRECTIONS_MAX as usize).map(direction).collect()
}

fn link(scenario: &Scenario, from: NodeId, to: NodeId) -> Link {
    scenario.links.get(&(from, to)).copied().unwrap_or(scenario.link)
}

/// `link` with every misfortune that it may meet, each in one draw of two.
fn rough(dice: &mut Dice, mut link: Link, strength: Strength) -> Link {
    for chance in [&mut link.loss, &mut link.duplicate, &mut link.reorder, &mut link.corrupt, &mut link.truncate] {
        let drawn = dice.percent(strength.percent_max);
        if dice.one_in(2) {
            *chance = drawn;
        }
    }
    let (min, more) = (dice.millis(0, strength.delay_millis_max), dice.millis(1, strength.delay_millis_max));
    let max = Nanos(min.0 + more.0);
    link.delay = match dice.within(0, 3) {
        0 => Delay::Fixed(min),
        1 => Delay::Uniform(min, max),
        2 => Delay::Exponential(min, more),
        _ => Delay::LongTail(Nanos(min.0.max(1_000_000)), Nanos(max.0 * 20)),
    };
    let (enter, leave) = (dice.percent(5), dice.percent(50));
    if dice.one_in(4) {
        link.burst = Some((enter, leave));
    }
    let (rate, queue) = (dice.magnitude(10_000, 10_000_000), dice.magnitude(64, 65_536) as u32);
    if dice.one_in(4) {
        (link.rate, link.queue) = (Some(BitRate(rate)), queue);
    }
    let mtu = dice.within(64, 1_500) as u32;
    if dice.one_in(4) {
        link.mtu = mtu;
    }
    link
}

fn node(dice: &mut Dice, scenario: &Scenario) -> NodeId {
    dice.within(0, scenario.nodes.len() as u64 - 1) as NodeId
}

/// Two nodes that differ, where there are two.
fn pair(dice: &mut Dice, scenario: &Scenario) -> (NodeId, NodeId) {
    let nodes = scenario.nodes.len() as NodeId;
    let a = node(dice, scenario);
    let step = dice.within(1, u64::from(nodes.max(2)) - 1) as NodeId;
    (a, (a + step) % nodes)
}

/// Every node is on one of the two sides, and some node on each; with one node there is nothing to part.
fn sides(dice: &mut Dice, scenario: &Scenario, one_way: bool, flap: Option<Nanos>) -> What {
    let (a, b) = pair(dice, scenario);
    let is_first = |node: &NodeId| *node == a || *node != b && dice.one_in(2);
    let (from, to) = (0..scenario.nodes.len() as NodeId).partition(is_first);
    What::Partition { from, to, one_way, flap }
}
