//! Every single fault, as its users meet it: killed, gone on with, and found failures kept.

#![allow(clippy::unwrap_used, reason = "what a test cannot do without ends it")]

mod common;

use common::{command, empty_dir, fabric_sim};
use serde_json::Value;
use std::fs;
use std::path::Path;
use std::process::Stdio;

const HELLO: &str = "tests/scenarios/hello.toml";

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

#[test]
fn a_killed_search_goes_on_where_it_was_and_comes_to_the_same_result() {
    let search = |out: &Path| {
        let args = ["exhaust", HELLO, "--pairs", "1500", "--jobs", "2", "--out", text(out), "--format", "json"];
        command(&args)
    };
    let out = empty_dir("exhaust-killed");
    let mut child = search(&out).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    while fs::read_to_string(out.join("journal")).map_or(0, |text| text.lines().count()) < 20 {
        assert_eq!(child.try_wait().unwrap(), None, "the search ended before it wrote anything");
        std::thread::yield_now();
    }
    child.kill().unwrap();
    child.wait().unwrap();
    let resumed = search(&out).output().unwrap();
    assert!(String::from_utf8_lossy(&resumed.stderr).contains("runs are there already"));
    let fresh = empty_dir("exhaust-fresh");
    let whole = search(&fresh).output().unwrap();
    let results = |dir: &Path| fs::read_to_string(dir.join("results.jsonl")).unwrap();
    assert_eq!((results(&out), &resumed.stdout), (results(&fresh), &whole.stdout));
    let value: Value = serde_json::from_slice(&whole.stdout).unwrap();
    assert_eq!((&value["failed"], &value["complete"], whole.status.code()), (&0.into(), &true.into(), Some(0)));
    assert_eq!(value["runs"].as_u64(), value["single_faults"].as_u64().map(|singles| singles + 1500));
}

#[test]
fn a_failure_is_kept_in_a_capsule_that_replays_and_says_why() {
    let out = empty_dir("exhaust-failure");
    // The hub dies for good when it is told the same twice, which only a fault in the right moment brings about.
    let plant = "faults.timeline=[{ when = \"hub received 40KiB\", crash = \"hub\" }]";
    let sizes = ["--set", "work.0.send=32KiB", "--set", "work.0.chunk=8KiB"];
    let search = ["exhaust", HELLO, "--set", plant, "--out", text(&out), "--format", "json"];
    let ran = fabric_sim(&[&search[..], &sizes].concat());
    assert_eq!(ran.code, Some(1), "{}", ran.stderr);
    let value: Value = serde_json::from_str(&ran.stdout).unwrap();
    let failure = &value["failures"][0];
    assert!(failure["runs"].as_u64() < value["runs"].as_u64().map(|runs| runs / 4), "{failure}");
    assert_eq!((&failure["check"], failure["faults"].as_array().unwrap().len()), (&"work-done".into(), 1));
    let capsule = out.join(failure["capsule"].as_str().unwrap());
    let replayed = fabric_sim(&["replay", text(&capsule), "--format", "json"]);
    let said: Value = serde_json::from_str(&replayed.stdout).unwrap();
    assert_eq!((&said["replayed"], &said["detail"]), (&"same".into(), &"the same run to the last event".into()));
    let why = fabric_sim(&["slice", text(&capsule)]);
    assert_eq!(why.code, Some(1));
    assert!(why.stdout.contains("hub loses power") && why.stdout.contains("work-done was due"), "{}", why.stdout);
}

#[test]
fn what_cannot_be_searched_is_said_with_its_exit_code() {
    let fails = fabric_sim(&["exhaust", "tests/scenarios/impossible.toml"]);
    assert_eq!(fails.code, Some(1));
    assert!(fails.stderr.contains("fails as it is") && fails.stderr.contains("reproduce:"), "{}", fails.stderr);
    assert_eq!(fabric_sim(&["exhaust", "../../scenarios/impostor.toml"]).code, Some(2));
    assert_eq!(fabric_sim(&["exhaust", HELLO, "--pairs", "-1"]).code, Some(2));
    let journal = empty_dir("exhaust-strange");
    assert_eq!(fabric_sim(&["exhaust", HELLO, "--out", text(&journal)]).code, Some(0));
    let strange = fabric_sim(&["exhaust", HELLO, "--seed", "2", "--out", text(&journal)]);
    assert_eq!(strange.code, Some(2), "a journal of another seed: {}", strange.stderr);
}
