//! The identity proof: a device key signs for one role, one Noise static and one handshake (wire contract, 3).

use super::{Local, Role};
use crate::identity::{DeviceId, NoisePublic};
use crate::suite::Suite;
use crate::wire::Reader;
use alloc::vec::Vec;

/// Bytes of a proof: `verifying_key` 32, `features` u32, `signature` 64.
pub(super) const PROOF_BYTES: usize = 100;

/// Keeps these signatures apart from all others that the device key makes.
const CONTEXT: &[u8] = b"dsoftbus-lite/1 identity";

/// What a proof that holds says about its sender.
pub(super) struct Proven {
    pub(super) device: DeviceId,
    pub(super) features: u32,
}

/// The proof of this node in `role`, for the handshake whose hash before the message is `hash`.
pub(super) fn prove(local: &Local, role: Role, hash: &[u8; 32]) -> [u8; PROOF_BYTES] {
    let verifying_key = local.device.verifying_key();
    let text = signed_text(role, &verifying_key, local.noise.public(), local.features, hash);
    let mut proof = [0; PROOF_BYTES];
    proof[..32].copy_from_slice(&verifying_key);
    proof[32..36].copy_from_slice(&local.features.to_be_bytes());
    proof[36..].copy_from_slice(&local.suite.sign(&local.device, &text));
    proof
}

/// What the owner of Noise static `noise`, in `role`, has proven; `None` when the proof does not hold.
pub(super) fn check(
    suite: &dyn Suite,
    proof: &[u8; PROOF_BYTES],
    role: Role,
    noise: NoisePublic,
    hash: &[u8; 32],
) -> Option<Proven> {
    let mut reader = Reader::new(proof);
    let (verifying_key, features, signature) = (reader.array()?, reader.u32()?, reader.array()?);
    let text = signed_text(role, &verifying_key, noise, features, hash);
    let holds = suite.verify(&verifying_key, &text, &signature);
    holds.then(|| Proven { device: DeviceId::of(&verifying_key), features })
}

fn signed_text(role: Role, verifying_key: &[u8; 32], noise: NoisePublic, features: u32, hash: &[u8; 32]) -> Vec<u8> {
    let role = match role {
        Role::Initiator => b"I",
        Role::Responder => b"R",
    };
    [CONTEXT, role, verifying_key, noise.as_bytes(), &features.to_be_bytes(), hash].concat()
}
