use super::*;
use crate::scenario::load;
use crate::worlds::sim::script::{BENCH, play};
use scenario_actor::Observation;
use std::path::PathBuf;

/// A capsule of a run in which the hub never saw a session.
fn capsule() -> Capsule {
    let (scenario, run) = play(BENCH, |node, lines| lines.retain(|(at, _)| node != "hub" || *at != 2));
    Capsule::of(&scenario, 1, SuiteKind::Real, &Limits::default(), Vec::new(), &run).unwrap()
}

/// A file of this test's own.
fn file(name: &str) -> PathBuf {
    let dir = std::env::temp_dir().join(format!("fabric-sim-capsule-{}", std::process::id()));
    fs::create_dir_all(&dir).unwrap();
    dir.join(name)
}

fn written(name: &str) -> (PathBuf, String) {
    let path = file(name);
    capsule().write(&path).unwrap();
    let text = fs::read_to_string(&path).unwrap();
    (path, text)
}

/// What is said of a capsule with this text.
fn refusal(name: &str, text: &str) -> Refused {
    let path = file(name);
    fs::write(&path, text).unwrap();
    Capsule::read(&path).unwrap_err()
}

fn unreadable(name: &str, text: &str) -> String {
    match refusal(name, text) {
        Refused::Unreadable(why) => why,
        Refused::NotApplicable(why) => panic!("not applicable: {why}"),
    }
}

/// The text with another value at a key and a checksum that fits.
fn forged(text: &str, key: &str, value: Value) -> String {
    let mut json: Value = serde_json::from_str(text).unwrap();
    json[key] = value;
    let sum = checksum(&json);
    json["checksum"] = sum.into();
    json.to_string()
}

#[test]
fn a_capsule_survives_being_written_and_leaves_no_other_file() {
    let (path, text) = written("whole.capsule.json");
    let (read, capsule) = (Capsule::read(&path).unwrap(), capsule());
    assert_eq!(read.fingerprint, capsule.fingerprint);
    let subject = "hub with phone-1".to_owned();
    assert_eq!(read.fingerprint, Fingerprint { check: "sessions-up".into(), place: String::new(), subject });
    assert_eq!((read.scenario.hash(), read.seed, read.trace_hash), (capsule.scenario.hash(), 1, capsule.trace_hash));
    assert!(!file("whole.capsule.json.part").exists() && is_one(&path) && text.ends_with("}\n"));
    assert!(!is_one(BENCH.as_ref()));
}

#[test]
fn a_run_that_holds_makes_no_capsule() {
    let (scenario, run) = play(BENCH, |_, _| {});
    assert!(Capsule::of(&scenario, 1, SuiteKind::Real, &Limits::default(), Vec::new(), &run).is_none());
}

#[test]
fn a_cut_capsule_is_refused_wherever_it_is_cut() {
    let (_, text) = written("to-cut.capsule.json");
    for at in (0..text.trim_end().len()).step_by(97) {
        let why = unreadable("cut.capsule.json", &text[..at]);
        assert!(why.contains("is cut short"), "{at}: {why}");
    }
}

#[test]
fn a_capsule_with_any_letter_changed_is_refused_or_the_same() {
    let (path, text) = written("to-flip.capsule.json");
    let whole = Capsule::read(&path).unwrap();
    let mut refused = 0;
    for at in (0..text.len()).step_by(7) {
        let mut bytes = text.clone().into_bytes();
        bytes[at] ^= 1;
        fs::write(file("flipped.capsule.json"), &bytes).unwrap();
        match Capsule::read(&file("flipped.capsule.json")) {
            Err(_) => refused += 1,
            // White space is no part of it.
            Ok(read) => assert_eq!((read.scenario.hash(), read.seed), (whole.scenario.hash(), whole.seed), "{at}"),
        }
    }
    assert!(refused > text.len() / 14, "{refused}");
}

#[test]
fn another_version_format_or_suite_is_refused_with_the_reason() {
    let (_, text) = written("to-forge.capsule.json");
    let why = |key, value| unreadable("forged.capsule.json", &forged(&text, key, value));
    assert!(why("version", 2.into()).contains("version 2; this program reads version 1"));
    assert!(why("format", "other".into()).contains("does not say that it is one"));
    assert!(why("suite", "other".into()).contains("unknown suite"));
    assert!(why("extra", 1.into()).contains("unknown field `extra`"));
    let entry = serde_json::json!([{ "at_ns": 0, "what": { "store": { "node": "nobody", "number": 0 } }, "length": 0,
        "digest": "00", "decision": { "strike": true } }]);
    assert!(why("overrides", entry).contains("a ledger that is not its scenario's"));
    assert!(unreadable("no.capsule.json", "{}").contains("does not say that it is one"));
}

#[test]
fn a_capsule_of_another_scenario_is_not_applicable() {
    let (_, text) = written("to-change.capsule.json");
    let other = scenario::to_json(&load("tests/scenarios/trigger.toml".as_ref(), &[]).unwrap());
    let reason = |key, value| match refusal("changed.capsule.json", &forged(&text, key, value)) {
        Refused::NotApplicable(why) => why,
        Refused::Unreadable(why) => panic!("unreadable: {why}"),
    };
    assert!(reason("scenario", other).contains("means something else"));
    assert!(reason("scenario", serde_json::json!({ "schema": 2 })).contains("does not load its scenario"));
    assert!(reason("limits", serde_json::json!({ "hub": { "arms_max": 2 } })).contains("no limit called `arms_max`"));
}

#[test]
fn a_panic_names_its_node() {
    let (scenario, run) = play(BENCH, |node, lines| {
        if node == "phone-1" {
            lines.push((7, None::<Observation>));
        }
    });
    let capsule = Capsule::of(&scenario, 1, SuiteKind::Real, &Limits::default(), Vec::new(), &run).unwrap();
    assert_eq!((capsule.fingerprint.check.as_str(), capsule.fingerprint.subject.as_str()), ("no-panic", "phone-1"));
}
