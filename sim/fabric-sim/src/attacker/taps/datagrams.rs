//! Lies about who is where: announces that are changed on their way.

use super::Trick;
use super::messages::Message;
use ::sim::{Injection, NodeIndex};
use fabric::discovery::announce::{Announce, AnnounceV1};
use fabric::identity::NoisePublic;

/// A port at which nobody listens.
const NOWHERE: u16 = 9;

/// Makes lies of each announce, ahead of it: another device's id, another Noise static, another port.
pub(super) struct IdentitySwap {
    /// All device ids, as text.
    devices: Vec<String>,
    lies: u64,
}

impl IdentitySwap {
    pub(super) fn new(devices: &[String]) -> Self {
        Self { devices: devices.to_vec(), lies: 0 }
    }

    /// What to say ahead of an announce; nothing ahead of anything else.
    pub(super) fn lies_about(&self, bytes: &[u8]) -> Vec<Vec<u8>> {
        match Announce::parse(bytes) {
            Ok(Announce::V1(truth)) => self.lies(&truth),
            _ => Vec::new(),
        }
    }

    fn lies(&self, truth: &AnnounceV1<'_>) -> Vec<Vec<u8>> {
        let mut noise_static = *truth.noise_static.as_bytes();
        noise_static[0] ^= 1;
        let others = self.devices.iter().filter(|device| *device != truth.device_id);
        let swapped = others.map(|device_id| AnnounceV1 { device_id, ..truth.clone() });
        let elsewhere = [
            AnnounceV1 { noise_static: NoisePublic::from_bytes(noise_static), ..truth.clone() },
            AnnounceV1 { port: NOWHERE, ..truth.clone() },
        ];
        swapped.chain(elsewhere).filter_map(|lie| lie.encode().ok()).collect()
    }
}

impl Trick for IdentitySwap {
    fn datagram(&mut self, from: NodeIndex, to: NodeIndex, bytes: &[u8], out: &mut Vec<Injection>) {
        let lies = self.lies_about(bytes);
        self.lies += lies.len() as u64;
        out.extend(lies.into_iter().map(|bytes| Injection::Datagram { from, to, bytes }));
        out.push(Injection::Datagram { from, to, bytes: bytes.to_vec() });
    }

    fn message(&mut self, message: Message, out: &mut Vec<Injection>) {
        message.pass_on(out);
    }

    fn is_through(&self) -> bool {
        self.lies > 0
    }
}
