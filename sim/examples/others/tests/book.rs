//! What `docs/other-protocols.md` shows is what these programs print.

mod common;

use book::{Ends, Shell, steps};
use common::folder;
use std::path::Path;

/// Where it shows is another place every time: the tests of its name run this.
const OTHERWISE_EVERY_TIME: &str = "cargo run --release --bin raft -- --plant os-random diff --seed 0";

#[test]
fn what_the_chapter_says_is_so() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../docs/other-protocols.md");
    let steps = steps(&std::fs::read_to_string(page).unwrap()).unwrap();
    let programs = Path::new(env!("CARGO_BIN_EXE_raft")).parent().unwrap();
    let mut shell = Shell::new(folder("book"), programs, &[("cargo run --release --bin ", "")], |_| Ends::ByItself);
    let run = |step: &&book::Step| step.written.starts_with("cargo ") && step.written != OTHERWISE_EVERY_TIME;
    let outcomes: Vec<_> = steps.iter().filter(run).map(|step| shell.run(step)).collect();
    assert_eq!(outcomes, vec![Ok(()); 4]);
}
