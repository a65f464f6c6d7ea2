//! Whom a node trusts, over its storage: what was configured for this start, and what its trust store has; and its secrets.

use super::{Node, Timer, pairing};
use crate::config::{Admitting, Config};
use crate::event::Event;
use crate::identity::DeviceId;
use crate::mux::{Admission, code};
use crate::trust::{TrustError, TrustStore, Trusted};
use alloc::collections::BTreeSet;
use alloc::string::String;
use machine::{Duration, Instant, StoreFailed};
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use zeroize::Zeroizing;

/// A failed store is tried again after so long.
const RETRY_AFTER: Duration = Duration::from_secs(10);

impl Node {
    /// The devices that are trusted over restarts.
    pub const fn trust_store(&self) -> &TrustStore {
        &self.trust
    }

    /// Accepts sessions of `device` from now on, until the node ends: what [`Config::trusted`](crate::Config::trusted) does
    /// from the start.
    pub fn trust(&mut self, device: DeviceId) {
        self.config.trusted.insert(device);
        self.discovery.set_trusted(device, true);
    }

    /// Trusts `device` over restarts too, or changes what is known of it; its newest epoch is what the node knows, if it
    /// knows one. [`Event::TrustStored`] follows.
    pub fn trust_as(&mut self, device: DeviceId, trusted: Trusted) -> Result<(), TrustError> {
        if device == self.own {
            return Err(TrustError::OwnDevice);
        }
        let known = self.trust.get(device).map(|known| known.epoch);
        let epoch = self.discovery.newest_epoch(self.now, device).or(known).unwrap_or(trusted.epoch);
        self.trust.add(device, Trusted { epoch, ..trusted })?;
        self.discovery.set_trusted(device, true);
        self.discovery.set_epoch_known(device, Some(epoch));
        Ok(())
    }

    /// Trusts `device` no more, and ends its sessions at once. [`Event::TrustStored`] follows if it was trusted over
    /// restarts.
    pub fn revoke(&mut self, now: Instant, device: DeviceId) {
        self.config.trusted.remove(&device);
        self.trust.remove(device);
        self.discovery.set_trusted(device, false);
        self.discovery.set_epoch_known(device, None);
        self.end_sessions(now, device, code::REVOKED);
    }

    /// Whether `device` is trusted: its sessions are accepted, and the policy decides what it may do.
    pub fn trusts(&self, device: DeviceId) -> bool {
        is_trusted(&self.config, &self.trust, device)
    }

    /// A secret that was never drawn before. The generator is keyed anew each time (fast key erasure), so that who reads the
    /// memory later learns no secret of earlier sessions.
    pub(super) fn fresh_seed(&mut self) -> [u8; 32] {
        let (mut key, mut seed) = (Zeroizing::new([0; 32]), [0; 32]);
        self.random.fill_bytes(&mut *key);
        self.random.fill_bytes(&mut seed);
        self.random = ChaCha20Rng::from_seed(*key);
        seed
    }

    /// What storage had is known to discovery.
    pub(super) fn begin_trusting(&mut self) {
        for device in &self.config.trusted {
            self.discovery.set_trusted(*device, true);
        }
        for (device, trusted) in self.trust.iter() {
            self.discovery.set_trusted(device, true);
            self.discovery.set_epoch_known(device, Some(trusted.epoch));
        }
    }

    /// The device has announced itself, and that was taken in.
    pub(super) fn note_epoch(&mut self, device: DeviceId) {
        if let Some(epoch) = self.discovery.newest_epoch(self.now, device) {
            self.trust.heard(device, epoch);
        }
    }

    pub(super) fn trust_stored(&mut self, key: &str, result: Result<(), StoreFailed>) {
        let Some(result) = self.trust.stored(key, result) else { return };
        if result.is_err() {
            self.timers.set(Timer::TrustStore, Some(self.now + RETRY_AFTER));
        }
        self.events.push_back(Event::TrustStored { result });
    }
}

fn is_trusted(config: &Config, trust: &TrustStore, device: DeviceId) -> bool {
    config.admitting == Admitting::Open || config.trusted.contains(&device) || trust.get(device).is_some()
}

/// What decides about the streams that a peer opens.
pub(super) struct Gate<'a> {
    pub(super) config: &'a Config,
    pub(super) trust: &'a TrustStore,
    pub(super) unannounced: &'a BTreeSet<String>,
    /// The peer may open one stream to pair.
    pub(super) may_pair: bool,
}

impl Gate<'_> {
    pub(super) fn admit(&mut self, device: DeviceId, service: &str) -> Admission {
        let Config { policy, services, .. } = self.config;
        let is_served = || services.iter().any(|served| served == service) || self.unannounced.contains(service);
        let is_allowed = if service == pairing::SERVICE {
            core::mem::take(&mut self.may_pair)
        } else {
            is_served() && is_trusted(self.config, self.trust, device) && policy.allows(device, service)
        };
        if is_allowed { Admission::Admit } else { Admission::Deny }
    }
}
