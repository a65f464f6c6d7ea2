//! Lies about who is where: announces that are changed on their way.

use super::Trick;
use super::messages::Message;
use ::sim::{Injection, NodeIndex};
use fabric::discovery::announce::{Announce, AnnounceV1, AnnounceV2};
use fabric::identity::NoisePublic;
use std::collections::BTreeMap;

/// A port at which nobody listens.
const NOWHERE: u16 = 9;

/// Makes lies of each announce, ahead of it: another device's id, another Noise static, another port; of a signed one, a
/// later one that is elsewhere, and a goodbye. And tells each node, as if from itself, that the others are where it is.
pub(super) struct IdentitySwap {
    /// All device ids, as text.
    devices: Vec<String>,
    /// The last unsigned announce of each node that was overheard.
    overheard: BTreeMap<NodeIndex, Vec<u8>>,
    lies: u64,
}

impl IdentitySwap {
    pub(super) fn new(devices: &[String]) -> Self {
        Self { devices: devices.to_vec(), overheard: BTreeMap::new(), lies: 0 }
    }

    /// What to say ahead of an announce; nothing ahead of anything else.
    pub(super) fn lies_about(&self, bytes: &[u8]) -> Vec<Vec<u8>> {
        match Announce::parse(bytes) {
            Ok(Announce::V1(truth)) => self.lies(&truth),
            Ok(Announce::V2(truth)) => forgeries(&truth),
            Err(_) => Vec::new(),
        }
    }

    /// What to say to `to` as if it came from there: that everybody is to be found where `to` is itself.
    fn mirrors(&self, to: NodeIndex) -> Vec<Vec<u8>> {
        let Some(Ok(Announce::V1(own))) = self.overheard.get(&to).map(|bytes| Announce::parse(bytes)) else {
            return Vec::new();
        };
        self.swapped(&own)
    }

    fn swapped(&self, truth: &AnnounceV1<'_>) -> Vec<Vec<u8>> {
        let others = self.devices.iter().filter(|device| *device != truth.device_id);
        others.filter_map(|device_id| AnnounceV1 { device_id, ..truth.clone() }.encode().ok()).collect()
    }

    fn lies(&self, truth: &AnnounceV1<'_>) -> Vec<Vec<u8>> {
        let mut noise_static = *truth.noise_static.as_bytes();
        noise_static[0] ^= 1;
        let elsewhere = [
            AnnounceV1 { noise_static: NoisePublic::from_bytes(noise_static), ..truth.clone() },
            AnnounceV1 { port: NOWHERE, ..truth.clone() },
        ];
        let elsewhere = elsewhere.into_iter().filter_map(|lie| lie.encode().ok());
        self.swapped(truth).into_iter().chain(elsewhere).collect()
    }
}

/// A later announce of somebody who is elsewhere, and one who leaves; under a signature that is not theirs.
fn forgeries(truth: &AnnounceV2<'_>) -> Vec<Vec<u8>> {
    let later = AnnounceV2 { sequence: truth.sequence.saturating_add(1), ..truth.clone() };
    let elsewhere = AnnounceV2 { body: AnnounceV1 { port: NOWHERE, ..truth.body.clone() }, ..later.clone() };
    let goodbye = AnnounceV2 { ttl: 0, ..later };
    [elsewhere, goodbye].into_iter().filter_map(|lie| lie.encode().ok()).collect()
}

impl Trick for IdentitySwap {
    fn datagram(&mut self, from: NodeIndex, to: NodeIndex, bytes: &[u8], out: &mut Vec<Injection>) {
        let lies = self.lies_about(bytes);
        self.lies += lies.len() as u64;
        out.extend(lies.into_iter().map(|bytes| Injection::Datagram { from, to, bytes }));
        out.extend(self.mirrors(to).into_iter().map(|bytes| Injection::Datagram { from: to, to, bytes }));
        if let Ok(Announce::V1(_)) = Announce::parse(bytes) {
            self.overheard.insert(from, bytes.to_vec());
        }
        out.push(Injection::Datagram { from, to, bytes: bytes.to_vec() });
    }

    fn message(&mut self, message: Message, out: &mut Vec<Injection>) {
        message.pass_on(out);
    }

    fn is_through(&self) -> bool {
        self.lies > 0
    }
}
