//! Stories about one node's discovery, each at its public interface.

mod announcing;
mod dialling;
mod flood;
mod random;
mod refusals;
mod signed;
mod table;

use alloc::string::ToString;
use alloc::vec::Vec;

use ed25519_dalek::{Signature, Signer, VerifyingKey};
use machine::Host;

use super::*;
use crate::identity::DeviceKey;

pub(super) const DAY: Duration = Duration::from_secs(86_400);

/// One node that listens, its clock, and all that others can do to it.
pub(super) struct Node {
    pub(super) discovery: Discovery,
    pub(super) now: Instant,
}

impl Node {
    pub(super) fn new(limits: &Limits) -> Self {
        Self { discovery: Discovery::new(own(), 1, limits), now: Instant::ZERO + DAY }
    }

    /// An ordinary announce of a device from a source.
    pub(super) fn hears(&mut self, device: u32, source: u32) -> Result<(), Refusal> {
        self.hears_claim(source, &claim(device))
    }

    pub(super) fn hears_claim(&mut self, source: u32, claim: &Claimed) -> Result<(), Refusal> {
        self.hears_bytes(source, &claim.bytes())
    }

    pub(super) fn hears_bytes(&mut self, source: u32, bytes: &[u8]) -> Result<(), Refusal> {
        self.discovery.observe(self.now, at(source, 37020), bytes, verify).map(|_| ())
    }

    /// Lets time pass, as a driver would.
    pub(super) fn wait(&mut self, span: Duration) {
        let until = self.now + span;
        while let Some(next) = self.discovery.next_timeout().filter(|next| *next <= until) {
            self.now = self.now.max(next);
            self.discovery.handle_timeout(self.now);
            assert!(self.discovery.next_timeout().is_none_or(|later| later > self.now), "a timeout moves the deadline");
        }
        self.now = until;
    }

    pub(super) fn wait_millis(&mut self, millis: u64) {
        self.wait(Duration::from_millis(millis));
    }

    pub(super) fn events(&mut self) -> Vec<Event> {
        core::iter::from_fn(|| self.discovery.poll()).collect()
    }

    pub(super) fn knows(&self, device: u32) -> bool {
        self.discovery.peer(id(device)).is_some()
    }

    pub(super) fn devices(&self) -> usize {
        self.discovery.peers().count()
    }

    pub(super) fn addrs(&self, device: u32) -> Vec<Addr> {
        let peer = self.discovery.peer(id(device));
        peer.map(|peer| peer.candidates().iter().map(|each| each.addr).collect()).unwrap_or_default()
    }

    /// Where it would dial the device now.
    pub(super) fn dials(&mut self, device: u32) -> Option<Addr> {
        match self.discovery.next_dial(self.now, id(device)) {
            NextDial::Now(dial) => Some(dial.addr),
            NextDial::At(_) | NextDial::Unknown => None,
        }
    }

    pub(super) fn proves(&mut self, device: u32, addr: Addr) -> bool {
        self.discovery.proven(self.now, id(device), addr, claim(device).noise_static)
    }
}

/// What an announce says, to be changed at will.
#[derive(Clone, Debug)]
pub(super) struct Claimed {
    pub(super) device_id: alloc::string::String,
    pub(super) port: u16,
    pub(super) noise_static: NoisePublic,
    pub(super) services: Services<'static>,
}

impl Claimed {
    pub(super) fn body(&self) -> AnnounceV1<'_> {
        AnnounceV1 {
            device_id: &self.device_id,
            port: self.port,
            noise_static: self.noise_static,
            services: self.services.clone(),
        }
    }

    pub(super) fn bytes(&self) -> Vec<u8> {
        self.body().encode().unwrap()
    }

    pub(super) fn serving<'n>(self, names: impl IntoIterator<Item = &'n str>) -> Self {
        Self { services: Services::new(names).unwrap(), ..self }
    }

    pub(super) fn at_port(self, port: u16) -> Self {
        Self { port, ..self }
    }

    pub(super) fn with_static(self, byte: u8) -> Self {
        Self { noise_static: NoisePublic::from_bytes([byte; 32]), ..self }
    }

    /// The same, signed by the device.
    pub(super) fn signed(&self, device: u32, epoch: u64, sequence: u32, ttl: u16) -> Vec<u8> {
        let key = key(device);
        let mut signed = AnnounceV2 {
            body: self.body(),
            epoch,
            sequence,
            ttl,
            verifying_key: key.verifying_key(),
            signature: [0; 64],
        };
        signed.signature = key.signing_key().sign(&signed.signed_message().unwrap()).to_bytes();
        signed.encode().unwrap()
    }
}

/// What device `device` would rightly announce.
pub(super) fn claim(device: u32) -> Claimed {
    Claimed {
        device_id: id(device).to_string(),
        port: 7000,
        noise_static: NoisePublic::from_bytes([9; 32]),
        services: Services::new(["echo"]).unwrap(),
    }
}

pub(super) fn key(device: u32) -> DeviceKey {
    let mut seed = [7; 32];
    seed[..4].copy_from_slice(&device.to_be_bytes());
    DeviceKey::from_seed(&seed)
}

pub(super) fn id(device: u32) -> DeviceId {
    key(device).device_id()
}

pub(super) fn own() -> DeviceId {
    id(u32::MAX)
}

pub(super) fn at(source: u32, port: u16) -> Addr {
    let mut octets = [0; 16];
    octets[12..].copy_from_slice(&source.to_be_bytes());
    Addr::new(Host::new(octets), port)
}

pub(super) fn verify(key: &[u8; 32], message: &[u8], signature: &[u8; 64]) -> bool {
    let key = VerifyingKey::from_bytes(key);
    key.is_ok_and(|key| key.verify_strict(message, &Signature::from_bytes(signature)).is_ok())
}

pub(super) fn discovered(device: u32) -> Event {
    Event::Discovered { device: id(device), services: claim(device).services }
}

pub(super) fn lost(device: u32, reason: LostReason) -> Event {
    Event::Lost { device: id(device), reason }
}

/// For a node that signs nothing.
pub(super) fn unsigned(_: &[u8]) -> [u8; 64] {
    panic!("nothing is signed here")
}
