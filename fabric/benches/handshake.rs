//! What a handshake costs, both ends, against the curve operations in it: the two key pairs, six agreements, two signatures
//! and two verifications that XK with two proofs cannot do without.
//!
//! `cargo bench -p dsoftbus-fabric --bench handshake`

#![expect(clippy::float_arithmetic, clippy::cast_precision_loss, reason = "a benchmark reports ratios")]

mod common;

use common::{Contender, Pair, device, interleave, median, ratio};
use fabric::identity::DeviceKey;
use fabric::suite::{RealSuite, Suite};
use std::hint::black_box;
use std::sync::Arc;

const ROUNDS: usize = 11;
const HANDSHAKES: usize = 200;

/// As many curve operations as one handshake has.
fn curve_operations() -> impl FnMut() {
    let (key, secret) = (DeviceKey::from_seed(&[1; 32]), [2; 32]);
    let public = RealSuite.noise_public(&secret);
    let text = [3; 129]; // as long as what a proof signs
    move || {
        for _ in 0..2 {
            black_box(RealSuite.noise_public(black_box(&secret)));
            let signature = RealSuite.sign(&key, black_box(&text));
            assert!(RealSuite.verify(&key.verifying_key(), &text, &signature));
        }
        for _ in 0..6 {
            black_box(RealSuite.diffie_hellman(black_box(&secret), &public));
        }
    }
}

fn main() {
    let (phone, hub) = (device(1, Arc::new(RealSuite)), device(2, Arc::new(RealSuite)));
    let mut curve = curve_operations();
    let mut wire = vec![0; 64 * 1024];
    let mut contenders: Vec<Contender<'_>> = vec![
        ("its curve operations", Box::new(|| (0..HANDSHAKES).for_each(|_| curve()))),
        (
            "a session, to the first PING",
            Box::new(|| {
                for _ in 0..HANDSHAKES {
                    wire = Pair::with_wire(&phone, &hub, std::mem::take(&mut wire)).wire;
                }
            }),
        ),
    ];
    let seconds = interleave(ROUNDS, &mut contenders);
    println!("| both ends, one core, in memory | µs | of its curve operations |");
    println!("| --- | --- | --- |");
    for ((name, _), mine) in contenders.iter().zip(&seconds) {
        println!("| {name} | {:.0} | {:.2} |", median(mine) / HANDSHAKES as f64 * 1e6, ratio(mine, &seconds[0]));
    }
}
