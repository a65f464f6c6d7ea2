//! What QUIC promises an application: the bytes of a stream, whole, once and in order; and here that all work gets done.

use crate::node::{Event, Node};
use crate::streams::content;
use crate::{SERVER, works};
use core::convert::Infallible;
use sim::workload::Judge;
use sim::{Control, NodeIndex, Time, Violation, Watch, World};
use std::collections::{BTreeMap, BTreeSet};

#[derive(Debug)]
pub(crate) struct Intact {
    seed: u64,
    names: Vec<String>,
    /// By node, connection and stream: how many bytes have been read.
    read: BTreeMap<(NodeIndex, u64, u64), u64>,
    /// By node: which of its pieces of work have come back since its boot, with their lengths.
    done: BTreeMap<NodeIndex, BTreeMap<usize, u64>>,
}

impl Intact {
    pub(crate) fn new(seed: u64, names: &[String]) -> Self {
        Self { seed, names: names.to_vec(), read: BTreeMap::new(), done: BTreeMap::new() }
    }
}

impl Watch<Node> for Intact {
    fn booted(&mut self, _: Time, node: NodeIndex, _: u64, _: &mut Control<Infallible>) {
        self.read.retain(|(other, ..), _| *other != node);
        self.done.insert(node, BTreeMap::new());
    }

    fn event(&mut self, _: Time, node: NodeIndex, event: &Event, control: &mut Control<Infallible>) {
        let name = &self.names[node.as_usize()];
        match event {
            Event::Read { connection, stream, offset, length, digest } => {
                let read = self.read.entry((node, *connection, *stream)).or_default();
                let is_intact = read == offset && sim::digest(&content(*stream, *offset, *length)) == *digest;
                *read += length;
                if !is_intact {
                    let detail = format!("{name} reads other bytes from {offset} of stream {stream} than were written");
                    control.violate("streams-intact", detail);
                }
            }
            Event::Done { work, length } => {
                if self.done.entry(node).or_default().insert(*work, *length).is_some() {
                    control.violate("work-once", format!("{name} gets work {work} back twice"));
                }
            }
            Event::Lost { .. } => {}
        }
    }
}

impl Judge<Node> for Intact {
    fn finish(&mut self, _: &World<Node>) -> Result<(), Violation> {
        let clients = self.names.iter().zip(self.done.values()).filter(|(name, _)| *name != SERVER);
        for (name, done) in clients {
            let due: BTreeSet<_> = works(self.seed, name).into_iter().enumerate().collect();
            let came: BTreeSet<_> = done.iter().map(|(work, length)| (*work, *length)).collect();
            if let Some((work, length)) = due.difference(&came).next() {
                let detail = format!("{name} has not got all {length} bytes of work {work} back");
                return Err(Violation { check: "work-done".into(), detail });
            }
        }
        Ok(())
    }
}
