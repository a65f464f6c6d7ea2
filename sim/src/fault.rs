//! Faults as a plan: what goes wrong, when, and for how long. The world carries it out.

use crate::{DiskProfile, LinkProfile, NodeIndex, Time};
use machine::Duration;

/// Something that goes wrong on purpose. Where two overlap, what began last is in force until it ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Nothing sent from one side reaches the other, datagrams and pipe segments alike; what is already under way does.
    Partition {
        /// One side.
        from: Vec<NodeIndex>,
        /// The other.
        to: Vec<NodeIndex>,
        /// Whether the second side can still reach the first.
        one_way: bool,
        /// Closed for this long, then open for as long, and so on.
        flap: Option<Duration>,
    },
    /// The node loses its memory and its pipes; it restarts when the fault ends. A node that is down stays as it is.
    Crash {
        /// Which.
        node: NodeIndex,
        /// How its peers learn of it.
        kind: CrashKind,
    },
    /// The node stands still: nothing is handed to it, its clock goes on. A node that is not running stays as it is.
    Pause(NodeIndex),
    /// The node's clock leaps forward, once.
    ClockJump(NodeIndex, Duration),
    /// The node's clock runs this many parts per billion fast; it returns to its old rate when the fault ends.
    ClockRate(NodeIndex, i32),
    /// The direction behaves otherwise; it returns to what it was when the fault ends.
    Link {
        /// Sending node.
        from: NodeIndex,
        /// Receiving node.
        to: NodeIndex,
        /// The new behaviour.
        profile: LinkProfile,
    },
    /// Every pipe between the two is reset, once: both ends learn of it at once.
    ResetPipes(NodeIndex, NodeIndex),
    /// The node's storage behaves otherwise; it returns to what it was when the fault ends.
    Disk(NodeIndex, DiskProfile),
}

/// How a crash looks from outside.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum CrashKind {
    /// The machine loses power: silence, and resets once it is back.
    #[default]
    Power,
    /// The process dies: its system resets every pipe, and refuses new ones.
    Process,
}

/// When a planned fault begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Begin {
    /// At a time.
    At(Time),
    /// When the trigger of this number is fired (see [`Control::fire`](crate::Control::fire)); at most once.
    Trigger(u32),
}

/// One entry of the plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Planned {
    /// When it begins.
    pub begin: Begin,
    /// How long it lasts; `None` for the rest of the run.
    pub lasts: Option<Duration>,
    /// What goes wrong.
    pub fault: Fault,
}

impl Fault {
    /// Whether it changes the very thing that `other` changes, so that the one that began later counts.
    pub(crate) fn overlays(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Link { from, to, .. }, Self::Link { from: other_from, to: other_to, .. }) => {
                (from, to) == (other_from, other_to)
            }
            (Self::ClockRate(node, _), Self::ClockRate(other, _)) | (Self::Disk(node, _), Self::Disk(other, _)) => {
                node == other
            }
            _ => false,
        }
    }

    /// A short name of its kind, for counts and reports.
    pub const fn label(&self) -> &'static str {
        match self {
            Self::Partition { .. } => "partition",
            Self::Crash { .. } => "crash",
            Self::Pause(_) => "pause",
            Self::ClockJump(..) => "clock-jump",
            Self::ClockRate(..) => "clock-rate",
            Self::Link { .. } => "link-change",
            Self::ResetPipes(..) => "pipe-reset",
            Self::Disk(..) => "disk-change",
        }
    }
}

/// The partitions in force.
#[derive(Debug, Default)]
pub struct Partitions(Vec<(usize, Vec<NodeIndex>, Vec<NodeIndex>)>);

impl Partitions {
    /// From now on nothing gets from one side to the other, until `id` ends.
    pub fn begin(&mut self, id: usize, from: &[NodeIndex], to: &[NodeIndex]) {
        self.0.push((id, from.to_vec(), to.to_vec()));
    }

    /// Ends all that `id` began.
    pub fn end(&mut self, id: usize) {
        self.0.retain(|(other, ..)| *other != id);
    }

    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether nothing gets from `from` to `to`.
    #[inline]
    pub fn block(&self, from: u32, to: u32) -> bool {
        self.blocker(from, to).is_some()
    }

    /// The first partition that lets nothing get from `from` to `to`.
    #[inline]
    pub(crate) fn blocker(&self, from: u32, to: u32) -> Option<usize> {
        let (from, to) = (NodeIndex(from), NodeIndex(to));
        let blocks = |sources: &[NodeIndex], targets: &[NodeIndex]| sources.contains(&from) && targets.contains(&to);
        self.0.iter().find(|(_, sources, targets)| blocks(sources, targets)).map(|(id, ..)| *id)
    }
}

/// How often each kind of misfortune struck, for summaries; never an input to a decision.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(missing_docs, reason = "each is named for what it counts; `Counts::list` gives the names as text")]
pub struct Counts {
    pub lost: u64,
    pub duplicated: u64,
    pub reordered: u64,
    pub corrupted: u64,
    pub truncated: u64,
    pub too_long: u64,
    pub queue_full: u64,
    pub partitioned: u64,
    pub unreachable: u64,
    pub segments_lost: u64,
    pub pipes_refused: u64,
    pub pipes_reset: u64,
    pub pipes_timed_out: u64,
    pub stores_failed: u64,
    pub stores_lost: u64,
    pub stores_torn: u64,
    pub stores_rotten: u64,
    pub crashes: u64,
    pub restarts: u64,
    pub pauses: u64,
    pub partitions: u64,
    pub clock_changes: u64,
    pub link_changes: u64,
}

impl Counts {
    /// Every count that is not zero, by name, in a fixed order.
    pub fn list(&self) -> Vec<(&'static str, u64)> {
        let all = [
            ("packets-lost", self.lost),
            ("packets-duplicated", self.duplicated),
            ("packets-reordered", self.reordered),
            ("packets-corrupted", self.corrupted),
            ("packets-truncated", self.truncated),
            ("packets-too-long", self.too_long),
            ("packets-queue-full", self.queue_full),
            ("packets-partitioned", self.partitioned),
            ("packets-unreachable", self.unreachable),
            ("segments-lost", self.segments_lost),
            ("pipes-refused", self.pipes_refused),
            ("pipes-reset", self.pipes_reset),
            ("pipes-timed-out", self.pipes_timed_out),
            ("stores-failed", self.stores_failed),
            ("stores-lost", self.stores_lost),
            ("stores-torn", self.stores_torn),
            ("stores-rotten", self.stores_rotten),
            ("crashes", self.crashes),
            ("restarts", self.restarts),
            ("pauses", self.pauses),
            ("partitions", self.partitions),
            ("clock-changes", self.clock_changes),
            ("link-changes", self.link_changes),
        ];
        all.into_iter().filter(|(_, count)| *count > 0).collect()
    }
}
