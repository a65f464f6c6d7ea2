//! The fabric beside its rivals: messages of 16 KiB through both ends in memory, on one core, in one interleaved run, against
//! what their cipher alone takes. All use ring's ChaCha20-Poly1305.
//!
//! `cargo run --release` in this folder; with `-- loopback`, the same over real sockets, and round trips.

#[path = "../../../fabric/benches/common/mod.rs"]
mod common;
mod libp2p;
mod loopback;
mod noise;
mod quinn;
mod tls;

use common::{Contender, Message, Pair, device, interleave, median, ratio};
use fabric::suite::Suite;
use ring_suite::RingSuite;
use std::hint::black_box;
use std::sync::Arc;

const ROUNDS: usize = 11;
const MESSAGE: usize = 16 * 1024;
/// Messages of one round; 100 streams share them evenly.
const MESSAGES: usize = 2_000;
const BYTES: usize = MESSAGES * MESSAGE;

fn cipher_alone() -> impl FnMut() {
    let cipher = RingSuite.cipher(&[1; 32]);
    let mut text = vec![7; MESSAGE];
    let mut nonce = 0;
    move || {
        for _ in 0..MESSAGES {
            let tag = cipher.seal(nonce, &[], &mut text);
            cipher.open(nonce, &[], &mut text, &tag).unwrap();
            nonce += 1;
        }
        black_box(&text);
    }
}

fn fabric(streams: usize, message: Message) -> impl FnMut() {
    let suite = Arc::new(RingSuite);
    let mut pair = Pair::new(&device(1, Arc::clone(&suite) as _), &device(2, suite));
    let streams = pair.open(streams);
    move || pair.transfer(&streams, &message, MESSAGES / streams.len())
}

fn main() {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
    if arguments.first() == Some(&"loopback") {
        loopback::print_congestion_control();
    }
    match arguments[..] {
        [] => in_memory(),
        ["loopback"] => {
            loopback::throughput("");
            println!();
            loopback::calls();
        }
        ["loopback", "calls"] => loopback::calls(),
        ["loopback", rows] => loopback::throughput(rows),
        _ => panic!("nothing, `loopback`, `loopback calls`, or `loopback` and a part of the names of rows"),
    }
}

fn in_memory() {
    let mut contenders: Vec<Contender<'_>> = vec![
        ("ring alone: seal and open", Box::new(cipher_alone())),
        ("**fabric, 1 stream, shared bytes**", Box::new(fabric(1, Message::shared(MESSAGE)))),
        ("**fabric, 100 streams, shared bytes**", Box::new(fabric(100, Message::shared(MESSAGE)))),
        ("**fabric, 1 stream**", Box::new(fabric(1, Message::copied(MESSAGE)))),
        ("**fabric, 100 streams**", Box::new(fabric(100, Message::copied(MESSAGE)))),
        ("snow with ring, no streams", Box::new(noise::transfer(MESSAGE, MESSAGES))),
        ("rustls with ring, no streams", Box::new(tls::transfer(MESSAGE, MESSAGES))),
        ("libp2p noise + yamux, 1 stream", Box::new(libp2p::transfer(1, MESSAGE, MESSAGES))),
        ("libp2p noise + yamux, 100 streams", Box::new(libp2p::transfer(100, MESSAGE, MESSAGES / 100))),
        (
            "quinn-proto, packets of 1,452 bytes, 1 stream",
            Box::new(quinn::transfer(quinn::ETHERNET, 1, MESSAGE, MESSAGES)),
        ),
        (
            "quinn-proto, packets of 1,452 bytes, 100 streams",
            Box::new(quinn::transfer(quinn::ETHERNET, 100, MESSAGE, MESSAGES / 100)),
        ),
        ("quinn-proto, packets of 64 KiB, 1 stream", Box::new(quinn::transfer(quinn::UDP, 1, MESSAGE, MESSAGES))),
    ];
    let seconds = interleave(ROUNDS, &mut contenders);
    println!("| 16 KiB messages, both ends, one core, in memory | MB/s | of ring alone |");
    println!("| --- | --- | --- |");
    for ((name, _), mine) in contenders.iter().zip(&seconds) {
        println!("| {name} | {:.0} | {:.2} |", BYTES as f64 / median(mine) / 1e6, ratio(&seconds[0], mine));
    }
}
