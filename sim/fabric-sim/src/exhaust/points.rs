//! What can go wrong with a run: at every decision of chance the misfortunes that it has, and after every input of a node
//! the loss of its power.

use crate::oracles::count;
use crate::report::seconds;
use crate::scenario::Scenario;
use crate::scenario::resolved::NodeId;
use crate::scenario::units::Nanos;
use crate::worlds::sim::Run;
use ::sim::ledger::{Address, Decision, Entry};
use ::sim::{Kind, NodeIndex, PacketFate, StoreFate, Time};
use machine::Duration;
use std::collections::BTreeSet;

/// How long a node is down, and how late a packet comes.
pub(crate) const LASTS: Nanos = Nanos(1_000_000_000);
const LATE: Duration = Duration::from_nanos(LASTS.0);

/// One thing that goes wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Point {
    /// Chance decides otherwise.
    Fate(Entry),
    /// A node loses power once it has handled what happens to it at this time.
    Crash { node: NodeId, after: Time },
}

/// All that can go wrong with `run` until then, in the order of time.
pub(crate) fn of(run: &Run, until: Nanos) -> Vec<Point> {
    let until = Time::from_nanos(until.0);
    let mut all: Vec<(Time, Point)> = Vec::new();
    for entry in run.decisions.iter().filter(|entry| entry.at <= until) {
        let other = otherwise(entry).into_iter().filter(|decision| *decision != entry.decision);
        all.extend(other.map(|decision| (entry.at, Point::Fate(Entry { decision, ..*entry }))));
    }
    let crashes = crashes(run).into_iter().filter(|(after, _)| *after <= until);
    all.extend(crashes.map(|(after, node)| (after, Point::Crash { node, after })));
    all.sort_by_key(|(at, _)| *at);
    all.into_iter().map(|(_, point)| point).collect()
}

/// The misfortunes of a decision.
fn otherwise(entry: &Entry) -> Vec<Decision> {
    match entry.decision {
        Decision::Packet(fate) => vec![
            Decision::Packet(PacketFate { lost: true, ..fate }),
            Decision::Packet(PacketFate { delay: fate.delay + LATE, ..fate }),
        ],
        Decision::Segment(Some(delay)) => vec![Decision::Segment(None), Decision::Segment(Some(delay + LATE))],
        Decision::Strike(false) => vec![Decision::Strike(true)],
        Decision::Store(fate) => vec![Decision::Store(StoreFate { failed: true, ..fate })],
        // What is lost already, and what only a crash decides.
        Decision::Segment(None) | Decision::Strike(true) | Decision::Interrupted(_) | Decision::Rot(_) => Vec::new(),
    }
}

/// Each time at which something happened to a node that was up, and which node.
fn crashes(run: &Run) -> BTreeSet<(Time, NodeId)> {
    let happenings = run.story.iter().flat_map(|story| &story.happenings);
    let is_input = |kind: Kind| {
        matches!(
            kind,
            Kind::Boot
                | Kind::Timeout
                | Kind::DatagramIn
                | Kind::PipeOpened
                | Kind::PipeAccepted
                | Kind::PipeBytes
                | Kind::PipeFinished
                | Kind::PipeClosed
                | Kind::Stored
        )
    };
    let inputs = happenings.filter(|it| is_input(it.record.kind));
    inputs.map(|it| (it.record.at, it.record.node.as_usize() as NodeId)).collect()
}

impl Point {
    /// In words.
    pub(crate) fn told(&self, scenario: &Scenario) -> String {
        match self {
            Self::Crash { node, after } => {
                let name = scenario.node_name(*node);
                format!("{name} loses power after {}, for {LASTS}", at(*after))
            }
            Self::Fate(entry) => {
                let what = what(entry, scenario);
                let how = match entry.decision {
                    Decision::Packet(fate) if fate.lost => "is lost",
                    Decision::Segment(None) => "is lost",
                    Decision::Packet(_) | Decision::Segment(_) => "comes 1s late",
                    Decision::Strike(_) => match entry.address {
                        Address::Silent { .. } => "is never answered",
                        Address::Refuse { .. } => "is refused",
                        _ => "resets the connection",
                    },
                    _ => "fails",
                };
                format!("{what} of {} {how}", at(entry.at))
            }
        }
    }
}

/// What was decided on.
fn what(entry: &Entry, scenario: &Scenario) -> String {
    let name = |node: NodeIndex| scenario.node_name(node.as_usize() as u32);
    let bytes = count(u64::from(entry.length), "byte");
    match entry.address {
        Address::Datagram { from, to, .. } | Address::Group { from, to, .. } => {
            format!("the datagram of {bytes} {} -> {}", name(from), name(to))
        }
        Address::Segment { dialler, acceptor, forward, .. } | Address::Reset { dialler, acceptor, forward, .. } => {
            let (from, to) = if forward { (dialler, acceptor) } else { (acceptor, dialler) };
            format!("the segment of {bytes} {} -> {}", name(from), name(to))
        }
        Address::Refuse { dialler, acceptor, .. } | Address::Silent { dialler, acceptor, .. } => {
            format!("the dial {} -> {}", name(dialler), name(acceptor))
        }
        Address::Store { node, .. } | Address::Interrupted { node, .. } | Address::Rot { node, .. } => {
            format!("the write of {bytes} by {}", name(node))
        }
    }
}

fn at(time: Time) -> String {
    seconds(time.as_nanos())
}
