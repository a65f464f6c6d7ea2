//! Lies that need no session: announces of devices that are not there, and of devices that are elsewhere.

use super::peer::{Attack, Io, Victim};
use fabric::discovery::Services;
use fabric::discovery::announce::{AnnounceV1, AnnounceV2};
use fabric::identity::{DeviceId, NoisePublic};
use fabric::session::{Limits, Received, Session};
use machine::{Duration, PipeEnd, PipeId};
use std::collections::BTreeMap;

/// Fake devices of one flood.
const FAKES: u32 = 20_000;
const FAKES_PER_TICK: u32 = 20;
const FLOOD_TICK: Duration = Duration::from_millis(10);
/// Every so many fakes one is signed, badly: a signature costs its victim as much as a hundred unsigned announces.
const SIGNED_EVERY: u32 = 500;
/// More often than any honest device announces itself.
const IMPOSTOR_TICK: Duration = Duration::from_millis(500);

/// Announces devices that are not there, as fast as it can.
#[derive(Default)]
pub(super) struct Flood {
    victims: Vec<Victim>,
    announced: u32,
}

impl Attack for Flood {
    fn found(&mut self, io: &mut Io, victim: Victim) {
        self.victims.push(victim);
        io.wake_in(FLOOD_TICK);
    }

    fn woken(&mut self, io: &mut Io) {
        for _ in 0..FAKES_PER_TICK {
            self.announced += 1;
            let noise_static = NoisePublic::from_bytes(io.random_bytes());
            let fake = if self.announced.is_multiple_of(SIGNED_EVERY) {
                badly_signed(io, noise_static)
            } else {
                let device = DeviceId::from_bytes(io.random_bytes());
                encoded(&device.to_string(), io.port, noise_static)
            };
            for victim in &self.victims {
                io.send(victim.addr, fake.clone());
            }
        }
        io.is_through = self.announced >= FAKES;
        if !io.is_through {
            io.wake_in(FLOOD_TICK);
        }
    }

    fn received(&mut self, _: &mut Io, _: PipeId, _: &[u8]) {}

    fn fill(&mut self, _: &mut Io, _: PipeId, _: &mut [u8]) -> usize {
        0
    }

    fn closed(&mut self, _: &mut Io, _: PipeId, _: PipeEnd) {}
}

fn body(device_id: &str, port: u16, noise_static: NoisePublic) -> AnnounceV1<'_> {
    AnnounceV1 { device_id, port, noise_static, services: Services::default() }
}

/// What an attacker says fits an announce: were it not so, nothing would be sent, and its victims would feel nothing.
fn encoded(device_id: &str, port: u16, noise_static: NoisePublic) -> Vec<u8> {
    body(device_id, port, noise_static).encode().unwrap_or_default()
}

/// Of a device whose key it has, and with a signature that is not one.
fn badly_signed(io: &mut Io, noise_static: NoisePublic) -> Vec<u8> {
    let device_id = io.local.device.device_id().to_string();
    let signed = AnnounceV2 {
        body: body(&device_id, io.port, noise_static),
        epoch: u64::MAX,
        sequence: u32::MAX,
        ttl: u16::MAX,
        verifying_key: io.local.device.verifying_key(),
        signature: io.random_bytes(),
    };
    signed.encode().unwrap_or_default()
}

/// Says that every other device is to be found here, and answers who dials.
pub(super) struct Impostor {
    others: Vec<DeviceId>,
    victims: Vec<Victim>,
    sessions: BTreeMap<PipeId, Session>,
}

impl Impostor {
    pub(super) fn new(others: &[DeviceId]) -> Self {
        Self { others: others.to_vec(), victims: Vec::new(), sessions: BTreeMap::new() }
    }
}

impl Attack for Impostor {
    fn found(&mut self, io: &mut Io, victim: Victim) {
        self.victims.push(victim);
        self.woken(io);
    }

    fn woken(&mut self, io: &mut Io) {
        for device in &self.others {
            let lie = encoded(&device.to_string(), io.port, io.local.noise.public());
            for victim in &self.victims {
                io.send(victim.addr, lie.clone());
            }
        }
        io.wake_in(IMPOSTOR_TICK);
    }

    fn accepted(&mut self, io: &mut Io, pipe: PipeId) {
        let seed = io.random_bytes();
        self.sessions.insert(pipe, Session::accept(io.now, &io.local, seed, &Limits::default()));
    }

    fn received(&mut self, io: &mut Io, pipe: PipeId, mut bytes: &[u8]) {
        let Some(session) = self.sessions.get_mut(&pipe) else { return };
        match session.receive(io.now, &mut bytes) {
            // Message 3 comes only from somebody who takes this node for the one that was dialled.
            Ok(Some(Received::Established(peer))) => {
                io.complain(format!("{} took an impostor for the device that it dialled", peer.device));
            }
            Ok(_) => io.want_fill(pipe),
            Err(_) => {
                self.sessions.remove(&pipe);
                io.close(pipe);
            }
        }
    }

    fn fill(&mut self, _: &mut Io, pipe: PipeId, room: &mut [u8]) -> usize {
        self.sessions.get_mut(&pipe).map_or(0, |session| session.fill(room, &mut |_| 0))
    }

    fn closed(&mut self, io: &mut Io, pipe: PipeId, _: PipeEnd) {
        io.is_through |= self.sessions.remove(&pipe).is_some();
    }
}
