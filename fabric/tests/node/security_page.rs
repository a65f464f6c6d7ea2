//! Each promise of `docs/security.md` names a test that there is.

use std::fs;

const PAGE: &str = include_str!("../../../docs/security.md");
const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");

/// What a cell of the page names: a file, and a test in it unless it is a scenario.
fn named(cell: &str) -> impl Iterator<Item = (&str, Option<&str>)> {
    cell.split('`').skip(1).step_by(2).map(|name| match name.split_once(": ") {
        Some((file, test)) => (file, Some(test)),
        None => (name, None),
    })
}

fn exists(file: &str, test: Option<&str>) -> bool {
    let content = fs::read_to_string(format!("{ROOT}/{file}")).unwrap_or_default();
    match test {
        Some(test) => content.contains(&format!("fn {test}(")),
        None => file.starts_with("scenarios/") && !content.is_empty(),
    }
}

#[test]
fn every_promise_is_held_by_a_test_that_exists() {
    let promises = PAGE.split("## Promises").nth(1).unwrap().split("## No promises").next().unwrap();
    let rows: Vec<_> = promises.lines().filter(|line| line.starts_with("| ")).skip(2).collect();
    assert!(rows.len() > 20, "{}", rows.len());
    for row in rows {
        let tests: Vec<_> = named(row.split(" | ").nth(1).unwrap()).collect();
        assert!(!tests.is_empty(), "nothing holds: {row}");
        for (file, test) in tests {
            assert!(exists(file, test), "{file}: {test:?} of: {row}");
        }
    }
    assert!(!exists("fabric/tests/node/calls.rs", Some("no_such_test")) && !exists("scenarios/none.toml", None));
}
