//! A handshake with a man in the middle: no session comes of one in which a byte was changed, added or left out.

use crate::choices::{Choices, is_bit_flipped, pieces};
use crate::keys::{accept, dial, output};
use fabric::session::{Received, Session};
use machine::{Duration, Instant};

/// What the initiator hears before it can be established, and the responder: message 2; messages 1 and 3.
const HEARD: [usize; 2] = [2 + 148, 2 + 48 + 2 + 164];

struct End {
    session: Session,
    heard: usize,
    /// Where the first byte is that the other side has not sent so.
    forged_at: Option<usize>,
    established_at: Option<usize>,
    ends: u32,
}

impl End {
    const fn of(session: Session) -> Self {
        Self { session, heard: 0, forged_at: None, established_at: None, ends: 0 }
    }

    fn hear(&mut self, now: Instant, bytes: &[u8], cuts: &[u8]) {
        for mut piece in pieces(bytes, cuts) {
            self.heard += piece.len();
            loop {
                match self.session.receive(now, &mut piece) {
                    Ok(Some(Received::Established(_))) => self.established_at = Some(self.heard),
                    Ok(Some(Received::Record(_))) => assert!(self.established_at.is_some(), "a record of no session"),
                    Ok(None) => break,
                    Err(_) => {
                        self.ends += 1;
                        break;
                    }
                }
            }
        }
    }
}

pub(crate) fn run(data: &[u8], is_planted: bool) {
    let mut choices = Choices(data);
    let mut ends = [End::of(dial(1, 2)), End::of(accept(2))];
    let mut now = Instant::ZERO;
    for _ in 0..12 {
        if choices.is_over() {
            break;
        }
        let from = usize::from(choices.u8() & 1);
        let honest = output(&mut ends[from].session, &mut [&b"\x06\0\0\x08\0\0\0\0\0\0\0\0\0\0\0\x01"[..]].into_iter());
        let mut bytes = honest.clone();
        match choices.u8() % 4 {
            0 => {}
            1 => {
                let (at, change) = (usize::from(choices.u8()), choices.u8());
                if let Some(byte) = bytes.get_mut(at) {
                    *byte ^= change;
                }
            }
            2 => bytes.truncate(usize::from(choices.u8())),
            _ => {
                let (at, length) = (usize::from(choices.u8()).min(bytes.len()), choices.u8());
                let added = choices.bytes(usize::from(length)).to_vec();
                bytes.splice(at..at, added);
            }
        }
        let cuts = [choices.u8(), choices.u8()];
        now = now + Duration::from_millis(u64::from(choices.u8()) * 10);
        let to = &mut ends[1 - from];
        let common = honest.iter().zip(&bytes).take_while(|(honest, sent)| honest == sent).count();
        if common < honest.len().max(bytes.len()) {
            to.forged_at = to.forged_at.or(Some(to.heard + common));
        }
        // The planted bug: one bit of one byte is not looked at.
        if is_planted && is_bit_flipped(&honest, &bytes, 0x40) {
            bytes = honest;
        }
        if to.session.handle_timeout(now).is_err() {
            to.ends += 1;
        }
        to.hear(now, &bytes, &cuts);
    }
    for (end, needed) in ends.iter().zip(HEARD) {
        assert!(end.ends <= 1, "an end is told once");
        let Some(established_at) = end.established_at else { continue };
        assert!(established_at >= needed, "a session after {established_at} bytes");
        assert!(end.forged_at.is_none_or(|at| at >= needed), "a session of a handshake forged at {:?}", end.forged_at);
    }
}
