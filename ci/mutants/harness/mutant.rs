//! Which planted fault is on, and at which nodes. Part of the copy that mutants are planted in, never of the product.
//!
//! `FABRIC_MUTANT` is a mutant's number and where it is on: `17:all`, `17:first` (the scenario's first honest node only) or
//! `17:rest` (all but that one). Without it none is.

extern crate std;

use core::ops::Range;
use std::cell::{Cell, RefCell};
use std::collections::{BTreeSet, HashMap};
use std::string::{String, ToString};
use std::sync::OnceLock;
use std::vec::Vec;

std::thread_local! {
    /// The mutant of the node that acts now; 0 is none.
    static ON: Cell<u32> = const { Cell::new(0) };
    static MUTATED: RefCell<BTreeSet<String>> = const { RefCell::new(BTreeSet::new()) };
    static STEPS: RefCell<Steps> = const { RefCell::new(Steps { is_mutated: false, begins: 0, mutated: Vec::new() }) };
}

/// The steps of a run that is being explained: a step is an input and all that it leads to, as events of the run.
struct Steps {
    /// The fault was asked for in the step that goes on, and was on.
    is_mutated: bool,
    /// The first event of that step.
    begins: u64,
    /// The steps before it in which the fault was on: their events.
    mutated: Vec<Range<u64>>,
}

fn chosen() -> &'static (u32, String) {
    static CHOSEN: OnceLock<(u32, String)> = OnceLock::new();
    CHOSEN.get_or_init(|| {
        let Ok(text) = std::env::var("FABRIC_MUTANT") else { return (0, String::new()) };
        let (number, whom) = text.split_once(':').expect("FABRIC_MUTANT is NUMBER:all, NUMBER:first or NUMBER:rest");
        (number.parse().expect("FABRIC_MUTANT begins with a number"), whom.to_string())
    })
}

/// Whether the fault `number` is on, in the node that acts now.
pub fn on(number: u32) -> bool {
    let is_on = ON.get() == number;
    if is_on {
        STEPS.with_borrow_mut(|steps| steps.is_mutated = true);
    }
    is_on
}

/// A run begins that is to be explained.
pub fn story_begins() {
    STEPS.with_borrow_mut(|steps| *steps = Steps { is_mutated: false, begins: 0, mutated: Vec::new() });
}

/// A step is over; so many events there were until now.
pub fn settles(events: u64) {
    STEPS.with_borrow_mut(|steps| {
        if core::mem::take(&mut steps.is_mutated) {
            steps.mutated.push(steps.begins..events);
        }
        steps.begins = events;
    });
}

/// Whether one of these events is of a step in which the fault was on. A panic leaves its step open.
pub fn acted_in(events: &[u64]) -> bool {
    STEPS.with_borrow(|steps| {
        let is_open = |event: &u64| steps.is_mutated && *event >= steps.begins;
        events.iter().any(|event| is_open(event) || steps.mutated.iter().any(|step| step.contains(event)))
    })
}

/// A node starts.
pub fn starts(node: &str, is_first: bool) {
    let is_mutated = match chosen().1.as_str() {
        "all" => true,
        "first" => is_first,
        "rest" => !is_first,
        _ => false,
    };
    MUTATED.with_borrow_mut(|mutated| if is_mutated { mutated.insert(node.to_string()) } else { mutated.remove(node) });
}

/// The node acts, until what this returns is dropped.
#[must_use]
pub fn acts(node: &str) -> Acting {
    let is_mutated = chosen().0 != 0 && MUTATED.with_borrow(|mutated| mutated.contains(node));
    ON.set(if is_mutated { chosen().0 } else { 0 });
    Acting
}

/// The node says when it wants to act next: what it asks for then is no act.
pub fn plans<T>(node: &str, plan: impl FnOnce() -> T) -> T {
    let was = STEPS.with_borrow(|steps| steps.is_mutated);
    let acting = acts(node);
    let planned = plan();
    drop(acting);
    STEPS.with_borrow_mut(|steps| steps.is_mutated = was);
    planned
}

/// A node acts.
#[derive(Debug)]
pub struct Acting;

impl Drop for Acting {
    fn drop(&mut self) {
        ON.set(0);
    }
}

/// The place in `0..length` that a randomly seeded hash map would come upon first.
pub fn first_hashed(length: usize) -> usize {
    let hashed: HashMap<usize, ()> = (0..length).map(|place| (place, ())).collect();
    let first: Vec<usize> = hashed.into_keys().take(1).collect();
    first.first().copied().unwrap_or(0)
}
