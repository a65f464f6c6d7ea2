//! Who is not let in, who is not found, and what makes no sense.

use crate::harness::Place;

#[test]
fn a_device_gets_no_more_than_it_was_allowed() {
    let place = Place::new("denied");
    let phone = place.device("phone");
    let hub = place.start(&format!("run --serve echo --serve files=@. --allow {phone}=echo --no-discovery"));
    std::fs::write(place.path("file"), b"x").unwrap();
    let send = place.finish(&format!("send {} files @file --identity @phone --no-discovery", hub.peer()));
    send.assert(1, "denies `files`");
    let failed = send.events.last().unwrap();
    assert_eq!((&failed["event"], &failed["exit"]), (&"failed".into(), &1.into()));

    let stranger = place.finish(&format!("ping {} --no-discovery", hub.peer()));
    stranger.assert(1, "does not trust this device");
    assert!(stranger.stderr.contains("--allow "), "{}", stranger.stderr);
    assert!(hub.wait_for("strangers-refused")["count"].as_u64() >= Some(1));
}

#[test]
fn a_peer_that_is_not_there_is_not_waited_for_in_vain() {
    let place = Place::new("unreached");
    let id = "ab".repeat(32);
    place.finish(&format!("ping {id} --timeout 200ms")).assert(3, "was not heard of");
    // A port that nobody listens at: one that was free a moment ago.
    let addr = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let peer = format!("{id}@{addr}#{}", "02".repeat(32));
    place.finish(&format!("ping {peer} --timeout 500ms --no-discovery")).assert(3, "unreachable");
}

#[test]
fn another_device_at_the_address_is_not_the_peer() {
    let place = Place::new("mismatch");
    let hub = place.start("run --serve echo --allow any=echo --no-discovery");
    let (_, at) = hub.peer().split_once('@').map(|(id, at)| (id.to_owned(), at.to_owned())).unwrap();
    let ping = place.finish(&format!("ping {}@{at} --timeout 500ms --no-discovery", "ab".repeat(32)));
    ping.assert(3, "IdentityMismatch");
}

#[test]
fn what_makes_no_sense_is_refused_before_anything_runs() {
    let place = Place::new("usage");
    let id = "ab".repeat(32);
    let said = |line: &str, says: &str| place.finish(line).assert(2, says);
    said("ping desk", "no trusted device is called `desk`");
    said("ping abc", "has 3 digits");
    said("ping cafecafe", "no trusted device id begins with");
    said(&format!("ping {id}@nowhere"), "no #");
    said(&format!("ping {id}@127.0.0.1:1#12"), "64 lower-case hex digits");
    said(&format!("ping {id} --no-discovery"), "address is not known");
    said(&format!("ping {id} --count 0"), "--count");
    said("run --serve sh", "`echo`, `samgrd` and `files=DIR`");
    said("run --serve echo --serve echo", "served twice");
    said("run --serve files=@nowhere", "cannot serve the files");
    said("run --serve files=@. --allow any=files", "`echo` only");
    said("run --serve echo --allow any=echoo", "not served");
    said(&format!("run --trust tv={id} --trust tv={}", "cd".repeat(32)), "name of two devices");
    said("run --group [ff02::1]:7", "--group");
}
