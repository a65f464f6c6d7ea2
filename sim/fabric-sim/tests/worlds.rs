//! The real world as its users meet it: scenarios over real processes and sockets, compared with the simulator's.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "what a test cannot do without ends it")]
#![expect(clippy::disallowed_types, clippy::disallowed_methods, reason = "processes take real time")]

mod common;

use common::{command, fabric_sim};
use serde_json::Value;
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

/// Longer than any of this takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(20);

fn agree(scenario: &str, worlds: &str) -> Value {
    let file = format!("../../scenarios/{scenario}.toml");
    let ran = fabric_sim(&["conform", &file, "--worlds", worlds, "--format", "json"]);
    assert_eq!(ran.code, Some(0), "{}{}", ran.stdout, ran.stderr);
    let result: Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!((&result["verdict"], &result["differences"]), (&"agree".into(), &Value::Array(Vec::new())));
    result
}

#[test]
fn first_contact_shows_the_same_over_real_sockets() {
    let result = agree("first-contact", "sim,tcp");
    assert_eq!((&result["subjects"], &result["observations"]), (&3.into(), &5.into()));
}

#[test]
fn a_killed_and_restarted_process_shows_what_a_simulated_one_does() {
    agree("restarted-midway", "sim,tcp");
}

#[test]
fn faults_below_tcp_show_the_same_to_applications_as_faults_of_pipes() {
    const WITH_STACK: [&str; 15] = [
        "bulk-beside-urgent",
        "clock-chaos",
        "cut-off-midway",
        "first-contact",
        "flaky-hub-stack",
        "one-way-partition",
        "partition-and-heal",
        "paused-midway",
        "paused-phone",
        "restarted-midway",
        "restarted-peer-returns",
        "slow-reader",
        "strangers-denied",
        "unplugged-midway",
        "unread-streams",
    ];
    for scenario in WITH_STACK {
        agree(scenario, "sim,stack");
    }
}

#[test]
fn what_stack_mode_cannot_do_is_refused_before_anything_runs() {
    let refused = |args: &[&str], why: &str| {
        let ran = fabric_sim(args);
        assert_eq!(ran.code, Some(2), "{args:?}: {}", ran.stderr);
        assert!(ran.stderr.contains(why), "{args:?}: {}", ran.stderr);
    };
    let hub = "../../scenarios/flaky-hub.toml";
    refused(&["run", "../../scenarios/impostor.toml", "--world", "stack"], "it has no attackers");
    refused(&["run", hub, "--world", "stack", "--nemesis", "calm"], "it has no `--nemesis`");
    refused(&["sweep", hub, "--world", "stack", "--nemesis", "calm"], "it has no `--nemesis`");
    refused(&["sweep", hub, "--world", "tcp"], "seeds mean nothing to it");
    refused(&["sweep", hub, "--world", "stack", "--set", "links.default.mtu=500"], "an announce");
}

#[test]
fn a_hundred_streams_that_nobody_reads_show_the_same() {
    let result = agree("unread-streams", "sim,tcp");
    assert_eq!((&result["subjects"], &result["observations"]), (&104.into(), &106.into()));
}

#[test]
fn a_real_run_says_what_struck_and_what_it_cannot_judge() {
    let ran = fabric_sim(&["run", "../../scenarios/unplugged-midway.toml", "--world", "tcp", "--format", "json"]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let result: Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!((&result["world"], &result["trace_hash"]), (&"tcp".into(), &Value::Null));
    assert_eq!((&result["faults"]["crashes"], &result["faults"]["restarts"]), (&1.into(), &1.into()));
    let checks = result["checks"].as_array().unwrap();
    let verdict = |name: &str| &checks.iter().find(|check| check["name"] == name).unwrap()["verdict"];
    assert_eq!((verdict("work-done"), verdict("messages-in-order")), (&"held".into(), &"held".into()));
    assert_eq!((verdict("nonces-unique"), verdict("no-livelock")), (&"not-judged".into(), &"not-judged".into()));
}

#[test]
fn what_real_sockets_cannot_do_is_refused_before_anything_runs() {
    let refused = |args: &[&str], why: &str| {
        let ran = fabric_sim(args);
        assert_eq!(ran.code, Some(2), "{args:?}: {}", ran.stderr);
        assert!(ran.stderr.contains(why) && ran.stdout.is_empty(), "{args:?}: {}", ran.stderr);
    };
    let clocks = "../../scenarios/clock-chaos.toml";
    refused(&["run", clocks, "--world", "tcp"], "its clocks do not change while they run");
    refused(&["conform", "../../scenarios/flapping-link.toml"], "name `sim` and another world");
    refused(&["conform", clocks, "--worlds", "sim,tcp"], "add it to its `worlds`");
    refused(&["conform", clocks, "--worlds", "sim,mars"], "invalid value");
    refused(&["check", clocks, "--set", "worlds=['sim','tcp']"], "the world `tcp` cannot run this");
    refused(&["check", clocks, "--set", "worlds=['sim','mars']"], "there is no world `mars`");
    let contact = "../../scenarios/first-contact.toml";
    refused(&["run", contact, "--world", "tcp", "--nemesis", "rough"], "it has no `--nemesis`");
    refused(&["conform", contact, "--set", "stop_at=20m"], "at most 600s of real time");
}

/// Asks again and again, since nobody tells.
fn wait_for<T>(what: &str, mut ask: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(start.elapsed() < PATIENCE, "{what}");
        sleep(Duration::from_millis(10));
    }
}

fn children(process: u32) -> BTreeSet<u32> {
    let list = fs::read_to_string(format!("/proc/{process}/task/{process}/children")).unwrap_or_default();
    list.split_whitespace().map(|pid| pid.parse().unwrap()).collect()
}

/// Whether the process runs; one that has ended and waits for its parent does not.
fn is_alive(process: u32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
    stat.rsplit_once(") ").is_some_and(|(_, rest)| !rest.starts_with('Z'))
}

fn directory_of(process: u32) -> Option<PathBuf> {
    let name = format!("fabric-sim-run-{process}-0");
    Some(std::env::temp_dir().join(name)).filter(|path| path.exists())
}

/// A run whose nodes and janitor live, and the hub of which stands still.
fn under_way() -> (Child, BTreeSet<u32>, PathBuf) {
    let scenario = "../../scenarios/paused-midway.toml";
    let still = "faults.timeline=[{ at = '100ms', pause = 'hub' }]";
    let mut run = command(&["run", scenario, "--world", "tcp", "--set", still]);
    let run = run.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let processes = wait_for("two nodes and a janitor start", || {
        let processes = children(run.id());
        let is_still =
            |pid: &u32| fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| stat.contains(") T "));
        (processes.len() == 3 && processes.iter().any(is_still)).then_some(processes)
    });
    let directory = directory_of(run.id()).unwrap();
    (run, processes, directory)
}

fn assert_gone(processes: &BTreeSet<u32>, directory: &Path) {
    wait_for(&format!("{processes:?} are still there"), || {
        (!processes.iter().any(|process| is_alive(*process))).then_some(())
    });
    assert!(!directory.exists(), "{} is left", directory.display());
}

#[test]
fn a_run_that_is_killed_leaves_no_process_and_no_file() {
    let (mut run, processes, directory) = under_way();
    run.kill().unwrap();
    run.wait().unwrap();
    assert_gone(&processes, &directory);
}

#[test]
fn a_run_that_ends_leaves_no_process_and_no_file() {
    let run = command(&["run", "../../scenarios/first-contact.toml", "--world", "tcp"]).stderr(Stdio::null()).spawn();
    let mut run = run.unwrap();
    let directory = wait_for("the run makes a storage", || directory_of(run.id()));
    let processes = children(run.id());
    assert_eq!(run.wait().unwrap().code(), Some(0));
    assert_gone(&processes, &directory);
}

#[test]
fn a_node_without_a_parent_that_says_what_to_do_does_nothing() {
    for hidden in ["node-process", "janitor-process"] {
        let ran = fabric_sim(&[hidden]);
        assert_ne!(ran.code, Some(0), "{hidden}");
        let help = fabric_sim(&["--help"]).stdout;
        assert!(!help.contains(hidden), "{help}");
    }
}
