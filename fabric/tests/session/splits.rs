//! However bytes are cut, and whatever they are: the same outcome, and never a panic.

use crate::support::{AMPLE, Pair, Seen};
use fabric::session::Limits;
use proptest::prelude::*;
use std::num::NonZeroU64;

fn limits() -> Limits {
    Limits { rekey_after: NonZeroU64::new(2).unwrap(), ..Limits::default() }
}

/// A handshake and some traffic each way, and all that was seen of it.
fn story(cut: usize, room_bytes: usize) -> (Vec<Vec<Seen>>, [Vec<u8>; 2]) {
    let mut pair = Pair::new();
    pair.b.send(&[b"ping", &[4; 700]]);
    pair.a.send(&[b"pong", &[5; 3000], b"x"]);
    pair.run_cut(cut, room_bytes);
    let sessions = [&pair.a, &pair.b]
        .map(|end| end.seen.iter().filter(|seen| !matches!(seen, Seen::Record(_))).cloned().collect::<Vec<_>>());
    (sessions.to_vec(), [pair.a.text(), pair.b.text()])
}

#[test]
fn one_byte_at_a_time_does() {
    assert_eq!(story(1, 1), story(AMPLE, AMPLE));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_cut_and_any_room_give_the_same_outcome(cut in 1..3000_usize, room_bytes in 1..3000_usize) {
        prop_assert_eq!(story(cut, room_bytes), story(AMPLE, AMPLE));
    }

    #[test]
    fn faults_are_found_at_the_same_place_however_they_are_cut(
        at in 0..2000_usize, change in 1..=255_u8, cuts in proptest::collection::vec(1..800_usize, 1..40),
    ) {
        let run = |cuts: &[usize]| {
            let mut pair = Pair::established(&limits());
            pair.a.send(&[&[1; 300], &[2; 300], &[3; 300], &[4; 300], &[5; 700]]);
            let mut bytes = pair.a.output(AMPLE);
            let at = at % bytes.len();
            bytes[at] ^= change;
            let mut rest = &bytes[..];
            for cut in cuts.iter().cycle() {
                let (piece, after) = rest.split_at(rest.len().min(*cut));
                pair.b.input(piece);
                rest = after;
                if rest.is_empty() {
                    return pair.b.seen;
                }
            }
            unreachable!("the cuts cycle")
        };
        prop_assert_eq!(run(&cuts), run(&[AMPLE]));
    }

    #[test]
    fn bytes_of_a_stranger_never_panic(
        garbage in proptest::collection::vec(any::<u8>(), 0..400), length in 0..4_usize, turns in 0..4_usize,
    ) {
        let mut pair = Pair::new();
        pair.b.send(&[b"ping"]);
        for turn in 0..turns {
            let (from, to) = if turn % 2 == 0 { (&mut pair.a, &mut pair.b) } else { (&mut pair.b, &mut pair.a) };
            to.input(&from.next_message());
        }
        let header = [[0, 48], [0, 148], [0, 164], [1, 0]][length];
        for end in [&mut pair.a, &mut pair.b] {
            let before = end.seen.len();
            end.input(&header);
            end.input(&garbage);
            let gained = &end.seen[before..];
            prop_assert!(gained.len() <= 1 && gained.iter().all(|seen| matches!(seen, Seen::Ended(_))));
        }
    }
}
