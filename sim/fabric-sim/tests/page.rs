//! Pages as people look at them: in a real browser, wide and narrow, with a finger on everything that can be touched.
//!
//! Needs Chromium. Screenshots are kept in the build directory, under `tmp/pages`.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "what a test cannot do without ends it")]

mod common;

use common::{empty_dir, fabric_sim};
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

const WIDE: &str = "1400,1000";
const NARROW: &str = "390,844";
/// What uses the page as a person would and writes down what it saw.
const PROBE: &str = include_str!("page/probe.js");
const FLAKY: &str = "../../scenarios/flaky-hub.toml";
const HURRIED: &str = "tests/scenarios/hurried.toml";

fn browser() -> &'static str {
    let names = ["chromium", "chromium-browser", "google-chrome"];
    let is_there = |name: &&str| Command::new(name).arg("--version").output().is_ok_and(|ran| ran.status.success());
    names.into_iter().find(is_there).expect("Chromium is missing: apt-get install chromium")
}

/// A browser that answers to nobody, at one size.
fn at(size: &str) -> Command {
    let mut command = Command::new(browser());
    command.args(["--headless", "--disable-gpu", "--hide-scrollbars", "--no-first-run"]);
    // A root without a sandbox of its own is what containers give.
    command.args(["--no-sandbox", "--virtual-time-budget=60000", &format!("--window-size={size}")]);
    command
}

/// What the probe saw on `page` in a window of `size`.
fn look(page: &Path, size: &str) -> Value {
    let html = fs::read_to_string(page).unwrap();
    let probed = page.with_extension("probed.html");
    fs::write(&probed, html.replace("</body>", &format!("<script>{PROBE}</script></body>"))).unwrap();
    let ran = at(size).arg("--dump-dom").arg(format!("file://{}", probed.display())).output().unwrap();
    let dom = String::from_utf8(ran.stdout).unwrap();
    let seen = dom.split_once("<pre id=\"seen\">").and_then(|(_, rest)| rest.split_once("</pre>"));
    let (seen, _) = seen.unwrap_or_else(|| panic!("the page was not used: {}", String::from_utf8_lossy(&ran.stderr)));
    let seen = seen.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&");
    let seen: Value = serde_json::from_str(&seen).unwrap();
    assert_eq!(seen["error"], Value::Null);
    keep_picture(page, size);
    seen
}

fn keep_picture(page: &Path, size: &str) {
    let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join("pages");
    fs::create_dir_all(&dir).unwrap();
    let name = page.parent().unwrap().file_name().unwrap().to_string_lossy().into_owned();
    let picture = dir.join(format!("{name}-{}.png", size.replace(',', "x")));
    let shot = format!("--screenshot={}", picture.display());
    at(size).arg(shot).arg(format!("file://{}", page.display())).output().unwrap();
    assert!(fs::metadata(&picture).unwrap().len() > 10_000);
}

/// A page of a run that fails, for want of time on bad links.
fn failed_run(name: &str) -> PathBuf {
    let dir = empty_dir(name);
    let out = dir.to_str().unwrap();
    let ran = fabric_sim(&["run", FLAKY, "--seed", "1", "--set", "links.default.loss=35%", "--out", out]);
    assert_eq!(ran.code, Some(1), "{}", ran.stderr);
    let (capsule, forks) = (dir.join("failure.capsule.json"), dir.join("forks.json"));
    let (capsule, forks) = (capsule.to_str().unwrap(), forks.to_str().unwrap());
    let ran = fabric_sim(&["fork", capsule, "--suite", "model", "--points", "6", "--forks", "10", "--out", forks]);
    assert_eq!(ran.code, Some(1), "{}", ran.stderr);
    let ran = fabric_sim(&["report", out]);
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(0), ""), "{}", ran.stderr);
    dir.join("report.html")
}

fn count(seen: &Value, key: &str) -> u64 {
    seen[key].as_u64().unwrap()
}

fn told(seen: &Value, key: &str, what: &str) {
    let text = seen[key].as_str().unwrap();
    assert!(text.contains(what), "{key} does not say {what}: {text}");
}

fn assert_shows_the_run(seen: &Value) {
    assert_eq!((&seen["title"], &seen["verdict"]), (&"flaky-hub".into(), &"fail".into()));
    assert_eq!(seen["nodes"], serde_json::json!(["hub", "phone-1", "phone-2"]));
    assert!(count(seen, "arrows") > 100 && count(seen, "lost") > 10 && count(seen, "labels") > 40, "{seen}");
    // The partition on two lanes, the restart on one.
    assert!(count(seen, "bands") >= 2 && count(seen, "down") >= 1, "{seen}");
    assert_eq!(count(seen, "violation"), 1);
    told(seen, "broken", "work-done");
    for key in ["overlaps", "latencyOverlaps", "forkOverlaps"] {
        assert_eq!(seen[key], Value::Array(Vec::new()), "text lies on text");
    }
    assert!(seen["tooWide"].as_i64().unwrap() <= 0, "the page is wider than the window");
}

fn assert_can_be_used(seen: &Value) {
    told(seen, "details", "digest");
    assert_eq!(
        (&seen["hasOtherEnd"], &seen["grows"], &seen["even"]),
        (&true.into(), &true.into(), &"true time".into())
    );
    told(seen, "firstStates", "phone-2down");
    told(seen, "now", "#1 ");
    told(seen, "lastStates", "sessions: phone-1, phone-2");
    assert_eq!(count(seen, "fewerNodes"), 2);
    assert!(count(seen, "latencies") > 50);
    assert!(seen["commands"][0].as_str().unwrap().starts_with("fabric-sim slice "));
}

fn assert_explains(seen: &Value) {
    assert_eq!(count(seen, "forkPoints"), 6);
    told(seen, "forkSaid", "Inevitable ");
    // What led to the failure is lit, and little else is left when nothing else is shown.
    assert!(count(seen, "lit") > 5 && count(seen, "onlyCause") < 60, "{seen}");
}

#[test]
fn a_failed_run_can_be_looked_at_and_stepped_through() {
    let page = failed_run("page-run");
    let seen = look(&page, WIDE);
    assert_shows_the_run(&seen);
    assert_can_be_used(&seen);
    assert_explains(&seen);
    let seen = look(&page, NARROW);
    assert_shows_the_run(&seen);
    assert_can_be_used(&seen);
    assert_explains(&seen);
}

#[test]
fn text_that_lies_on_text_is_noticed() {
    let page = failed_run("page-overlap");
    let html = fs::read_to_string(&page).unwrap();
    fs::write(&page, html.replace("LABEL_ROW = 17", "LABEL_ROW = 7")).unwrap();
    assert_ne!(look(&page, WIDE)["overlaps"], Value::Array(Vec::new()));
}

#[test]
fn a_sweep_shows_its_failures_and_which_values_they_go_with() {
    let dir = empty_dir("page-sweep");
    let out = dir.to_str().unwrap();
    let ran = fabric_sim(&["sweep", HURRIED, "--seeds", "0..60", "--out", out]);
    assert_eq!(ran.code, Some(1), "{}", ran.stderr);
    assert_eq!(fabric_sim(&["report", out]).code, Some(0));
    for size in [WIDE, NARROW] {
        let seen = look(&dir.join("report.html"), size);
        assert_eq!(seen["verdict"], "fail");
        assert!(count(&seen, "failures") == 2 && count(&seen, "strips") == 2 && count(&seen, "points") == 60, "{seen}");
        assert_eq!(seen["mapOverlaps"], Value::Array(Vec::new()));
        assert!(seen["tooWide"].as_i64().unwrap() <= 0, "the page is wider than the window");
        assert!(seen["commands"][0].as_str().unwrap().starts_with("fabric-sim run "));
    }
}

#[test]
fn what_is_not_a_run_is_refused_and_nothing_is_written() {
    let dir = empty_dir("page-refused");
    let refused = |what: &str| {
        let ran = fabric_sim(&["report", dir.to_str().unwrap()]);
        assert_eq!(ran.code, Some(2));
        assert!(ran.stderr.contains(what), "{}", ran.stderr);
        assert!(!dir.join("report.html").exists());
    };
    refused("result.json` cannot be read");
    fs::write(dir.join("result.json"), "{\"schema\": 2}").unwrap();
    refused("schema 2");
    fs::write(dir.join("result.json"), "{}").unwrap();
    refused("not the result of a run");
    fs::write(dir.join("result.json"), "{\"schema\": 1, \"scenario\": \"x\", \"checks\": []}").unwrap();
    refused("trace.jsonl` cannot be read");
    fs::write(dir.join("trace.jsonl"), "{\"event\":0,\"at\":0}\n").unwrap();
    refused("line 1 is not of a trace");
    fs::write(dir.join("trace.jsonl"), "").unwrap();
    fs::write(dir.join("forks.json"), "{").unwrap();
    refused("forks.json` is not JSON");
}
