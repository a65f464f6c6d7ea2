//! The command line as its users meet it: exit codes, streams, files.

#![allow(clippy::unwrap_used, reason = "what a test cannot do without ends it")]

mod common;

use common::{command, empty_dir, fabric_sim};
use serde_json::Value;
use std::fs;
use std::io::Read;
use std::process::Stdio;

const BENCH: &str = "tests/scenarios/bench.toml";

#[test]
fn every_command_has_help_with_examples_and_exit_codes() {
    let commands =
        ["run", "sweep", "merge", "replay", "shrink", "diff", "check", "list", "new", "schema", "completions"];
    for command in [None].into_iter().chain(commands.map(Some)) {
        let args: Vec<_> = command.into_iter().chain(["--help"]).collect();
        let help = fabric_sim(&args);
        assert_eq!(help.code, Some(0));
        for part in ["Examples:", "fabric-sim ", "Exit codes:", "nondeterminis", "130"] {
            let text = help.stdout.replace("not deterministic", "nondeterministic");
            assert!(text.contains(part), "{args:?} lacks {part}:\n{text}");
        }
    }
}

#[test]
fn wrong_arguments_exit_with_2() {
    for args in [&["run"][..], &["fly"], &["run", BENCH, "--seed", "x"], &["check"], &["run", BENCH, "--format", "xml"]]
    {
        let ran = fabric_sim(args);
        assert_eq!(ran.code, Some(2), "{args:?}");
        assert!(ran.stdout.is_empty() && ran.stderr.contains("error"), "{args:?}");
    }
}

#[test]
fn a_run_names_scenario_seed_and_build_first() {
    let ran = fabric_sim(&["run", BENCH, "--seed", "0x10"]);
    let lines: Vec<_> = ran.stderr.lines().take(3).collect();
    assert!(lines[0].starts_with("scenario  bench  "), "{lines:?}");
    assert_eq!(lines[1], "seed      16");
    assert!(lines[2].starts_with(&format!("build     {}", env!("CARGO_PKG_VERSION"))), "{lines:?}");
    assert!(ran.stdout.is_empty(), "a summary is for people");
}

#[test]
fn json_goes_to_stdout_in_a_stable_order_and_equal_runs_give_equal_bytes() {
    let run = || fabric_sim(&["run", BENCH, "--format", "json"]);
    let (first, second) = (run(), run());
    assert_eq!(first.stdout, second.stdout);
    let result: Value = serde_json::from_str(&first.stdout).unwrap();
    let keys: Vec<_> = result.as_object().unwrap().keys().map(String::as_str).collect();
    let expected = [
        "schema",
        "scenario",
        "scenario_hash",
        "seed",
        "build",
        "mode",
        "suite",
        "world",
        "drawn",
        "verdict",
        "virtual_ns",
        "events",
        "trace_hash",
        "faults",
        "checks",
        "probes",
        "totals",
        "observations",
        "observations_omitted",
    ];
    assert_eq!(keys, expected);
    assert_eq!((&result["schema"], &result["seed"]), (&1.into(), &1.into()));
}

#[test]
fn out_holds_the_result_and_the_trace() {
    let dir = empty_dir("out");
    let out = dir.join("a/b");
    let ran = fabric_sim(&["run", BENCH, "--format", "json", "--out", out.to_str().unwrap()]);
    assert_eq!(fs::read_to_string(out.join("result.json")).unwrap(), ran.stdout);
    let result: Value = serde_json::from_str(&ran.stdout).unwrap();
    let trace = fs::read_to_string(out.join("trace.jsonl")).unwrap();
    assert_eq!(trace.lines().count() as u64, result["events"].as_u64().unwrap());
    for line in trace.lines() {
        serde_json::from_str::<Value>(line).unwrap();
    }
}

#[test]
fn a_trace_that_cannot_be_written_is_said_before_the_run() {
    let ran = fabric_sim(&["run", BENCH, "--trace", "no/such/directory/trace"]);
    assert_eq!(ran.code, Some(2));
    assert!(ran.stderr.contains("`no/such/directory/trace` cannot be written"), "{}", ran.stderr);
}

#[test]
fn the_hash_of_a_scenario_does_not_see_formatting_and_sees_every_value() {
    let dir = empty_dir("hash");
    let text = fs::read_to_string(BENCH).unwrap();
    let hash = |name: &str, text: &str, set: &[&str]| {
        let file = dir.join(name);
        fs::write(&file, text).unwrap();
        let sets = set.iter().flat_map(|set| ["--set", set]);
        let args: Vec<_> = ["run", file.to_str().unwrap(), "--format", "json"].into_iter().chain(sets).collect();
        let result: Value = serde_json::from_str(&fabric_sim(&args).stdout).unwrap();
        result["scenario_hash"].as_str().unwrap().to_owned()
    };
    let plain = hash("plain.toml", &text, &[]);
    assert_eq!(plain.len(), 16);
    assert_eq!(plain, hash("comments.toml", &text.replace("\n\n", "\n\n# more\n").replace(" = ", "   = "), &[]));
    assert_eq!(plain, hash("units.toml", &text.replace("\"10s\"", "\"10000ms\""), &[]));
    assert_eq!(plain, hash("default.toml", &text, &["links.default.loss=0%"]));
    for set in ["stop_at=11s", "links.default.loss=1%", "work.0.send=2001", "nodes.phone.clock_skew=1ppb", "name=\"x\""]
    {
        assert_ne!(plain, hash("other.toml", &text, &[set]), "{set}");
    }
}

#[test]
fn set_overrides_a_value_and_its_errors_point_at_the_argument() {
    let check = |set: &str| fabric_sim(&["check", BENCH, "--set", set]);
    for good in ["links.default.loss=5%", "links.\"hub <-> phone-1\".mtu=1400", "work.1.at=2s", "stop_at=\"20s\""] {
        assert_eq!(check(good).code, Some(0), "{good}");
    }
    let errors: Vec<_> = ["links.default.loss=500%", "links.default.los=5%", "no value", "a b=1", "work.7.at=2s"]
        .into_iter()
        .map(|set| {
            let ran = check(set);
            assert_eq!(ran.code, Some(2), "{set}");
            ran.stderr
        })
        .collect();
    insta::assert_snapshot!(errors.join("\n"));
}

#[test]
fn what_is_no_scenario_file_is_refused_and_never_waited_for() {
    let dir = empty_dir("files");
    let write = |name: &str, bytes: &[u8]| {
        fs::write(dir.join(name), bytes).unwrap();
    };
    write("empty.toml", b" \n");
    write("latin1.toml", b"schema = 1\nname = \"caf\xe9\"\n");
    write("huge.toml", &vec![b'#'; (8 << 20) + 1]);
    write("deep.toml", format!("a{} = 1", ".a".repeat(100_000)).as_bytes());
    write("deeper.toml", format!("a = {}1{}", "[".repeat(100_000), "]".repeat(100_000)).as_bytes());
    let tables: Vec<_> = (1..20).map(|depth| format!("[{}]", vec!["a"; depth].join("."))).collect();
    write("tables.toml", tables.join("\n").as_bytes());
    fs::create_dir(dir.join("folder.toml")).unwrap();
    let mut said = Vec::new();
    for name in ["empty.toml", "latin1.toml", "huge.toml", "folder.toml", "missing.toml"] {
        let ran = fabric_sim(&["check", dir.join(name).to_str().unwrap()]);
        assert_eq!(ran.code, Some(2), "{name}");
        said.push(ran.stderr.replace(dir.to_str().unwrap(), "DIR"));
    }
    insta::assert_snapshot!(said.join("\n"));
    for name in ["deep.toml", "deeper.toml", "tables.toml"] {
        assert_eq!(fabric_sim(&["check", dir.join(name).to_str().unwrap()]).code, Some(2), "{name}");
    }
}

#[cfg(unix)]
#[test]
fn pipes_and_devices_are_refused_and_never_waited_for() {
    let fifo = empty_dir("fifo").join("fifo.toml");
    assert!(std::process::Command::new("mkfifo").arg(&fifo).status().unwrap().success());
    for path in [fifo.to_str().unwrap(), "/dev/zero", "/dev/stdin"] {
        let ran = fabric_sim(&["check", path]);
        assert_eq!(ran.code, Some(2), "{path}");
        assert!(ran.stderr.contains("is not a regular file"), "{}", ran.stderr);
    }
}

#[test]
fn a_reader_that_goes_away_is_no_fault_and_a_full_disk_is() {
    let mut child = command(&["schema"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    let mut said = String::new();
    child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
    assert_eq!((child.wait().unwrap().code(), said.as_str()), (Some(0), ""));
    #[cfg(target_os = "linux")]
    {
        let full = fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
        assert_eq!(command(&["schema"]).stdout(full).output().unwrap().status.code(), Some(70));
    }
}

#[test]
fn list_shows_scenarios_with_their_first_sentence_and_nothing_else() {
    insta::assert_snapshot!(fabric_sim(&["list", "tests/scenarios"]).stdout);
    let none = fabric_sim(&["list", "src/oracles"]);
    assert_eq!((none.code, none.stdout.as_str()), (Some(3), ""));
    assert_eq!(fabric_sim(&["list", "no/such/directory"]).code, Some(2));
}

#[test]
fn new_writes_a_scenario_that_loads_and_never_overwrites() {
    let dir = empty_dir("new");
    let file = dir.join("mine.toml");
    let path = file.to_str().unwrap();
    let new = fabric_sim(&["new", path]);
    assert_eq!((new.code, new.stdout.trim_end()), (Some(0), path));
    assert_eq!(fabric_sim(&["check", path]).code, Some(0));
    fs::write(&file, "precious").unwrap();
    assert_eq!(fabric_sim(&["new", path]).code, Some(2));
    assert_eq!(fs::read_to_string(&file).unwrap(), "precious");
    let in_dir = |name: &str| command(&["new", name]).current_dir(&dir).output().unwrap().status.code();
    assert_eq!(in_dir("plain"), Some(0));
    assert!(dir.join("plain.toml").is_file());
    fs::create_dir(dir.join("scenarios")).unwrap();
    assert_eq!(in_dir("plain"), Some(0));
    assert!(dir.join("scenarios/plain.toml").is_file());
    assert_eq!((in_dir("a b"), in_dir("no/such/place"), in_dir("")), (Some(2), Some(2), Some(2)));
}

#[test]
fn the_schema_describes_what_the_reader_takes() {
    let schema: Value = serde_json::from_str(&fabric_sim(&["schema"]).stdout).unwrap();
    let keys: Vec<_> = schema["properties"].as_object().unwrap().keys().map(String::as_str).collect();
    for key in ["schema", "name", "include", "stop_at", "nodes", "links", "pipes", "work", "faults", "check", "swarm"] {
        assert!(keys.contains(&key), "{key}");
    }
    assert_eq!(schema["additionalProperties"], false);
    let text = schema.to_string();
    assert!(text.contains("\"for\"") && !text.contains("\"lasts\"") && !text.contains("null"), "{text}");
}

#[test]
fn colour_is_for_terminals_only() {
    let ran = fabric_sim(&["run", BENCH]);
    assert!(!ran.stderr.contains('\x1b') && !ran.stdout.contains('\x1b'));
}

#[test]
fn completions_exist_for_every_shell() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let ran = fabric_sim(&["completions", shell]);
        assert_eq!(ran.code, Some(0));
        assert!(ran.stdout.contains("fabric-sim"), "{shell}");
    }
}

fn hash(path: &std::path::Path) -> String {
    let ran = fabric_sim(&["run", path.to_str().unwrap(), "--format", "json"]);
    assert_ne!(ran.code, Some(2), "{}", ran.stderr);
    let result: Value = serde_json::from_str(&ran.stdout).unwrap();
    result["scenario_hash"].as_str().unwrap().to_owned()
}

#[test]
fn json_and_toml_of_one_shape_are_one_scenario() {
    let file = empty_dir("json").join("bench.json");
    let text = r#"{
        "schema": 1, "name": "bench", "stop_at": "10s",
        "nodes": { "hub": { "serves": ["echo", "files"], "allow": ["phone-1"] }, "phone": { "count": 1 }, "other": {} },
        "work": [
            { "at": "1s", "from": "phone-1", "open": "hub/echo", "send": 2000 },
            { "at": "1s", "from": "phone-1", "open": "hub/admin", "expect": "denied" }
        ],
        "check": { "eventually": { "sessions-up": "5s", "work-done": "8s" } }
    }"#;
    fs::write(&file, text).unwrap();
    assert_eq!(hash(&file), hash(BENCH.as_ref()));
}

#[test]
fn an_including_file_has_the_last_word_and_its_work_comes_last() {
    let dir = empty_dir("include");
    let text = fs::read_to_string(BENCH).unwrap();
    let last = text.rfind("[[work]]").unwrap();
    let (common, rest) = (text[..last].replace("\"10s\"", "\"99s\""), &text[last..]);
    fs::create_dir(dir.join("parts")).unwrap();
    fs::write(dir.join("parts/common.toml"), common).unwrap();
    fs::write(dir.join("whole.toml"), format!("include = [\"parts/common.toml\"]\nstop_at = \"10s\"\n{rest}")).unwrap();
    assert_eq!(hash(&dir.join("whole.toml")), hash(BENCH.as_ref()));
}

/// Work that cannot be done in time.
const IMPOSSIBLE: [&str; 4] = ["--set", "check.eventually.work-done=1010ms", "--set", "links.default.delay=20ms"];

#[test]
fn a_failure_is_kept_in_a_capsule_that_replays_and_shrinks() {
    let dir = empty_dir("failure");
    let out = dir.to_str().unwrap();
    let args = |verb: &'static str| [&[verb, BENCH, "--out", out][..], &IMPOSSIBLE].concat();
    let ran = fabric_sim(&args("run"));
    assert_eq!(ran.code, Some(1), "{}", ran.stderr);
    assert!(ran.stderr.contains(&format!("shrink:     fabric-sim shrink {BENCH} --seed 1 --set ")), "{}", ran.stderr);
    let capsule = dir.join("failure.capsule.json");
    let replay = fabric_sim(&["replay", capsule.to_str().unwrap(), "--format", "json"]);
    let said: Value = serde_json::from_str(&replay.stdout).unwrap();
    assert_eq!((replay.code, &said["replayed"]), (Some(1), &"same".into()), "{}", replay.stderr);
    let shrunk = fabric_sim(&["shrink", capsule.to_str().unwrap(), "--out", out]);
    assert_eq!(shrunk.code, Some(0), "{}", shrunk.stderr);
    let files: Vec<_> = shrunk.stdout.lines().collect();
    assert_eq!(
        files,
        [dir.join("bench-work-done-1.toml"), dir.join("bench-work-done-1.capsule.json")]
            .map(|file| file.to_str().unwrap().to_owned())
    );
    assert_eq!(fabric_sim(&["run", files[0]]).code, Some(1), "the scenario fails by itself");
    assert_eq!(fabric_sim(&["replay", files[1]]).code, Some(1));
    let again = fabric_sim(&args("shrink"));
    assert!(again.stdout.starts_with(dir.join("bench-work-done-1-2.toml").to_str().unwrap()), "nothing is overwritten");
    let text = |file: &str| fs::read_to_string(file).unwrap().replace("-work-done-1-2", "-work-done-1");
    assert_eq!(text(again.stdout.lines().next().unwrap()), text(files[0]), "a scenario and its capsule shrink alike");
    insta::assert_snapshot!(text(files[0]));
}

#[test]
fn a_run_that_holds_is_not_shrunk_and_what_is_no_capsule_is_not_replayed() {
    let out = empty_dir("holds");
    let calm = ["shrink", BENCH, "--set", "links.default.delay=1ms", "--out", out.to_str().unwrap()];
    let shrunk = fabric_sim(&calm);
    assert_eq!((shrunk.code, shrunk.stdout.as_str()), (Some(3), ""));
    let replay = fabric_sim(&["replay", BENCH]);
    assert_eq!(replay.code, Some(2));
    assert!(replay.stderr.contains("is not a capsule"), "{}", replay.stderr);
    assert_eq!(fabric_sim(&["replay", "no/such/file"]).code, Some(2));
}

#[test]
fn a_limit_keeps_the_best_so_far() {
    let dir = empty_dir("limit");
    let args = [&["shrink", BENCH, "--limit", "0s", "--out", dir.to_str().unwrap()][..], &IMPOSSIBLE].concat();
    let shrunk = fabric_sim(&args);
    assert_eq!(shrunk.code, Some(0), "{}", shrunk.stderr);
    assert!(shrunk.stderr.contains("STOPPED"), "{}", shrunk.stderr);
    assert_eq!(fabric_sim(&["run", shrunk.stdout.lines().next().unwrap()]).code, Some(1));
}

#[test]
fn two_runs_are_compared_to_the_first_event_that_differs() {
    let calm = ["diff", BENCH, "--set", "links.default.delay=1ms"];
    let same = fabric_sim(&calm);
    assert_eq!((same.code, same.stdout.as_str()), (Some(0), ""), "{}", same.stderr);
    let seeds = fabric_sim(&[&calm[..], &["--with-seed", "2"]].concat());
    assert_eq!(seeds.code, Some(4));
    assert!(seeds.stdout.starts_with("event ") && seeds.stdout.contains("second  {\"event\":"), "{}", seeds.stdout);
    let loss = fabric_sim(&[&calm[..], &["--with-set", "links.default.loss=100%"]].concat());
    let lines: Vec<_> = loss.stdout.lines().collect();
    assert!(lines[2..4].iter().all(|line| line.contains("{\"event\":")), "neither is over: {lines:?}");
    assert!(
        lines[2].contains("DatagramIn") && !lines[3].contains("DatagramIn"),
        "what arrives once, and once does not: {lines:?}"
    );
}
