//! Files there and back.

use crate::harness::{Place, Running};
use serde_json::json;
use std::fs;

/// Bytes that are nowhere the same.
fn content(length: usize) -> Vec<u8> {
    (0..length as u64).map(|at| (at.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 56) as u8).collect()
}

/// A hub that takes and gives files, and who may ask it.
fn hub(place: &Place, more: &str) -> Running {
    place.device("hub");
    let phone = place.device("phone");
    fs::create_dir(place.path("shared")).unwrap();
    place.start(&format!("run --identity @hub --no-discovery --serve files=@shared --allow {phone}=files {more}"))
}

const PHONE: &str = "--identity @phone --no-discovery";

#[test]
fn a_file_comes_back_as_it_was_sent() {
    let place = Place::new("files");
    let hub = hub(&place, "");
    for (name, length) in [("large", 4 << 20), ("empty", 0), ("one", 1)] {
        let bytes = content(length);
        fs::write(place.path("local"), &bytes).unwrap();
        let send = place.finish(&format!("send {} files @local --as {name} {PHONE}", hub.peer()));
        send.assert(0, "");
        assert_eq!(send.told("done")[0]["bytes"], json!(length));
        assert!(fs::read(place.path(&format!("shared/{name}"))).unwrap() == bytes, "{name} as stored");

        let get = place.finish(&format!("get {} files {name} --output @back-{name} {PHONE}", hub.peer()));
        get.assert(0, "");
        assert!(fs::read(place.path(&format!("back-{name}"))).unwrap() == bytes, "{name} as it came back");
        let served = [hub.wait_for("file-served"), hub.wait_for("file-served")];
        assert_eq!(served.map(|served| served["is_put"].clone()), [json!(true), json!(false)]);
    }
    let left = fs::read_dir(place.path("shared")).unwrap().count();
    assert_eq!(left, 3, "no temporary file is left");
}

#[test]
fn what_cannot_be_moved_says_why_and_leaves_nothing() {
    let place = Place::new("files-refused");
    let hub = hub(&place, "--file-max 1KiB");
    fs::write(place.path("shared/there"), b"first").unwrap();
    fs::write(place.path("small"), b"later").unwrap();
    fs::write(place.path("large"), content(100_000)).unwrap();
    let peer = hub.peer();
    let said = |line: &str, code: i32, says: &str| place.finish(&format!("{line} {PHONE}")).assert(code, says);
    said(&format!("send {peer} files @small --as there"), 1, "overwrites none");
    said(&format!("send {peer} files @large"), 1, "larger than it allows");
    said(&format!("send {peer} files @missing"), 2, "No such file");
    said(&format!("send {peer} files @small --as ../out"), 2, "no name");
    said(&format!("get {peer} files missing --output @new"), 1, "no file of that name");
    said(&format!("get {peer} files there --output @small"), 2, "no file is overwritten");
    said(&format!("get {peer} files there --output @new --file-max 4"), 1, "more than the 4");
    assert_eq!(fs::read(place.path("shared/there")).unwrap(), b"first");
    assert_eq!(fs::read_dir(place.path("shared")).unwrap().count(), 1);
    assert!(!fs::exists(place.path("new")).unwrap());
}

#[test]
fn what_a_killed_node_left_half_written_is_gone_at_its_next_start() {
    let place = Place::new("files-killed");
    let mut running = hub(&place, "");
    fs::write(place.path("shared/.fabric-node-1-0"), b"half").unwrap();
    running.signal("KILL");
    assert_eq!(running.end(), None);
    let _running = place.start("run --identity @hub --no-discovery --serve files=@shared");
    assert_eq!(fs::read_dir(place.path("shared")).unwrap().count(), 0);
}
