//! How a node ends, and what its peers see.

use crate::harness::{Place, Running};

/// Two that dial each other have two sessions for a moment, so the first to end may be a duplicate.
fn wait_for_down(node: &Running, reason: &str) {
    while !node.wait_for("session-down")["reason"].as_str().unwrap().contains(reason) {}
}

#[test]
fn a_signal_ends_a_node_in_order() {
    for signal in ["TERM", "INT"] {
        let place = Place::new(&format!("ending-{signal}"));
        let (hub, phone) = (place.device("hub"), place.device("phone"));
        let mut running = place.start(&format!("run --identity @hub --serve echo --allow {phone}=echo"));
        let other = place.start(&format!("run --identity @phone --serve echo --allow {hub}=echo"));
        other.wait_for("session-up");
        running.wait_for("session-up");
        running.signal(signal);
        assert_eq!(running.end(), Some(0), "{signal}");
        running.wait_for("stopped");
        wait_for_down(&other, "going_away");
    }
}

#[test]
fn a_node_that_ends_says_goodbye() {
    let place = Place::new("ending-goodbye");
    let discover = place.start("discover");
    let hub = place.start("run --serve echo");
    discover.wait_for("discovered");
    hub.signal("TERM");
    let lost = discover.wait_for("lost"); // it would be remembered for longer than a test has patience
    assert_eq!(lost["device"], hub.listening["device_id"]);
}

#[test]
fn an_interrupted_errand_was_not_done() {
    let place = Place::new("ending-errand");
    let mut ping = place.start(&format!("ping {} --timeout 1h", "ab".repeat(32)));
    ping.signal("INT");
    assert_eq!(ping.end(), Some(130));
}

#[test]
fn a_killed_node_is_missed_and_found_again() {
    let place = Place::new("ending-killed");
    let (hub, phone) = (place.device("hub"), place.device("phone"));
    let hub_line = format!("run --identity @hub --serve echo --allow {phone}=echo");
    let mut running = place.start(&hub_line);
    let other = place.start(&format!("run --identity @phone --serve echo --allow {hub}=echo"));
    other.wait_for("session-up");
    running.signal("KILL");
    running.end();
    wait_for_down(&other, "Truncated");
    let _again = place.start(&hub_line);
    other.wait_for("session-up");
}
