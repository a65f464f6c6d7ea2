//! The world `qemu` as its users meet it: scenarios on virtual machines, compared with the simulator's. Those that need QEMU
//! are ignored unless asked for (`ci/qemu`); they build the guest.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "what a test cannot do without ends it")]
#![expect(clippy::disallowed_types, clippy::disallowed_methods, reason = "machines take real time")]

mod common;

use common::{Ran, command, empty_dir, fabric_sim, ran};
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

/// Longer than any of this takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(20);

fn scenario(name: &str) -> String {
    format!("../../scenarios/{name}.toml")
}

fn conform(name: &str, worlds: &str, more: &[&str]) -> Ran {
    let file = scenario(name);
    let args = ["conform", &file, "--worlds", worlds, "--format", "json"];
    fabric_sim(&[&args, more].concat())
}

/// What worlds that were to differ differ in: node and subject.
fn differences(ran: &Ran) -> Vec<(String, String)> {
    assert_eq!(ran.code, Some(1), "{}{}", ran.stdout, ran.stderr);
    let result: Value = serde_json::from_str(&ran.stdout).unwrap();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let all = result["differences"].as_array().unwrap().iter();
    all.map(|difference| (text(&difference["node"]), text(&difference["subject"]))).collect()
}

#[test]
#[ignore = "needs QEMU: run ci/qemu"]
fn first_contact_shows_the_same_in_the_simulator_over_sockets_and_between_machines() {
    let ran = conform("first-contact", "sim,tcp,qemu", &[]);
    assert_eq!(ran.code, Some(0), "{}{}", ran.stdout, ran.stderr);
    let result: Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!((&result["subjects"], &result["observations"]), (&3.into(), &5.into()));
}

#[test]
#[ignore = "needs QEMU: run ci/qemu"]
fn a_guest_whose_driver_merges_datagrams_or_drops_closes_is_caught() {
    let merged = differences(&conform("first-contact", "sim,qemu", &["--guest-fault", "merges-datagrams"]));
    assert!(merged.contains(&("phone".to_owned(), "peer hub".to_owned())), "{merged:?}");

    let dropped = differences(&conform("restarted-midway", "sim,qemu", &["--guest-fault", "drops-closes"]));
    assert!(dropped.iter().any(|(node, subject)| node == "phone" && subject.starts_with("work 0")), "{dropped:?}");
}

#[test]
#[ignore = "needs QEMU: run ci/qemu"]
fn a_guest_that_breaks_is_a_failed_check_and_no_difference_of_protocols() {
    let ran = conform("first-contact", "sim,qemu", &["--guest-fault", "stack-overflow"]);
    assert_eq!(ran.code, Some(1), "{}{}", ran.stdout, ran.stderr);
    let result: Value = serde_json::from_str(&ran.stdout).unwrap();
    let failure = &result["failures"][0];
    assert_eq!(failure["world"], "qemu");
    let how = failure["how"].as_str().unwrap();
    assert!(how.starts_with("no-panic: ") && how.contains("exception 14"), "{how}");
}

#[test]
#[ignore = "needs QEMU: run ci/qemu"]
fn an_image_that_is_none_is_told_from_a_broken_protocol() {
    let file = scenario("first-contact");
    let run = |image: &str| fabric_sim(&["run", &file, "--world", "qemu", "--guest-image", image]);
    let missing = run("no-such-image");
    assert_eq!(missing.code, Some(70), "{}", missing.stderr);
    assert!(missing.stderr.contains("there is no guest image at `no-such-image`"), "{}", missing.stderr);
    let wrong = run(&file);
    assert_eq!(wrong.code, Some(70), "{}", wrong.stderr);
    assert!(wrong.stderr.contains("boot: QEMU ended before the guest booted: "), "{}", wrong.stderr);
}

#[test]
#[ignore = "needs QEMU: run ci/qemu"]
fn a_run_leaves_what_was_asked_for_and_nothing_else() {
    let out = empty_dir("qemu-out");
    let run = command(&["run", &scenario("first-contact"), "--world", "qemu", "--out", out.to_str().unwrap()])
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let directory = directory_of(run.id());
    assert_eq!(run.wait_with_output().unwrap().status.code(), Some(0));
    let mut left: Vec<_> =
        fs::read_dir(&out).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    left.sort();
    assert_eq!(left, ["hub-0.log", "hub-0.pcap", "phone-0.log", "phone-0.pcap", "result.json"]);
    let log = fs::read_to_string(out.join("phone-0.log")).unwrap();
    for line in log.lines() {
        assert!(serde_json::from_str::<Value>(line).is_ok(), "{line}");
    }
    assert!(log.contains(r#""as_expected":"echoed""#), "{log}");
    let capture = fs::read(out.join("hub-0.pcap")).unwrap();
    assert_eq!(capture[..4], [0xd4, 0xc3, 0xb2, 0xa1], "little-endian pcap");
    assert!(!directory.exists(), "{} is left", directory.display());
}

#[test]
#[ignore = "needs QEMU: run ci/qemu"]
fn what_a_machine_recorded_comes_again_in_the_simulator_to_the_byte() {
    let out = empty_dir("qemu-record");
    let file = scenario("first-contact");
    let ran = fabric_sim(&["run", &file, "--world", "qemu", "--record", "--out", out.to_str().unwrap()]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    for node in ["hub", "phone"] {
        let log = out.join(format!("{node}-0.log"));
        let replayed = fabric_sim(&["replay", log.to_str().unwrap(), "--format", "json"]);
        assert_eq!(replayed.code, Some(0), "{}{}", replayed.stdout, replayed.stderr);
        let result: Value = serde_json::from_str(&replayed.stdout).unwrap();
        assert_eq!(result["replayed"], "same");
        assert!(result["compared"].as_u64().unwrap() > 100, "{result}");
        let text = fs::read_to_string(&log).unwrap();
        let begin = text.find("\"pipe-bytes\"").unwrap() + "\"pipe-bytes\":{\"pipe\":0,\"bytes\":\"".len();
        let other = if text[begin..].starts_with('0') { "1" } else { "0" };
        fs::write(&log, [&text[..begin], other, &text[begin + 1..]].concat()).unwrap();
        let changed = fabric_sim(&["replay", log.to_str().unwrap()]);
        assert_eq!(changed.code, Some(4), "{}", changed.stderr);
    }
}

#[test]
#[ignore = "needs QEMU: run ci/qemu"]
fn a_run_that_is_killed_leaves_no_machine_and_no_file() {
    let mut run =
        command(&["run", &scenario("paused-phone"), "--world", "qemu"]).stderr(Stdio::null()).spawn().unwrap();
    let directory = directory_of(run.id());
    assert!(soon(|| machines(&directory) == 2), "two machines run");
    run.kill().unwrap();
    run.wait().unwrap();
    assert!(soon(|| machines(&directory) == 0), "they end with their run");
    assert!(soon(|| !directory.exists()), "{} is left", directory.display());
}

#[test]
fn what_machines_cannot_do_is_refused_before_anything_runs() {
    let refused = |args: &[&str], why: &str| {
        let ran = fabric_sim(args);
        assert_eq!(ran.code, Some(2), "{args:?}: {}", ran.stderr);
        assert!(ran.stderr.contains(why), "{args:?}: {}", ran.stderr);
    };
    let (contact, clocks) = (scenario("first-contact"), scenario("clock-chaos"));
    refused(&["run", &clocks, "--world", "qemu"], "its clocks do not change while they run");
    refused(&["run", &scenario("impostor"), "--world", "qemu"], "of attackers it has only");
    refused(&["run", &contact, "--world", "qemu", "--suite", "model"], "it has no `--suite model`");
    refused(&["run", &contact, "--world", "qemu", "--trace", "t.jsonl"], "it has no `--trace`");
    refused(&["run", &contact, "--world", "tcp", "--guest-image", "x"], "it has no `--guest-image`");
    refused(&["run", &contact, "--world", "qemu", "--record"], "--out");
    refused(&["sweep", &contact, "--world", "qemu"], "seeds mean nothing to it");
}

#[test]
fn without_qemu_a_comparison_says_so_and_goes_on_unless_it_was_asked_for() {
    let file = scenario("first-contact");
    let conform =
        |more: &[&str]| ran(command(&[&["conform", &file, "--format", "json"], more].concat()).env("PATH", ""));
    let why = leaves_qemu_out(&conform(&[]));
    assert!(why.contains("apt-get install -y qemu-system-x86"), "{why}");
    let asked = conform(&["--worlds", "sim,qemu"]);
    assert_eq!(asked.code, Some(70), "{}", asked.stderr);
    assert!(asked.stderr.contains("apt-get install -y qemu-system-x86"), "{}", asked.stderr);
}

#[test]
fn outside_a_checkout_it_is_said_where_the_guest_was_looked_for_and_how_to_name_one() {
    let file = fs::canonicalize(scenario("first-contact")).unwrap();
    let fake = fs::canonicalize("tests/fake-qemu").unwrap();
    let at_root =
        |args: &[&str]| ran(command(&[args, &[file.to_str().unwrap()]].concat()).env("PATH", &fake).current_dir("/"));
    let says = |text: &str| {
        let words = ["the guest's source, `qemu-harness/guest`, is neither in `/` nor", "--guest-image"];
        assert!(words.iter().all(|words| text.contains(words)), "{text}");
    };
    says(&leaves_qemu_out(&at_root(&["conform", "--format", "json"])));
    for asked in [&["conform", "--worlds", "sim,qemu"][..], &["run", "--world", "qemu"]] {
        let ran = at_root(asked);
        assert_eq!(ran.code, Some(70), "{asked:?}: {}", ran.stderr);
        says(&ran.stderr);
    }
    let given = at_root(&["run", "--world", "qemu", "--guest-image", "no-such-image"]);
    assert!(given.stderr.contains("there is no guest image at `no-such-image`"), "{}", given.stderr);
}

/// Why a comparison that agrees did without the world.
fn leaves_qemu_out(ran: &Ran) -> String {
    assert_eq!(ran.code, Some(0), "{}{}", ran.stdout, ran.stderr);
    let result: Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!(result["worlds"], serde_json::json!(["sim", "stack", "tcp"]));
    assert_eq!(result["left_out"][0]["world"], "qemu");
    result["left_out"][0]["why"].as_str().unwrap().to_owned()
}

/// Where the run of this process has its sockets.
fn directory_of(process: u32) -> PathBuf {
    std::env::temp_dir().join(format!("fabric-sim-run-{process}-0"))
}

/// How many machines have `directory` in their arguments.
fn machines(directory: &Path) -> usize {
    let processes = fs::read_dir("/proc").unwrap();
    let arguments = processes.filter_map(|entry| fs::read(entry.ok()?.path().join("cmdline")).ok());
    let texts = arguments.map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
    let is_ours = |text: &String| text.starts_with("qemu-system") && text.contains(directory.to_str().unwrap());
    texts.filter(is_ours).count()
}

/// Whether `what` comes true before patience ends.
fn soon(what: impl Fn() -> bool) -> bool {
    let start = Instant::now();
    while start.elapsed() < PATIENCE {
        if what() {
            return true;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    false
}
