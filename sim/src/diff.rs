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
    /// The machine of the event's node, as its `Debug` has it, once it was done with its input; `None` when there is none.
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

    fn side(&self, place: usize) -> Side {
        let line = self.lines.borrow().get(place).cloned();
        let node = line.as_deref().and_then(node_of).and_then(|name| self.world.node(&name));
        let machine = node.and_then(|node| self.world.machine(node));
        Side { line, state: machine.map(|machine| format!("{machine:#?}")) }
    }
}

/// The node that a line of a full trace names.
fn node_of(line: &str) -> Option<String> {
    let line: serde_json::Value = serde_json::from_str(line).ok()?;
    line.get("node")?.as_str().map(str::to_owned)
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
        let stops = [left.step(until), right.step(until)];
        let lines = (left.lines.borrow(), right.lines.borrow());
        if *lines.0 == *lines.1 && stops[0] == stops[1] {
            before = lines.0.last().cloned().or(before);
            if stops[0] != Stop::Asked {
                return None;
            }
            continue;
        }
        let place = lines.0.iter().zip(&*lines.1).take_while(|(left, right)| left == right).count();
        let before = place.checked_sub(1).and_then(|last| lines.0.get(last).cloned()).or(before);
        return Some(Difference { event: begun + place as u64, before, sides: [left.side(place), right.side(place)] });
    }
}
