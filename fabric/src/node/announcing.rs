//! In which versions a node announces itself, and the epoch of the signed one: durable before it is told (wire contract, 2).

use super::Node;
use crate::config::Announcing;
use crate::discovery::{Discovery, LocalAnnounce, Refusal};
use crate::durable::{Durable, Name};
use crate::identity::{NoisePublic, NoiseStatic};
use crate::session::Local;
use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use machine::{Duration, Instant, StoreFailed};

const EPOCH: Name = Name { label: "epoch", keys: ["fabric.epoch.a", "fabric.epoch.b"], version: 1 };

/// A failed store of the epoch is tried again after so long.
const RETRY_AFTER: Duration = Duration::from_secs(10);

/// The announces of one start of the node.
#[derive(Debug)]
pub(super) struct Announces {
    local: LocalAnnounce,
    verifying_key: [u8; 32],
    /// Its generation is the epoch: each start writes it once, and so it rises at each. `None` when nothing is signed.
    epoch: Option<Durable>,
    retry_at: Option<Instant>,
    has_failed: bool,
}

impl Announces {
    /// Begins to announce as the config says: unsigned at once, signed when the new epoch is durable.
    pub(super) fn start(
        now: Instant,
        how: Announcing,
        local: LocalAnnounce,
        verifying_key: [u8; 32],
        stored: &BTreeMap<String, Vec<u8>>,
        discovery: &mut Discovery,
    ) -> Result<Self, Refusal> {
        let epoch = match how {
            Announcing::Off => None,
            Announcing::V1 => {
                discovery.announce(now, &local)?;
                None
            }
            Announcing::V2 => {
                discovery.judge(&local, true)?;
                let mut epoch = Durable::load(EPOCH, stored).0;
                epoch.write(String::new());
                Some(epoch)
            }
        };
        Ok(Self { local, verifying_key, epoch, retry_at: None, has_failed: false })
    }

    pub(super) fn poll_store(&mut self) -> Option<(&'static str, Vec<u8>)> {
        self.epoch.as_mut()?.poll()
    }

    /// A store has ended: if it was the epoch's, announces begin. Without a durable epoch they are unsigned, and the store
    /// is tried again.
    pub(super) fn stored(
        &mut self,
        now: Instant,
        key: &str,
        result: Result<(), StoreFailed>,
        discovery: &mut Discovery,
    ) {
        let Self { local, verifying_key, epoch: Some(epoch), .. } = self else { return };
        let Some(result) = epoch.stored(key, result) else { return };
        let begun = if result.is_ok() {
            self.has_failed = false;
            discovery.announce_signed(now, local, epoch.generation(), *verifying_key)
        } else {
            self.retry_at = Some(now + RETRY_AFTER);
            let is_first = !core::mem::replace(&mut self.has_failed, true);
            if is_first { discovery.announce(now, local) } else { Ok(()) }
        };
        assert!(begun.is_ok(), "what is announced was judged at the start");
    }

    pub(super) fn handle_timeout(&mut self, now: Instant) {
        if self.retry_at.is_some_and(|at| at <= now) {
            self.retry_at = None;
            self.epoch.iter_mut().for_each(|epoch| epoch.write(String::new()));
        }
    }

    /// Signs no more: what is still being stored is for the next start.
    pub(super) fn stop(&mut self) {
        (self.epoch, self.retry_at) = (None, None);
    }

    /// Announces another Noise static from now on, if it announces at all.
    pub(super) fn rotate(&mut self, now: Instant, noise_static: NoisePublic, discovery: &mut Discovery) {
        self.local.noise_static = noise_static;
        let begun = match &self.epoch {
            _ if discovery.next_announce().is_none() => return,
            Some(epoch) if !self.has_failed => {
                discovery.announce_signed(now, &self.local, epoch.generation(), self.verifying_key)
            }
            _ => discovery.announce(now, &self.local),
        };
        assert!(begun.is_ok(), "all but the key was judged at the start, and the key by its owner");
    }

    pub(super) const fn next_timeout(&self) -> Option<Instant> {
        self.retry_at
    }
}

impl Node {
    /// Takes another Noise static from now on, and announces it; the device id stays. Sessions that are up go on; peers that
    /// know only the old key dial in vain until they have heard the new one.
    ///
    /// # Errors
    /// [`Refusal::LowOrderStatic`]: no handshake with such a key can succeed, and the old one stays.
    pub fn rotate_noise_static(&mut self, now: Instant, noise: NoiseStatic) -> Result<(), Refusal> {
        self.now = self.now.max(now);
        let public = noise.public();
        if public.is_low_order() {
            return Err(Refusal::LowOrderStatic);
        }
        let Local { device, features, suite, .. } = &*self.local;
        let (device, features, suite) = (device.duplicate(), *features, Arc::clone(suite));
        self.local = Arc::new(Local { device, noise, features, suite });
        self.announces.rotate(self.now, public, &mut self.discovery);
        self.settle_discovery();
        Ok(())
    }
}
