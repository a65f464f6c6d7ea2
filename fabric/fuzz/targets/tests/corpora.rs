//! Every input that was ever worth keeping, again; and that each target's promise can fail.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on fails")]

use fuzz_targets::TARGETS;
use std::fs;
use std::panic::catch_unwind;
use std::path::PathBuf;

/// The files of a directory beside cargo-fuzz's manifest, by name.
fn inputs(dir: &str) -> Vec<(PathBuf, Vec<u8>)> {
    let dir = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..").join(dir);
    let entries = fs::read_dir(&dir).unwrap_or_else(|error| panic!("{}: {error}", dir.display()));
    let mut paths: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths.into_iter().map(|path| (path.clone(), fs::read(path).unwrap())).collect()
}

#[test]
fn every_corpus_keeps_every_promise() {
    for (name, run) in TARGETS {
        let inputs = inputs(&format!("corpus/{name}"));
        assert!(!inputs.is_empty(), "{name} has no corpus");
        for (path, data) in inputs {
            assert!(catch_unwind(|| run(&data, false)).is_ok(), "{}", path.display());
        }
    }
}

/// Each of these files was found by its target when the bug was planted: `ci/fuzz --planted`.
#[test]
fn every_target_sees_its_planted_bug() {
    for (name, run) in TARGETS {
        let (path, data) = inputs("planted").into_iter().find(|(path, _)| path.ends_with(name)).unwrap();
        assert!(catch_unwind(|| run(&data, false)).is_ok(), "{} does not need the bug", path.display());
        assert!(catch_unwind(|| run(&data, true)).is_err(), "{} does not show the bug", path.display());
    }
}
