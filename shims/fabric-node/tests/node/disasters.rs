//! Transfers that are struck midway.

use crate::harness::{Place, Running};
use std::fs::{self, File};
use std::thread;
use std::time::Duration;

/// More than goes over before it is struck; the file has no blocks on the disk.
const LARGE: u64 = 1 << 30;

struct Scene {
    place: Place,
    hub: Running,
}

impl Scene {
    fn new(name: &str, before: &str, size: u64) -> Self {
        let place = Place::new(name);
        place.device("hub");
        let phone = place.device("phone");
        fs::create_dir(place.path("shared")).unwrap();
        File::create(place.path("file")).unwrap().set_len(size).unwrap();
        let line = format!("run --identity @hub --no-discovery --serve files=@shared --allow {phone}=files");
        Self { hub: place.start_after(before, &line), place }
    }

    /// A transfer that is under way.
    fn sending(&self) -> Running {
        let line = format!("send {} files @file --identity @phone --no-discovery", self.hub.peer());
        let sending = self.place.start(&line);
        while sending.wait_for("progress")["bytes"].as_u64() == Some(0) {}
        sending
    }

    fn stored(&self) -> Vec<String> {
        let name = |entry: std::io::Result<fs::DirEntry>| entry.unwrap().file_name().into_string().unwrap();
        fs::read_dir(self.place.path("shared")).unwrap().map(name).collect()
    }
}

#[test]
fn a_receiver_that_is_killed_has_nothing_and_its_sender_knows() {
    let mut scene = Scene::new("killed", "true", LARGE);
    let mut sending = scene.sending();
    scene.hub.signal("KILL");
    scene.hub.end();
    assert_eq!(sending.end(), Some(1));
    assert!(sending.wait_for("failed")["what"].as_str().unwrap().contains("session was lost"));
    assert!(!scene.stored().contains(&"file".to_owned()), "{:?}", scene.stored());
    let _again = scene.place.start("run --identity @hub --no-discovery --serve files=@shared");
    assert_eq!(scene.stored(), [] as [&str; 0]);
}

#[test]
fn a_sender_that_is_killed_leaves_nothing_behind() {
    let scene = Scene::new("sender-killed", "true", LARGE);
    let mut sending = scene.sending();
    sending.signal("KILL");
    sending.end();
    scene.hub.wait_for("session-down");
    assert_eq!(scene.stored(), [] as [&str; 0]);
}

#[test]
fn a_transfer_outlives_a_receiver_that_stands_still() {
    let scene = Scene::new("still", "true", 64 << 20);
    let line = format!("send {} files @file --identity @phone --no-discovery", scene.hub.peer());
    let mut sending = scene.place.start(&line);
    scene.hub.signal("STOP");
    thread::sleep(Duration::from_millis(300));
    scene.hub.signal("CONT");
    assert_eq!(sending.end(), Some(0));
    assert_eq!(fs::metadata(scene.place.path("shared/file")).unwrap().len(), 64 << 20);
}

#[test]
fn a_full_disk_refuses_a_file_and_takes_the_next() {
    // No file may pass 64 KiB or so: what a shell's unit is differs. The signal that says so is ignored.
    let scene = Scene::new("full", "trap '' XFSZ; ulimit -f 64", 1 << 20);
    let send = |file: &str| {
        scene.place.finish(&format!("send {} files @{file} --identity @phone --no-discovery", scene.hub.peer()))
    };
    send("file").assert(1, "disk failed or is full");
    assert_eq!(scene.stored(), [] as [&str; 0]);
    fs::write(scene.place.path("small"), b"fits").unwrap();
    send("small").assert(0, "");
    assert_eq!(scene.stored(), ["small"]);
}
