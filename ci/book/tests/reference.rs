//! `docs/reference.md` is what the programs say of themselves. `UPDATE_BOOK=1` writes it anew.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on panics")]

mod common;

use book::{Program, reference};
use common::{built, root};
use std::fs;
use std::path::Path;
use std::process::Command;

/// What a program prints.
fn printed(program: &Path, arguments: &[&str]) -> String {
    let done = Command::new(program).args(arguments).output().unwrap();
    assert!(done.status.success(), "{} {arguments:?}", program.display());
    String::from_utf8(done.stdout).unwrap()
}

/// A program with the help of each of its commands, and of the commands of those.
fn program(path: &Path, name: &str) -> Program {
    let path = path.join(name);
    let mut helps = Vec::new();
    let mut open = vec![String::new()];
    while let Some(command) = open.pop() {
        let help = printed(&path, &command.split_whitespace().chain(["-h"]).collect::<Vec<_>>());
        let below = help.lines().skip_while(|line| *line != "Commands:").skip(1).take_while(|line| !line.is_empty());
        let words = below.filter_map(|line| line.split_whitespace().next()).filter(|word| *word != "help");
        open.extend(
            words.map(|word| format!("{command} {word}").trim().to_owned()).collect::<Vec<_>>().into_iter().rev(),
        );
        helps.push((command, help));
    }
    Program { name: name.to_owned(), helps }
}

/// The first line in which two texts differ.
fn difference(committed: &str, generated: &str) -> Option<String> {
    let (mut old, mut new) = (committed.lines(), generated.lines());
    let mut number = 1;
    loop {
        match (old.next(), new.next()) {
            (None, None) => return None,
            (old, new) if old == new => number += 1,
            (old, new) => return Some(format!("line {number}: {old:?} should be {new:?}")),
        }
    }
}

#[test]
fn the_committed_reference_is_what_the_programs_say() {
    let programs = built();
    let schema = serde_json::from_str(&printed(&programs.join("fabric-sim"), &["schema"])).unwrap();
    let told = ["fabric-sim", "fabric-node"].map(|name| program(&programs, name));
    let generated = reference(&schema, &told).expect("the programs say all that is in the reference");
    let page = root().join("docs/reference.md");
    if std::env::var_os("UPDATE_BOOK").is_some() {
        fs::write(&page, &generated).unwrap();
    }
    let committed = fs::read_to_string(&page).unwrap();
    let found = difference(&committed, &generated);
    assert_eq!(found, None, "docs/reference.md is old: UPDATE_BOOK=1 cargo test -p book --test reference");
    // A reference that lacks a key, or has one that is gone, is seen.
    let without = committed.replacen("| `--shard <k/n>`", "| `--shards <k/n>`", 1);
    assert!(difference(&without, &generated).is_some_and(|found| found.contains("--shard")));
    assert!(difference(&committed[..committed.len() / 2], &generated).is_some());
}
