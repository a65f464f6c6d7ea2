//! Every scenario of the repository under a few seeds: what applications see stays what it was.

#![allow(clippy::unwrap_used, reason = "what a test cannot do without ends it")]

mod common;

use common::fabric_sim;
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

const SEEDS: [&str; 3] = ["1", "2", "3"];
/// What makes a scenario small enough for a test; no other takes any notice.
const SMALLER: [(&str, &str); 3] = [
    ("fleet", "nodes.device.count=11"),
    ("fleet-10000", "sites.shop.count=2"),
    ("fleet-10000", "nodes.device.count=4"),
];

fn scenarios() -> Vec<PathBuf> {
    let files = std::fs::read_dir("../../scenarios").unwrap().map(|entry| entry.unwrap().path());
    let is_scenario = |path: &PathBuf| {
        path.extension().is_some_and(|extension| extension == "toml") && !path.ends_with("clippy.toml")
    };
    let mut all: Vec<_> = files.filter(is_scenario).collect();
    all.sort();
    assert!(!all.is_empty(), "the scenarios are gone");
    all
}

#[test]
fn every_scenario_loads() {
    for file in scenarios() {
        let ran = fabric_sim(&["check", file.to_str().unwrap()]);
        assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    }
}

/// The worlds that the file names and that come out the same every time.
fn worlds(file: &Path) -> Vec<&'static str> {
    let text = std::fs::read_to_string(file).unwrap();
    let named = text.lines().find(|line| line.starts_with("worlds")).unwrap_or("\"sim\"");
    ["sim", "stack"].into_iter().filter(|world| named.contains(&format!("\"{world}\""))).collect()
}

/// No times, hashes or counts: those change with every commit, and what is promised does not.
#[test]
fn every_scenario_passes_and_shows_the_same_stable_observations() {
    for file in scenarios() {
        for (world, seed) in worlds(&file).into_iter().flat_map(|world| SEEDS.map(|seed| (world, seed))) {
            let path = file.to_str().unwrap();
            let mut args = vec!["run", path, "--seed", seed, "--world", world, "--suite", "model", "--format", "json"];
            for (_, smaller) in SMALLER.iter().filter(|(name, _)| file.file_stem().is_some_and(|stem| stem == *name)) {
                args.extend(["--set", smaller]);
            }
            let ran = fabric_sim(&args);
            assert_eq!(ran.code, Some(0), "{}", ran.stderr);
            let result: Value = serde_json::from_str(&ran.stdout).unwrap();
            let place = if world == "sim" { String::new() } else { format!("-{world}") };
            let name = format!("{}{place}-{seed}", result["scenario"].as_str().unwrap());
            insta::with_settings!({ snapshot_suffix => name, prepend_module_to_snapshot => false, omit_expression => true }, {
                insta::assert_json_snapshot!("observations", stable(&result));
            });
        }
    }
}

/// Each node's stable observations in order, of every subject only the first of equal ones.
fn stable(result: &Value) -> BTreeMap<String, Vec<Value>> {
    let mut by_node: BTreeMap<String, Vec<Value>> = BTreeMap::new();
    for seen in result["observations"].as_array().unwrap().iter().filter(|seen| seen["stable"] == true) {
        let of_node = by_node.entry(seen["node"].as_str().unwrap().to_owned()).or_default();
        if !of_node.contains(&seen["what"]) {
            of_node.push(seen["what"].clone());
        }
    }
    // Subjects are independent of one another: which came first is timing.
    for seen in by_node.values_mut() {
        seen.sort_by_key(Value::to_string);
    }
    by_node
}
