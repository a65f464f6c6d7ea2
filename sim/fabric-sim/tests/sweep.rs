//! Sweeps as their users meet them: interrupted, killed, cut into shards and brought together again.

#![allow(clippy::unwrap_used, reason = "what a test cannot do without ends it")]

mod common;

use common::{Ran, command, empty_dir, fabric_sim};
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};

const CONTACT: &str = "tests/scenarios/contact.toml";
const IMPOSSIBLE: &str = "tests/scenarios/impossible.toml";

fn sweep(scenario: &str, args: &[&str]) -> Ran {
    fabric_sim(&[&["sweep", scenario], args].concat())
}

fn json(ran: &Ran) -> Value {
    serde_json::from_str(&ran.stdout).unwrap()
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// A sweep that writes to `out`, under way.
fn started(out: &Path, seeds: &str, more: &[&str]) -> Child {
    let args = [&["sweep", CONTACT, "--seeds", seeds, "--jobs", "2", "--out", text(out)], more].concat();
    command(&args).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
}

/// Waits until the journal holds some runs, as long as the sweep goes on.
fn wait_for_lines(child: &mut Child, out: &Path, lines: usize) {
    let written = || fs::read_to_string(out.join("journal")).map_or(0, |text| text.lines().count());
    while written() < lines {
        assert_eq!(child.try_wait().unwrap(), None, "the sweep ended before it wrote anything");
        std::thread::yield_now();
    }
}

fn seeds_of(results: &Path) -> Vec<u64> {
    let text = fs::read_to_string(results).unwrap();
    let line = |line: &str| serde_json::from_str::<Value>(line).unwrap()["seed"].as_u64().unwrap();
    text.lines().skip(1).map(line).collect()
}

#[test]
fn a_sweep_passes_and_says_what_it_ran() {
    let ran = sweep(CONTACT, &["--seeds", "5..25", "--format", "json"]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let result = json(&ran);
    assert_eq!((&result["runs"], &result["passed"], &result["complete"]), (&20.into(), &20.into(), &true.into()));
    assert!(ran.stderr.contains("20 runs") && !ran.stderr.contains('\x1b'), "{}", ran.stderr);
}

#[test]
fn a_nemesis_is_refused_where_people_act_at_their_times() {
    let pairing = "../../scenarios/pairing.toml";
    for args in [
        &["run", pairing][..],
        &["sweep", pairing],
        &["sweep", pairing, "--guided"],
        &["shrink", pairing],
        &["diff", pairing],
    ] {
        let ran = fabric_sim(&[args, &["--nemesis", "calm"]].concat());
        assert_eq!(ran.code, Some(2), "{args:?}: {}", ran.stderr);
        assert!(ran.stderr.contains("a nemesis knows nothing of `[[acts]]`"), "{args:?}: {}", ran.stderr);
    }
}

#[test]
fn an_impossible_promise_is_found_with_its_fingerprint_and_a_line_that_reproduces_it() {
    let ran = sweep(IMPOSSIBLE, &["--seeds", "0..8", "--format", "json"]);
    assert_eq!(ran.code, Some(1), "{}", ran.stderr);
    let result = json(&ran);
    let failures = result["failures"].as_array().unwrap();
    assert_eq!(failures.len(), 1, "one cause is one failure: {failures:#?}");
    let failure = &failures[0];
    assert_eq!((&failure["check"], &failure["place"]), (&"work-done".into(), &"never-started".into()));
    assert_eq!(failure["runs"], 8);
    let words: Vec<_> = failure["reproduce"].as_str().unwrap().split(' ').skip(1).collect();
    let again = fabric_sim(&[&words[..], &["--format", "json"]].concat());
    assert_eq!(again.code, Some(1));
    assert_eq!(json(&again)["trace_hash"], failure["trace_hash"]);
    assert_eq!(ran.stderr.lines().filter(|line| line.starts_with("FAILED  seed")).count(), 8);
}

#[test]
fn a_drawn_seed_is_the_same_run_by_its_command_line_alone() {
    let out = empty_dir("drawn");
    let args = ["--seeds", "3..6", "--nemesis", "rough", "--out", text(&out)];
    assert_eq!(sweep(CONTACT, &args).code, Some(0));
    let results = fs::read_to_string(out.join("results.jsonl")).unwrap();
    for line in results.lines().skip(1).map(|line| serde_json::from_str::<Value>(line).unwrap()) {
        let seed = line["seed"].to_string();
        let run =
            ["run", CONTACT, "--seed", &seed, "--swarm", "--nemesis", "rough", "--suite", "model", "--format", "json"];
        let ran = json(&fabric_sim(&run));
        assert_eq!((&ran["trace_hash"], &ran["mode"]), (&line["trace_hash"], &"swarm+rough".into()));
        assert!(ran["drawn"].as_object().unwrap().contains_key("links.default.loss"), "{}", ran["drawn"]);
        assert!(ran["drawn"].as_object().unwrap().contains_key("heals_at"));
    }
}

#[test]
fn the_result_does_not_depend_on_jobs() {
    let results = |jobs: &str| {
        let out = empty_dir(&format!("jobs-{jobs}"));
        let args = ["--seeds", "0..24", "--jobs", jobs, "--out", text(&out), "--nemesis", "hostile"];
        sweep(CONTACT, &args);
        fs::read_to_string(out.join("results.jsonl")).unwrap()
    };
    assert_eq!(results("1"), results("4"));
}

#[test]
fn a_guided_sweep_learns_and_does_not_depend_on_jobs() {
    let results = |jobs: &str| {
        let out = empty_dir(&format!("guided-{jobs}"));
        let args = ["--guided", "--seeds", "0..160", "--jobs", jobs, "--out", text(&out), "--format", "json"];
        let ran = sweep(CONTACT, &args);
        assert_eq!(ran.code, Some(0), "{}", ran.stderr);
        (json(&ran), fs::read_to_string(out.join("results.jsonl")).unwrap())
    };
    let (one, lines) = results("1");
    assert_eq!((&one, &lines), (&results("2").0, &results("4").1));
    assert!(one["kept"].as_u64() > Some(3) && one["runs"] == 160, "{one}");
    for wrong in [["--guided", "--once"], ["--guided", "--shard=1/2"], ["--guided", "--format=junit"]] {
        assert_eq!(sweep(CONTACT, &wrong).code, Some(2), "{wrong:?}");
    }
    assert_eq!(sweep("../../scenarios/impostor.toml", &["--guided"]).code, Some(2));
}

#[test]
fn a_killed_guided_sweep_goes_on_where_it_was_and_comes_to_the_same() {
    let (killed, whole) = (empty_dir("guided-killed"), empty_dir("guided-whole"));
    let journal = || fs::read_to_string(killed.join("journal")).unwrap().lines().count();
    for lines in [90, 200, 330] {
        let mut child = started(&killed, "0..500", &["--guided"]);
        wait_for_lines(&mut child, &killed, lines);
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(!killed.join("results.jsonl").exists(), "a result that is there is whole");
    }
    let before = journal();
    let args = |out| ["--guided", "--seeds", "0..500", "--out", text(out), "--format", "json"];
    let (resumed, fresh) = (sweep(CONTACT, &args(&killed)), sweep(CONTACT, &args(&whole)));
    assert_eq!(resumed.code, Some(0), "{}", resumed.stderr);
    let told = resumed
        .stderr
        .lines()
        .find_map(|line| line.strip_prefix("resumed   ")?.strip_suffix(" runs are there already"));
    let there: usize = told.unwrap().parse().unwrap();
    assert!(there >= 192, "three generations were whole at the last kill at the latest, and {there} runs are known");
    assert_eq!(journal() - before, 500 - there, "what generations have finished is not run again");
    assert_eq!(json(&resumed), json(&fresh));
    let results = |out: &Path| fs::read_to_string(out.join("results.jsonl")).unwrap();
    assert_eq!(results(&killed), results(&whole));
    // More of it goes on too, although its last generation was cut short by the end.
    let more = |out| sweep(CONTACT, &["--guided", "--seeds", "0..600", "--out", text(out), "--format", "json"]);
    assert_eq!(json(&more(&killed)), json(&more(&empty_dir("guided-more"))));
    // What another search has learned is no use.
    let other = ["--guided", "--seeds", "1..500", "--out", text(&killed)];
    assert_eq!(sweep(CONTACT, &other).code, Some(2));
}

#[test]
fn enough_failures_are_counted_in_the_order_of_seeds() {
    for jobs in ["1", "4"] {
        let ran = sweep(IMPOSSIBLE, &["--seeds", "0..50", "--until-failures", "3", "--jobs", jobs, "--format", "json"]);
        assert_eq!((ran.code, json(&ran)["runs"].as_u64()), (Some(1), Some(3)), "{jobs} jobs");
    }
}

#[test]
fn the_union_of_shards_is_the_whole_whatever_the_order() {
    let dir = empty_dir("shards");
    let part = |name: &str, shard: &[&str]| -> PathBuf {
        let out = dir.join(name);
        let args = [&["--seeds", "10..31", "--out", text(&out)], shard].concat();
        assert_eq!(sweep(CONTACT, &args).code, Some(0));
        out.join("results.jsonl")
    };
    let whole = fs::read_to_string(part("whole", &[])).unwrap();
    let shards: Vec<_> = (1..=3).map(|k| part(&format!("part-{k}"), &["--shard", &format!("{k}/3")])).collect();
    for order in [[0, 1, 2], [2, 0, 1], [1, 2, 0], [2, 1, 0]] {
        let merged = dir.join("merged.jsonl");
        let files: Vec<_> = order.iter().map(|at| text(&shards[*at])).collect();
        let ran = fabric_sim(&[&["merge"], &files[..], &["--out", text(&merged)]].concat());
        assert_eq!(ran.code, Some(0), "{}", ran.stderr);
        assert_eq!(fs::read_to_string(&merged).unwrap(), whole);
    }
}

#[test]
fn where_a_shard_is_missing_nothing_is_merged_unless_a_part_is_asked_for() {
    let dir = empty_dir("missing-shard");
    let wanted = "check.sometimes=['record-rekeyed']";
    let shard = |k: u64| {
        let out = dir.join(format!("shard-{k}"));
        let args = ["--seeds", "0..8", "--set", wanted, "--shard", &format!("{k}/4"), "--out", text(&out)];
        assert_eq!(sweep(CONTACT, &args).code, Some(0));
        text(&out.join("results.jsonl")).to_owned()
    };
    let shards = [1, 2, 3, 4].map(shard);
    let merged = dir.join("merged.jsonl");
    let merge =
        |files: &[&str], more: &[&str]| fabric_sim(&[&["merge"], files, &["--out", text(&merged)], more].concat());

    let refused = merge(&[&shards[1], &shards[1]], &[]);
    assert!(refused.code == Some(2) && !merged.exists(), "{}", refused.stderr);
    assert!(refused.stderr.contains("missing shards: 1/4, 3/4, 4/4; "), "{}", refused.stderr);

    let part = merge(&[&shards[3], &shards[1]], &["--partial", "--format", "json"]);
    assert_eq!(part.code, Some(0), "what is not reached may be reached by another shard: {}", part.stderr);
    assert!(part.stderr.contains("PARTIAL  without shards 1/4, 3/4"), "{}", part.stderr);
    let result = json(&part);
    assert_eq!((&result["shards"], &result["complete"]), (&serde_json::json!(["2/4", "4/4"]), &false.into()));

    // A part is one among others.
    let part = dir.join("part.jsonl");
    fs::rename(&merged, &part).unwrap();
    let refused = merge(&[text(&part), &shards[0]], &[]);
    assert!(refused.code == Some(2) && refused.stderr.contains("missing shards: 3/4; "), "{}", refused.stderr);
    let whole = merge(&[&shards[2], text(&part), &shards[0]], &["--partial", "--format", "json"]);
    assert_eq!(whole.code, Some(1), "all is judged once all is there: {}", whole.stderr);
    assert!(!whole.stderr.contains("PARTIAL"), "{}", whole.stderr);
    let result = json(&whole);
    assert_eq!((&result["shards"], &result["complete"]), (&serde_json::json!(["1/1"]), &true.into()));

    // Of results that do not say what they are of, nobody knows what lacks.
    let old = fs::read_to_string(&part).unwrap().replace(r#","shards":["2/4","4/4"]"#, "");
    fs::write(&part, old).unwrap();
    let refused = merge(&[text(&part)], &["--partial"]);
    assert!(refused.code == Some(2) && refused.stderr.contains("missing field `shards`"), "{}", refused.stderr);
}

/// No run of so few records changes a key.
#[test]
fn what_some_run_must_reach_and_none_does_fails_the_sweep_and_the_merge_of_its_shards() {
    let dir = empty_dir("unreached");
    let run = |name: &str, args: &[&str]| {
        let out = dir.join(name);
        let wanted = "check.sometimes=['record-rekeyed', 'dial-paced']";
        let known = ["--seeds", "0..6", "--format", "json", "--out", text(&out), "--set", wanted];
        (sweep(CONTACT, &[&known[..], args].concat()), out.join("results.jsonl"))
    };
    let (whole, _) = run("whole", &[]);
    assert_eq!(whole.code, Some(1), "{}", whole.stderr);
    assert!(whole.stderr.contains("NEVER REACHED  record-rekeyed: 6 runs"), "{}", whole.stderr);
    assert!(!whole.stderr.contains("NEVER REACHED  dial-paced"), "{}", whole.stderr);
    let result = json(&whole);
    assert_eq!(result["unreached"], serde_json::json!(["record-rekeyed"]));
    assert_eq!((&result["passed"], &result["probes"]["dial-paced"]), (&6.into(), &6.into()));
    let parts = [1, 2].map(|k| run(&format!("part-{k}"), &["--shard", &format!("{k}/2")]));
    assert!(parts.iter().all(|(ran, _)| ran.code == Some(0)), "the other shard may reach it");
    let merged = fabric_sim(&["merge", text(&parts[0].1), text(&parts[1].1), "--format", "json"]);
    assert_eq!(merged.code, Some(1), "{}", merged.stderr);
    let merged = json(&merged);
    assert_eq!((&merged["probes"], &merged["unreached"]), (&result["probes"], &result["unreached"]));
    let (guided, _) = run("guided", &["--guided"]);
    assert_eq!((guided.code, &json(&guided)["unreached"]), (Some(1), &result["unreached"]), "{}", guided.stderr);
}

#[test]
fn what_is_merged_is_reproduced_by_the_same_command() {
    let out = empty_dir("merged-command");
    let ran = sweep(IMPOSSIBLE, &["--seeds", "0..2", "--set", "stop_at=41s", "--out", text(&out), "--format", "json"]);
    assert_eq!(ran.code, Some(1), "{}", ran.stderr);
    let merged = fabric_sim(&["merge", text(&out.join("results.jsonl")), "--format", "json"]);
    let command = |ran: &Ran| json(ran)["failures"][0]["reproduce"].as_str().unwrap().to_owned();
    assert_eq!(command(&merged), command(&ran));
    assert!(command(&merged).contains(IMPOSSIBLE) && command(&merged).contains("--set stop_at=41s"));
}

#[test]
fn a_single_run_shows_what_it_reached_and_fails_for_none_of_it() {
    let wanted = "check.sometimes=['record-rekeyed', 'dial-paced']";
    let ran = fabric_sim(&["run", CONTACT, "--set", wanted, "--format", "json"]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let result = json(&ran);
    let sometimes = result["checks"].as_array().unwrap().iter().filter(|check| check["kind"] == "sometimes");
    let seen: Vec<_> = sometimes.map(|check| (check["verdict"].as_str(), check["detail"].as_str())).collect();
    let not_reached = "not reached; a sweep judges whether it ever is";
    assert_eq!(seen, [(Some("not-judged"), Some(not_reached)), (Some("held"), Some("reached"))]);
    let reached = |name: &str| result["probes"].as_array().unwrap().contains(&name.into());
    assert!(reached("dial-paced") && !reached("record-rekeyed"), "{}", result["probes"]);
}

/// What was reached before a crash counts, though the machine is gone.
#[test]
fn a_crash_does_not_forget_what_was_reached() {
    let gone = ["--set", "faults.timeline=[{ at = '9s', crash = 'hub' }, { at = '9s', crash = 'phone' }]"];
    let whole = json(&fabric_sim(&[&["run", CONTACT, "--format", "json"], &gone[..]].concat()));
    assert!(whole["probes"].as_array().unwrap().contains(&"dial-paced".into()), "{}", whole["probes"]);
}

#[test]
fn one_run_with_two_hashes_is_nondeterminism() {
    let dir = empty_dir("two-hashes");
    let out = dir.join("one");
    assert_eq!(sweep(CONTACT, &["--seeds", "0..3", "--out", text(&out)]).code, Some(0));
    let one = out.join("results.jsonl");
    let lines = fs::read_to_string(&one).unwrap();
    let hash = serde_json::from_str::<Value>(lines.lines().nth(2).unwrap()).unwrap()["trace_hash"].clone();
    let other = dir.join("other.jsonl");
    fs::write(&other, lines.replace(hash.as_str().unwrap(), "0123456789abcdef")).unwrap();
    for files in [[&one, &other], [&other, &one]] {
        let ran = fabric_sim(&["merge", text(files[0]), text(files[1]), "--format", "json"]);
        assert_eq!(ran.code, Some(4), "{}", ran.stderr);
        let result = json(&ran);
        assert_eq!((&result["runs"], &result["nondeterministic"]), (&3.into(), &1.into()));
        assert_eq!(
            (&result["failures"][0]["check"], &result["failures"][0]["seed"]),
            (&"one-result".into(), &1.into())
        );
    }
    assert_eq!(fabric_sim(&["merge", text(&one), text(&one)]).code, Some(0), "the same result twice is one");
}

#[test]
fn results_of_something_else_are_not_merged() {
    let dir = empty_dir("strangers");
    let part = |name: &str, args: &[&str]| {
        let out = dir.join(name);
        assert_eq!(sweep(CONTACT, &[&["--seeds", "0..1", "--out", text(&out)], args].concat()).code, Some(0));
        out.join("results.jsonl")
    };
    let (one, other) = (part("one", &[]), part("other", &["--set", "stop_at=41s"]));
    assert_eq!(fabric_sim(&["merge", text(&one), text(&other)]).code, Some(2));
    let resumed = sweep(CONTACT, &["--seeds", "0..1", "--out", text(&dir.join("one")), "--set", "stop_at=41s"]);
    assert_eq!(resumed.code, Some(2), "a journal of another scenario: {}", resumed.stderr);
    fs::write(dir.join("cut.jsonl"), fs::read_to_string(&one).unwrap().trim_end()).unwrap();
    fs::write(dir.join("wrong.jsonl"), "{}\n").unwrap();
    for wrong in ["cut.jsonl", "wrong.jsonl", "missing.jsonl", "."] {
        assert_eq!(fabric_sim(&["merge", text(&dir.join(wrong))]).code, Some(2), "{wrong}");
    }
}

#[test]
fn a_killed_sweep_goes_on_where_it_was_and_no_seed_is_lost_or_run_twice() {
    let out = empty_dir("killed");
    for lines in [3, 30, 60] {
        let mut child = started(&out, "0..400", &[]);
        wait_for_lines(&mut child, &out, lines);
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(!out.join("results.jsonl").exists(), "a result that is there is whole");
    }
    let before = fs::read_to_string(out.join("journal")).unwrap().lines().count();
    let ran = sweep(CONTACT, &["--seeds", "0..400", "--out", text(&out)]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert!(ran.stderr.contains("runs are there already"), "{}", ran.stderr);
    assert_eq!(seeds_of(&out.join("results.jsonl")), (0..400).collect::<Vec<_>>());
    let after = fs::read_to_string(out.join("journal")).unwrap();
    assert!(after.lines().count() - before <= 400 - 59, "what was finished is not run again");
    let fresh = empty_dir("not-killed");
    sweep(CONTACT, &["--seeds", "0..400", "--out", text(&fresh)]);
    let results = |out: &Path| fs::read_to_string(out.join("results.jsonl")).unwrap();
    assert_eq!(results(&out), results(&fresh));
}

/// A machine of a cluster dies: its shard has half a journal, and what it had of a result is cut.
#[test]
fn a_lost_shard_is_run_again_and_merges_to_the_bytes_of_a_sweep_without_loss() {
    let dir = empty_dir("lost-shard");
    let seeds = |name: &str, shard: &[&str]| {
        let out = dir.join(name);
        let ran = sweep(CONTACT, &[&["--seeds", "0..600", "--out", text(&out)], shard].concat());
        assert_eq!(ran.code, Some(0), "{}", ran.stderr);
        out.join("results.jsonl")
    };
    let whole = fs::read_to_string(seeds("whole", &[])).unwrap();
    let mut shards = [1, 3].map(|k| seeds(&format!("shard-{k}"), &["--shard", &format!("{k}/3")])).to_vec();

    let lost = dir.join("shard-2");
    let mut child = started(&lost, "0..600", &["--shard", "2/3"]);
    wait_for_lines(&mut child, &lost, 20);
    child.kill().unwrap();
    child.wait().unwrap();
    let journal = fs::read(lost.join("journal")).unwrap();
    fs::write(lost.join("journal"), &journal[..journal.len() / 2]).unwrap();
    fs::write(lost.join("results.jsonl"), &whole.as_bytes()[..whole.len() / 2 + 7]).unwrap();

    let merged = dir.join("merged.jsonl");
    shards.push(lost.join("results.jsonl"));
    let merge = || {
        fabric_sim(
            &[&["merge"], &shards.iter().map(|path| text(path)).collect::<Vec<_>>()[..], &["--out", text(&merged)]]
                .concat(),
        )
    };
    let cut = merge();
    assert!(cut.code == Some(2) && !merged.exists(), "a cut result was merged: {}", cut.stderr);
    seeds("shard-2", &["--shard", "2/3"]);
    assert_eq!(merge().code, Some(0));
    assert_eq!(fs::read_to_string(&merged).unwrap(), whole);
}

#[cfg(unix)]
#[test]
fn an_interrupted_sweep_keeps_what_it_has_and_exits_with_130() {
    let out = empty_dir("interrupted");
    let mut child = started(&out, "0..1000000", &[]);
    wait_for_lines(&mut child, &out, 5);
    let pid = child.id().to_string();
    assert!(std::process::Command::new("kill").args(["-INT", &pid]).status().unwrap().success());
    assert_eq!(child.wait().unwrap().code(), Some(130));
    let ran = sweep(CONTACT, &["--seeds", "0..5", "--out", text(&out)]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert!(ran.stderr.contains("runs are there already"), "{}", ran.stderr);
    assert_eq!(seeds_of(&out.join("results.jsonl")), [0, 1, 2, 3, 4]);
}

#[test]
fn a_time_limit_ends_a_sweep_that_has_no_other() {
    let ran = sweep(CONTACT, &["--for", "200ms", "--format", "json"]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert!(json(&ran)["runs"].as_u64().unwrap() > 0);
}

#[test]
fn regression_seeds_of_the_scenario_run_first() {
    let dir = empty_dir("regressions");
    fs::copy(CONTACT, dir.join("contact.toml")).unwrap();
    let scenario = dir.join("contact.toml");
    fs::create_dir(dir.join("regressions")).unwrap();
    let write = |name: &str, text: &str| fs::write(dir.join("regressions").join(name), text).unwrap();
    write("one.toml", "# A cause.\nregression_of = \"contact\"\nseeds = [77, 5]\nnemesis = \"calm\"\n");
    write("other.toml", "# Another.\nregression_of = \"something-else\"\nseeds = [78]\n");
    let out = dir.join("out");
    let ran = sweep(text(&scenario), &["--seeds", "0..2", "--jobs", "1", "--out", text(&out)]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let journal = fs::read_to_string(out.join("journal")).unwrap();
    let first = journal.lines().nth(1).unwrap();
    assert!(first.contains("\"mode\":\"calm\",\"seed\":77"), "{first}");
    assert_eq!(journal.lines().count(), 1 + 4);
    write("wrong.toml", "regression_of = \"contact\"\nseeds = [1]\nnemesis = \"cruel\"\n");
    assert_eq!(sweep(text(&scenario), &["--seeds", "0..2"]).code, Some(2));
}

#[test]
fn wrong_arguments_exit_with_2() {
    for wrong in [["--seeds", "5"], ["--seeds", "5..5"], ["--shard", "0/4"], ["--jobs", "0"], ["--for", "soon"]] {
        assert_eq!(sweep(CONTACT, &wrong).code, Some(2), "{wrong:?}");
    }
    assert_eq!(sweep("no/such.toml", &[]).code, Some(2));
    assert_eq!(fabric_sim(&["merge"]).code, Some(2));
    assert_eq!(sweep(CONTACT, &["--seeds", "0..1", "--out", CONTACT]).code, Some(2), "a file is no directory");
}

#[test]
fn results_for_other_programs_go_to_stdout() {
    let junit = sweep(IMPOSSIBLE, &["--seeds", "0..3", "--format", "junit"]);
    let xml = roxmltree::Document::parse(&junit.stdout).unwrap();
    assert_eq!(xml.descendants().filter(|node| node.has_tag_name("failure")).count(), 1);
    let github = sweep(IMPOSSIBLE, &["--seeds", "0..3", "--format", "github"]);
    assert!(
        github.stdout.starts_with("::error file=tests/scenarios/impossible.toml,title=work-done"),
        "{}",
        github.stdout
    );
}
