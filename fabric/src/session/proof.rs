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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identity::{DeviceKey, NoiseStatic};
    use crate::suite::RealSuite;
    use alloc::string::String;
    use alloc::sync::Arc;

    /// As `tests/session/golden.py` computes them: the proofs in messages 2 and 3 of its handshake, and the handshake hashes
    /// before them.
    const RESPONDER: &str = "8139770ea87d175f56a35466c34c7ecccb8d8a91b4ee37a25df60f5b8fc9b394000000004df0f6098cfd8620d42bd271fb2c6474\
         8892ca6d0fc35b1b95d7cf956419ed0612c72cc1e14836e411e0aa3d3e7603942d96e7c27c18a3598bf326863334d706";
    const HASH_1: &str = "84695bedf41696c6cf099ee07cf82ad9130b8dbf8b15f48efc4fe520f77bdae6";
    const INITIATOR: &str = "8a88e3dd7409f195fd52db2d3cba5d72ca6709bf1d94121bf3748801b40f6f5c0000000054c30d4245e58e82f82cc4ba0c47bed6\
         52cb2fe6a8d6616103fa35ddd5f4571d45dc16324748820b16a845092da1242960e659b881503aa166f75c67fbdf7c03";
    const HASH_2: &str = "16907014ffeb0eb5838418726a62342792a58421d1ac7cb31f10bfafe1ef6a6c";

    fn local(secret: u8) -> Local {
        let noise = [secret | 0x80; 32];
        let noise = NoiseStatic::new(noise, RealSuite.noise_public(&noise));
        Local { device: DeviceKey::from_seed(&[secret; 32]), noise, features: 0, suite: Arc::new(RealSuite) }
    }

    fn hex(bytes: &[u8]) -> String {
        bytes.iter().fold(String::new(), |text, byte| alloc::format!("{text}{byte:02x}"))
    }

    fn hash(hex: &str) -> [u8; 32] {
        *hex.parse::<DeviceId>().unwrap().as_bytes()
    }

    #[test]
    fn the_bytes_of_both_proofs_stay_what_they_are() {
        for (secret, role, hash_hex, golden) in
            [(2, Role::Responder, HASH_1, RESPONDER), (1, Role::Initiator, HASH_2, INITIATOR)]
        {
            let (local, hash) = (local(secret), hash(hash_hex));
            let proof = prove(&local, role, &hash);
            assert_eq!(hex(&proof), golden);
            let proven = check(&RealSuite, &proof, role, local.noise.public(), &hash).unwrap();
            assert_eq!(proven.device, local.device.device_id());
        }
    }

    #[test]
    fn any_byte_changed_breaks_a_proof() {
        let (local, hash) = (local(1), [7; 32]);
        let proof = prove(&local, Role::Initiator, &hash);
        for at in 0..PROOF_BYTES {
            let mut changed = proof;
            changed[at] ^= 1;
            let proven = check(&RealSuite, &changed, Role::Initiator, local.noise.public(), &hash);
            assert!(proven.is_none(), "byte {at}");
        }
    }
}
