//! What the schema says of a key is so: leaving it out is its default, and beyond its bounds values are refused.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "what a test cannot do without ends it")]

mod common;

use common::{Ran, fabric_sim};
use serde_json::{Value, json};

/// Where the keys of a table are in [`SCENARIO`].
const TABLES: [(&str, &str); 10] = [
    ("", ""),
    ("SiteSection", "sites.here."),
    ("NodeSection", "nodes.other."),
    ("DiskSection", "nodes.other.disk."),
    ("LinkSection", "links.default."),
    ("PipesSection", "pipes."),
    ("PerturbSection", "perturb."),
    ("WorkSection", "work.0."),
    ("ActSection", "acts.0."),
    ("AttackerSection", "attackers.mallory."),
];

const SCENARIO: &str = "tests/scenarios/bare.toml";

/// A key of the schema with its place in the scenario.
struct Key {
    path: String,
    says: Value,
}

fn keys() -> Vec<Key> {
    let schema: Value = serde_json::from_str(&fabric_sim(&["schema"]).stdout).unwrap();
    let mut keys = Vec::new();
    for (table, place) in TABLES {
        let table = if table.is_empty() { &schema } else { &schema["$defs"][table] };
        for (name, says) in table["properties"].as_object().expect("a table has keys") {
            // What a call is told is for calls.
            let place = if name == "body" { "work.1." } else { place };
            keys.push(Key { path: format!("{place}{name}"), says: says.clone() });
        }
    }
    keys
}

/// Loads the scenario with these values.
fn load(set: &[String]) -> Ran {
    let sets = set.iter().flat_map(|set| ["--set", set]);
    fabric_sim(&["check", SCENARIO].into_iter().chain(sets).collect::<Vec<_>>())
}

#[test]
fn leaving_a_key_out_is_its_default() {
    let plain = load(&[]);
    assert_eq!(plain.code, Some(0), "{}", plain.stderr);
    let defaults: Vec<_> =
        keys().into_iter().filter_map(|key| Some((key.path, key.says.get("default")?.clone()))).collect();
    assert!(defaults.len() > 30, "{} keys have a default", defaults.len());
    for (path, default) in &defaults {
        let set = load(&[format!("{path}={default}")]);
        assert_eq!((set.code, &set.stdout, &set.stderr), (Some(0), &plain.stdout, &plain.stderr), "{path} = {default}");
    }
    // Another value is another scenario.
    let other = load(&["links.default.queue=262143".to_owned()]);
    assert_ne!((other.stdout, other.stderr), (plain.stdout, plain.stderr));
}

#[test]
fn a_bound_is_where_values_begin_to_be_refused() {
    let mut checked = 0;
    for Key { path, says } in keys() {
        let of = |names: [&str; 2]| names.iter().find_map(|name| says.get(*name)).and_then(Value::as_u64);
        let text = |length: u64| json!("x".repeat(length as usize));
        let (inside, outside) = match (of(["x-minimum", "minimum"]), of(["x-maximum", "maximum"])) {
            (Some(least), Some(most)) => {
                let below = least.checked_sub(1).map(|below| json!(below));
                // So many nodes as there may be in all do not go with others.
                let most_alone = (!path.ends_with("count")).then(|| json!(most));
                let inside = [Some(json!(least)), most_alone];
                (inside.to_vec(), [below, Some(json!(most + 1))].to_vec())
            }
            _ => match of(["maxLength", ""]) {
                Some(most) => (vec![Some(text(most))], vec![Some(text(most + 1))]),
                None => continue,
            },
        };
        for value in inside.into_iter().flatten() {
            let ran = load(&[format!("{path}={value}")]);
            assert_eq!(ran.code, Some(0), "{path} = {value}: {}", ran.stderr);
        }
        for value in outside.into_iter().flatten() {
            assert_eq!(load(&[format!("{path}={value}")]).code, Some(2), "{path} = {value}");
        }
        checked += 1;
    }
    assert!(checked >= 12, "{checked} keys have bounds");
}
