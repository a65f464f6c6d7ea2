//! What sessions and streams that do nothing hold, and that those that work allocate nothing. Counts, so one run says it.
//!
//! `cargo bench -p dsoftbus-fabric --bench memory`

#![expect(clippy::unwrap_used, reason = "a benchmark may fail loudly")]

mod common;

use allocation_counter::{AllocationInfo, measure};
use common::{End, Message, Pair, device};
use fabric::suite::{RealSuite, Suite};
use ring_suite::RingSuite;
use std::sync::Arc;

/// Runs `work`, and what memory it held on to or gave back.
fn measured<T>(work: impl FnOnce() -> T) -> (T, AllocationInfo) {
    let mut result = None;
    let info = measure(|| result = Some(work()));
    (result.unwrap(), info)
}

fn pair(suite: &Arc<dyn Suite>) -> Pair {
    Pair::new(&device(1, Arc::clone(suite)), &device(2, Arc::clone(suite)))
}

/// Bytes of a session pair, its buffers for the handshake included or given back.
fn session_pair(suite: &Arc<dyn Suite>) -> (i64, i64) {
    let (phone, hub) = (device(1, Arc::clone(suite)), device(2, Arc::clone(suite)));
    let (mut wire, mut pairs) = (vec![0; 64 * 1024], Vec::with_capacity(100));
    let ((), held) = measured(|| {
        for _ in 0..100 {
            let mut pair = Pair::with_wire(&phone, &hub, std::mem::take(&mut wire));
            wire = std::mem::take(&mut pair.wire);
            pairs.push(pair);
        }
    });
    let ((), released) = measured(|| {
        for pair in &mut pairs {
            pair.quieten();
        }
    });
    let size = i64::try_from(2 * size_of::<End>()).unwrap(); // in the vector, which was there before
    (held.bytes_current / 100 + size, (held.bytes_current + released.bytes_current) / 100 + size)
}

/// Bytes of an idle stream, both ends, of so many; then those after the first keepalive.
fn idle_stream(count: u16) -> (i64, i64) {
    let mut pair = pair(&(Arc::new(RealSuite) as _));
    let ((), held) = measured(|| drop(pair.open(count.into())));
    let ((), released) = measured(|| pair.quieten());
    (held.bytes_current / i64::from(count), (held.bytes_current + released.bytes_current) / i64::from(count))
}

/// Allocations of `rounds` messages on each stream, after as many that warm it up.
fn steady(streams: usize, length: usize, rounds: usize) -> u64 {
    let mut pair = pair(&(Arc::new(RingSuite) as _));
    let streams = pair.open(streams);
    let message = Message::copied(length);
    pair.transfer(&streams, &message, rounds);
    measured(|| pair.transfer(&streams, &message, rounds)).1.count_total
}

fn main() {
    println!("| memory, both ends | bytes at once | after a keepalive |");
    println!("| --- | --- | --- |");
    let row = |name: &str, (at_once, later): (i64, i64)| println!("| {name} | {at_once} | {later} |");
    row("an idle session, portable suite", session_pair(&(Arc::new(RealSuite) as _)));
    row("an idle session, ring", session_pair(&(Arc::new(RingSuite) as _)));
    for count in [1, 10, 100, 128] {
        row(&format!("an idle stream of {count}"), idle_stream(count));
    }
    println!("\n| steady state | allocations |");
    println!("| --- | --- |");
    for (streams, length) in [(1, 64), (1, 16 * 1024), (100, 64), (100, 16 * 1024)] {
        let rounds = 20_000 / streams;
        let count = steady(streams, length, rounds);
        println!("| {} messages of {length} bytes, {streams} streams | {count} |", rounds * streams);
    }
}
