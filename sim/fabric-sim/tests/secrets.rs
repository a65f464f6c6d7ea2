//! What a run leaves behind shows no secret key of any node: results, traces, reports, capsules.

#![allow(clippy::unwrap_used, reason = "what a test cannot do without ends it")]

mod common;

use common::{empty_dir, fabric_sim};
use fabric::identity::DeviceId;
use rand_chacha::rand_core::Rng;
use std::fs;
use std::path::Path;

const SCENARIO: &str = "tests/scenarios/busy.toml";
const SEED: u64 = 5;
const NODES: [&str; 6] = ["hub", "phone-1", "phone-2", "phone-3", "tablet-1", "tablet-2"];

/// The secrets of every node, drawn as the simulator draws them: a test beside the drawing sees to that.
fn secrets() -> Vec<[u8; 32]> {
    let drawn = |purpose: &str, name: &str| {
        let mut bytes = [0; 32];
        sim::fate::stream(SEED, &format!("{purpose} {name}")).fill_bytes(&mut bytes);
        bytes
    };
    NODES.iter().flat_map(|name| [drawn("device", name), drawn("noise", name)]).collect()
}

fn shows(haystack: &[u8], secret: &[u8; 32]) -> bool {
    let hex = DeviceId::from_bytes(*secret).to_string();
    let list = format!("{secret:?}").replace(' ', "");
    [&secret[..], hex.as_bytes(), list.as_bytes()]
        .iter()
        .any(|form| haystack.windows(form.len()).any(|window| window == *form))
}

/// All files below a directory, one after the other.
fn read_all(dir: &Path) -> Vec<u8> {
    let mut all = Vec::new();
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        all.extend(if path.is_dir() { read_all(&path) } else { fs::read(&path).unwrap() });
    }
    all
}

#[test]
fn nothing_that_a_run_leaves_behind_shows_a_secret_key() {
    let seed = SEED.to_string();
    // The second run fails, and so leaves a capsule.
    for (code, extra) in [(0, "links.default.delay=5ms"), (1, "check.eventually.work-done=1100ms")] {
        let dir = empty_dir("secrets");
        let out = dir.to_str().unwrap();
        let args = ["run", SCENARIO, "--seed", &seed, "--set", extra, "--format", "json", "--out", out];
        let ran = fabric_sim(&args);
        assert_eq!(ran.code, Some(code), "{}", ran.stderr);
        let mut left = read_all(&dir);
        assert!(left.len() > 50_000, "{}: a whole trace is among it", left.len());
        left.extend(ran.stdout.into_bytes().into_iter().chain(ran.stderr.into_bytes()));
        for secret in secrets() {
            assert!(!shows(&left, &secret));
        }
    }
}
