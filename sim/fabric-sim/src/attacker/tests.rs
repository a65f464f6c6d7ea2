//! Each promise about attacks is broken once on purpose, and seen to be.

use super::Player;
use crate::oracles::{ATTACKS_FAIL, ATTACKS_FELT, Outcome};
use crate::scenario;
use crate::suites::Tap;
use crate::worlds::sim::{Run, run};
use fabric::Config;
use fabric::identity::{DeviceKey, NoisePublic};
use fabric::suite::{Cipher, Forged, Hash, RealSuite, Suite, TAG_BYTES};
use scenario_actor::Part;
use std::path::Path;
use std::rc::Rc;
use std::sync::Arc;

/// A suite with a hole in it.
#[derive(Clone, Copy, PartialEq)]
enum Hole {
    None,
    /// Every signature is right.
    Gullible,
    /// Nothing is encrypted.
    Transparent,
}

impl Suite for Hole {
    fn noise_public(&self, secret: &[u8; 32]) -> NoisePublic {
        RealSuite.noise_public(secret)
    }

    fn diffie_hellman(&self, secret: &[u8; 32], public: &NoisePublic) -> [u8; 32] {
        RealSuite.diffie_hellman(secret, public)
    }

    fn cipher(&self, key: &[u8; 32]) -> Box<dyn Cipher> {
        if *self == Self::Transparent { Box::new(Glass) } else { RealSuite.cipher(key) }
    }

    fn hash(&self) -> Box<dyn Hash> {
        RealSuite.hash()
    }

    fn sign(&self, key: &DeviceKey, message: &[u8]) -> [u8; 64] {
        RealSuite.sign(key, message)
    }

    fn verify(&self, verifying_key: &[u8; 32], message: &[u8], signature: &[u8; 64]) -> bool {
        *self == Self::Gullible || RealSuite.verify(verifying_key, message, signature)
    }
}

struct Glass;

impl Cipher for Glass {
    fn seal(&self, _: u64, _: &[u8], _: &mut [u8]) -> [u8; TAG_BYTES] {
        [0; TAG_BYTES]
    }

    fn open(&self, _: u64, _: &[u8], _: &mut [u8], _: &[u8; TAG_BYTES]) -> Result<(), Forged> {
        Ok(())
    }
}

/// Plays one of the repository's scenarios, with whatever is wrong with its honest nodes.
fn play(name: &str, overrides: &[&str], hole: Hole, config: impl Fn(&mut Config) + 'static) -> Run {
    let overrides: Vec<_> = overrides.iter().map(|text| (*text).to_owned()).collect();
    let path = format!("../../scenarios/{name}.toml");
    let scenario = Rc::new(scenario::load(Path::new(&path), &overrides).unwrap());
    let played = Rc::clone(&scenario);
    run(&scenario, 1, None, &Tap::default(), move |boot, part| {
        let mut limits = Config::default();
        config(&mut limits);
        let watched = |_: &Part| -> Arc<dyn Suite> { Arc::new(hole) };
        Player::boot(&played, &boot, part, Arc::new(RealSuite), watched, limits, None)
    })
}

fn assert_fails(run: &Run, check: &str, how: &str) {
    let verdict = run.verdicts.iter().find(|verdict| verdict.name == check).unwrap();
    let Outcome::Failed(failed) = &verdict.outcome else { panic!("{check}: {:?}", verdict.outcome) };
    assert!(failed.contains(how), "{failed}");
}

#[test]
fn the_same_scenarios_hold_without_a_fault() {
    for name in ["hostile-forged-proof", "half-open", "middle-observes", "hostile-flood-ping"] {
        let run = play(name, &[], Hole::None, |_| {});
        assert!(!run.failed(), "{name}: {:?}", run.verdicts);
    }
}

#[test]
fn a_node_that_takes_any_proof_is_found_out() {
    let run = play("hostile-forged-proof", &[], Hole::Gullible, |_| {});
    assert_fails(&run, ATTACKS_FAIL, "a proof that its device did not sign");
}

#[test]
fn plaintext_on_the_wire_is_found() {
    let run = play("middle-observes", &[], Hole::Transparent, |_| {});
    assert_fails(&run, ATTACKS_FAIL, "eve: a message on the wire shows the service name");
}

#[test]
fn a_node_without_bounds_is_found_out() {
    let run = play("half-open", &[], Hole::None, |config| config.limits.handshakes_per_source_max = 100);
    assert_fails(&run, "tables-bounded", "unfinished handshakes of one source, at most 4");
    let run = play("hostile-hoard", &[], Hole::None, |config| {
        (config.limits.sessions_max, config.limits.sessions_per_device_max) = (1_000, 1_000);
    });
    assert_fails(&run, "tables-bounded", "5 sessions with one device, at most 4");
    let run = play("announce-flood", &[], Hole::None, |config| config.discovery.devices_max = 1_000);
    assert_fails(&run, "tables-bounded", "65 peers, at most 64");
}

#[test]
fn an_offence_that_is_answered_otherwise_is_found() {
    // The peer counts on a stream's first credit: with more of it, what it sends is no offence.
    let run = play("hostile-credit-lies", &[], Hole::None, |config| config.mux.stream_window = 64 * 1024);
    assert_fails(&run, ATTACKS_FELT, "mallory never got to do what it came for");
}

#[test]
fn an_attack_that_nobody_feels_fails_the_scenario() {
    let run = play("hostile-flood-ping", &[r#"check.felt=["hub saw RecordInvalid"]"#], Hole::None, |_| {});
    assert_fails(&run, ATTACKS_FELT, "hub never saw RecordInvalid");
    let run = play("middle-replays", &[r#"attackers.eve.at="39s""#, "check.felt=[]"], Hole::None, |_| {});
    assert_fails(&run, ATTACKS_FELT, "eve never got to do what it came for");
}
