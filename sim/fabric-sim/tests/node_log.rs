//! `replay` of a node's log: the same, another, and what is none.

#![allow(clippy::unwrap_used, reason = "what a test cannot do without ends it")]

mod common;

use common::{Ran, empty_dir, fabric_sim};
use fabric::identity::{DeviceKey, NoiseStatic};
use fabric::suite::{RealSuite, Suite};
use machine::{Boot, Duration, Input, Instant, Machine};
use node_log::{Log, Recorded, Settings};
use serde_json::Value;
use std::fs;
use std::path::Path;

/// The log of a node that announced itself for a minute.
fn record(path: &Path) {
    let settings = Settings { port: 7, announce: true, ..Settings::default() };
    let noise = NoiseStatic::new([1; 32], RealSuite.noise_public(&[1; 32]));
    let log = Log::create(path, 1 << 20).unwrap();
    let boot = Boot::default();
    let mut node = Recorded::new(&boot, DeviceKey::from_seed(&[2; 32]), noise, &settings, Some(log)).unwrap();
    for second in 0..60 {
        node.handle(Instant::ZERO + Duration::from_secs(second), Input::Timeout);
        while node.poll_output().is_some() {}
    }
}

fn replay(path: &Path) -> (Ran, Value) {
    let ran = fabric_sim(&["replay", path.to_str().unwrap(), "--format", "json"]);
    assert!(!ran.stdout.is_empty(), "{}", ran.stderr);
    let result = serde_json::from_str(&ran.stdout).unwrap();
    (ran, result)
}

#[test]
fn a_nodes_log_is_replayed_to_the_byte_or_to_where_it_differs() {
    let path = empty_dir("node-log").join("node.log");
    record(&path);
    let (ran, result) = replay(&path);
    assert_eq!((ran.code, &result["replayed"]), (Some(0), &"same".into()), "{result}");
    assert!(result["compared"].as_u64() > Some(5), "{result}");

    let log = fs::read_to_string(&path).unwrap();
    let at = log.rfind(r#""out","is":""#).unwrap() + 12;
    let digit = if &log[at..=at] == "0" { "1" } else { "0" };
    fs::write(&path, format!("{}{digit}{}", &log[..at], &log[at + 1..])).unwrap();
    let (ran, result) = replay(&path);
    assert_eq!((ran.code, &result["replayed"]), (Some(4), &"differs".into()), "{result}");
    assert!(result["detail"].as_str().unwrap().contains("PollOutput"), "{result}");

    let boot = log.lines().next().unwrap();
    fs::write(&path, format!("{boot}\n")).unwrap();
    assert_eq!(replay(&path).0.code, Some(3), "nothing to compare");
    fs::write(&path, format!("{boot}\nnonsense\n")).unwrap();
    let (ran, result) = replay(&path);
    assert_eq!((ran.code, &result["replayed"]), (Some(2), &"unreadable".into()));
    assert!(result["detail"].as_str().unwrap().starts_with("line 2: "), "{result}");
}
