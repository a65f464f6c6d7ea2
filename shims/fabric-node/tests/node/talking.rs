//! Nodes that find each other and talk.

use crate::harness::Place;
use serde_json::json;

#[test]
fn two_nodes_find_each_other_by_the_group_and_echo() {
    let place = Place::new("group");
    let (hub, phone) = (place.device("hub"), place.device("phone"));
    let running = place.start(&format!("run --identity @hub --serve echo --allow {phone}=echo"));
    assert_eq!(running.listening["device_id"], hub.as_str());

    let ping = place.finish(&format!("ping {hub} --identity @phone --count 3 --every 10ms"));
    ping.assert(0, "");
    assert_eq!(ping.events[0]["event"], "listening");
    let sequence: Vec<_> = ping.told("pong").into_iter().map(|pong| pong["sequence"].clone()).collect();
    assert_eq!(sequence, [json!(1), json!(2), json!(3)]);
    assert_eq!(running.wait_for("accepted")["device"], phone.as_str());
}

#[test]
fn a_device_is_named_by_label_and_by_its_first_digits() {
    let place = Place::new("names");
    let (hub, phone) = (place.device("hub"), place.device("phone"));
    let _running = place.start(&format!("run --identity @hub --serve echo --trust ph={phone} --allow ph=echo"));
    for name in ["desk", &hub[..8]] {
        let ping = place.finish(&format!("ping {name} --trust desk={hub} --identity @phone --count 1"));
        ping.assert(0, "");
    }
}

#[test]
fn a_listener_sees_who_announces_itself_and_what_it_serves() {
    let place = Place::new("discover");
    let mut discover = place.start("discover");
    let hub = place.start("run --serve echo --allow any=echo");
    let discovered = discover.wait_for("discovered");
    assert_eq!(discovered["device"], hub.listening["device_id"]);
    assert_eq!((&discovered["addr"], &discovered["services"]), (&json!(hub.addr()), &json!(["echo"])));
    discover.signal("INT");
    assert_eq!(discover.end(), Some(0), "somebody was found");
}

#[test]
fn strangers_are_let_in_where_everybody_is() {
    let place = Place::new("any");
    let hub = place.start("run --serve echo --allow any=echo --no-discovery");
    assert!(hub.wait_for("warning")["what"].as_str().unwrap().contains("for tests only"));
    let ping = place.finish(&format!("ping {} --count 1 --no-discovery", hub.peer()));
    ping.assert(0, "");
    assert_eq!(ping.told("pong").len(), 1);
}

#[test]
fn a_doctor_finds_nothing_wrong_with_the_loopback_interface() {
    let place = Place::new("doctor");
    place.device("hub");
    let doctor = place.finish("doctor --identity @hub");
    doctor.assert(0, "");
    let failed: Vec<_> = doctor.events.iter().filter(|check| check["ok"] != json!(true)).collect();
    assert!(failed.is_empty() && doctor.events.len() == 4, "{failed:?}");
}

#[test]
fn a_doctor_says_what_cannot_be_had() {
    let place = Place::new("doctor-failed");
    let doctor = place.finish("doctor --identity @nowhere --no-discovery");
    doctor.assert(1, "1 of 4 checks failed");
    let failed = doctor.events.iter().find(|check| check["ok"] == json!(false)).unwrap();
    assert_eq!(failed["name"], "identity");
    assert!(failed["help"].as_str().unwrap().contains("id new"), "{failed}");
}
