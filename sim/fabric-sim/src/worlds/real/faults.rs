//! The plan of faults, carried out on nodes and on what lies between them.

use super::Real;
use super::site::Site;
use crate::scenario::resolved::NodeId;
use ::sim::{Begin, Config, CrashKind, Fault, LinkProfile, Planned, Time};
use machine::Duration;
use std::collections::BTreeMap;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Act {
    Boot(NodeId),
    Begin(usize),
    End(usize),
    /// A flapping partition closes or opens.
    Flip(usize),
}

/// What the end of a fault has to undo.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Undo {
    Nothing,
    Heal,
    /// The partition is open for the moment.
    Flapping,
    /// Unless the node has been started since.
    Restart {
        start: u64,
    },
    Resume {
        start: u64,
    },
    Link,
}

/// What is to happen when.
pub(super) struct Plan {
    faults: Vec<Planned>,
    agenda: BTreeMap<(Time, u64), Act>,
    planned: u64,
    undo: Vec<Undo>,
    /// Faults that have begun: a trigger fires once.
    begun: Vec<bool>,
    /// Link changes in force, the last on top of those before.
    changes: Vec<usize>,
    /// How each direction is without them.
    base: BTreeMap<(u32, u32), LinkProfile>,
}

impl Plan {
    pub(super) fn new(config: &Config) -> Self {
        let faults = config.plan.clone();
        let (undo, begun) = (vec![Undo::Nothing; faults.len()], vec![false; faults.len()]);
        let (agenda, changes, base) = (BTreeMap::new(), Vec::new(), BTreeMap::new());
        let mut plan = Self { faults, agenda, planned: 0, undo, begun, changes, base };
        for (node, each) in config.nodes.iter().enumerate() {
            plan.add(each.starts_at, Act::Boot(node as NodeId));
        }
        for fault in 0..plan.faults.len() {
            if let Begin::At(at) = plan.faults[fault].begin {
                plan.add(at, Act::Begin(fault));
            }
        }
        plan
    }

    fn add(&mut self, at: Time, act: Act) {
        self.agenda.insert((at, self.planned), act);
        self.planned += 1;
    }

    /// The trigger of this number: what waits for it begins.
    pub(super) fn fire(&mut self, now: Time, trigger: u32) {
        for fault in 0..self.faults.len() {
            if self.faults[fault].begin == Begin::Trigger(trigger) && !self.begun[fault] {
                self.begun[fault] = true;
                self.add(now, Act::Begin(fault));
            }
        }
    }

    pub(super) fn next_due(&self) -> Option<Time> {
        self.agenda.first_key_value().map(|((at, _), _)| *at)
    }

    fn next(&mut self, now: Time) -> Option<Act> {
        let first = self.agenda.first_entry().filter(|first| first.key().0 <= now)?;
        Some(first.remove())
    }

    /// Whether nothing is to happen any more but what no time or mark of the scenario brings about.
    pub(super) fn is_quiet(&self) -> bool {
        self.agenda.values().all(|act| matches!(act, Act::Flip(_)))
    }

    /// The change of this direction that counts now.
    fn top(&self, direction: (u32, u32)) -> Option<LinkProfile> {
        self.changes.iter().rev().find_map(|change| match &self.faults[*change].fault {
            Fault::Link { from, to, profile } if (from.as_usize() as u32, to.as_usize() as u32) == direction => {
                Some(*profile)
            }
            _ => None,
        })
    }
}

impl<S: Site> Real<S> {
    /// Does what the plan has for now.
    pub(super) fn act(&mut self, now: Time) -> Result<(), String> {
        while let Some(act) = self.plan.next(now) {
            self.is_news = true;
            match act {
                Act::Boot(node) => self.boot(now, node)?,
                Act::Begin(fault) => self.begin(now, fault)?,
                Act::End(fault) => self.end(now, fault)?,
                Act::Flip(fault) => self.flip(now, fault),
            }
        }
        Ok(())
    }

    fn begin(&mut self, now: Time, fault: usize) -> Result<(), String> {
        let Planned { lasts, fault: what, .. } = self.plan.faults[fault].clone();
        if let Some(lasts) = lasts {
            self.plan.add(now + lasts, Act::End(fault));
        }
        self.plan.undo[fault] = match what {
            Fault::Partition { flap, .. } => {
                self.site.medium().counts.partitions += 1;
                self.close(fault);
                if let Some(every) = flap {
                    self.plan.add(now + at_least_a_tick(every), Act::Flip(fault));
                }
                Undo::Heal
            }
            Fault::Crash { node, kind } => self.crash(now, node.as_usize() as NodeId, kind)?,
            Fault::Pause(node) => self.pause(node.as_usize() as NodeId)?,
            Fault::Link { from, to, profile } => {
                self.site.medium().counts.link_changes += 1;
                let direction = (from.as_usize() as u32, to.as_usize() as u32);
                let links = &mut self.site.medium().links;
                self.plan.base.entry(direction).or_insert(*links.profile(direction.0, direction.1));
                links.set_profile(direction.0, direction.1, profile);
                self.plan.changes.push(fault);
                Undo::Link
            }
            Fault::ResetPipes(a, b) => {
                self.site.reset(a.as_usize() as u32, b.as_usize() as u32);
                Undo::Nothing
            }
            // Refused when the scenario was loaded.
            Fault::ClockJump(..) | Fault::ClockRate(..) | Fault::Disk(..) => Undo::Nothing,
        };
        Ok(())
    }

    fn crash(&mut self, now: Time, node: NodeId, kind: CrashKind) -> Result<Undo, String> {
        if !self.site.is_up(node) {
            return Ok(Undo::Nothing);
        }
        self.site.medium().counts.crashes += 1;
        if kind == CrashKind::Power {
            self.site.darken(node);
        }
        self.kill(now, node)?;
        Ok(Undo::Restart { start: self.stations[node as usize].starts })
    }

    fn pause(&mut self, node: NodeId) -> Result<Undo, String> {
        if !self.site.is_up(node) || self.stations[node as usize].is_paused {
            return Ok(Undo::Nothing);
        }
        self.stand_still(node, true)?;
        self.stations[node as usize].is_paused = true;
        self.site.medium().counts.pauses += 1;
        Ok(Undo::Resume { start: self.stations[node as usize].starts })
    }

    fn end(&mut self, now: Time, fault: usize) -> Result<(), String> {
        let undo = core::mem::replace(&mut self.plan.undo[fault], Undo::Nothing);
        match (undo, self.plan.faults[fault].fault.clone()) {
            (Undo::Heal | Undo::Flapping, _) => self.site.medium().partitions.end(fault),
            (Undo::Restart { start }, Fault::Crash { node, .. }) => {
                let node = node.as_usize() as NodeId;
                if !self.site.is_up(node) && self.stations[node as usize].starts == start {
                    self.site.medium().counts.restarts += 1;
                    self.boot(now, node)?;
                }
            }
            (Undo::Resume { start }, Fault::Pause(node)) => {
                let node = node.as_usize() as NodeId;
                if self.site.is_up(node) && self.stations[node as usize].starts == start {
                    self.stations[node as usize].is_paused = false;
                    self.stand_still(node, false)?;
                }
            }
            (Undo::Link, Fault::Link { from, to, .. }) => {
                self.plan.changes.retain(|change| *change != fault);
                let direction = (from.as_usize() as u32, to.as_usize() as u32);
                let profile = self.plan.top(direction).or_else(|| self.plan.base.get(&direction).copied());
                if let Some(profile) = profile {
                    self.site.medium().links.set_profile(direction.0, direction.1, profile);
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn close(&mut self, fault: usize) {
        if let Fault::Partition { from, to, one_way, .. } = &self.plan.faults[fault].fault {
            let partitions = &mut self.site.medium().partitions;
            partitions.begin(fault, from, to);
            if !one_way {
                partitions.begin(fault, to, from);
            }
        }
    }

    fn flip(&mut self, now: Time, fault: usize) {
        let Fault::Partition { flap: Some(every), .. } = self.plan.faults[fault].fault else { return };
        self.plan.undo[fault] = match self.plan.undo[fault] {
            Undo::Heal => {
                self.site.medium().partitions.end(fault);
                Undo::Flapping
            }
            Undo::Flapping => {
                self.close(fault);
                Undo::Heal
            }
            _ => return,
        };
        self.plan.add(now + at_least_a_tick(every), Act::Flip(fault));
    }
}

/// A partition that flaps without any time in between would never let time go on.
fn at_least_a_tick(every: Duration) -> Duration {
    every.max(Duration::from_millis(1))
}
