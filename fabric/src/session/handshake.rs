//! The handshake: three messages, two identity proofs, and what is judged in which order (wire contract, 3). Knows no
//! time and no records; each message comes in whole.

use super::noise::{Keys, Noise, Seed};
use super::proof::{self, PROOF_BYTES, Proven};
use super::{HandshakeError, Local, Peer, Role};
use crate::identity::{DeviceId, NoisePublic};
use alloc::sync::Arc;
use alloc::vec::Vec;

/// e and a tag.
const MESSAGE_1_BYTES: usize = 32 + 16;
/// e, a proof and its tag.
const MESSAGE_2_BYTES: usize = 32 + PROOF_BYTES + 16;
/// s and a proof, each with its tag.
pub(super) const MESSAGE_3_BYTES: usize = 32 + 16 + PROOF_BYTES + 16;

/// What one side waits for.
pub(super) enum Handshake {
    /// A responder that has heard nothing yet, and has done no work.
    AwaitingMessage1 { local: Arc<Local>, seed: Seed },
    /// An initiator that has sent message 1.
    AwaitingMessage2 { local: Arc<Local>, noise: Noise, expected: DeviceId },
    /// A responder that has sent message 2.
    AwaitingMessage3 { local: Arc<Local>, noise: Noise },
}

/// What a message leads to.
pub(super) enum Step {
    /// A message to send, and the next to wait for.
    Reply(Handshake, Vec<u8>),
    /// Both proofs were checked. The last message is still to send, if this side sends it.
    Done(Authenticated, Option<Vec<u8>>),
}

/// The end of a handshake that held.
pub(super) struct Authenticated {
    pub(super) local: Arc<Local>,
    pub(super) role: Role,
    pub(super) peer: Peer,
    pub(super) keys: Keys,
}

impl Handshake {
    /// Dials the device `expected`, whose Noise static is said to be `remote`: gives message 1.
    pub(super) fn dial(
        local: &Arc<Local>,
        expected: DeviceId,
        remote: NoisePublic,
        seed: Seed,
    ) -> Result<(Self, Vec<u8>), HandshakeError> {
        let mut noise = Noise::initiator(local, seed, remote);
        let message = noise.write(&[], MESSAGE_1_BYTES)?;
        Ok((Self::AwaitingMessage2 { local: Arc::clone(local), noise, expected }, message))
    }

    /// The one length that the next message may have.
    pub(super) const fn message_bytes(&self) -> usize {
        match self {
            Self::AwaitingMessage1 { .. } => MESSAGE_1_BYTES,
            Self::AwaitingMessage2 { .. } => MESSAGE_2_BYTES,
            Self::AwaitingMessage3 { .. } => MESSAGE_3_BYTES,
        }
    }

    /// Takes the next message, of [`message_bytes`](Self::message_bytes).
    pub(super) fn receive(self, message: &[u8]) -> Result<Step, HandshakeError> {
        match self {
            Self::AwaitingMessage1 { local, seed } => answer(local, seed, message),
            Self::AwaitingMessage2 { local, noise, expected } => conclude(local, noise, expected, message),
            Self::AwaitingMessage3 { local, noise } => accept(local, noise, message),
        }
    }
}

/// Message 1 to 2.
fn answer(local: Arc<Local>, seed: Seed, message: &[u8]) -> Result<Step, HandshakeError> {
    let mut noise = Noise::responder(&local, seed);
    let [] = noise.read(message)?;
    let proof = proof::prove(&local, Role::Responder, &noise.hash());
    let reply = noise.write(&proof, MESSAGE_2_BYTES)?;
    Ok(Step::Reply(Handshake::AwaitingMessage3 { local, noise }, reply))
}

/// Message 2 to 3.
fn conclude(local: Arc<Local>, mut noise: Noise, expected: DeviceId, message: &[u8]) -> Result<Step, HandshakeError> {
    let proven = read_proof(&local, &mut noise, Role::Responder, message)?;
    if proven.device != expected {
        return Err(HandshakeError::IdentityMismatch);
    }
    let proof = proof::prove(&local, Role::Initiator, &noise.hash());
    let reply = noise.write(&proof, MESSAGE_3_BYTES)?;
    Ok(Step::Done(authenticated(local, Role::Initiator, noise, &proven), Some(reply)))
}

/// Message 3.
fn accept(local: Arc<Local>, mut noise: Noise, message: &[u8]) -> Result<Step, HandshakeError> {
    let proven = read_proof(&local, &mut noise, Role::Initiator, message)?;
    Ok(Step::Done(authenticated(local, Role::Responder, noise, &proven), None))
}

/// What the peer, in `role`, proves by `message`.
fn read_proof(local: &Local, noise: &mut Noise, role: Role, message: &[u8]) -> Result<Proven, HandshakeError> {
    let hash = noise.hash();
    let proof = noise.read(message)?;
    let proven = proof::check(&*local.suite, &proof, role, noise.remote_static(), &hash);
    let proven = proven.ok_or(HandshakeError::ProofInvalid)?;
    if proven.device == local.device.device_id() {
        return Err(HandshakeError::SelfConnect);
    }
    Ok(proven)
}

fn authenticated(local: Arc<Local>, role: Role, noise: Noise, proven: &Proven) -> Authenticated {
    let peer = Peer {
        device: proven.device,
        noise_static: noise.remote_static(),
        features: proven.features & local.features,
        handshake_hash: noise.hash(),
    };
    Authenticated { local, role, peer, keys: noise.split() }
}
