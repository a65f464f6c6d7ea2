//! Real guests in QEMU. Ignored unless asked for (`ci/qemu`): they need QEMU, and build the guest.

#![cfg(test)]

mod support;

use qemu_runner::{Kind, Outcome, Replayed, Restart, TestFault, When};
use scenario_actor::{Expect, Mark, MarkKind, Observation, Part};
use sim::{Chance, Delay};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};
use support::{Story, done};

fn assert_passed(outcome: &Outcome) {
    assert!(outcome.passed(), "{:#?}", outcome.failures);
}

fn kinds(outcome: &Outcome) -> Vec<Kind> {
    let mut kinds: Vec<_> = outcome.failures.iter().map(|failure| failure.kind).collect();
    kinds.dedup();
    kinds
}

#[test]
#[ignore = "needs QEMU: run ci/qemu"]
fn a_phone_finds_a_hub_is_echoed_and_denied() {
    let outcome = Story::first_contact("first-contact").run();
    assert_passed(&outcome);
    let phone = outcome.observations("phone");
    assert!(phone.contains(&Observation::Discovered { peer: "hub".into() }));
    assert!(phone.contains(&Observation::SessionUp { peer: "hub".into() }));
    let work = |id, expect| phone.iter().any(|what| done(what, id, expect));
    assert!(work(0, Expect::Echoed) && work(1, Expect::Denied), "{phone:?}");
}

#[test]
#[ignore = "needs QEMU: run ci/qemu"]
fn three_nodes_share_a_hub_that_loses_doubles_and_reorders() {
    let mut story = Story::new("three", &["hub", "left", "right"]);
    story.serves("hub", &["files"]);
    for phone in ["left", "right"] {
        story.allows("hub", phone, "files");
        // One way: when both ends of a connection retransmit at once, smoltcp's lock up until the session is dead.
        story.work(phone, "hub", "files", 128 * 1024, Expect::Delivered);
    }
    let link = &mut story.plan.link;
    link.delay = Delay::Uniform(machine::Duration::from_millis(1), machine::Duration::from_millis(4));
    (link.loss, link.duplicate, link.reorder) =
        (Chance::from_percent(1), Chance::from_percent(5), Chance::from_percent(5));
    let outcome = story.run();
    assert_passed(&outcome);
    let frames = outcome.frames;
    assert!(frames.lost > 0 && frames.duplicated > 0 && frames.reordered > 0, "{frames:?}");
}

#[test]
#[ignore = "needs QEMU: run ci/qemu"]
fn a_node_that_loses_power_comes_back_with_what_it_stored() {
    let mut story = Story::first_contact("restart");
    story.part("phone").work[0].at_nanos = 1_000_000_000;
    story.part("phone").work[0].bytes = 1024 * 1024;
    story.part("phone").marks = vec![Mark { id: 0, kind: MarkKind::Sent, bytes: 256 * 1024 }];
    let restart = Restart { node: "phone".into(), when: When::Mark(0), down: Duration::from_millis(200) };
    story.plan.restarts.push(restart);
    let outcome = story.run();
    assert_passed(&outcome);
    let phone = &outcome.nodes[1];
    assert_eq!(phone.starts, 2);
    let denied = phone.seen.iter().filter(|seen| done(&seen.what, 1, Expect::Denied));
    assert_eq!(denied.map(|seen| seen.incarnation).collect::<Vec<_>>(), [0], "done work is remembered");
    let echoed = phone.seen.iter().filter(|seen| done(&seen.what, 0, Expect::Echoed));
    assert_eq!(echoed.map(|seen| seen.incarnation).collect::<Vec<_>>(), [1], "work in hand is done again");
}

#[test]
#[ignore = "needs QEMU: run ci/qemu"]
fn every_failure_says_of_which_kind_it_is() {
    let mut lonely = Story::first_contact("lonely");
    (lonely.plan.link.loss, lonely.plan.timeout) = (Chance::ALWAYS, Duration::from_secs(3));
    assert_eq!(kinds(&lonely.run()), [Kind::DiscoveryTimeout]);

    let mut stranger = Story::first_contact("stranger");
    stranger.part("hub").trusts = Some(Vec::new());
    stranger.plan.timeout = Duration::from_secs(8);
    assert!(kinds(&stranger.run()).contains(&Kind::Identity));

    let mut forbidden = Story::first_contact("forbidden");
    forbidden.part("phone").work[1].expect = Expect::Echoed;
    assert_eq!(kinds(&forbidden.run()), [Kind::Policy]);

    let mut other = Story::first_contact("other");
    other.plan.expected.insert("phone".into(), vec![Observation::Discovered { peer: "hub".into() }]);
    assert_eq!(kinds(&other.run()), [Kind::ObservationMismatch]);
}

#[test]
#[ignore = "needs QEMU: run ci/qemu"]
fn a_broken_guest_is_told_from_a_broken_protocol() {
    let mut panics = Story::first_contact("panic");
    panics.part("hub").serves = vec!["x".repeat(65)];
    let outcome = panics.run();
    assert_eq!(kinds(&outcome), [Kind::GuestPanic]);
    assert!(outcome.failures[0].detail.contains("can be announced"), "{:?}", outcome.failures);

    let mut overflows = Story::first_contact("overflow");
    overflows.plan.test_faults.insert("hub".into(), TestFault::StackOverflow);
    let outcome = overflows.run();
    assert_eq!(kinds(&outcome), [Kind::GuestPanic]);
    assert!(outcome.failures[0].detail.contains("exception 14"), "{:?}", outcome.failures);

    let mut hangs = Story::first_contact("hang");
    hangs.plan.test_faults.insert("hub".into(), TestFault::Hang);
    hangs.plan.timeout = Duration::from_secs(2);
    assert_eq!(kinds(&hangs.run()), [Kind::Harness]);

    let mut dull = Story::first_contact("no-entropy");
    dull.plan.cpu = "max,-rdrand".into();
    let outcome = dull.run();
    assert_eq!(kinds(&outcome), [Kind::Boot]);
    assert!(outcome.failures[0].detail.contains("chance"), "{:?}", outcome.failures);
}

#[test]
#[ignore = "needs QEMU: run ci/qemu"]
fn no_machine_outlives_its_runner() {
    let mut story = Story::first_contact("orphans");
    story.build();
    let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/first-contact");
    let mut command = Command::new(env!("CARGO_BIN_EXE_qemu-runner"));
    command.arg("run").arg(example).arg("--guest-image").arg(&story.plan.image).arg("--out").arg(&story.plan.out);
    let mut runner = command.args(["--loss-percent", "100"]).stderr(Stdio::null()).spawn().unwrap();
    let is_alive = || machines(&story.plan.out) == 2;
    assert!(soon(is_alive), "two machines run");
    runner.kill().unwrap();
    runner.wait().unwrap();
    assert!(soon(|| machines(&story.plan.out) == 0), "they end with their runner");
}

/// How many processes have `out` in their arguments and are QEMU.
fn machines(out: &Path) -> usize {
    let processes = std::fs::read_dir("/proc").unwrap();
    let arguments = processes.filter_map(|entry| std::fs::read(entry.ok()?.path().join("cmdline")).ok());
    let texts = arguments.map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
    texts.filter(|text| text.starts_with("qemu-system") && text.contains(out.to_str().unwrap())).count()
}

/// Whether `what` comes true within some seconds.
fn soon(what: impl Fn() -> bool) -> bool {
    let until = Instant::now() + Duration::from_secs(10);
    while Instant::now() < until {
        if what() {
            return true;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    false
}

#[test]
#[ignore = "needs QEMU: run ci/qemu"]
fn the_same_bytes_go_by_plain_tcp_and_by_the_fabric_and_both_are_timed() {
    let outcome = Story::bulk("bulk").run();
    assert_passed(&outcome);
    let speed = outcome.nodes[1].speed().unwrap();
    // How fast is for docs/benchmarks.md: it is the machine's affair.
    assert!(speed.fabric > 0 && speed.plain > 0, "{speed:?}");
}

#[test]
#[ignore = "needs QEMU: run ci/qemu"]
fn a_recorded_machine_does_the_same_again_alone_to_the_byte() {
    let mut story = Story::first_contact("recorded");
    story.plan.record = true;
    let out = story.plan.out.clone();
    assert_passed(&story.run());
    let again = |node: &str| {
        let log = out.join(format!("{node}-0.rr"));
        qemu_runner::replay(Path::new("qemu-system-x86_64"), &log, Duration::from_mins(1)).unwrap()
    };
    for node in ["hub", "phone"] {
        let serial = std::fs::metadata(out.join(format!("{node}-0.log"))).unwrap().len();
        assert_eq!(again(node), Replayed::Same(serial), "{node}");
    }
    // What it said then is another thing: the difference is found.
    let log = out.join("phone-0.log");
    let mut said = std::fs::read(&log).unwrap();
    let at = said.len() / 2;
    said[at] ^= 1;
    std::fs::write(&log, &said).unwrap();
    assert_eq!(again("phone"), Replayed::Differs(at as u64));
    std::fs::write(&log, &said[..at]).unwrap();
    assert_eq!(again("phone"), Replayed::Differs(at as u64));
}

/// The parts that the command is shown with are those of the tests; `BLESS=1` writes them.
#[test]
fn the_examples_are_those_of_tests() {
    for (folder, story) in [("first-contact", Story::first_contact("example")), ("bulk", Story::bulk("example"))] {
        check_example(&Path::new(env!("CARGO_MANIFEST_DIR")).join("examples").join(folder), story);
    }
}

fn check_example(folder: &Path, story: Story) {
    for part in story.plan.parts {
        let path = folder.join(format!("{}.json", part.name));
        if std::env::var_os("BLESS").is_some() {
            std::fs::create_dir_all(folder).unwrap();
            std::fs::write(&path, serde_json::to_string_pretty(&part).unwrap() + "\n").unwrap();
        }
        let example: Part = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
        assert_eq!(example, part);
    }
}
