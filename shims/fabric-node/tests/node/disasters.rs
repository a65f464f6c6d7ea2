//! Transfers that are struck midway.

use crate::harness::{Place, Ran, Running, wait_until};
use crate::proxy::Proxy;
use std::fs::{self, File};
use std::thread;
use std::time::Duration;

/// More than goes over before it is struck; the file has no blocks on the disk.
const LARGE: u64 = 1 << 30;
/// What goes over to its end, but for where it is struck.
const WHOLE: u64 = 64 << 20;

struct Scene {
    place: Place,
    hub: Running,
    serving: String,
}

impl Scene {
    fn new(name: &str, before: &str, size: u64) -> Self {
        let place = Place::new(name);
        place.device("hub");
        let phone = place.device("phone");
        fs::create_dir(place.path("shared")).unwrap();
        File::create(place.path("file")).unwrap().set_len(size).unwrap();
        let serving = format!("run --identity @hub --no-discovery --serve files=@shared --allow {phone}=files");
        Self { hub: place.start_after(before, &serving), place, serving }
    }

    fn send_line(&self, file: &str) -> String {
        format!("send {} files @{file} --identity @phone --no-discovery", self.hub.peer())
    }

    /// A transfer, to its end.
    fn send(&self, file: &str) -> Ran {
        self.place.finish(&self.send_line(file))
    }

    /// A transfer that is under way.
    fn sending(&self) -> Running {
        let sending = self.place.start(&self.send_line("file"));
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
    scene.hub = scene.place.start(&scene.serving);
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

/// Where a transfer is struck: at so many bytes of it, evenly.
fn points() -> impl Iterator<Item = u64> {
    (1..=20).map(|point| point * WHOLE / 21)
}

/// [`WHOLE`] bytes to send, no two MiB of which are alike.
struct Held {
    scene: Scene,
    content: Vec<u8>,
}

impl Held {
    fn new(name: &str) -> Self {
        let scene = Scene::new(name, "true", 0);
        let content: Vec<u8> = (0..WHOLE).map(|at| (at.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 56) as u8).collect();
        fs::write(scene.place.path("file"), &content).unwrap();
        Self { scene, content }
    }

    /// A transfer that stands still after `point` bytes, with something of it stored.
    fn at(&self, point: u64) -> (Proxy, Running) {
        let Scene { place, hub, .. } = &self.scene;
        let proxy = Proxy::new(hub.addr().parse().unwrap(), 64 * 1024, point);
        let line = self.scene.send_line("file").replace(&hub.peer(), &hub.peer_at(proxy.addr));
        let sending = place.start(&line);
        proxy.wait_for_limit();
        wait_until(|| self.stored().is_some_and(|stored| !stored.is_empty()));
        (proxy, sending)
    }

    /// What is stored of the one file.
    fn stored(&self) -> Option<Vec<u8>> {
        let names = self.scene.stored();
        assert!(names.len() <= 1, "{names:?}");
        let name = names.first()?;
        fs::read(self.scene.place.path(&format!("shared/{name}"))).ok()
    }

    /// A prefix is, to the byte, and no more than has passed.
    #[track_caller]
    fn assert_prefix(&self, point: u64) {
        let stored = self.stored().unwrap();
        assert!(self.content.starts_with(&stored), "{} bytes at {point}", stored.len());
        assert!(stored.len() as u64 <= point, "{} bytes at {point}", stored.len());
    }

    /// The whole file gets over.
    #[track_caller]
    fn assert_well(&self) {
        assert_eq!(self.scene.stored(), [] as [&str; 0]);
        self.scene.send("file").assert(0, "");
        assert!(self.stored().unwrap() == self.content);
    }
}

#[test]
fn a_receiver_that_is_killed_at_any_point_holds_a_prefix_and_its_sender_knows() {
    let mut held = Held::new("killed-at");
    for point in points() {
        let (_proxy, mut sending) = held.at(point);
        held.scene.hub.signal("KILL");
        held.scene.hub.end();
        held.assert_prefix(point);
        assert_eq!(sending.end(), Some(1));
        assert!(sending.wait_for("failed")["what"].as_str().unwrap().contains("session was lost"));
        held.scene.hub = held.scene.place.start(&held.scene.serving);
    }
    held.assert_well();
}

#[test]
fn a_sender_that_is_killed_at_any_point_leaves_a_prefix_and_its_receiver_knows() {
    let held = Held::new("sender-killed-at");
    for point in points() {
        let (proxy, mut sending) = held.at(point);
        held.assert_prefix(point);
        sending.signal("KILL");
        sending.end();
        proxy.end();
        assert_eq!(held.scene.hub.wait_for("session-down")["reason"], "Truncated");
        wait_until(|| held.scene.stored().is_empty());
    }
    held.assert_well();
}

/// Longer than a peer may be silent (wire contract, 4): 45 s, and the grace of one PING.
const GIVEN_UP: Duration = Duration::from_secs(90);

#[test]
fn a_receiver_that_stands_still_for_too_long_is_given_up_and_served_when_it_is_back() {
    let scene = Scene::new("still-for-long", "true", LARGE);
    let sending = scene.sending();
    scene.hub.signal("STOP");
    let failed = sending.wait_for_any(&["failed"], GIVEN_UP);
    assert!(failed["what"].as_str().unwrap().contains("session was lost"), "{failed}");
    scene.hub.signal("CONT");
    scene.hub.wait_for("session-down");
    wait_until(|| scene.stored().is_empty());
    fs::write(scene.place.path("file"), b"fits").unwrap();
    scene.send("file").assert(0, "");
}

#[test]
fn a_transfer_outlives_a_receiver_that_stands_still() {
    let scene = Scene::new("still", "true", 64 << 20);
    let mut sending = scene.place.start(&scene.send_line("file"));
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
    scene.send("file").assert(1, "disk failed or is full");
    assert_eq!(scene.stored(), [] as [&str; 0]);
    fs::write(scene.place.path("small"), b"fits").unwrap();
    scene.send("small").assert(0, "");
    assert_eq!(scene.stored(), ["small"]);
}
