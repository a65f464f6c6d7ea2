//! How fast messages pass both ends of a session in memory, on one core, against ring alone: seal and open of 16 KiB.
//!
//! `cargo bench -p dsoftbus-fabric --bench throughput`

#![expect(clippy::float_arithmetic, clippy::cast_precision_loss, reason = "a benchmark reports ratios")]
#![expect(clippy::unwrap_used, reason = "a benchmark may fail loudly")]

mod common;

use common::{Contender, Message, Pair, device, interleave, median, ratio};
use fabric::suite::Suite;
use ring_suite::RingSuite;
use std::hint::black_box;
use std::sync::Arc;

const ROUNDS: usize = 11;
const LARGE: usize = 16 * 1024;
const SMALL: usize = 64;
/// Bytes of one round; 100 streams share its messages evenly.
const BYTES: usize = 2_000 * LARGE;
/// Bytes of messages of 64 in one round: they take far longer.
const SMALL_BYTES: usize = 20_000 * SMALL;

/// Seals and opens texts of `length` bytes, in place.
fn ring_alone(length: usize, bytes: usize) -> impl FnMut() {
    let cipher = RingSuite.cipher(&[1; 32]);
    let mut text = vec![7; length];
    let mut nonce = 0;
    move || {
        for _ in 0..bytes / length {
            let tag = cipher.seal(nonce, &[], &mut text);
            cipher.open(nonce, &[], &mut text, &tag).unwrap();
            nonce += 1;
        }
        black_box(&text);
    }
}

fn streams(count: usize, message: Message, messages: usize) -> impl FnMut() {
    let suite = Arc::new(RingSuite);
    let mut pair = Pair::new(&device(1, Arc::clone(&suite) as _), &device(2, suite));
    let streams = pair.open(count);
    move || pair.transfer(&streams, &message, messages / streams.len())
}

fn main() {
    let mut contenders: Vec<Contender<'_>> = vec![
        ("ring alone, seal and open, 16 KiB", Box::new(ring_alone(LARGE, BYTES))),
        ("1 stream, 16 KiB messages", Box::new(streams(1, Message::copied(LARGE), BYTES / LARGE))),
        ("100 streams, 16 KiB messages", Box::new(streams(100, Message::copied(LARGE), BYTES / LARGE))),
        ("1 stream, shared 16 KiB messages", Box::new(streams(1, Message::shared(LARGE), BYTES / LARGE))),
        ("100 streams, shared 16 KiB messages", Box::new(streams(100, Message::shared(LARGE), BYTES / LARGE))),
        ("1 stream, 64 B messages", Box::new(streams(1, Message::copied(SMALL), SMALL_BYTES / SMALL))),
        ("100 streams, 64 B messages", Box::new(streams(100, Message::copied(SMALL), SMALL_BYTES / SMALL))),
    ];
    let seconds = interleave(ROUNDS, &mut contenders);
    println!("| both ends, one core, in memory | MB/s | of ring alone |");
    println!("| --- | --- | --- |");
    for ((name, _), mine) in contenders.iter().zip(&seconds) {
        let bytes = if name.ends_with("64 B messages") { SMALL_BYTES } else { BYTES };
        let (rate, scale) = (bytes as f64 / median(mine) / 1e6, bytes as f64 / BYTES as f64);
        println!("| {name} | {rate:.0} | {:.2} |", ratio(&seconds[0], mine) * scale);
    }
}
