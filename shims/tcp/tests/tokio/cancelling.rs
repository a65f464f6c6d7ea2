//! Futures that are dropped before they are done.

use crate::support::{ECHO, HUB, Pair, Sessions, glance, id, pattern};
use fabric::mux::{Priority, code};
use shim_tcp::endpoint::StreamError;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// Begins anew until a try is done at its first look.
async fn keep_glancing<T>(mut attempt: impl AsyncFnMut() -> Option<T>) -> T {
    loop {
        if let Some(output) = attempt().await {
            return output;
        }
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn reads_that_are_dropped_lose_nothing() {
    let pair = Pair::new();
    let sessions = pair.connect().await;
    let (mut hub, mut phone) = sessions.stream().await;
    let sent = pattern(1, 1_000_000);
    assert!(glance(hub.read(&mut [0; 10])).await.is_none(), "nothing was sent yet");
    let write = async {
        phone.write_all(&sent).await.unwrap();
        phone.shutdown().await.unwrap();
    };
    let read = async {
        let mut received = Vec::new();
        loop {
            let mut buffer = [0; 10_000];
            match keep_glancing(async || glance(hub.read(&mut buffer)).await).await.unwrap() {
                0 => return received,
                count => received.extend_from_slice(&buffer[..count]),
            }
        }
    };
    let ((), received) = tokio::join!(write, read);
    assert!(received == sent, "{} bytes", received.len());
}

#[tokio::test]
async fn a_message_read_that_is_dropped_goes_on_in_the_next_read() {
    let pair = Pair::new();
    let sessions = pair.connect().await;
    let (mut hub, mut phone) = sessions.stream().await;
    let message = pattern(2, 500_000);
    assert!(glance(hub.read_message(500_000)).await.is_none(), "nothing was sent yet");
    let read = keep_glancing(async || glance(hub.read_message(500_000)).await);
    let (written, received) = tokio::join!(phone.write_message(&message), read);
    written.unwrap();
    assert!(received.unwrap().as_ref() == Some(&message));
}

/// What a message reader that was dropped has taken is read by whoever reads next.
#[tokio::test]
async fn bytes_of_a_message_that_was_begun_are_read_as_bytes() {
    let pair = Pair::new();
    let sessions = pair.connect().await;
    let (mut hub, mut phone) = sessions.stream().await;
    let sent = pattern(3, 1_000_000);
    let read = keep_glancing(async || glance(hub.read_message(1_000_000)).await);
    tokio::select! {
        biased;
        written = phone.write_all(&sent) => written.unwrap(), // most of it is read then: it would not fit anywhere else
        _ = read => unreachable!("the message has no end"),
    }
    phone.shutdown().await.unwrap();
    let mut received = Vec::new();
    hub.read_to_end(&mut received).await.unwrap();
    assert!(received == sent, "{} bytes", received.len());
}

#[tokio::test]
async fn a_message_write_that_is_dropped_is_none_or_a_reset() {
    let pair = Pair::new();
    let sessions = pair.connect().await;
    let (mut hub, mut phone) = sessions.stream().await;
    drop(phone.write_message(b"never polled"));
    phone.write_message(b"whole").await.unwrap();
    assert_eq!(hub.read_message(100).await.unwrap().unwrap(), b"whole");
    assert!(glance(phone.write_message(&vec![7; 10_000_000])).await.is_none(), "the peer does not read");
    assert_eq!(hub.read_message(10_000_000).await, Err(StreamError::Reset(code::CANCELLED)));
}

#[tokio::test]
async fn accepts_that_are_dropped_lose_nothing() {
    let pair = Pair::new();
    assert!(glance(pair.hub.accept()).await.is_none(), "nobody has dialled yet");
    let accept = keep_glancing(async || glance(pair.hub.accept()).await);
    let (phone, hub) = tokio::join!(pair.dial(pair.hub.local_addr()), accept);
    let sessions = Sessions { phone: phone.unwrap(), hub: hub.unwrap() };
    assert!(glance(sessions.hub.accept_stream()).await.is_none(), "nothing was opened yet");
    let accept = keep_glancing(async || glance(sessions.hub.accept_stream()).await);
    let (opened, accepted) = tokio::join!(sessions.phone.open(ECHO, Priority::NORMAL), accept);
    let (mut phone, mut hub) = (opened.unwrap(), accepted.unwrap());
    phone.write_message(b"still there").await.unwrap();
    assert_eq!(hub.read_message(100).await.unwrap().unwrap(), b"still there");
}

#[tokio::test]
async fn an_open_that_is_dropped_takes_no_place() {
    let pair = Pair::with(|config| config.node.mux.streams_max = 2);
    let sessions = pair.connect().await;
    for _ in 0..10 {
        drop(glance(sessions.phone.open(ECHO, Priority::NORMAL)).await); // rarely the peer has answered by then
    }
    let (_first, _second) = tokio::join!(sessions.stream(), sessions.stream());
}

#[tokio::test]
async fn a_connect_that_is_dropped_dials_no_more() {
    let pair = Pair::new();
    let nowhere = ([127, 0, 0, 1], 9).into();
    assert!(glance(pair.dial(nowhere)).await.is_none());
    assert_eq!(pair.phone.node(|node| (node.forgotten(), node.session(id(HUB)))), (None, None));
    pair.connect().await;
}
