//! Every input that was ever worth keeping, again; and that each target's promise can fail.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on fails")]

use fuzz_targets::TARGETS;
use serde_json::Value;
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

#[test]
fn the_dictionaries_have_every_word_of_the_schema() {
    let schema = fabric_sim::untrusted::schema();
    let mut words = Vec::new();
    collect(&schema, &mut words);
    assert!(words.len() > 100, "{words:?}");
    for (path, data) in inputs("dictionaries") {
        let dictionary = String::from_utf8(data).unwrap();
        let lacks = |word: &&String| !dictionary.contains(&format!("\n\"{word}\"\n"));
        assert_eq!(words.iter().filter(lacks).collect::<Vec<_>>(), [] as [&String; 0], "{}", path.display());
    }
}

/// Every key and every value that is one of a few.
fn collect(schema: &Value, words: &mut Vec<String>) {
    match schema {
        Value::Object(object) => {
            let keys = object.get("properties").and_then(Value::as_object).into_iter().flat_map(|keys| keys.keys());
            words.extend(keys.cloned());
            let values = object.get("enum").and_then(Value::as_array).into_iter().flatten().chain(object.get("const"));
            words.extend(values.filter_map(Value::as_str).map(str::to_owned));
            object.values().for_each(|inner| collect(inner, words));
        }
        Value::Array(array) => array.iter().for_each(|inner| collect(inner, words)),
        _ => {}
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
