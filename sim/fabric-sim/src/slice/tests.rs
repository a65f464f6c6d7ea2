use super::*;
use crate::nemesis::Limits;
use crate::scenario;
use crate::terminal::Terminal;
use crate::worlds::sim::Extras;
use crate::worlds::tamper::{Loses, deaf_after_a_restart, deaf_unless_all_are_heard, play_tampered};
use ::sim::ledger::{Address, Decision, Ledger};
use ::sim::{NodeIndex, PacketFate};
use std::collections::BTreeSet;
use std::path::Path;
use std::rc::Rc;

const BUSY: &str = "tests/scenarios/busy.toml";

fn load(path: &str, overrides: &[&str]) -> Rc<Scenario> {
    let overrides: Vec<_> = overrides.iter().map(|text| (*text).to_owned()).collect();
    Rc::new(scenario::load(Path::new(path), &overrides).unwrap())
}

/// Why the run fails.
fn why(scenario: &Rc<Scenario>, ledger: Ledger, loses: Loses, size: Size) -> Slice {
    let run = play_tampered(scenario, &Limits::default(), 3, Extras::explaining(ledger), loses);
    Slice::of(scenario, &run, size).expect("the planted fault is found")
}

fn shown(slice: &Slice, scenario: &Scenario) -> String {
    text(slice, scenario, &Terminal::plain(100)).join("\n")
}

/// Of whom it tells.
fn names<'a>(slice: &Slice, scenario: &'a Scenario) -> BTreeSet<&'a str> {
    let nodes = slice.lines.iter().flat_map(|line| [line.node, line.peer]).flatten();
    nodes.map(|node| scenario.node_name(node)).collect()
}

fn lines_with<'a>(slice: &'a Slice, words: &str) -> Vec<&'a Line> {
    slice.lines.iter().filter(|line| line.text.contains(words)).collect()
}

/// Whether the broken promise follows from this line, however many lines are between.
fn leads_to_the_end(slice: &Slice, line: &Line) -> bool {
    let place = slice.lines.iter().position(|other| other == line).unwrap();
    let (mut open, mut known) = (vec![slice.lines.len() - 1], BTreeSet::new());
    while let Some(at) = open.pop() {
        if known.insert(at) {
            open.extend(&slice.lines[at].parents);
        }
    }
    known.contains(&place)
}

#[test]
fn a_restart_that_deafens_a_node_is_told_and_nobody_else_is() {
    let scenario = load(BUSY, &[]);
    let slice = why(&scenario, Ledger::default(), deaf_after_a_restart, Size::Whole);
    let [restart] = lines_with(&slice, "tablet-2 restarts")[..] else { panic!("{}", shown(&slice, &scenario)) };
    assert!(restart.kind == Kind::Fault && leads_to_the_end(&slice, restart));
    assert_eq!(names(&slice, &scenario), ["hub", "tablet-2"].into());
    assert!(slice.lines.len() <= 30);
    insta::assert_snapshot!(shown(&slice, &scenario));
}

#[test]
fn the_one_packet_that_a_node_missed_is_told() {
    let calm = ["links.default.loss=0%", "links.default.reorder=0%"];
    let scenario = load(BUSY, &calm);
    let node = |name| NodeIndex::new(scenario.nodes.iter().position(|node| node.name == name).unwrap() as u32);
    let taken = Decision::Packet(PacketFate { lost: true, ..PacketFate::default() });
    let address = Address::Group { from: node("phone-2"), to: node("tablet-2"), number: 0 };
    let ledger = Ledger::overriding([(address, taken)]);
    let slice = why(&scenario, ledger, deaf_unless_all_are_heard, Size::Whole);
    let [loss] = lines_with(&slice, "for tablet-2, is lost")[..] else { panic!("{}", shown(&slice, &scenario)) };
    assert_eq!(loss.node.map(|node| scenario.node_name(node)), Some("phone-2"));
    assert_eq!(lines_with(&slice, "answers nothing").len() + lines_with(&slice, "none of which it answers").len(), 1);
}

#[test]
fn a_partition_is_what_the_losses_follow_from() {
    let cut = "faults.timeline=[{ at = \"1050ms\", partition = [\"hub\", \"phone\"], for = \"9s\" }]";
    let scenario = load("../../scenarios/first-contact.toml", &[cut]);
    let slice = why(&scenario, Ledger::default(), |_, _| false, Size::Whole);
    let fault = slice.lines.iter().position(|line| line.kind == Kind::Fault).unwrap();
    let losses = lines_with(&slice, "cut off");
    let mut losses = losses.iter().filter(|line| line.kind == Kind::Mishap);
    assert!(losses.all(|line| line.parents.contains(&fault)), "{}", shown(&slice, &scenario));
    assert!(leads_to_the_end(&slice, &slice.lines[fault]));
    insta::assert_snapshot!(shown(&slice, &scenario));
}

#[test]
fn what_is_said_in_a_report_is_short_and_the_json_has_every_arrow() {
    let scenario = load(BUSY, &["links.default.loss=10%"]);
    let short = why(&scenario, Ledger::default(), deaf_after_a_restart, Size::Short);
    let slice = why(&scenario, Ledger::default(), deaf_after_a_restart, Size::Whole);
    // Short is what fits on a screen beside the rest of a report.
    assert!(short.lines.len() <= 20 && short.lines.len() < slice.lines.len(), "{}", shown(&short, &scenario));
    let value = json(&slice, &scenario, 3);
    let events = value["events"].as_array().unwrap();
    assert_eq!(events.len(), slice.lines.len());
    for (place, event) in events.iter().enumerate() {
        assert_eq!(event["id"], place);
        let parents = event["parents"].as_array().unwrap();
        assert!(parents.iter().all(|parent| parent.as_u64().unwrap() < place as u64), "an arrow points back in time");
    }
    assert_eq!((&value["check"], &events.last().unwrap()["kind"]), (&"work-done".into(), &"violation".into()));
}

#[test]
fn a_run_that_holds_has_nothing_to_explain() {
    let scenario = load(BUSY, &[]);
    let run = play_tampered(&scenario, &Limits::default(), 3, Extras::explaining(Ledger::default()), |_, _| false);
    assert!(Slice::of(&scenario, &run, Size::Whole).is_none());
}
