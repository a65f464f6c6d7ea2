//! Where two runs part: the first event that differs, and what both machines were then.
//!
//! The two are stepped side by side, each event of the one against that of the other, so that nothing has to be run again: a
//! run that is not deterministic would come out in a third way.

use crate::watch::{Control, Watch};
use crate::{NodeIndex, Stop, Time, World};
use core::fmt::Debug;
use machine::Machine;
use std::cell::RefCell;
use std::rc::Rc;

/// A run that has not begun, and who looks on at it.
pub struct Contender<M: Machine, W> {
    /// Its world; [`World::trace_to`] is not to be used.
    pub world: World<M>,
    /// Sees the run as it would see it alone, except that it cannot stop it.
    pub watch: W,
}

/// The first event in which two runs differ.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// Its number, from 0.
    pub event: u64,
    /// The last event that both have, as a line of a full trace.
    pub before: Option<String>,
    /// What each has there.
    pub sides: [Side; 2],
}

/// One run at the first event that differs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Side {
    /// The event, as a line of a full trace; `None` when the run was over.
    pub line: Option<String>,
    /// The machine of the node that the earlier of the two events names, as its `Debug` has it; `None` when there is none.
    pub state: Option<String>,
}

impl<M: Machine, W> core::fmt::Debug for Contender<M, W> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Contender").finish_non_exhaustive()
    }
}

/// Ends the run after each input.
struct Step;

impl<M: Machine> Watch<M> for Step {
    fn settled(&mut self, _: Time, _: NodeIndex, _: &M, control: &mut Control<M::Command>) {
        control.stop();
    }
}

/// One run, and the lines of its latest step.
struct Stepped<M: Machine, W> {
    world: World<M>,
    watch: (W, Step),
    lines: Rc<RefCell<Vec<String>>>,
}

impl<M, W> Stepped<M, W>
where
    M: Machine + Debug,
    M::Event: Debug,
    M::Command: Debug,
    W: Watch<M>,
{
    fn new(contender: Contender<M, W>) -> Self {
        let (mut world, lines) = (contender.world, Rc::<RefCell<Vec<String>>>::default());
        let sink = Rc::clone(&lines);
        world.trace_to(Box::new(move |line| sink.borrow_mut().push(line.to_owned())));
        Self { world, watch: (contender.watch, Step), lines }
    }

    fn step(&mut self, until: Time) -> Stop {
        self.lines.borrow_mut().clear();
        self.world.run(until, &mut self.watch)
    }

    /// How many lines both have alike.
    fn common(&self, other: &Self) -> usize {
        let (mine, theirs) = (self.lines.borrow(), other.lines.borrow());
        mine.iter().zip(&*theirs).take_while(|(mine, theirs)| mine == theirs).count()
    }

    /// What it has at a place among the lines since its latest step; the next event may belong to a later one.
    fn line(&mut self, place: usize, until: Time, mut stop: Stop) -> Option<String> {
        while self.lines.borrow().len() <= place && stop == Stop::Asked {
            stop = self.world.run(until, &mut self.watch);
        }
        self.lines.borrow().get(place).cloned()
    }

    /// What the node of this name is now.
    fn state(&self, node: Option<&str>) -> Option<String> {
        let machine = self.world.machine(self.world.node(node?)?)?;
        Some(format!("{machine:#?}"))
    }
}

/// The node that the earlier of two lines names: the other run has not come so far, or has come past it.
fn node_of(lines: [&Option<String>; 2]) -> Option<String> {
    let parsed = lines.into_iter().flatten().filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok());
    let first = parsed.min_by_key(|line| line.get("at").and_then(serde_json::Value::as_u64))?;
    first.get("node")?.as_str().map(str::to_owned)
}

/// Runs both until `until`, or until they differ. `None` when they are the same to the last event.
pub fn first_difference<M, W>(left: Contender<M, W>, right: Contender<M, W>, until: Time) -> Option<Difference>
where
    M: Machine + Debug,
    M::Event: Debug,
    M::Command: Debug,
    W: Watch<M>,
{
    let (mut left, mut right) = (Stepped::new(left), Stepped::new(right));
    let mut before = None;
    loop {
        let begun = left.world.events();
        let (left_stop, right_stop) = (left.step(until), right.step(until));
        let place = left.common(&right);
        before = place.checked_sub(1).and_then(|last| left.lines.borrow().get(last).cloned()).or(before);
        let is_same = [&left, &right].iter().all(|run| run.lines.borrow().len() == place) && left_stop == right_stop;
        if !is_same {
            let lines = [left.line(place, until, left_stop), right.line(place, until, right_stop)];
            let node = node_of(lines.each_ref());
            let [first, second] = lines;
            let sides = [
                Side { line: first, state: left.state(node.as_deref()) },
                Side { line: second, state: right.state(node.as_deref()) },
            ];
            return Some(Difference { event: begun + place as u64, before, sides });
        }
        if left_stop != Stop::Asked {
            return None;
        }
    }
}
