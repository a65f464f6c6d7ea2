//! Storage: what a restart finds, and what a directory may hold that the driver did not put there.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::time::Duration;

use machine::StoreFailed;
use shim_tcp::{Config, Driver};

use crate::scripted::{Node, Scratch, Scripted, Seen};

/// Stores and returns the answer, which comes in the same turn.
fn store(node: &mut Node, key: &str, bytes: &[u8]) -> Result<(), StoreFailed> {
    node.store(key, bytes);
    node.turn(Duration::ZERO);
    match node.seen.last() {
        Some(Seen::Stored(of, result)) if of == key => *result,
        other => panic!("{key} was not answered, but {other:?}"),
    }
}

/// What a node that starts now finds.
fn stored(config: &Config) -> Vec<(String, Vec<u8>)> {
    Node::new(config).driver.machine().boot.stored.clone().into_iter().collect()
}

fn refusal(config: &Config) -> String {
    Driver::new(config, Scripted::new).unwrap_err().to_string()
}

#[test]
fn a_restart_finds_the_last_values_and_the_next_incarnation() {
    let scratch = Scratch::new();
    let mut node = scratch.node("a");
    assert_eq!((node.driver.machine().boot.incarnation, node.driver.machine().boot.stored.len()), (0, 0));
    store(&mut node, "key.1", b"old").unwrap();
    store(&mut node, "key.1", b"new").unwrap();
    store(&mut node, "0-empty", b"").unwrap();
    drop(node);
    let mut node = scratch.node("a");
    let boot = &node.driver.machine().boot;
    let found: Vec<_> = boot.stored.iter().map(|(key, value)| (key.as_str(), value.as_slice())).collect();
    assert_eq!((boot.incarnation, found), (1, vec![("0-empty", &b""[..]), ("key.1", b"new")]));
    store(&mut node, "key.1", b"newer").unwrap();
}

#[test]
fn an_incarnation_is_spent_before_the_machine_boots() {
    let scratch = Scratch::new();
    let config = scratch.config("a");
    let booting = std::panic::AssertUnwindSafe(|| Driver::new(&config, |boot| -> Scripted { panic!("{boot:?}") }));
    std::panic::catch_unwind(booting).unwrap_err();
    assert_eq!(Node::new(&config).driver.machine().boot.incarnation, 1);
}

#[test]
fn a_seed_is_given_or_fresh() {
    let scratch = Scratch::new();
    let config = Config { seed: None, ..scratch.config("a") };
    let seeds = [(); 2].map(|()| Node::new(&config).driver.machine().boot.seed);
    assert!(seeds[0] != seeds[1] && seeds.iter().all(|seed| *seed != [0; 32]));
    assert_eq!(scratch.node("a").driver.machine().boot.seed, [7; 32]);
}

#[test]
fn keys_are_what_the_contract_says_and_never_paths() {
    let scratch = Scratch::new();
    let mut node = scratch.node("a");
    let long = "k".repeat(65);
    let hostile =
        ["", ".", "..", ".new", ".incarnation", "../a", "/tmp/a", "a/b", "a\\b", "a\0", "A", "a b", "ä", "a_b", &long];
    for key in hostile {
        assert_eq!(store(&mut node, key, b"x"), Err(StoreFailed), "{key:?}");
    }
    assert_eq!(node.driver.counters().stores_failed, hostile.len() as u64);
    for key in ["a", "a.b", "-", "0", &long[1..]] {
        assert_eq!(store(&mut node, key, b"x"), Ok(()), "{key:?}");
    }
    let beside: Vec<_> = fs::read_dir(scratch.path("")).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(beside, ["a"], "nothing outside the directory");
}

#[test]
fn a_full_disk_fails_the_store_and_the_old_value_stands() {
    let scratch = Scratch::new();
    let config = scratch.config("a");
    let mut node = Node::new(&config);
    store(&mut node, "key", b"old").unwrap();
    symlink("/dev/full", config.storage.join(".new")).unwrap(); // every write to it finds the disk full
    assert_eq!(store(&mut node, "key", b"new"), Err(StoreFailed));
    assert_eq!(fs::read(config.storage.join("key")).unwrap(), b"old");
    assert_eq!(store(&mut node, "key", b"newer"), Ok(()), "there is room again");
    drop(node);
    assert_eq!(stored(&config), [("key".to_owned(), b"newer".to_vec())]);
}

#[test]
fn values_are_bounded_in_length_and_number() {
    let scratch = Scratch::new();
    let config = Config { value_bytes_max: 10, values_max: 2, ..scratch.config("a") };
    let mut node = Node::new(&config);
    assert_eq!(store(&mut node, "a", &[1; 11]), Err(StoreFailed));
    assert_eq!(store(&mut node, "a", &[1; 10]), Ok(()));
    assert_eq!(store(&mut node, "b", b""), Ok(()));
    assert_eq!(store(&mut node, "c", b""), Err(StoreFailed));
    assert_eq!(store(&mut node, "b", b"again"), Ok(()), "it is there already");
    drop(node);
    assert!(refusal(&Config { values_max: 1, ..config.clone() }).ends_with("more values than the limit allows"));
    let told = refusal(&Config { value_bytes_max: 9, ..config.clone() });
    assert!(told.ends_with("/a/a: longer than the limit allows"), "{told}");
    assert_eq!(stored(&config).len(), 2);
}

#[test]
fn leftovers_go_and_what_is_not_ours_stays() {
    let scratch = Scratch::new();
    let config = scratch.config("a");
    let mut node = Node::new(&config);
    store(&mut node, "key", b"value").unwrap();
    drop(node);
    let at = |name: &str| config.storage.join(name);
    fs::write(at(".new"), b"half a val").unwrap();
    fs::write(at("README.TXT"), b"no key").unwrap();
    fs::write(at(".hidden"), b"no key").unwrap();
    fs::create_dir(at("directory")).unwrap();
    symlink("/etc/hostname", at("link")).unwrap();
    symlink("/nowhere", at("dangling")).unwrap();
    assert_eq!(stored(&config), [("key".to_owned(), b"value".to_vec())]);
    assert!(!at(".new").exists());
    assert!(["README.TXT", ".hidden", "directory"].iter().all(|name| at(name).exists()));
}

#[test]
fn a_damaged_count_of_starts_is_an_error_not_a_first_start() {
    let scratch = Scratch::new();
    let config = scratch.config("a");
    drop(Node::new(&config));
    for damaged in ["", "\n", "one", "-1", "18446744073709551615", "99999999999999999999", "1 ", &"1".repeat(1_000)] {
        fs::write(config.storage.join(".incarnation"), damaged).unwrap();
        let told = refusal(&config);
        assert!(told.contains("/.incarnation: "), "{damaged:?}: {told}");
    }
}

#[test]
fn one_driver_at_a_time_uses_a_directory() {
    let scratch = Scratch::new();
    let config = scratch.config("a");
    let node = Node::new(&config);
    let told = format!("cannot use the storage {}: another driver uses it", config.storage.display());
    assert_eq!(refusal(&config), told);
    drop(node);
    assert_eq!(Node::new(&config).driver.machine().boot.incarnation, 1, "the refused start is none");
}

#[test]
fn only_the_owner_reads_what_is_stored() {
    let scratch = Scratch::new();
    let config = scratch.config("a");
    store(&mut Node::new(&config), "secret", b"value").unwrap();
    let mode = |path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(config.storage.clone()), mode(config.storage.join("secret"))), (0o700, 0o600));
}
