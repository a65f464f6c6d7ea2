//! The whole application in a simulated world that takes every liberty a driver has.

use super::*;
use crate::files::client::Put;
use crate::peer::Peer as Target;
use crate::scratch::Scratch;
use sim::{
    Chance, Config, Control, Delay, LinkProfile, NodeConfig, NodeIndex, Perturb, PipeProfile, Stop, Time, Watch, World,
};
use std::fs;

const HUB: u8 = 1;
const PHONE: u8 = 2;

/// What the phone told; the run is over when it has stopped.
#[derive(Default)]
struct Phone(Vec<Told>);

impl Watch<App> for Phone {
    fn event(&mut self, _: Time, node: NodeIndex, told: &Told, control: &mut Control<Command>) {
        if node == NodeIndex::new(1) {
            self.0.push(told.clone());
            if *told == Told::Stopped {
                control.stop();
            }
        }
    }
}

fn world(seed: u64) -> Config {
    let mut config = Config::new(seed, ["hub", "phone"].map(NodeConfig::new));
    config.link = LinkProfile {
        delay: Delay::Uniform(Duration::from_millis(1), Duration::from_millis(40)),
        loss: Chance::from_percent(2),
        ..LinkProfile::default()
    };
    config.pipes = PipeProfile { chunk_max: Some(900), ..PipeProfile::default() };
    config.perturb = Perturb { spurious_timeout: Chance::from_percent(20), late_drain: Chance::from_percent(20) };
    config
}

fn boot(name: &str, boot: &Boot, scratch: &Scratch) -> App {
    let (hub, phone) = (Identity::of(HUB).device_id(), Identity::of(PHONE).device_id());
    let mut settings = Settings { port: 7_000, announce: true, dial_trusted: true, ..Settings::default() };
    if name == "hub" {
        settings.services = vec![ECHO.into(), FILES.into()];
        settings.trusted = vec![phone];
        settings.allow(Some(phone), FILES);
        settings.allow(Some(phone), ECHO);
        let shelf = Shelf::open(&scratch.path().join("shared"), 1 << 20).unwrap();
        let purpose = Purpose { shelf: Some(shelf), ..Purpose::default() };
        return App::new(boot, &Identity::of(HUB), &settings, purpose, None);
    }
    let path = scratch.path().join("file");
    let put = move || Ok(Job::Put(Put::open(&path, "name".parse().unwrap())?));
    let peer = Target { device: hub, place: None };
    let errand = Errand::new(peer, FILES, Duration::from_secs(60), put).unwrap();
    let purpose = Purpose { errand: Some(errand), ..Purpose::default() };
    App::new(boot, &Identity::of(PHONE), &settings, purpose, None)
}

/// The phone brings the hub a file: what it told, and the trace of all that happened.
fn run(seed: u64) -> (Vec<Told>, u64) {
    let scratch = Scratch::new();
    fs::create_dir(scratch.path().join("shared")).unwrap();
    let content: Vec<u8> = (0..100_000_u32).map(|at| (at.wrapping_mul(0x9E37_79B9) >> 24) as u8).collect();
    fs::write(scratch.path().join("file"), &content).unwrap();
    let stored = scratch.path().join("shared/name");
    let mut world = World::new(world(seed), move |_, name, start| boot(name, &start, &scratch));
    let mut phone = Phone::default();
    let stop = world.run(Time::from_secs(120), &mut phone);
    assert_eq!(stop, Stop::Asked, "seed {seed}: {:?}", phone.0);
    assert!(fs::read(stored).unwrap() == content, "seed {seed}");
    (phone.0, world.trace_hash())
}

#[test]
fn a_file_arrives_whatever_liberties_a_driver_takes() {
    for seed in 0..20 {
        let (told, _) = run(seed);
        let is_done = |event: &Told| matches!(event, Told::Done { bytes: 100_000, .. });
        assert!(told.iter().any(is_done) && told.last() == Some(&Told::Stopped), "seed {seed}: {told:?}");
    }
}

#[test]
fn one_seed_is_one_run() {
    assert_eq!(run(7), run(7));
    assert_ne!(run(7).1, run(8).1);
}
