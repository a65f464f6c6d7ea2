//! Two devices and two people: they pair, talk and call, or nothing comes of it.

use crate::harness::{Place, Ran, Running, finish};
use node_log::replay;
use serde_json::Value;
use std::fs::File;
use std::io::BufReader;

/// Whom a device trusts, as `trust list` has it.
fn trusted(place: &Place, name: &str) -> Vec<(String, String)> {
    let listed: Ran = finish(&["trust", "list", "--identity", &place.path(name), "--format", "json"]);
    listed.assert(0, "");
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    listed.events.iter().map(|event| (text(&event["label"]), text(&event["device"]))).collect()
}

/// A hub that waits for a phone, the phone, and the ids of both; each shows the same digits.
fn comparing(place: &Place, how: &str) -> (Running, Running, [String; 2], String) {
    let ids = [place.device("hub"), place.device("phone")];
    let line =
        "run --identity @hub --pairing phone --serve echo --serve samgrd --allow phone=echo --allow phone=samgrd";
    let hub = place.start(&format!("{line} {how}"));
    let phone = place.start(&format!("pair {} --as hub --identity @phone", ids[0]));
    let shown = [hub.wait_for("pairing-number"), phone.wait_for("pairing-number")];
    assert_eq!((&shown[0]["device"], &shown[1]["device"]), (&ids[1].clone().into(), &ids[0].clone().into()));
    let number = shown[0]["number"].as_str().unwrap().to_owned();
    assert!(shown[1]["number"] == number.as_str() && number.len() == 6, "{shown:?}");
    (hub, phone, ids, number)
}

#[test]
fn two_devices_pair_and_talk_and_what_they_did_is_done_again_to_the_byte() {
    let place = Place::new("pairing");
    let (mut hub, mut phone, ids, number) = comparing(&place, "--record @hub.log");
    hub.say(&number); // the digits that the phone shows
    phone.say("yes");
    assert_eq!(hub.wait_for("paired")["label"], "phone");
    assert_eq!((phone.wait_for("paired")["label"].as_str(), phone.end()), (Some("hub"), Some(0)));
    assert_eq!(trusted(&place, "phone"), [("hub".to_owned(), ids[0].clone())]);

    place.finish("ping hub --identity @phone --count 1").assert(0, "");
    let called = place.finish("call hub samgrd resolve echo --identity @phone");
    called.assert(0, "");
    assert_eq!(called.told("answered")[0]["hex"], "00", "echo has no methods");
    place.finish("call hub samgrd forget --identity @phone").assert(1, "no such method");
    place.finish("call hub files list --identity @phone").assert(1, "denies `files`");
    let audited = [hub.wait_for("audited"), hub.wait_for("audited")];
    assert_eq!((&audited[0]["verdict"], &audited[1]["verdict"]), (&"allowed".into(), &"no such method".into()));

    hub.signal("TERM");
    assert_eq!(hub.end(), Some(0));
    assert_eq!(trusted(&place, "hub"), [("phone".to_owned(), ids[1].clone())]);
    let done = replay(BufReader::new(File::open(place.path("hub.log")).unwrap())).unwrap();
    assert!(done.compared > 50 && !done.is_cut, "{done:?}");
}

#[test]
fn a_no_leaves_nobody_trusted() {
    let place = Place::new("pairing-no");
    let (mut hub, mut phone, _, _) = comparing(&place, "");
    hub.say("yes");
    phone.say("no");
    phone.wait_for("pairing-failed");
    hub.wait_for("pairing-failed");
    assert_eq!(phone.end(), Some(1));
    hub.signal("TERM");
    assert_eq!(hub.end(), Some(0));
    assert_eq!((trusted(&place, "hub").len(), trusted(&place, "phone").len()), (0, 0));
}

#[test]
fn other_digits_and_nobody_at_all_are_no_yes() {
    let place = Place::new("pairing-nobody");
    let (mut hub, mut phone, _, number) = comparing(&place, "");
    let other = if number == "000000" { "000001" } else { "000000" };
    hub.say(other);
    phone.say_nothing_more();
    hub.wait_for("pairing-failed");
    phone.wait_for("pairing-failed");
    assert_eq!(phone.end(), Some(1));
    hub.signal("KILL");
    hub.end();
    assert_eq!((trusted(&place, "hub").len(), trusted(&place, "phone").len()), (0, 0));
}

#[test]
fn who_interrupts_trusts_nobody() {
    let place = Place::new("pairing-interrupted");
    let (mut hub, mut phone, _, _) = comparing(&place, "");
    hub.say("yes");
    phone.signal("INT");
    hub.wait_for("pairing-failed");
    assert_eq!(phone.end(), Some(130));
    hub.signal("TERM");
    hub.end();
    assert_eq!((trusted(&place, "hub").len(), trusted(&place, "phone").len()), (0, 0));
}

#[test]
fn what_cannot_be_kept_is_not_begun() {
    let place = Place::new("pairing-refused");
    let (hub, other) = (place.device("hub"), "ab".repeat(32));
    place.device("phone");
    place.finish(&format!("pair {hub} --as hub")).assert(2, "would be forgotten");
    place.finish(&format!("pair {hub} --as me --identity @hub")).assert(2, "the peer itself");
    place.finish("run --pairing phone --serve echo").assert(2, "--identity");
    finish(&["trust", "add", "hub", &other, "--identity", &place.path("phone")]).assert(0, "");
    place.finish(&format!("pair {hub} --as hub --identity @phone")).assert(2, "is the name of");
    place.finish("run --pairing hub --serve echo --identity @phone").assert(2, "is the name of");
}
