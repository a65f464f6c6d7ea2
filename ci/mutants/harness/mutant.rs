//! Which planted fault is on, and at which nodes. Part of the copy that mutants are planted in, never of the product.
//!
//! `FABRIC_MUTANT` is a mutant's number and where it is on: `17:all`, `17:first` (the scenario's first honest node only) or
//! `17:rest` (all but that one). Without it none is.

extern crate std;

use std::cell::{Cell, RefCell};
use std::collections::{BTreeSet, HashMap};
use std::string::{String, ToString};
use std::sync::OnceLock;
use std::vec::Vec;

std::thread_local! {
    /// The mutant of the node that acts now; 0 is none.
    static ON: Cell<u32> = const { Cell::new(0) };
    static MUTATED: RefCell<BTreeSet<String>> = const { RefCell::new(BTreeSet::new()) };
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
    ON.get() == number
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
