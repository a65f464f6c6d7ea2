//! What a session may hold and allocate: the bounds that `benches/memory.rs` shows the figures below.

#[path = "../benches/common/mod.rs"]
mod common;

use allocation_counter::measure;
use common::{Message, Pair, device};
use fabric::suite::RealSuite;
use std::sync::Arc;

fn pair() -> Pair {
    Pair::new(&device(1, Arc::new(RealSuite)), &device(2, Arc::new(RealSuite)))
}

#[test]
fn a_session_that_works_allocates_nothing() {
    let messages = [Message::copied(64), Message::copied(16 * 1024), Message::shared(16 * 1024)];
    for (message, count) in messages.iter().flat_map(|message| [(message, 1), (message, 100)]) {
        let mut pair = pair();
        let streams = pair.open(count);
        pair.transfer(&streams, message, 60);
        let allocated = measure(|| pair.transfer(&streams, message, 20));
        assert_eq!(allocated.count_total, 0, "{count} streams");
    }
}

#[test]
fn an_idle_session_pair_holds_at_most_4_kb() {
    let (phone, hub) = (device(1, Arc::new(RealSuite)), device(2, Arc::new(RealSuite)));
    let (mut pair, mut wire) = (None, vec![0; 64 * 1024]);
    let held = measure(|| {
        let mut up = Pair::with_wire(&phone, &hub, std::mem::take(&mut wire));
        wire = std::mem::take(&mut up.wire);
        pair = Some(Box::new(up));
    });
    assert!((2_000..=4_000).contains(&held.bytes_current), "{}", held.bytes_current);
}

#[test]
fn an_idle_stream_holds_at_most_250_bytes_for_both_ends() {
    let mut pair = pair();
    let held = measure(|| drop(pair.open(100)));
    assert!((10_000..=25_000).contains(&held.bytes_current), "{}", held.bytes_current);
}

#[test]
fn silence_gives_back_what_work_took() {
    let mut pair = pair();
    let streams = pair.open(100);
    let idle = measure(|| pair.quieten());
    assert!(idle.bytes_current <= 0, "an idle session has little to give");
    let worked = measure(|| pair.transfer(&streams, &Message::copied(16 * 1024), 20));
    assert!(worked.bytes_current > 1_000_000, "buffers are kept while there is work: {}", worked.bytes_current);
    let quiet = measure(|| pair.quieten());
    assert!(worked.bytes_current + quiet.bytes_current < 1_000, "{}", worked.bytes_current + quiet.bytes_current);
}
