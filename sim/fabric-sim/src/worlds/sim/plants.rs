//! Every promise is seen broken: whole runs of real nodes with one fault planted in each.

use super::{Extras, Outcome, Run, Verdict, run};
use crate::attacker::{Inspect, Look};
use crate::scenario::{self, Scenario};
use crate::slice::{self, Size, Slice};
use crate::suites::{ModelSuite, Tap, start_label};
use crate::terminal::Terminal;
use ::sim::ledger::Ledger;
use core::convert::Infallible;
use fabric::Config;
use fabric::identity::{DeviceKey, NoisePublic};
use fabric::suite::{Cipher, Forged, Hash, Suite, TAG_BYTES};
use machine::{Input, Instant, Machine, Output, PipeId};
use scenario_actor::{Actor, Allow, Expect, Observation, Part, WorkSeen};
use std::collections::VecDeque;
use std::path::Path;
use std::rc::Rc;
use std::sync::Arc;

/// What is wrong with the nodes of a run; by default nothing.
#[derive(Clone, Copy)]
struct Plant {
    /// In what oracles take for a node's application.
    says: fn(&str, Observation) -> Vec<Observation>,
    /// In what nodes are told.
    part: fn(&mut Part),
    /// Between a node and the tap.
    above: Meddling,
    /// Between the tap and the wire.
    below: Meddling,
}

impl Default for Plant {
    fn default() -> Self {
        let honest = Meddling::default();
        Self { says: |_, seen| vec![seen], part: |_| {}, above: honest, below: honest }
    }
}

/// What a cipher does that it should not.
#[derive(Clone, Copy, Default)]
struct Meddling {
    in_the_clear: bool,
    seals_twice: bool,
    inflates_credit: bool,
}

struct Meddler(Arc<dyn Suite>, Meddling);

struct MeddlingCipher(Box<dyn Cipher>, Meddling);

impl Suite for Meddler {
    fn noise_public(&self, secret: &[u8; 32]) -> NoisePublic {
        self.0.noise_public(secret)
    }

    fn diffie_hellman(&self, secret: &[u8; 32], public: &NoisePublic) -> [u8; 32] {
        self.0.diffie_hellman(secret, public)
    }

    fn cipher(&self, key: &[u8; 32]) -> Box<dyn Cipher> {
        Box::new(MeddlingCipher(self.0.cipher(key), self.1))
    }

    fn hash(&self) -> Box<dyn Hash> {
        self.0.hash()
    }

    fn sign(&self, key: &DeviceKey, message: &[u8]) -> [u8; 64] {
        self.0.sign(key, message)
    }

    fn verify(&self, verifying_key: &[u8; 32], message: &[u8], signature: &[u8; 64]) -> bool {
        self.0.verify(verifying_key, message, signature)
    }
}

impl Cipher for MeddlingCipher {
    fn seal(&self, nonce: u64, authtext: &[u8], text: &mut [u8]) -> [u8; TAG_BYTES] {
        if self.1.in_the_clear {
            return [0; TAG_BYTES];
        }
        if self.1.seals_twice {
            self.0.seal(nonce, authtext, &mut text.to_vec());
        }
        self.0.seal(nonce, authtext, text)
    }

    fn open(&self, nonce: u64, authtext: &[u8], text: &mut [u8], tag: &[u8; TAG_BYTES]) -> Result<(), Forged> {
        if self.1.in_the_clear {
            return Ok(());
        }
        self.0.open(nonce, authtext, text, tag)?;
        if self.1.inflates_credit && authtext.is_empty() {
            inflate(text);
        }
        Ok(())
    }
}

/// Every `OPEN_ACK` grants 1 MiB.
fn inflate(mut record: &mut [u8]) {
    while record.len() >= 8 {
        let length = usize::from(u16::from_be_bytes([record[2], record[3]]));
        if record[0] == 2 {
            record[8..12].copy_from_slice(&(1_u32 << 20).to_be_bytes());
        }
        record = &mut record[8 + length..];
    }
}

/// An actor whose observations pass through a plant.
struct Faulty {
    actor: Actor,
    says: fn(&str, Observation) -> Vec<Observation>,
    said: VecDeque<Observation>,
}

impl Inspect for Faulty {
    fn look(&self) -> Look<'_> {
        Look::Node(self.actor.node())
    }
}

impl Machine for Faulty {
    type Command = Infallible;
    type Event = Observation;

    fn handle(&mut self, now: Instant, input: Input<'_, Infallible>) {
        self.actor.handle(now, input);
    }

    fn poll(&mut self) -> Option<Output<'_, Observation>> {
        if let Some(seen) = self.said.pop_front() {
            return Some(Output::Event(seen));
        }
        let name = self.actor.part().name.clone();
        match self.actor.poll()? {
            Output::Event(seen) => {
                self.said.extend((self.says)(&name, seen));
                self.said.pop_front().map(Output::Event)
            }
            other => Some(other),
        }
    }

    fn fill(&mut self, pipe: PipeId, room: &mut [u8]) -> usize {
        self.actor.fill(pipe, room)
    }

    fn next_timeout(&self) -> Option<Instant> {
        self.actor.next_timeout()
    }
}

fn play(file: &str, plant: Plant) -> (Rc<Scenario>, Run) {
    let scenario = Rc::new(scenario::load(Path::new(file), &[]).unwrap());
    let tap = Tap::default();
    let watched = tap.clone();
    let run = run(&scenario, 1, Extras::explaining(Ledger::default()), &tap, move |boot, mut part| {
        (plant.part)(&mut part);
        let config = Config::default();
        let below = Arc::new(Meddler(Arc::new(ModelSuite), plant.below));
        let tapped = Arc::new(watched.suite(below, &start_label(&part.name, boot.incarnation)));
        let actor = Actor::new(&boot, part, Arc::new(Meddler(tapped, plant.above)), config);
        Faulty { actor, says: plant.says, said: VecDeque::new() }
    });
    (scenario, run)
}

const CONTACT: &str = "../../scenarios/first-contact.toml";
const GONE: &str = "tests/scenarios/gone.toml";
/// Its nodes have two sessions with each other, one of which goes, and lose another.
const DIALLED: &str = "../../scenarios/simultaneous-dial.toml";

/// How the run broke this promise.
fn breaks(file: &str, plant: Plant, check: &str) -> String {
    let (_, run) = play(file, plant);
    match run.verdicts.into_iter().find(|verdict| verdict.name == check).unwrap().outcome {
        Outcome::Failed(how) => how,
        other => panic!("{check}: {other:?}"),
    }
}

#[test]
fn without_a_fault_every_promise_is_judged_and_holds() {
    let (files, judged) = ([GONE, DIALLED], |file| play(file, Plant::default()).1.verdicts);
    let runs = files.map(judged);
    assert!(runs.iter().flatten().all(|verdict| !matches!(verdict.outcome, Outcome::Failed(_))), "{runs:?}");
    for verdict in &runs[0] {
        let is_held = |it: &&Verdict| it.name == verdict.name && matches!(it.outcome, Outcome::Held(_));
        assert!(runs.iter().flatten().any(|it| is_held(&it)), "{}: {runs:?}", verdict.name);
    }
}

#[test]
fn a_node_that_delivers_twice_is_caught() {
    let says = |_: &str, seen: Observation| match seen {
        Observation::Received { .. } => vec![seen.clone(), seen],
        seen => vec![seen],
    };
    let how = breaks(CONTACT, Plant { says, ..Plant::default() }, "messages-in-order");
    assert!(how.contains("the next was to be 1"), "{how}");
}

#[test]
fn a_broken_promise_is_followed_back_to_what_was_sent() {
    let says = |_: &str, seen: Observation| match seen {
        Observation::Received { index: 1, .. } => vec![seen.clone(), seen],
        seen => vec![seen],
    };
    let (scenario, run) = play(CONTACT, Plant { says, ..Plant::default() });
    let slice = Slice::of(&scenario, &run, Size::Whole).unwrap();
    insta::assert_snapshot!(slice::text(&slice, &scenario, &Terminal::plain(100)).join("\n"));
}

#[test]
fn a_node_that_names_another_sender_is_caught() {
    let says = |_: &str, mut seen: Observation| {
        if let Observation::Received { peer, .. } = &mut seen {
            *peer = "mallory".into();
        }
        vec![seen]
    };
    let how = breaks(CONTACT, Plant { says, ..Plant::default() }, "authenticated-delivery");
    assert!(how.contains("as if from mallory"), "{how}");
}

#[test]
fn a_node_that_serves_what_policy_denies_is_caught() {
    let part = |part: &mut Part| {
        part.allow.push(Allow { peer: "guest".into(), service: "files".into() });
        for work in part.work.iter_mut().filter(|work| work.expect == Expect::Denied) {
            (work.expect, work.bytes) = (Expect::Delivered, 1_000);
        }
    };
    let how = breaks(GONE, Plant { part, ..Plant::default() }, "policy");
    assert!(how.contains("guest reached hub/files"), "{how}");
}

#[test]
fn a_node_that_sends_in_the_clear_is_caught() {
    let below = Meddling { in_the_clear: true, ..Meddling::default() };
    let how = breaks(CONTACT, Plant { below, ..Plant::default() }, "never-in-the-clear");
    assert!(how.contains("in the clear"), "{how}");
}

#[test]
fn a_node_that_uses_a_nonce_twice_is_caught() {
    let above = Meddling { seals_twice: true, ..Meddling::default() };
    let how = breaks(CONTACT, Plant { above, ..Plant::default() }, "nonces-unique");
    assert!(how.contains("sealed under nonce 0 twice"), "{how}");
}

#[test]
fn a_node_that_sends_more_than_it_was_granted_is_caught() {
    let above = Meddling { inflates_credit: true, ..Meddling::default() };
    let how = breaks(CONTACT, Plant { above, ..Plant::default() }, "credit-conserved");
    assert!(how.contains("that the stream was granted"), "{how}");
}

#[test]
fn a_node_that_calls_a_peer_dead_which_it_hears_is_caught() {
    let says = |_: &str, seen: Observation| match &seen {
        Observation::Received { peer, .. } => {
            let dead = Observation::SessionDown { peer: peer.clone(), reason: "dead".into() };
            vec![seen, dead]
        }
        _ => vec![seen],
    };
    let how = breaks(CONTACT, Plant { says, ..Plant::default() }, "deaths-in-time");
    assert!(how.contains("hub called phone dead after"), "{how}");
}

#[test]
fn a_node_that_keeps_a_dead_session_is_caught() {
    let says = |_: &str, seen: Observation| match seen {
        Observation::SessionDown { peer, .. } => vec![Observation::Discovered { peer }],
        seen => vec![seen],
    };
    let how = breaks(GONE, Plant { says, ..Plant::default() }, "deaths-in-time");
    assert!(how.contains("hub still has a session with the phone"), "{how}");
}

const PAIRING: &str = "../../scenarios/pairing.toml";
const REVOCATION: &str = "../../scenarios/revocation.toml";
const TORN: &str = "../../scenarios/trust-torn-writes.toml";
const ROTATION: &str = "../../scenarios/key-rotation.toml";
const CALLS: &str = "../../scenarios/remote-calls.toml";
const LATE_ANSWER: &str = "../../scenarios/late-answer.toml";
const GOODBYE: &str = "../../scenarios/goodbye.toml";

/// How a run broke this promise whose nodes' observations pass through `says`.
fn says_breaks(file: &str, says: fn(&str, Observation) -> Vec<Observation>, check: &str) -> String {
    breaks(file, Plant { says, ..Plant::default() }, check)
}

#[test]
fn without_a_fault_every_promise_of_trust_is_judged_and_holds() {
    let judged = [
        (PAIRING, "paired-by-consent"),
        (REVOCATION, "revoked-at-once"),
        (TORN, "trust-durable"),
        (ROTATION, "rotation-keeps-sessions"),
        (CALLS, "denials-audited"),
        (LATE_ANSWER, "calls-in-time"),
        (GOODBYE, "goodbyes-heard"),
    ];
    for (file, check) in judged {
        let (_, run) = play(file, Plant::default());
        let verdict = run.verdicts.into_iter().find(|verdict| verdict.name == check).unwrap();
        assert!(matches!(verdict.outcome, Outcome::Held(_)), "{file}: {verdict:?}");
    }
}

#[test]
fn a_node_that_pairs_without_asking_anybody_is_caught() {
    let says = |_: &str, seen: Observation| match seen {
        Observation::Digits { ref peer, .. } => vec![seen.clone(), Observation::Paired { peer: peer.clone() }],
        seen => vec![seen],
    };
    let how = says_breaks(PAIRING, says, "paired-by-consent");
    assert!(how.contains("its person has not said yes"), "{how}");
}

#[test]
fn a_node_that_pairs_though_the_other_said_nothing_is_caught() {
    let says = |_: &str, seen: Observation| match seen {
        Observation::Answered { ref peer, .. } => vec![seen.clone(), Observation::Paired { peer: peer.clone() }],
        seen => vec![seen],
    };
    let how = says_breaks(PAIRING, says, "paired-by-consent");
    assert!(how.contains("whose person has not said yes"), "{how}");
}

#[test]
fn digits_that_differ_are_caught() {
    let says = |name: &str, mut seen: Observation| {
        if let Observation::Digits { number, .. } = &mut seen
            && name == "hub"
        {
            *number = "x".into();
        }
        vec![seen]
    };
    let how = says_breaks(PAIRING, says, "paired-by-consent");
    assert!(how.contains("which showed"), "{how}");
}

#[test]
fn a_node_that_trusts_whom_nobody_named_is_caught() {
    let says = |_: &str, mut seen: Observation| {
        if let Observation::TrustDurable { peers } = &mut seen {
            peers.push("guest".into());
        }
        vec![seen]
    };
    let how = says_breaks(PAIRING, says, "paired-by-consent");
    assert!(how.contains("trusts guest, and nobody has said so"), "{how}");
}

#[test]
fn a_session_that_outlives_its_revocation_is_caught() {
    let says = |name: &str, seen: Observation| match &seen {
        Observation::SessionDown { peer, .. } if name == "hub" && peer == "phone" => vec![],
        _ => vec![seen],
    };
    let how = says_breaks(REVOCATION, says, "revoked-at-once");
    assert!(how.contains("hub still has a session with phone"), "{how}");
}

#[test]
fn a_session_after_a_revocation_is_caught() {
    let says = |name: &str, seen: Observation| match seen {
        Observation::Refused { .. } | Observation::SessionFailed { .. } if name == "hub" => {
            vec![Observation::SessionUp { peer: "phone".into() }]
        }
        seen => vec![seen],
    };
    let how = says_breaks(REVOCATION, says, "revoked-at-once");
    assert!(how.contains("hub has a new session with phone"), "{how}");
}

#[test]
fn a_store_that_forgets_whom_it_called_durable_is_caught() {
    let says = |_: &str, mut seen: Observation| {
        if let Observation::Remembered { peers } = &mut seen {
            peers.clear();
        }
        vec![seen]
    };
    let how = says_breaks(TORN, says, "trust-durable");
    assert!(how.contains("hub has forgotten phone"), "{how}");
    let says = |_: &str, seen: Observation| match seen {
        Observation::Remembered { .. } => vec![],
        seen => vec![seen],
    };
    let how = says_breaks(TORN, says, "trust-durable");
    assert!(how.contains("has forgotten that it ever trusted anybody"), "{how}");
}

#[test]
fn a_session_that_a_rotation_ends_is_caught() {
    let says = |_: &str, seen: Observation| match seen {
        Observation::KeyRotated => {
            vec![seen, Observation::SessionDown { peer: "phone".into(), reason: "a new key".into() }]
        }
        seen => vec![seen],
    };
    let how = says_breaks(ROTATION, says, "rotation-keeps-sessions");
    assert!(how.contains("lost its session with phone"), "{how}");
}

#[test]
fn a_denial_without_an_audit_is_caught() {
    let says = |_: &str, seen: Observation| match seen {
        Observation::Audited { allowed: false, .. } => vec![],
        seen => vec![seen],
    };
    let how = says_breaks(CALLS, says, "denials-audited");
    assert!(how.contains("guest -> hub/samgrd/forget was denied, and no audit says so"), "{how}");
}

#[test]
fn a_node_that_lets_a_call_through_which_policy_denies_is_caught() {
    let part = |part: &mut Part| {
        part.allow.push(Allow { peer: "guest".into(), service: "samgrd".into() });
    };
    let how = breaks(CALLS, Plant { part, ..Plant::default() }, "denials-audited");
    assert!(how.contains("hub lets guest call samgrd/forget"), "{how}");
}

#[test]
fn a_call_that_its_caller_does_not_give_up_is_caught() {
    let says = |_: &str, seen: Observation| match seen {
        Observation::Work { seen: WorkSeen::Failed { .. } | WorkSeen::Started { attempt: 1.. }, .. } => vec![],
        seen => vec![seen],
    };
    let how = says_breaks(LATE_ANSWER, says, "calls-in-time");
    assert!(how.contains("phone -> hub/samgrd/resolve was not over"), "{how}");
}

#[test]
fn a_goodbye_that_nobody_hears_is_caught() {
    let says = |_: &str, seen: Observation| match seen {
        Observation::Left { .. } => vec![],
        seen => vec![seen],
    };
    let how = says_breaks(GOODBYE, says, "goodbyes-heard");
    assert!(how.contains("has not heard that phone left"), "{how}");
}
