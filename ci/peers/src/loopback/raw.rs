//! TCP by itself, and the limit: TCP with each message sealed and opened in place, and nothing else.

use super::{CALL, MESSAGE, MESSAGES, both, connected, timed};
use ring::aead::{Aad, Algorithm, LessSafeKey, Nonce, UnboundKey};
use std::hint::black_box;
use std::io::{Read, Write};

const TAG: usize = 16;

/// One key, with the number of the next message as its nonce.
struct Cipher {
    key: LessSafeKey,
    nonce: u64,
}

impl Cipher {
    fn new(algorithm: &'static Algorithm) -> Self {
        let key = UnboundKey::new(algorithm, &vec![1; algorithm.key_len()]).unwrap();
        Self { key: LessSafeKey::new(key), nonce: 0 }
    }

    fn nonce(&mut self) -> Nonce {
        self.nonce += 1;
        let mut bytes = [0; 12];
        bytes[4..].copy_from_slice(&self.nonce.to_le_bytes());
        Nonce::assume_unique_for_key(bytes)
    }

    fn seal(&mut self, record: &mut [u8]) {
        let nonce = self.nonce();
        let (text, tag) = record.split_at_mut(MESSAGE);
        tag.copy_from_slice(self.key.seal_in_place_separate_tag(nonce, Aad::empty(), text).unwrap().as_ref());
    }

    fn open(&mut self, record: &mut [u8]) {
        let nonce = self.nonce();
        self.key.open_in_place(nonce, Aad::empty(), record).unwrap();
    }
}

pub(super) fn transfer(algorithm: Option<&'static Algorithm>) -> impl FnMut() {
    let (mut client, mut server) = connected();
    let (mut sealing, mut opening) = (algorithm.map(Cipher::new), algorithm.map(Cipher::new));
    let record = vec![7; MESSAGE + TAG];
    let (mut sent, mut received) = (record.clone(), record);
    let send = move || {
        for _ in 0..MESSAGES {
            if let Some(cipher) = &mut sealing {
                cipher.seal(&mut sent);
            }
            client.write_all(&sent).unwrap();
        }
    };
    let receive = move || {
        for _ in 0..MESSAGES {
            server.read_exact(&mut received).unwrap();
            if let Some(cipher) = &mut opening {
                cipher.open(&mut received);
            }
            black_box(&received);
        }
    };
    both(send, receive)
}

pub(super) fn calls() -> impl FnMut() -> Vec<f64> {
    let (client, server) = connected();
    exchanges(client, server)
}

/// Calls over any two ends of a byte stream.
pub(super) fn exchanges<S>(mut client: impl Read + Write, mut server: S) -> impl FnMut() -> Vec<f64>
where
    S: Read + Write + Send + 'static,
{
    std::thread::spawn(move || {
        let mut message = [0; CALL];
        while server.read_exact(&mut message).is_ok() {
            server.write_all(&message).unwrap();
        }
    });
    let mut message = [7; CALL];
    move || {
        timed(|| {
            client.write_all(&message).unwrap();
            client.read_exact(&mut message).unwrap();
        })
    }
}
