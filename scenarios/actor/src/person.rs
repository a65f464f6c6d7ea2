//! The person beside a node, for what is no application's to decide: pairs, trusts, revokes, changes keys and leaves at the
//! times of the part's acts. Knows no stream.

use crate::done::DoneList;
use crate::{Act, Answer, Deed, Observation, Part};
use alloc::collections::VecDeque;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use fabric::identity::{DeviceId, NoiseStatic};
use fabric::pairing::PairingNumber;
use fabric::suite::Suite;
use fabric::trust::{How, Label, Loaded, Trusted};
use fabric::{Event, Node};
use machine::{Duration, Instant};

/// How long a person looks at the digits.
const ANSWER_AFTER: Duration = Duration::from_secs(1);

/// Ids of acts in the list of what is done: those of work have not this bit.
const ACT: u32 = 1 << 31;

/// What is left to be done, and what is being done.
#[derive(Debug)]
pub(crate) struct Person {
    /// In the order of their times.
    acts: VecDeque<(Instant, Act)>,
    /// Whom the person means to pair with, and what is to be said of the digits.
    wanted: Option<(String, Answer)>,
    /// Whose digits are being looked at, and until when.
    looking: Option<(Instant, String)>,
    rotations: u8,
}

impl Person {
    pub(crate) fn new(part: &Part, done: &DoneList) -> Self {
        let due = |act: &Act| Instant::from_nanos(done.began().as_nanos().saturating_add(act.at_nanos));
        let left = part.acts.iter().filter(|act| !done.contains(act.id | ACT));
        let acts = left.map(|act| (due(act), act.clone())).collect();
        Self { acts, wanted: None, looking: None, rotations: 0 }
    }

    /// When there is something to do next.
    pub(crate) fn next(&self) -> Option<Instant> {
        let act = self.acts.front().map(|(at, _)| *at);
        [act, self.looking.as_ref().map(|(at, _)| *at)].into_iter().flatten().min()
    }

    /// Does what is due.
    pub(crate) fn act(
        &mut self,
        now: Instant,
        node: &mut Node,
        part: &Part,
        suite: &dyn Suite,
        done: &mut DoneList,
    ) -> Option<Observation> {
        if let Some((_, peer)) = self.looking.take_if(|(at, _)| *at <= now) {
            return self.answer(now, node, part, peer);
        }
        if self.acts.front().is_none_or(|(at, _)| *at > now) {
            return None;
        }
        let (_, act) = self.acts.pop_front()?;
        done.add(act.id | ACT);
        match act.deed {
            Deed::Pair { peer, answer } => {
                let device = part.peers.device(&peer)?;
                // Which nodes may be in pairing mode follows from their acts.
                let _ = node.enter_pairing(now);
                let _ = node.pair(now, device);
                self.wanted = Some((peer, answer));
            }
            Deed::Trust { peer } => {
                let (device, label) = (part.peers.device(&peer)?, peer.parse().ok()?);
                node.trust_as(device, Trusted::new(label, How::Manual, 0)).ok()?;
                return Some(Observation::Trusted { peer });
            }
            Deed::Revoke { peer } => {
                node.revoke(now, part.peers.device(&peer)?);
                return Some(Observation::Revoked { peer });
            }
            Deed::RotateKey => {
                let secret = self.next_secret(part, suite);
                node.rotate_noise_static(now, NoiseStatic::new(secret, suite.noise_public(&secret))).ok()?;
                return Some(Observation::KeyRotated);
            }
            Deed::Leave => node.shut_down(now),
        }
        None
    }

    /// A restarted node has its first key again, and goes through the same ones.
    fn next_secret(&mut self, part: &Part, suite: &dyn Suite) -> [u8; 32] {
        self.rotations = self.rotations.wrapping_add(1);
        let (mut hash, mut secret) = (suite.hash(), [0; 32]);
        hash.input(&part.noise_secret.0);
        hash.input(&[self.rotations]);
        hash.result(&mut secret);
        secret
    }

    /// Digits are shown: they will be looked at, if anybody is there.
    pub(crate) fn shown(&mut self, now: Instant, peer: String, number: PairingNumber) -> Observation {
        let is_anybody = self.wanted.as_ref().is_some_and(|(_, answer)| *answer != Answer::Nothing);
        self.looking = is_anybody.then(|| (now + ANSWER_AFTER, peer.clone()));
        Observation::Digits { peer, number: number.to_string() }
    }

    /// Digits with anybody else than the device in sight are not on its screen.
    fn answer(&mut self, now: Instant, node: &mut Node, part: &Part, peer: String) -> Option<Observation> {
        node.pairing_until()?;
        let is_meant = self.wanted.as_ref().is_some_and(|(wanted, answer)| *wanted == peer && *answer == Answer::Yes);
        let label: Option<Label> = part.peers.device(&peer).and_then(|_| peer.parse().ok());
        let yes = match label.filter(|_| is_meant) {
            Some(label) => node.confirm_pairing(now, label, 0).is_ok(),
            None => false,
        };
        if !yes {
            node.leave_pairing(now);
        }
        Some(Observation::Answered { peer, yes })
    }

    /// What the node tells of pairing and trust; anything else comes back.
    pub(crate) fn hear(
        &mut self,
        now: Instant,
        node: &Node,
        event: Event,
        name: impl Fn(DeviceId) -> String,
    ) -> Result<Option<Observation>, Event> {
        Ok(Some(match event {
            Event::PairingNumber { device, number } => self.shown(now, name(device), number),
            Event::Paired { device, .. } => {
                (self.wanted, self.looking) = (None, None);
                Observation::Paired { peer: name(device) }
            }
            Event::PairingFailed { device, reason } => {
                (self.wanted, self.looking) = (None, None);
                Observation::PairingFailed { peer: device.map(name), reason: reason.to_string() }
            }
            Event::TrustStored { result: Ok(()) } if node.trust_store().is_durable() => {
                Observation::TrustDurable { peers: trusted(node, name) }
            }
            Event::TrustStored { .. } => return Ok(None),
            event => return Err(event),
        }))
    }
}

/// What storage told at the start, if it was asked to keep anything.
pub(crate) fn remembered(node: &Node, name: impl Fn(DeviceId) -> String) -> Option<Observation> {
    let was_kept = node.trust_store().loaded() != Loaded::Nothing;
    was_kept.then(|| Observation::Remembered { peers: trusted(node, name) })
}

/// Whom the node trusts over restarts, in the order of their names.
fn trusted(node: &Node, name: impl Fn(DeviceId) -> String) -> Vec<String> {
    let mut peers: Vec<_> = node.trust_store().iter().map(|(device, _)| name(device)).collect();
    peers.sort();
    peers
}
