//! Records of an authenticated peer, some of them forged: what opens is what was sealed, in order and once, up to the first
//! byte that was touched; and nothing after it.

use crate::choices::{Choices, is_bit_flipped, pieces};
use crate::keys::{established, output};
use fabric::session::{Received, Session};
use machine::Instant;

/// What the hub has made of the bytes so far.
#[derive(Default)]
struct Heard {
    texts: Vec<Vec<u8>>,
    ends: u32,
}

impl Heard {
    fn hear(&mut self, hub: &mut Session, bytes: &[u8], cuts: &[u8]) {
        for mut piece in pieces(bytes, cuts) {
            loop {
                match hub.receive(Instant::ZERO, &mut piece) {
                    Ok(Some(Received::Record(text))) => self.texts.push(text.to_vec()),
                    Ok(Some(Received::Established(_))) => panic!("established twice"),
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
    let (mut phone, mut hub) = established();
    let mut heard = Heard::default();
    // What the phone sealed, each text with the place where its record ends; and what the hub was told.
    let (mut said, mut sealed, mut told) = (Vec::new(), Vec::new(), Vec::new());
    let mut last = Vec::new();
    for _ in 0..32 {
        if choices.is_over() {
            break;
        }
        let (what, length) = (choices.u8() % 6, choices.u8());
        let text = choices.bytes(usize::from(length).max(1));
        let honest = output(&mut phone, &mut [text].into_iter());
        let mut bytes = honest.clone();
        match what {
            0 | 1 => {}
            2 => {
                let (at, change) = (usize::from(choices.u8()), choices.u8());
                if let Some(byte) = bytes.get_mut(at) {
                    *byte ^= change;
                }
            }
            3 => bytes.clone_from(&last),
            4 => bytes = [&honest[..], &last].concat(),
            _ => bytes = choices.bytes(usize::from(length)).to_vec(),
        }
        said.extend_from_slice(&honest);
        sealed.push((said.len(), text));
        told.extend_from_slice(&bytes);
        // The planted bug: one bit of one byte is not looked at.
        let bytes = if is_planted && is_bit_flipped(&honest, &bytes, 8) { &honest } else { &bytes };
        heard.hear(&mut hub, bytes, &[choices.u8(), choices.u8()]);
        last = honest;
    }
    let agreed = said.iter().zip(&told).take_while(|(said, told)| said == told).count();
    let whole = sealed.iter().filter(|(end, text)| *end <= agreed && !text.is_empty());
    let expected: Vec<_> = whole.map(|(_, text)| *text).collect();
    assert_eq!(heard.texts, expected, "of {} bytes the first {agreed} were as they were sealed", told.len());
    assert!(heard.ends <= 1, "an end is told once");
    assert_eq!(hub.is_established(), heard.ends == 0);
}
