//! Whether what was sealed crosses the wire in the clear. Knows windows of bytes, no records.
//!
//! One window in 256, chosen by its first byte, is remembered and looked for: a leak of a few KiB is all but sure to be seen,
//! at the cost of one comparison a byte.

use std::collections::{BTreeSet, VecDeque};

/// What a window begins with; no byte of text, so that names, which announces show as well, begin none.
const FIRST: u8 = 0xA5;
const WINDOW: usize = 16;
/// The latest windows: those of about 16 MiB, much more than is ever under way.
const WINDOWS_MAX: usize = 1 << 16;

type Window = [u8; WINDOW];

/// Windows of the latest texts that were sealed.
#[derive(Debug, Default)]
pub(super) struct Sealed {
    known: BTreeSet<Window>,
    in_order: VecDeque<Window>,
}

impl Sealed {
    pub(super) fn remember(&mut self, text: &[u8]) {
        for (_, window) in windows(text) {
            if self.known.insert(window) {
                self.in_order.push_back(window);
            }
        }
        while self.in_order.len() > WINDOWS_MAX {
            if let Some(oldest) = self.in_order.pop_front() {
                self.known.remove(&oldest);
            }
        }
    }

    /// At which byte of `wire` a text that was sealed shows.
    pub(super) fn shows_in(&self, wire: &[u8]) -> Option<usize> {
        windows(wire).find(|(_, window)| self.known.contains(window)).map(|(at, _)| at)
    }
}

fn windows(bytes: &[u8]) -> impl Iterator<Item = (usize, Window)> {
    let starts = bytes.iter().enumerate().filter(|(_, byte)| **byte == FIRST);
    starts.filter_map(|(at, _)| Some((at, *bytes[at..].first_chunk()?)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(seed: u64) -> Vec<u8> {
        let mut bytes = vec![0; 4_096];
        rand_chacha::rand_core::Rng::fill_bytes(&mut sim::fate::stream(seed, "text"), &mut bytes);
        bytes
    }

    #[test]
    fn a_text_that_was_sealed_is_found_wherever_it_shows_and_others_are_not() {
        let mut sealed = Sealed::default();
        sealed.remember(&text(1));
        let mut wire = text(2);
        wire.extend(&text(1)[1_000..3_000]);
        assert!(sealed.shows_in(&wire).is_some_and(|at| at >= 4_096));
        assert_eq!(sealed.shows_in(&text(3)), None);
    }

    #[test]
    fn what_is_long_past_is_forgotten() {
        let mut sealed = Sealed::default();
        for at in 0..WINDOWS_MAX as u64 + 10 {
            let mut window = [FIRST; WINDOW];
            window[1..9].copy_from_slice(&at.to_be_bytes());
            window[9..].fill(0);
            sealed.remember(&window);
        }
        assert_eq!((sealed.known.len(), sealed.in_order.len()), (WINDOWS_MAX, WINDOWS_MAX));
    }
}
