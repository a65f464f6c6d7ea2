//! What a scenario can do without, from the largest part to the smallest.

use super::Search;
use super::edit::{keep_nodes, smaller_sides};
use crate::nemesis::Limits;
use crate::scenario::resolved::{Begin, Disk, Fault, Link, NodeId, Perturb, Pipes, What};
use crate::scenario::units::{Bytes, Delay, Nanos, Percent, Range, Skew};
use crate::scenario::{MESSAGE_DEFAULT, Scenario};
use ::sim::shrink::ddmin;
use std::collections::BTreeMap;

const MILLI: u64 = 1_000_000;
const SECOND: u64 = 1_000 * MILLI;

/// A way to make a link, and so all of them, better.
const BETTER: [fn(&mut Link); 10] = [
    |link| link.loss = Percent(0),
    |link| link.burst = None,
    |link| link.duplicate = Percent(0),
    |link| link.reorder = Percent(0),
    |link| link.corrupt = Percent(0),
    |link| link.truncate = Percent(0),
    |link| link.rate = None,
    |link| link.queue = Link::default().queue,
    |link| link.mtu = Link::default().mtu,
    |link| link.delay = fixed(link.delay),
];

const PLAIN_PIPES: [fn(&mut Pipes); 8] = [
    |pipes| pipes.refuse = Percent(0),
    |pipes| pipes.silent = Percent(0),
    |pipes| pipes.reset = Percent(0),
    |pipes| pipes.chunk_max = None,
    |pipes| pipes.room_max = Pipes::default().room_max,
    |pipes| pipes.segment = Pipes::default().segment,
    |pipes| pipes.buffer = Pipes::default().buffer,
    |pipes| pipes.patience = Pipes::default().patience,
];

const fn fixed(delay: Delay) -> Delay {
    match delay {
        Delay::Fixed(delay) | Delay::Uniform(delay, _) | Delay::Exponential(delay, _) | Delay::LongTail(delay, _) => {
            Delay::Fixed(delay)
        }
    }
}

impl Search<'_> {
    /// Every pass once.
    pub(super) fn parts(&mut self) {
        self.named("checks", Self::checks);
        self.named("limits", Self::limits);
        self.named("faults", Self::faults);
        self.named("attackers", Self::attackers);
        self.named("work", Self::work);
        self.named("acts", Self::acts);
        self.named("nodes", Self::nodes);
        self.named("sites", Self::sites);
        self.named("links", Self::links);
        self.named("pipes and disks", Self::nature);
        self.named("policies", Self::policies);
        self.named("sizes", Self::sizes);
        self.named("times", Self::times);
    }

    pub(super) fn named(&mut self, pass: &'static str, run: impl FnOnce(&mut Self)) {
        if !self.stopped {
            self.pass = pass;
            run(self);
        }
    }

    /// Only the check that fails; one that goes on after it says nothing about it.
    fn checks(&mut self) {
        let check = self.fingerprint.check.clone();
        self.change(|scenario| {
            scenario.checks.always.retain(|name| *name == check);
            scenario.checks.eventually.retain(|(name, _)| *name == check);
            scenario.checks.sometimes.clear();
        });
        let felt = self.best.scenario.checks.felt.clone();
        ddmin(&felt, |rest| self.change(|scenario| rest.clone_into(&mut scenario.checks.felt)));
        // A promise that has a deadline is judged there and not earlier.
        let last = self.best.scenario.checks.eventually.iter().map(|(_, by)| *by).max();
        let second_after = Nanos((self.ended.0 / SECOND + 1) * SECOND);
        let stop_at = last.unwrap_or(second_after).min(self.best.scenario.stop_at);
        self.change(|scenario| scenario.stop_at = stop_at);
    }

    fn limits(&mut self) {
        let each = |(node, limits): (&String, &BTreeMap<String, u64>)| {
            let of_node = limits.iter().map(|(name, value)| (node.clone(), name.clone(), *value));
            of_node.collect::<Vec<_>>()
        };
        let all: Vec<_> = self.best.limits.0.iter().flat_map(each).collect();
        ddmin(&all, |rest| {
            let mut limits = Limits::default();
            for (node, name, value) in rest {
                limits.0.entry(node.clone()).or_default().insert(name.clone(), *value);
            }
            self.relimit(limits)
        });
    }

    fn faults(&mut self) {
        let all = self.best.scenario.faults.clone();
        ddmin(&all, |rest| self.change(|scenario| rest.clone_into(&mut scenario.faults)));
        let mut at = 0;
        while at < self.best.scenario.faults.len() {
            let smaller = smaller_sides(&self.best.scenario.faults[at]);
            let taken = smaller.into_iter().any(|fault| self.change(|scenario| scenario.faults[at] = fault));
            at += usize::from(!taken);
        }
    }

    fn attackers(&mut self) {
        let all = self.best.scenario.attackers.clone();
        ddmin(&all, |rest| self.change(|scenario| rest.clone_into(&mut scenario.attackers)));
        for at in 0..self.best.scenario.nodes.len() {
            if self.best.scenario.nodes[at].hostile.is_some() {
                self.change(|scenario| scenario.nodes[at].hostile = None);
            }
        }
    }

    fn work(&mut self) {
        let all = self.best.scenario.work.clone();
        ddmin(&all, |rest| self.change(|scenario| rest.clone_into(&mut scenario.work)));
    }

    fn acts(&mut self) {
        let all = self.best.scenario.acts.clone();
        ddmin(&all, |rest| self.change(|scenario| rest.clone_into(&mut scenario.acts)));
    }

    fn nodes(&mut self) {
        let names: Vec<String> = self.best.scenario.nodes.iter().map(|node| node.name.clone()).collect();
        ddmin(&names, |rest| {
            self.change(|scenario| {
                let is_kept = |node: &NodeId| rest.contains(&scenario.nodes[*node as usize].name);
                let kept: Vec<_> = (0..scenario.nodes.len() as NodeId).filter(is_kept).collect();
                keep_nodes(scenario, &kept);
            })
        });
    }

    /// All on one network.
    fn sites(&mut self) {
        if !self.best.scenario.sites.is_empty() {
            self.change(|scenario| {
                scenario.sites.clear();
                scenario.nodes.iter_mut().for_each(|node| node.sites = None);
            });
        }
    }

    fn links(&mut self) {
        let all: Vec<_> = self.best.scenario.links.clone().into_iter().collect();
        ddmin(&all, |rest| self.change(|scenario| scenario.links = rest.iter().copied().collect()));
        self.change(|scenario| each_link(scenario, |link| *link = Link { delay: link.delay, ..Link::default() }));
        for better in BETTER {
            self.change(|scenario| each_link(scenario, better));
        }
    }

    /// What pipes, disks, clocks and drivers are like.
    fn nature(&mut self) {
        self.change(|scenario| scenario.pipes = Pipes::default());
        for plain in PLAIN_PIPES {
            self.change(|scenario| plain(&mut scenario.pipes));
        }
        self.change(|scenario| scenario.perturb = Perturb::default());
        for at in 0..self.best.scenario.nodes.len() {
            self.change(|scenario| scenario.nodes[at].disk = Disk::default());
            self.change(|scenario| scenario.nodes[at].disk.delay = Delay::default());
            self.change(|scenario| scenario.nodes[at].clock_offset = Nanos(0));
            self.change(|scenario| scenario.nodes[at].clock_skew = Skew(0));
            self.change(|scenario| scenario.nodes[at].starts_at = Nanos(0));
        }
    }

    fn policies(&mut self) {
        for at in 0..self.best.scenario.nodes.len() {
            self.change(|scenario| scenario.nodes[at].trusts = None);
            let allow = self.best.scenario.nodes[at].allow.clone();
            ddmin(&allow, |rest| self.change(|scenario| rest.clone_into(&mut scenario.nodes[at].allow)));
            let serves = self.best.scenario.nodes[at].serves.clone();
            ddmin(&serves, |rest| self.change(|scenario| rest.clone_into(&mut scenario.nodes[at].serves)));
        }
    }

    fn sizes(&mut self) {
        for at in 0..self.best.scenario.work.len() {
            self.change(|scenario| scenario.work[at].priority = 3);
            self.lower(
                0,
                |scenario| scenario.work[at].bytes.0,
                |scenario, bytes| scenario.work[at].bytes = Bytes(bytes),
            );
            self.change(|scenario| scenario.work[at].message = MESSAGE_DEFAULT);
            if self.best.scenario.work[at].message == MESSAGE_DEFAULT {
                continue;
            }
            let message = |scenario: &Scenario| scenario.work[at].message.max.0;
            self.change(|scenario| {
                let max = scenario.work[at].message.max;
                scenario.work[at].message = Range { min: max, max };
            });
            self.lower(1, message, |scenario, bytes| {
                scenario.work[at].message = Range { min: Bytes(bytes), max: Bytes(bytes) };
            });
        }
        for at in 0..self.best.scenario.marks.len() {
            if at < self.best.scenario.marks.len() {
                self.lower(
                    1,
                    |scenario| scenario.marks[at].bytes.0,
                    |scenario, bytes| {
                        scenario.marks[at].bytes = Bytes(bytes);
                    },
                );
            }
        }
    }

    /// Shorter faults and earlier, rounder times. No work begins later than it did, and no deadline moves.
    fn times(&mut self) {
        for at in 0..self.best.scenario.faults.len() {
            let lasts = |fault: &Fault| fault.lasts.map_or(0, |lasts| lasts.0);
            if lasts(&self.best.scenario.faults[at]) > MILLI {
                self.lower(
                    MILLI,
                    |scenario| lasts(&scenario.faults[at]),
                    |scenario, nanos| {
                        scenario.faults[at].lasts = Some(Nanos(nanos));
                    },
                );
            }
            for unit in [SECOND, 100 * MILLI, MILLI] {
                self.change(|scenario| {
                    if let Begin::At(at) = &mut scenario.faults[at].begin {
                        at.0 -= at.0 % unit;
                    }
                });
            }
        }
        for at in 0..self.best.scenario.work.len() {
            self.change(|scenario| scenario.work[at].at = Nanos(0));
        }
    }

    /// Brings a number down to `min`, or as near as halving and rounding get.
    fn lower(&mut self, min: u64, get: impl Fn(&Scenario) -> u64, set: impl Fn(&mut Scenario, u64)) {
        let now = get(&self.best.scenario);
        if now <= min || self.change(|scenario| set(scenario, min)) {
            return;
        }
        let (mut passes, mut fails) = (min, now);
        while fails - passes > (fails / 16).max(1) && !self.stopped {
            let middle = round(passes + (fails - passes) / 2).clamp(passes + 1, fails);
            if middle == fails {
                return;
            }
            if self.change(|scenario| set(scenario, middle)) {
                fails = middle;
            } else {
                passes = middle;
            }
        }
    }
}

/// Down to two digits: what a person would write.
const fn round(number: u64) -> u64 {
    let mut unit = 1;
    while number / unit >= 100 {
        unit *= 10;
    }
    number - number % unit
}

fn each_link(scenario: &mut Scenario, change: impl Fn(&mut Link)) {
    change(&mut scenario.link);
    scenario.links.values_mut().for_each(&change);
    // One that has become like all others says nothing.
    let default = scenario.link;
    scenario.links.retain(|_, link| *link != default);
    for fault in &mut scenario.faults {
        if let What::Link(_, _, link) = &mut fault.what {
            change(link);
        }
    }
}
