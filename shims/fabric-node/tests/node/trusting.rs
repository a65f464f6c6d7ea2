//! Whom a device trusts from one run to the next.

use crate::harness::{Place, finish};
use serde_json::json;

#[test]
fn a_device_that_was_added_is_trusted_by_its_label_until_it_is_removed() {
    let place = Place::new("trust");
    let (hub, phone) = (place.device("hub"), place.device("phone"));
    let trust = |line: &str| {
        let args: Vec<_> = line.split(' ').map(str::to_owned).chain(["--identity".into(), place.path("hub")]).collect();
        finish(&[args, vec!["--format".into(), "json".into()]].concat())
    };
    trust(&format!("trust add phone {phone}")).assert(0, "");
    let listed = trust("trust list");
    assert_eq!((&listed.events[0]["label"], &listed.events[0]["device"]), (&json!("phone"), &json!(phone)));

    // The label is known to the policy, and its device to the node.
    let line = "run --identity @hub --serve echo --allow phone=echo --no-discovery";
    let mut running = place.start(line);
    trust("trust list").assert(2, "another fabric-node runs with this identity");
    let ping = place.finish(&format!("ping {} --identity @phone --count 1 --no-discovery", running.peer()));
    ping.assert(0, "");
    running.signal("TERM");
    running.end();

    trust(&format!("trust add phone {}", "ab".repeat(32))).assert(2, "is the name of");
    trust(&format!("trust add me {hub}")).assert(2, "the device itself");
    trust("trust remove tablet").assert(2, "no trusted device is called `tablet`");
    trust(&format!("trust remove {}", "ab".repeat(32))).assert(2, "is not trusted");
    trust("trust remove phone").assert(0, "");
    assert_eq!(trust("trust list").events.len(), 0);
    place.finish(line).assert(2, "no trusted device is called `phone`");
}
