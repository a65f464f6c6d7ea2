//! The command that a workload gets, from outside: `examples/ping.rs` with and without its bugs.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on panics")]

use std::path::{Path, PathBuf};
use std::process::Command;

/// Exit code, stdout, stderr.
type Done = (i32, String, String);

/// A folder of one test's own, empty.
fn folder(name: &str) -> PathBuf {
    let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    if dir.exists() {
        std::fs::remove_dir_all(&dir).unwrap();
    }
    std::fs::create_dir_all(&dir).unwrap();
    dir
}

/// `cargo test` builds examples beside the folder that tests are in.
fn ping(dir: &Path, arguments: &[&str]) -> Done {
    let here = std::env::current_exe().unwrap();
    let program = here.parent().and_then(Path::parent).expect("a test is in target/PROFILE/deps").join("examples/ping");
    let done = Command::new(program).args(arguments).current_dir(dir).output().expect("the example was built");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (done.status.code().unwrap(), text(done.stdout), text(done.stderr))
}

/// docs/own-protocol.md says how long it is to bring a protocol.
#[test]
fn the_example_is_as_short_as_the_book_says() {
    let lines = include_str!("../examples/ping.rs").lines().count();
    assert!(include_str!("../../../docs/own-protocol.md").contains("in under 150\nlines"));
    assert!(lines < 150, "{lines} lines");
}

#[test]
fn without_a_bug_every_seed_keeps_every_promise() {
    let dir = folder("no-bug");
    let (code, out, err) = ping(&dir, &["sweep", "--seeds", "0..300"]);
    assert_eq!((code, err.as_str()), (0, ""), "{out}");
    assert!(out.starts_with("300 runs, 0 failed, "), "{out}");
    assert_eq!(ping(&dir, &["diff", "--seed", "7"]).0, 0);
    assert_eq!(ping(&dir, &["shrink", "--seed", "7"]).0, 3, "there is nothing to make small");
}

#[test]
fn a_sweep_says_the_same_for_any_number_of_jobs() {
    let dir = folder("jobs");
    let sweep = |jobs: &str| {
        let arguments = ["--plant", "gives-up", "sweep", "--seeds", "0..400", "--until-failures", "2", "--jobs", jobs];
        let (code, out, _) = ping(&dir, &arguments);
        assert_eq!(code, 1);
        out
    };
    assert_eq!(sweep("1"), sweep("4"));
}

#[test]
fn a_planted_bug_is_found_shrunk_and_replayed() {
    let dir = folder("bug");
    let (code, out, _) = ping(&dir, &["--plant", "gives-up", "sweep", "--seeds", "0..400", "--format", "json"]);
    assert_eq!(code, 1);
    let result: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert_eq!(result["failures"][0]["check"], "all-answered", "{out}");
    let seed = result["failures"][0]["first_seed"].to_string();

    let (code, out, err) = ping(&dir, &["--plant", "gives-up", "shrink", "--seed", &seed, "--out", "small.json"]);
    assert_eq!(code, 1, "{err}");
    let lost = out.lines().filter(|line| line.ends_with(": lost")).count();
    assert_eq!(lost, 3, "three tries, each lost on one of its ways: {out}");
    assert!(err.contains("nothing of this can go"), "{err}");

    let (code, out, _) = ping(&dir, &["replay", "small.json", "--out", "small"]);
    assert!(code == 1 && out.starts_with("same\n"), "{out}");
    let trace = std::fs::read_to_string(dir.join("small/trace.jsonl")).unwrap();
    assert!(trace.lines().all(|line| serde_json::from_str::<serde_json::Value>(line).is_ok()));
    let kept = |file: &str| std::fs::read_to_string(dir.join(file)).unwrap();
    assert_eq!(kept("small/failure.json"), kept("small.json"));
    // Lost packets alone do not show the other bug: as after a fix.
    let (code, out, _) = ping(&dir, &["--plant", "any-answer", "replay", "small.json"]);
    assert!(code == 0 && out.starts_with("gone\n"), "{out}");
}

#[test]
fn a_file_that_is_no_case_is_refused_with_its_reason() {
    let dir = folder("refused");
    ping(&dir, &["--plant", "any-answer", "shrink", "--seed", "0", "--out", "good.json"]);
    let good = std::fs::read_to_string(dir.join("good.json")).unwrap();
    let of_another_seed = good.replace("\"faults\": null", "\"faults\": [5]");
    for (text, reason) in [
        (good[..good.len() / 2].to_owned(), "is not a case"),
        (good.replace("\"version\": 1", "\"version\": 2"), "of version 2"),
        (good.replace("\"workload\": \"ping\"", "\"workload\": \"pong\""), "is of `pong`"),
        (good.replace("any-answer", "no-answer"), "plants `no-answer`"),
        (of_another_seed, "plans 0 faults and none of number 5"),
    ] {
        assert_ne!(text, good);
        std::fs::write(dir.join("bad.json"), text).unwrap();
        let (code, _, err) = ping(&dir, &["replay", "bad.json"]);
        assert!(code == 2 && err.contains(reason), "{code}: {err}");
    }
    let (code, _, err) = ping(&dir, &["sweep", "--seeds", "5..5"]);
    assert!(code == 2 && err.contains("has no seed"), "{err}");
}
