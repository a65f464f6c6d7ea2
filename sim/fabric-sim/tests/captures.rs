//! Captures as their readers meet them: by the real `tshark`, with the dissector of docs/wireshark.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "what a test cannot do without ends it")]

mod common;

use common::{Ran, empty_dir, fabric_sim};
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

const CONTACT: &str = "tests/scenarios/contact.toml";
const HUB: &str = "../../scenarios/flaky-hub.toml";
const DISSECTOR: &str = "lua_script:../../docs/wireshark/dsoftbus.lua";

struct Captured {
    result: Value,
    pcap: PathBuf,
    keys: PathBuf,
}

/// A run with these arguments, its capture and its keys.
fn captured(name: &str, args: &[&str]) -> Captured {
    let dir = empty_dir(&format!("capture-{name}"));
    let (pcap, keys) = (dir.join("run.pcapng"), dir.join("run.keys"));
    let out = ["--format", "json", "--pcap", pcap.to_str().unwrap(), "--keylog", keys.to_str().unwrap()];
    let ran = fabric_sim(&[&["run"], args, &out].concat());
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    Captured { result: serde_json::from_str(&ran.stdout).unwrap(), pcap, keys }
}

/// What `tshark` says of a capture, a line for each packet that `filter` lets through.
fn tshark(pcap: &Path, keys: Option<&Path>, filter: &str, fields: &[&str]) -> Vec<String> {
    let mut command = Command::new("tshark");
    // Without a home there are no profiles of whoever runs this.
    command.env("HOME", env!("CARGO_TARGET_TMPDIR")).args(["-X", DISSECTOR, "-r"]).arg(pcap).args(["-T", "fields"]);
    if let Some(keys) = keys {
        command.args(["-o", &format!("dsoftbus.keylog:{}", keys.display())]);
    }
    if !filter.is_empty() {
        command.args(["-Y", filter]);
    }
    command.args(fields.iter().flat_map(|field| ["-e", field]));
    let ran = command.output().expect("tshark is missing: apt-get install tshark");
    let said = String::from_utf8_lossy(&ran.stderr);
    assert!(ran.status.success() && !said.contains("Lua: Error"), "{said}");
    String::from_utf8(ran.stdout).unwrap().lines().map(str::to_owned).collect()
}

fn fault(captured: &Captured, name: &str) -> usize {
    captured.result["faults"][name].as_u64().unwrap_or_default() as usize
}

#[test]
fn a_capture_changes_no_run_and_comes_out_the_same_every_time() {
    let plain = fabric_sim(&["run", HUB, "--format", "json"]);
    let plain: Value = serde_json::from_str(&plain.stdout).unwrap();
    let [one, other] = ["one", "other"].map(|name| captured(name, &[HUB]));
    assert_eq!(one.result["trace_hash"], plain["trace_hash"]);
    let equal = |path: fn(&Captured) -> &PathBuf| fs::read(path(&one)).unwrap() == fs::read(path(&other)).unwrap();
    assert!(equal(|captured| &captured.pcap) && equal(|captured| &captured.keys));
}

/// The whole of a small story, as a reader of the capture sees it.
#[test]
fn with_its_keys_a_capture_tells_the_story() {
    let contact = captured("story", &[CONTACT]);
    let fields = ["frame.interface_name", "frame.p2p_dir", "_ws.col.Info"];
    let lines = tshark(&contact.pcap, Some(&contact.keys), "dsoftbus", &fields);
    insta::assert_snapshot!(lines[..lines.len().min(40)].join("\n"));
}

#[test]
fn every_record_that_was_sealed_is_opened_and_none_without_keys() {
    let hub = captured("records", &[HUB]);
    let checks = hub.result["checks"].as_array().unwrap();
    let credit = checks.iter().find(|check| check["name"] == "credit-conserved").unwrap();
    let sealed: usize = credit["detail"].as_str().unwrap().split(' ').next().unwrap().parse().unwrap();
    let nonces = |keys| {
        let lines = tshark(&hub.pcap, keys, "dsoftbus.record.nonce", &["dsoftbus.record.nonce"]);
        lines.iter().flat_map(|line| line.split(',')).count()
    };
    assert_eq!((nonces(Some(&hub.keys)), nonces(None)), (sealed, 0));
    assert!(!tshark(&hub.pcap, None, "dsoftbus.unkeyed", &["frame.number"]).is_empty());
    // Identity proofs are sealed too: two for each of three sessions.
    let proofs = tshark(&hub.pcap, Some(&hub.keys), "dsoftbus.handshake.signature", &["frame.number"]);
    assert_eq!(proofs.len(), 6);
    assert!(tshark(&hub.pcap, Some(&hub.keys), "dsoftbus.malformed", &["frame.number"]).is_empty());
}

#[test]
fn what_went_wrong_on_the_way_is_in_comments() {
    let hub = captured("comments", &[HUB]);
    let count = |filter: &str| tshark(&hub.pcap, None, filter, &["frame.number"]).len();
    assert_eq!(count("udp && frame.comment contains \"lost on the way\""), fault(&hub, "packets-lost"));
    let lost = count("tcp && (frame.comment contains \"lost on the way\" || frame.comment contains \"cut off\")");
    assert!(lost > 100 && lost <= fault(&hub, "segments-lost"), "{lost}: the rest met a node that was down");
    assert!(count("frame.comment contains \"cut off from hub by a partition\"") > 0);
    assert!(count("frame.comment contains \"sent again (1)\"") > 100);
    let mut interfaces = BTreeMap::new();
    for name in tshark(&hub.pcap, None, "", &["frame.interface_name"]) {
        *interfaces.entry(name).or_insert(0) += 1;
    }
    assert_eq!(interfaces.keys().map(String::as_str).collect::<Vec<_>>(), ["hub", "phone-1", "phone-2"]);
}

#[test]
fn a_damaged_packet_is_there_as_it_was_sent_and_as_it_arrived() {
    let faults = ["--set", "links.default.corrupt=30%", "--set", "links.default.duplicate=20%"];
    let noisy = captured("damage", &[&[CONTACT][..], &faults].concat());
    let count = |filter: &str| tshark(&noisy.pcap, None, filter, &["frame.number"]).len();
    assert_eq!(count("frame.comment contains \"what arrives of a packet\""), fault(&noisy, "packets-corrupted"));
    assert!(count("frame.comment contains \"damaged on the way\"") > 3);
    assert_eq!(count("frame.comment contains \"arrives twice\""), fault(&noisy, "packets-duplicated"));
    let bytes = tshark(&noisy.pcap, None, "udp && frame.p2p_dir == 1", &["udp.payload"]);
    let sent = tshark(&noisy.pcap, None, "udp && frame.p2p_dir == 0", &["udp.payload"]);
    assert!(!bytes.is_empty() && bytes.iter().all(|arrived| !sent.contains(arrived)));
}

#[test]
fn in_the_world_stack_packets_are_the_ethernet_frames_themselves() {
    let stack = captured("stack", &["../../scenarios/flaky-hub-stack.toml", "--world", "stack"]);
    let eth = tshark(&stack.pcap, None, "eth.src == 02:00:0a:53:00:01 && arp", &["arp.src.proto_ipv4"]);
    assert!(!eth.is_empty() && eth.iter().all(|address| address == "10.83.0.1"), "{eth:?}");
    let syn = tshark(&stack.pcap, None, "tcp.flags.syn == 1", &["tcp.options.mss_val"]);
    assert!(syn.len() >= 6 && syn.iter().all(|mss| mss == "1360"), "{syn:?}");
    assert!(
        tshark(&stack.pcap, None, "ip.checksum.status == 0 || tcp.checksum.status == 0", &["frame.number"]).is_empty()
    );
    let opened = tshark(&stack.pcap, Some(&stack.keys), "dsoftbus.frame.service == \"echo\"", &["frame.number"]);
    assert!(opened.len() >= 2, "each phone opens a stream");
}

#[test]
fn what_an_attacker_makes_up_is_on_an_interface_of_its_own() {
    let middle = captured("middle", &["../../scenarios/middle-swaps-identities.toml"]);
    let made_up = "frame.interface_name == \"in the middle\"";
    let lines = tshark(&middle.pcap, None, made_up, &["frame.comment"]);
    assert!(lines.len() > 5, "{lines:?}");
    assert!(lines.iter().all(|line| line.contains("made up by") || line.contains("reads instead")), "{lines:?}");
    assert!(!tshark(&middle.pcap, None, "frame.comment contains \"taken on its way\"", &["frame.number"]).is_empty());
}

#[test]
fn what_cannot_be_captured_is_refused_before_anything_runs() {
    let refused = |args: &[&str]| {
        let ran: Ran = fabric_sim(&[&["run", CONTACT], args].concat());
        assert_eq!((ran.code, ran.stdout.as_str()), (Some(2), ""), "{args:?}: {}", ran.stderr);
        ran.stderr
    };
    assert!(refused(&["--pcap", "no/such/dir/run.pcapng"]).contains("`no/such/dir/run.pcapng` cannot be written"));
    assert!(refused(&["--keylog", "keys", "--suite", "model"]).contains("--keylog is for the real suite"));
    assert!(refused(&["--world", "tcp", "--pcap", "run.pcapng"]).contains("it has no `--pcap`"));
}
