//! What chance did, as single misfortunes on an otherwise calm network: the fewest of them, and those as faults of the
//! timeline where the failure stays the same.

use super::Search;
use crate::capsule::{calm, misfortunes};
use crate::scenario::resolved::{Begin, Fault, NodeId, What};
use crate::scenario::units::Nanos;
use ::sim::ledger::{Decided, Ledger, Named, NamedEntry};
use ::sim::shrink::ddmin;

const MILLI: u64 = 1_000_000;

impl Search<'_> {
    /// Whether anything has changed.
    pub(super) fn chance(&mut self) -> bool {
        let before = self.runs;
        self.named("chance", Self::make_explicit);
        self.named("chance", |search| {
            let all = search.best.overrides.clone();
            ddmin(&all, |rest| {
                let scenario = search.best.scenario.clone();
                search.attempt(&scenario, search.best.limits.clone(), rest.to_vec())
            });
        });
        self.named("chance", Self::rewrite);
        self.runs > before
    }

    /// The run again, on a calm network, with every misfortune that befell it.
    fn make_explicit(&mut self) {
        self.runs += 1;
        let run = self.best.run(self.play, Ledger::recording);
        let befell = misfortunes(&run, &self.best.scenario);
        let calm = calm(&self.best.scenario);
        self.attempt(&calm, self.best.limits.clone(), befell);
    }

    /// Each misfortune that a fault can bring about, as that fault.
    fn rewrite(&mut self) {
        let mut at = 0;
        while at < self.best.overrides.len() && !self.stopped {
            let taken = self.as_faults(&self.best.overrides[at]).into_iter().any(|fault| {
                let mut overrides = self.best.overrides.clone();
                overrides.remove(at);
                let mut scenario = crate::scenario::Scenario::clone(&self.best.scenario);
                scenario.faults.push(fault);
                self.attempt(&scenario, self.best.limits.clone(), overrides)
            });
            at += usize::from(!taken);
        }
    }

    /// Faults that may do the same, those with the rounder times first.
    fn as_faults(&self, entry: &NamedEntry) -> Vec<Fault> {
        let Some(what) = self.as_what(entry) else { return Vec::new() };
        let spans = [(MILLI, MILLI), (1_000, 1_000), (1, 1)];
        let fault = |(unit, lasts): (u64, u64)| Fault {
            begin: Begin::At(Nanos(entry.at_ns - entry.at_ns % unit)),
            lasts: (!matches!(what, What::Reset(..))).then_some(Nanos(lasts)),
            what: what.clone(),
        };
        spans.map(fault).into()
    }

    fn as_what(&self, entry: &NamedEntry) -> Option<What> {
        let find = |name: &str| -> Option<NodeId> {
            Some(self.best.scenario.nodes.iter().position(|node| node.name == name)? as NodeId)
        };
        let cut = |from: &str, to: &str| {
            Some(What::Partition { from: vec![find(from)?], to: vec![find(to)?], one_way: true, flap: None })
        };
        match (&entry.what, &entry.decision) {
            (Named::Datagram { from, to, .. } | Named::Group { from, to, .. }, Decided::Packet(fate)) if fate.lost => {
                cut(from, to)
            }
            (Named::Segment { dialler, acceptor, forward, .. }, Decided::Segment(None)) => {
                if *forward {
                    cut(dialler, acceptor)
                } else {
                    cut(acceptor, dialler)
                }
            }
            (Named::Reset { dialler, acceptor, .. }, Decided::Strike(true)) => {
                Some(What::Reset(find(dialler)?, find(acceptor)?))
            }
            _ => None,
        }
    }
}
