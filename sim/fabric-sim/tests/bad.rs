//! Every bad scenario is refused before anything runs, and each of its problems is shown at its place.

#![allow(clippy::unwrap_used, reason = "what a test cannot do without ends it")]

mod common;

use common::fabric_sim;

#[test]
fn every_bad_scenario_is_refused_with_all_its_problems() {
    let mut files: Vec<_> = std::fs::read_dir("tests/bad").unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    assert!(files.len() > 15, "the bad scenarios are gone");
    for file in files.iter().filter(|file| !file.to_string_lossy().contains("-part")) {
        let path = file.to_str().unwrap();
        let ran = fabric_sim(&["run", path]);
        assert_eq!((ran.code, ran.stdout.as_str()), (Some(2), ""), "{path}: {}", ran.stderr);
        let name = file.file_name().unwrap().to_str().unwrap().to_owned();
        insta::with_settings!({ snapshot_suffix => name, prepend_module_to_snapshot => false, omit_expression => true }, {
            insta::assert_snapshot!("bad", ran.stderr);
        });
    }
}
