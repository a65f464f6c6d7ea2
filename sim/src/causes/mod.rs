//! What each event of a run follows from, kept on request: edges that turn a trace into a graph.
//!
//! A delivery follows from its sending, a timer from the input that armed it, an output from the input that was being
//! handled, a loss from the partition that brought it. Nothing here decides anything, and a run that keeps its causes is the
//! same run to the last event. What of a graph matters to whom is left to others.

mod notes;
mod pipes;

use crate::trace::{Kind, Record};
use crate::watch::{Control, Watch};
use crate::{NodeIndex, Time};
use machine::{Instant, Machine};
use pipes::Pipes;
use std::cell::{RefCell, RefMut};
use std::collections::{BTreeMap, VecDeque};
use std::rc::Rc;

/// Of a longer run only the last so many events are kept.
pub const HAPPENINGS_MAX: usize = 1 << 20;

/// One event, and what it follows from. Events are known by their number, from 0.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Happening {
    /// Its number.
    pub event: u64,
    /// What the trace has of it. Pipe events name their peer here, where it is known.
    pub record: Record,
    /// How many bytes it carried.
    pub bytes: Option<usize>,
    /// What it says, for events that carry no bytes.
    pub text: Option<String>,
    /// What brought it about: the sending of a delivery, the input that armed a timer, the input that an output answers, the
    /// fault of a crash.
    pub cause: Option<u64>,
    /// The fault or the loss that had a part in it.
    pub fault: Option<u64>,
    /// The input that the same node handled before: the order of its program, not a cause.
    pub before: Option<u64>,
    /// What went wrong with it.
    pub mishap: Option<Mishap>,
}

/// What can go wrong with a sending, a dial or a pipe.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Mishap {
    /// Chance took it.
    Lost,
    /// A partition took it; [`Happening::fault`] began that.
    Partitioned,
    /// It waited for a limited rate behind too many others.
    QueueFull,
    /// It was longer than the link carries.
    TooLong,
    /// It arrives with a flipped bit, or cut.
    Damaged,
    /// It arrives twice.
    Duplicated,
    /// Whoever owns the link took it.
    Intercepted,
    /// Nobody was there to take it: its receiver was down or stood still.
    Unheard,
    /// Chance reset, refused or silenced the pipe.
    Struck,
}

/// The causes of a run, shared with the world that it belongs to. To be given to the run as a [`Watch`] as well: only there
/// do timers show.
#[derive(Clone, Debug, Default)]
pub struct Causes(Rc<RefCell<Kept>>);

impl Causes {
    /// How many events there were.
    pub fn events(&self) -> u64 {
        self.0.borrow().next()
    }

    /// All that was kept, in order.
    pub fn take(&self) -> Vec<Happening> {
        let mut kept = self.0.borrow_mut();
        kept.first = kept.next();
        core::mem::take(&mut kept.all).into()
    }

    pub(crate) fn kept(&self) -> RefMut<'_, Kept> {
        self.0.borrow_mut()
    }
}

impl<M: Machine> Watch<M> for Causes {
    fn settled(&mut self, _: Time, node: NodeIndex, machine: &M, _: &mut Control<M::Command>) {
        self.kept().armed(node, machine.next_timeout());
    }
}

/// What is known of one node.
#[derive(Debug, Default)]
struct Member {
    /// The input that it handled last.
    handling: Option<u64>,
    /// Its next timeout, and the inputs after which each time was first waited for.
    deadline: Option<Instant>,
    armed: BTreeMap<Instant, u64>,
    /// The writes that are not answered yet.
    writes: VecDeque<u64>,
    /// Why it does not listen, while it does not.
    gone: Option<u64>,
}

/// A datagram on its way: sender, receiver, number and digest on arrival.
type Flying = (u32, u32, u64, u64);

/// See [`Causes`].
#[derive(Debug, Default)]
pub(crate) struct Kept {
    first: u64,
    all: VecDeque<Happening>,
    members: BTreeMap<u32, Member>,
    flying: BTreeMap<Flying, VecDeque<u64>>,
    pipes: Pipes,
    /// When each entry of the plan began, and which began last.
    begun: BTreeMap<u64, u64>,
    last_begun: Option<u64>,
    last_ended: Option<u64>,
    /// What the next fault waits for, if it waits for anything but its time.
    trigger: Option<u64>,
    /// What stopped the sending that is about to be recorded as lost.
    stopped: Option<(Mishap, Option<u64>)>,
}

impl Kept {
    fn next(&self) -> u64 {
        self.first + self.all.len() as u64
    }

    fn last(&self) -> Option<u64> {
        self.next().checked_sub(1)
    }

    fn get_mut(&mut self, event: u64) -> Option<&mut Happening> {
        let place = event.checked_sub(self.first)?;
        self.all.get_mut(usize::try_from(place).ok()?)
    }

    fn member(&mut self, node: NodeIndex) -> &mut Member {
        self.members.entry(node.0).or_default()
    }

    /// The node has handled its inputs, and waits until `deadline`.
    fn armed(&mut self, node: NodeIndex, deadline: Option<Instant>) {
        let member = self.member(node);
        if member.deadline == deadline {
            return;
        }
        member.deadline = deadline;
        if let (Some(deadline), Some(handling)) = (deadline, member.handling) {
            member.armed.entry(deadline).or_insert(handling);
        }
    }

    /// Takes in the next event.
    pub(crate) fn see(&mut self, record: Record, bytes: Option<usize>, text: Option<String>) {
        let event = self.next();
        let mut happening =
            Happening { event, record, bytes, text, cause: None, fault: None, before: None, mishap: None };
        match record.kind {
            Kind::Boot
            | Kind::Timeout
            | Kind::Command
            | Kind::DatagramIn
            | Kind::PipeOpened
            | Kind::PipeAccepted
            | Kind::PipeBytes
            | Kind::PipeFinished
            | Kind::PipeClosed
            | Kind::Stored => self.input(&mut happening),
            Kind::DatagramOut
            | Kind::GroupOut
            | Kind::OpenPipe
            | Kind::Fill
            | Kind::FinishPipe
            | Kind::ClosePipe
            | Kind::Store
            | Kind::Event => self.output(&mut happening),
            Kind::Discarded
            | Kind::SegmentLost
            | Kind::FaultBegins
            | Kind::FaultEnds
            | Kind::Crash
            | Kind::Reseed
            | Kind::Injected => self.world(&mut happening),
        }
        self.stopped = None;
        self.all.push_back(happening);
        if self.all.len() > HAPPENINGS_MAX {
            self.all.pop_front();
            self.first += 1;
        }
    }

    fn input(&mut self, happening: &mut Happening) {
        let Record { node, kind, .. } = happening.record;
        match kind {
            Kind::Boot if happening.record.number > 0 => happening.cause = self.last_ended,
            Kind::Timeout => happening.cause = self.fired(node),
            Kind::DatagramIn => happening.cause = self.arrived(&happening.record),
            Kind::Stored => happening.cause = self.member(node).writes.pop_front(),
            _ => self.pipe_input(happening),
        }
        let member = self.member(node);
        if kind == Kind::Boot {
            member.gone = None;
        }
        happening.before = member.handling.replace(happening.event);
    }

    /// The timer that a node waited for has fired: what armed it.
    fn fired(&mut self, node: NodeIndex) -> Option<u64> {
        let member = self.member(node);
        let deadline = member.deadline.take()?;
        let cause = member.armed.get(&deadline).copied();
        member.armed.retain(|other, _| *other > deadline);
        cause
    }

    fn arrived(&mut self, record: &Record) -> Option<u64> {
        let key = (record.peer.0, record.node.0, record.number, record.digest);
        let flying = self.flying.get_mut(&key)?;
        let cause = flying.pop_front();
        if flying.is_empty() {
            self.flying.remove(&key);
        }
        cause
    }

    fn output(&mut self, happening: &mut Happening) {
        let node = happening.record.node;
        happening.cause = self.member(node).handling;
        if happening.record.kind == Kind::Store {
            self.member(node).writes.push_back(happening.event);
        }
        self.pipe_output(happening);
    }

    fn world(&mut self, happening: &mut Happening) {
        let Record { node, peer, kind, number, .. } = happening.record;
        match kind {
            Kind::Discarded if peer == NodeIndex::NONE => happening.cause = self.member(node).handling,
            Kind::Discarded => {
                happening.cause = self.arrived(&happening.record);
                (happening.fault, happening.mishap) = (self.member(node).gone, Some(Mishap::Unheard));
            }
            Kind::SegmentLost => self.segment_lost(happening),
            Kind::FaultBegins => {
                happening.cause = self.trigger.take();
                self.begun.insert(number, happening.event);
                self.last_begun = Some(happening.event);
            }
            Kind::FaultEnds => {
                happening.cause = self.begun.get(&number).copied();
                self.last_ended = Some(happening.event);
            }
            Kind::Crash => {
                happening.cause = self.last_begun;
                let member = self.member(node);
                happening.before = member.handling.take();
                *member = Member { gone: Some(happening.event), ..Member::default() };
            }
            _ => happening.cause = self.last(),
        }
    }
}
