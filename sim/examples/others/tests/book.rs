//! What `docs/other-protocols.md` shows is what these programs print.

use book::{Ends, Shell, steps};
use std::path::Path;

/// Where it shows is another place every time: the tests of its name run this.
const OTHERWISE_EVERY_TIME: &str = "cargo run --release --bin raft -- --plant os-random diff --seed 0";

const SPELLINGS: [(&str, &str); 2] =
    [("cargo run --release --bin raft -- ", "raft "), ("cargo run --release --bin quinn -- ", "quinn ")];

#[test]
fn what_the_chapter_says_is_so() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../docs/other-protocols.md");
    let steps = steps(&std::fs::read_to_string(page).unwrap()).unwrap();
    let programs = Path::new(env!("CARGO_BIN_EXE_raft")).parent().unwrap();
    let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join("book");
    let _ = std::fs::remove_dir_all(&dir);
    std::fs::create_dir_all(&dir).unwrap();
    let mut shell = Shell::new(dir, programs, &SPELLINGS, |_| Ends::ByItself);
    let is_run = |step: &&book::Step| step.written.starts_with("cargo ") && step.written != OTHERWISE_EVERY_TIME;
    let outcomes: Vec<_> = steps.iter().filter(is_run).map(|step| shell.run(step)).collect();
    assert_eq!(outcomes, vec![Ok(()); 4]);
}
