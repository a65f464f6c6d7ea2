//! How a node ends, and what its peers see.

use crate::harness::Place;

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
        let down = other.wait_for("session-down");
        assert!(down["reason"].as_str().unwrap().contains("going_away"), "{down}");
    }
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
    let down = other.wait_for("session-down");
    assert!(down["reason"].as_str().unwrap().contains("Truncated"), "{down}");
    let _again = place.start(&hub_line);
    other.wait_for("session-up");
}
