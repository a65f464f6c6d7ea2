//! Many bytes, many streams, and a reader that is slow.

use crate::support::{ECHO, Pair, pattern};
use fabric::mux::Priority;
use shim_tcp::endpoint::{Session, Stream};
use std::cell::Cell;
use std::future::{Future, poll_fn};
use std::pin::pin;
use tokio::io::{AsyncReadExt, AsyncWriteExt, copy, split};
use tokio::task::JoinSet;

const MIB: usize = 1024 * 1024;

/// Sends back what comes in, on every stream.
async fn serve(session: Session) {
    let mut streams = JoinSet::new();
    while let Ok(stream) = session.accept_stream().await {
        streams.spawn(echo(stream));
    }
    streams.join_all().await;
}

async fn echo(mut stream: Stream) {
    let (mut from, mut to) = split(&mut stream);
    copy(&mut from, &mut to).await.unwrap();
    stream.shutdown().await.unwrap();
}

async fn ask(session: Session, seed: u32, length: usize) {
    let sent = pattern(seed, length);
    let (mut from, mut to) = split(session.open(ECHO, Priority::NORMAL).await.unwrap());
    let mut received = Vec::new();
    let write = async {
        to.write_all(&sent).await.unwrap();
        to.shutdown().await.unwrap();
    };
    let ((), read) = tokio::join!(write, from.read_to_end(&mut received));
    read.unwrap();
    assert!(received == sent, "{seed}: {} of {length} bytes came back, or others", received.len());
}

async fn echo_streams(streams: u32, length: usize) {
    let pair = Pair::new();
    let sessions = pair.connect().await;
    let serving = tokio::spawn(serve(sessions.hub));
    let mut asking = JoinSet::new();
    for seed in 0..streams {
        asking.spawn(ask(sessions.phone.clone(), seed, length));
    }
    asking.join_all().await;
    drop(sessions.phone);
    serving.await.unwrap();
    pair.shutdown().await;
}

#[tokio::test]
async fn sixteen_mebibytes_come_back_over_one_stream() {
    echo_streams(1, 16 * MIB).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sixteen_mebibytes_come_back_over_one_stream_on_several_threads() {
    echo_streams(1, 16 * MIB).await;
}

#[tokio::test]
async fn a_hundred_streams_at_once() {
    echo_streams(100, 100_000).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hundred_streams_at_once_on_several_threads() {
    echo_streams(100, 100_000).await;
}

/// However much there is to read, other tasks of the runtime have their turn: tokio lets a task be ready 128 times in a row.
#[tokio::test]
async fn a_stream_that_always_has_bytes_lets_other_tasks_run() {
    let pair = Pair::new();
    let sessions = pair.connect().await;
    let (mut hub, mut phone) = sessions.stream().await;
    phone.write_all(&[7; 8000]).await.unwrap();
    let mut reading = pin!(async {
        for _ in 0..8000 {
            hub.read_u8().await.unwrap();
        }
    });
    let mut pauses = 0;
    poll_fn(|cx| {
        let read = reading.as_mut().poll(cx);
        pauses += usize::from(read.is_pending());
        read
    })
    .await;
    assert!(pauses >= 8000 / 128, "{pauses}");
}

/// How far a writer was ahead of its reader at most, when it could write so much, and the reader only began after it was
/// ahead by `least`.
async fn greatest_lead(send_buffer_bytes: u32, total: usize, least: usize) -> usize {
    let pair = Pair::with(|config| {
        config.node.mux.send_buffer_bytes = send_buffer_bytes;
        config.node.mux.stream_window_max = 16 * 1024;
    });
    let sessions = pair.connect().await;
    let (mut hub, mut phone) = sessions.stream().await;
    let (sent, received, lead) = (Cell::new(0), Cell::new(0), Cell::new(0));
    let write = async {
        while sent.get() < total {
            sent.set(sent.get() + phone.write(&[7; 4096]).await.unwrap());
        }
        phone.shutdown().await.unwrap();
    };
    let read = async {
        while sent.get() < least {
            tokio::task::yield_now().await;
        }
        let mut buffer = [0; 1000];
        loop {
            lead.set(lead.get().max(sent.get() - received.get()));
            match hub.read(&mut buffer).await.unwrap() {
                0 => break,
                count => received.set(received.get() + count),
            }
        }
    };
    tokio::join!(write, read);
    assert_eq!(received.get(), sent.get());
    lead.get()
}

#[tokio::test]
async fn a_slow_reader_stops_the_writer() {
    // What the writer's node keeps, and the reader's window; a frame's header takes some of both.
    let bound = 32 * 1024 + 16 * 1024;
    let lead = greatest_lead(32 * 1024, MIB, 32 * 1024).await;
    assert!((32 * 1024..=bound).contains(&lead), "{lead}");
    // The same writer, with room for everything: the measure sees a writer that nothing stops.
    assert!(greatest_lead(4 * MIB as u32, MIB, MIB).await >= MIB);
}
