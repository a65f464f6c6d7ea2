"""Prints the vectors of golden.rs and of src/session/proof.rs, from the text of the wire contract, section 3.

Needs Python's `cryptography`. The crate's code had no part in it.
"""

import hashlib
import hmac

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305


def public(key):
    return key.public_key().public_bytes_raw()


def agree(secret, other):
    return secret.exchange(X25519PublicKey.from_public_bytes(other))


def hkdf(chaining_key, material):
    mac = lambda key, data: hmac.new(key, data, hashlib.blake2s).digest()
    temporary = mac(chaining_key, material)
    first = mac(temporary, b"\1")
    return first, mac(temporary, first + b"\2")


def seal(key, nonce, text, authtext=b""):
    return ChaCha20Poly1305(key).encrypt(bytes(4) + nonce.to_bytes(8, "little"), text, authtext)


class Symmetric:
    def __init__(self, prologue, remote_static):
        self.hash = self.chain = hashlib.blake2s(b"Noise_XK_25519_ChaChaPoly_BLAKE2s").digest()
        self.mix_hash(prologue)
        self.mix_hash(remote_static)

    def mix_hash(self, data):
        self.hash = hashlib.blake2s(self.hash + data).digest()

    def mix_key(self, material):
        self.chain, self.key = hkdf(self.chain, material)
        self.nonce = 0

    def seal_and_hash(self, text):
        sealed = seal(self.key, self.nonce, text, self.hash)
        self.nonce += 1
        self.mix_hash(sealed)
        return sealed


def ephemeral(seed):
    """The first 32 bytes that ChaCha20 draws from a seed."""
    stream = Cipher(algorithms.ChaCha20(seed, bytes(16)), None).encryptor()
    return X25519PrivateKey.from_private_bytes(stream.update(bytes(32)))


def prove(device, role, static, features, handshake_hash):
    key, features = public(device), features.to_bytes(4, "big")
    signed = b"dsoftbus-lite/1 identity" + role + key + static + features + handshake_hash
    return key + features + device.sign(signed)


def show(name, data):
    print(name, data.hex())


def framed(message):
    return len(message).to_bytes(2, "big") + message


def records(key, texts, rekey_after):
    for number, text in enumerate(texts):
        if number and number % rekey_after == 0:
            key = seal(key, 2**64 - 1, bytes(32))[:32]
        yield framed(seal(key, number, text))


static_i, static_r = (X25519PrivateKey.from_private_bytes(bytes([b]) * 32) for b in (0x81, 0x82))
device_i, device_r = (Ed25519PrivateKey.from_private_bytes(bytes([b]) * 32) for b in (1, 2))
ephemeral_i, ephemeral_r = ephemeral(b"\xd1" * 32), ephemeral(b"\xac" * 32)

state = Symmetric(b"dsoftbus-lite/1", public(static_r))
state.mix_hash(public(ephemeral_i))
state.mix_key(agree(ephemeral_i, public(static_r)))
show("MESSAGE_1", framed(public(ephemeral_i) + state.seal_and_hash(b"")))
show("HASH_1", state.hash)

proof = prove(device_r, b"R", public(static_r), 0, state.hash)
show("RESPONDER", proof)
state.mix_hash(public(ephemeral_r))
state.mix_key(agree(ephemeral_r, public(ephemeral_i)))
show("MESSAGE_2", framed(public(ephemeral_r) + state.seal_and_hash(proof)))
show("HASH_2", state.hash)

proof = prove(device_i, b"I", public(static_i), 0, state.hash)
show("INITIATOR", proof)
message = state.seal_and_hash(public(static_i))
state.mix_key(agree(static_i, public(ephemeral_r)))
show("MESSAGE_3", framed(message + state.seal_and_hash(proof)))
show("HANDSHAKE_HASH", state.hash)

from_initiator, from_responder = hkdf(state.chain, b"")
for record in records(from_responder, [b"ping", b"1", b"2", b"3", b"4"], 2):
    show("FROM_RESPONDER", record)
for record in records(from_initiator, [b"pong", b"1", b"2", b"3", b"4"], 2):
    show("FROM_INITIATOR", record)
