//! A node's log, replayed.

use crate::harness::Place;
use node_log::{Replayed, replay};
use std::fs::{self, File};
use std::io::BufReader;
use std::os::unix::fs::PermissionsExt;

fn replayed(place: &Place) -> Replayed {
    replay(BufReader::new(File::open(place.path("node.log")).unwrap())).unwrap()
}

/// A hub that is recorded while a phone pings it and brings it a file.
fn recorded(name: &str, how: &str, signal: &str) -> Place {
    let place = Place::new(name);
    place.device("hub");
    let phone = place.device("phone");
    fs::create_dir(place.path("shared")).unwrap();
    fs::write(place.path("file"), vec![7; 200_000]).unwrap();
    let line =
        format!("run --identity @hub --serve echo --serve files=@shared --allow {phone}=echo --allow {phone}=files");
    let mut hub = place.start(&format!("{line} --record @node.log {how}"));
    let peer = hub.peer();
    place.finish(&format!("ping {peer} --identity @phone --count 2 --every 1ms")).assert(0, "");
    place.finish(&format!("send {peer} files @file --identity @phone")).assert(0, "");
    hub.signal(signal);
    hub.end();
    place
}

#[test]
fn what_a_node_did_is_done_again_to_the_byte() {
    let place = recorded("recorded", "", "TERM");
    let done = replayed(&place);
    assert!(done.calls > 100 && done.compared > 50 && !done.is_full && !done.is_cut, "{done:?}");
    assert_eq!(fs::metadata(place.path("node.log")).unwrap().permissions().mode() & 0o7777, 0o600);
    let log = fs::read_to_string(place.path("node.log")).unwrap();
    for line in fs::read_to_string(place.path("hub")).unwrap().lines().filter(|line| line.contains("se")).take(2) {
        assert!(!log.contains(line.rsplit_once(' ').unwrap().1), "no secret of the device");
    }
}

#[test]
fn the_log_of_a_killed_node_is_whole_as_far_as_it_goes() {
    let done = replayed(&recorded("recorded-killed", "", "KILL"));
    assert!(done.compared > 50, "{done:?}");
}

#[test]
fn a_full_log_ends_and_the_node_goes_on() {
    let done = replayed(&recorded("recorded-full", "--record-max 100KiB", "TERM"));
    assert!(done.is_full && done.compared > 20, "{done:?}");
}
