//! Records: keys change on time, and nothing but the peer's records, whole and in order, is ever delivered.

use crate::support::{AMPLE, End, OtherSuite, Pair, Seen, device, device_with};
use fabric::session::{Limits, PLAINTEXT_ROOM_MIN};
use fabric::suite::{RealSuite, Suite};
use std::collections::BTreeSet;
use std::num::NonZeroU64;
use std::sync::Arc;

#[test]
fn records_of_every_size_arrive_whole() {
    let mut pair = Pair::established(&Limits::default());
    for size in [1, 2, 15, 16, 17, 1005, 1006, 1007, 16384, 65518, 65519] {
        let message = vec![size as u8; size];
        pair.a.send(&[&message]);
        pair.run();
        assert!(pair.b.seen.last() == Some(&Seen::Record(message)), "{size}");
    }
}

#[test]
fn a_record_is_as_long_as_its_room_allows() {
    let mut pair = Pair::established(&Limits::default());
    pair.a.send(&[&vec![7; 200_000]]);
    pair.b.input(&pair.a.output(1 << 20));
    let lengths = |end: &End| -> Vec<usize> {
        let length = |seen: &Seen| if let Seen::Record(text) = seen { Some(text.len()) } else { None };
        end.seen.iter().filter_map(length).collect()
    };
    assert_eq!(lengths(&pair.b), [65519, 65519, 65519, 200_000 - 3 * 65519]);

    let mut pair = Pair::established(&Limits::default());
    pair.a.send(&[&[7; 3000]]);
    pair.b.input(&pair.a.output(1100));
    assert_eq!(lengths(&pair.b), [1082, 1082, 836]);
}

/// Both ends watched, with `interval` records to a key.
fn watched(interval: u64) -> (Pair, [Arc<OtherSuite>; 2]) {
    let suites = [Arc::new(OtherSuite::default()), Arc::new(OtherSuite::default())];
    let [a, b] = [device_with(1, suites[0].clone()), device_with(2, suites[1].clone())];
    let limits = Limits { rekey_after: NonZeroU64::new(interval).unwrap(), ..Limits::default() };
    let mut pair = Pair::dialled(&a, &b, &limits);
    pair.run();
    for suite in &suites {
        suite.sealed.lock().unwrap().clear();
    }
    (pair, suites)
}

#[test]
fn each_direction_changes_its_key_on_time_and_the_nonce_runs_on() {
    for interval in [1, 2, 7] {
        let (mut pair, suites) = watched(interval);
        let counts = [10, 23];
        for _ in 0..counts[1] {
            pair.b.send(&[b"to a"]);
        }
        pair.run();
        for _ in 0..counts[0] {
            pair.a.send(&[b"to b"]);
        }
        pair.run();
        assert_eq!(pair.a.text().len() + pair.b.text().len(), 4 * 33);

        for (suite, count) in suites.iter().zip(counts) {
            let sealed = suite.sealed.lock().unwrap();
            // Noise seals once more, under the last nonce, for each new key of either direction.
            let records: Vec<_> = sealed.iter().filter(|(_, nonce)| *nonce != u64::MAX).collect();
            assert!(records.iter().map(|(_, nonce)| *nonce).eq(0..count), "{records:?}");
            let mut epochs = records.chunk_by(|left, right| left.0 == right.0);
            let keys: BTreeSet<_> = records.iter().map(|(key, _)| key).collect();
            assert_eq!(keys.len() as u64, count.div_ceil(interval), "no key comes back");
            assert!(
                epochs.all(|epoch| epoch.last().unwrap().1 + 1 == count
                    || (epoch.last().unwrap().1 + 1).is_multiple_of(interval))
            );
        }
    }
}

#[test]
fn sides_that_disagree_on_the_interval_part_at_the_first_change() {
    let limits = |interval| Limits { rekey_after: NonZeroU64::new(interval).unwrap(), ..Limits::default() };
    let mut pair = Pair::new();
    pair.a = End::dialling(&device(1), &device(2), &limits(3));
    pair.b = End::accepting(&device(2), &limits(4));
    pair.b.send(&[b"0", b"1", b"2", b"3", b"4"]);
    pair.run();
    assert_eq!(pair.a.text(), b"012");
    pair.a.assert_record_invalid();
}

/// Five records of `a`, each alone, and a `b` to open them.
fn five_records() -> (Pair, Vec<Vec<u8>>) {
    let mut pair = Pair::established(&Limits::default());
    pair.a.send(&[b"0", b"1", b"2", b"3", b"4"]);
    let records = (0..5).map(|_| pair.a.next_message()).collect();
    (pair, records)
}

/// After `bytes`, `b` has delivered `text` and nothing more, ever.
fn assert_delivers_only(pair: &mut Pair, text: &[u8], bytes: &[Vec<u8>]) {
    pair.b.input(&bytes.concat());
    assert_eq!(pair.b.text(), text);
    pair.b.assert_record_invalid();
}

#[test]
fn untouched_records_are_delivered() {
    let (mut pair, records) = five_records();
    pair.b.input(&records.concat());
    assert_eq!(pair.b.text(), b"01234");
}

#[test]
fn nothing_is_delivered_from_the_first_fault_on() {
    let (mut pair, mut records) = five_records();
    records.swap(2, 3);
    assert_delivers_only(&mut pair, b"01", &records);

    let (mut pair, mut records) = five_records();
    records.remove(2);
    assert_delivers_only(&mut pair, b"01", &records);

    let (mut pair, mut records) = five_records();
    records.insert(2, records[1].clone());
    assert_delivers_only(&mut pair, b"01", &records);

    let (mut pair, mut records) = five_records();
    records.insert(0, b"\0\x20of nobody, but as long as a header".to_vec());
    assert_delivers_only(&mut pair, b"", &records);

    let (mut pair, mut records) = five_records();
    pair.b.send(&[b"from b"]);
    records.insert(1, pair.b.next_message());
    assert_delivers_only(&mut pair, b"0", &records);

    let (mut pair, _) = five_records();
    let (_, records_of_another_session) = {
        let mut other = Pair::dialled(&device(3), &device(2), &Limits::default());
        other.b.send(&[b"ping"]);
        other.run();
        other.a.send(&[b"0"]);
        let record = other.a.next_message();
        (other, vec![record])
    };
    assert_delivers_only(&mut pair, b"", &records_of_another_session);
}

#[test]
fn a_record_with_any_byte_changed_is_not_delivered() {
    for at in 0..19 {
        let (mut pair, mut records) = five_records();
        records[1][at] ^= 1;
        if at == 0 {
            // Longer than all that came: it waits, and what fills it up does not open.
            records.push(vec![0; 300]);
        }
        assert_delivers_only(&mut pair, b"0", &records);
    }
}

#[test]
fn a_record_that_is_cut_is_not_delivered() {
    for length in 2..19 {
        let (mut pair, mut records) = five_records();
        records[1].truncate(length);
        records[1][1] = length as u8 - 2;
        assert_delivers_only(&mut pair, b"0", &records);
    }
}

#[test]
fn a_record_shorter_than_its_tag_is_refused_at_its_header() {
    for length in 0..16 {
        let (mut pair, _) = five_records();
        pair.b.input(&[0, length]);
        pair.b.assert_record_invalid();
    }
    let (mut pair, _) = five_records();
    pair.b.input(&[0, 16]);
    assert!(pair.b.session.is_established(), "an empty record may still be honest");
}

#[test]
fn an_empty_record_is_delivered_for_the_frames_above_to_judge() {
    let suite = Arc::new(OtherSuite::default());
    let mut pair = Pair::dialled(&device_with(1, suite.clone()), &device(2), &Limits::default());
    pair.run();
    let sealing_key = *suite.keys.lock().unwrap().iter().nth_back(1).unwrap();
    let tag = RealSuite.cipher(&sealing_key).seal(0, &[], &mut []);
    pair.b.input(&[&[0, 16], &tag[..]].concat());
    assert_eq!(pair.b.seen[1..], [Seen::Record(vec![])]);
}

#[test]
fn a_record_before_the_handshake_is_over_is_no_record() {
    let (_, records) = five_records();
    let mut pair = Pair::new();
    pair.b.input(&pair.a.next_message());
    pair.a.input(&[pair.b.next_message(), records[0].clone()].concat());
    assert!(pair.a.seen.iter().all(|seen| matches!(seen, Seen::Ended(_))));
    pair.a.assert_record_invalid();
}

#[test]
fn one_record_waits_where_the_room_is_small() {
    let mut pair = Pair::established(&Limits::default());
    pair.a.send(&[&[1; 5000]]);
    let mut room = [0; 1];
    assert_eq!(pair.a.fill(&mut room), 1);
    assert_eq!(pair.a.to_send[0].len(), 5000 - PLAINTEXT_ROOM_MIN, "one small record was sealed aside");
    assert!(pair.a.session.wants_fill());
    for _ in 1..PLAINTEXT_ROOM_MIN + 18 {
        assert_eq!(pair.a.fill(&mut room), 1);
    }
    assert!(!pair.a.session.wants_fill());
    assert_eq!(pair.a.to_send[0].len(), 5000 - PLAINTEXT_ROOM_MIN, "no other before it is gone");
}

#[test]
fn no_room_takes_nothing() {
    let mut pair = Pair::established(&Limits::default());
    pair.a.send(&[b"whole"]);
    assert_eq!(pair.a.fill(&mut []), 0);
    pair.run();
    assert_eq!(pair.b.text(), b"whole");
}

#[test]
fn buffers_are_given_back_without_losing_a_byte() {
    let mut pair = Pair::established(&Limits::default());
    pair.a.send(&[&[1; 3000], &[2; 3000]]);
    let bytes = pair.a.output(AMPLE);
    for piece in bytes.chunks(100) {
        pair.b.input(piece);
        pair.b.session.release_buffers();
        pair.a.session.release_buffers();
    }
    assert_eq!(pair.b.text(), [[1; 3000], [2; 3000]].concat());
    pair.b.send(&[&[3; 3000]]);
    while let Some(byte) = {
        let mut room = [0; 1];
        (pair.b.fill(&mut room) > 0).then_some(room)
    } {
        pair.b.session.release_buffers();
        pair.a.input(&byte);
    }
    assert_eq!(pair.a.text(), [b"ping", &[3; 3000][..]].concat());
}
