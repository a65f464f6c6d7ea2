//! The identity file: private, whole, one process at a time, never overwritten.

use crate::harness::{Place, finish};
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;

#[test]
fn a_new_file_is_its_owners_alone_and_stays() {
    let place = Place::new("identity");
    let device = place.device("hub");
    let path = place.path("hub");
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o7777, 0o600);
    let before = fs::read(&path).unwrap();
    finish(&["id", "new", &path]).assert(2, "never overwritten");
    assert_eq!(fs::read(&path).unwrap(), before);
    let shown = finish(&["id", "show", &path, "--format", "json"]);
    assert_eq!(shown.events[0]["device_id"], device.as_str());
}

#[test]
fn a_file_that_others_can_read_is_refused() {
    let place = Place::new("identity-mode");
    place.device("hub");
    for mode in [0o640, 0o604, 0o620] {
        fs::set_permissions(place.path("hub"), Permissions::from_mode(mode)).unwrap();
        place.finish("run --identity @hub").assert(2, &format!("mode {mode:04o}"));
    }
}

#[test]
fn a_cut_or_missing_file_is_refused() {
    let place = Place::new("identity-cut");
    place.device("hub");
    let bytes = fs::read(place.path("hub")).unwrap();
    fs::write(place.path("hub"), &bytes[..bytes.len() - 1]).unwrap();
    place.finish("run --identity @hub").assert(2, "cut or damaged");
    place.finish("run --identity @nowhere").assert(2, "fabric-node id new");
    fs::create_dir(place.path("directory")).unwrap();
    place.finish("run --identity @directory").assert(2, "not a regular file");
}

#[test]
fn one_process_is_one_device() {
    let place = Place::new("identity-twice");
    place.device("hub");
    let mut first = place.start("run --identity @hub");
    place.finish("run --identity @hub").assert(2, "another fabric-node runs with this identity");
    first.signal("KILL");
    first.end();
    let mut again = place.start("run --identity @hub");
    again.signal("TERM");
    assert_eq!(again.end(), Some(0));
}
