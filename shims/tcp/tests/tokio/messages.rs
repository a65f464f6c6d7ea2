//! Bytes and messages over the same streams.

use crate::support::{Pair, pattern};
use fabric::mux::code;
use shim_tcp::endpoint::StreamError;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

#[tokio::test]
async fn messages_keep_their_boundaries() {
    let pair = Pair::new();
    let sessions = pair.connect().await;
    let (mut hub, mut phone) = sessions.stream().await;
    let messages = [pattern(1, 3), Vec::new(), pattern(2, 300_000), pattern(3, 1)];
    let write = async {
        for message in &messages {
            phone.write_message(message).await.unwrap();
        }
        phone.write_all(b"in ").await.unwrap();
        phone.write_all(b"pieces").await.unwrap();
        phone.end_message().await.unwrap();
        phone.shutdown().await.unwrap();
    };
    let read = async {
        for message in &messages {
            assert!(hub.read_message(300_000).await.unwrap().as_ref() == Some(message));
        }
        assert_eq!(hub.read_message(100).await.unwrap().unwrap(), b"in pieces");
        assert_eq!(hub.read_message(100).await.unwrap(), None);
    };
    tokio::join!(write, read);
}

#[tokio::test]
async fn who_reads_bytes_reads_messages_too() {
    let pair = Pair::new();
    let sessions = pair.connect().await;
    let (mut hub, mut phone) = sessions.stream().await;
    for message in [&b"one, "[..], b"", b"two"] {
        phone.write_message(message).await.unwrap();
    }
    phone.shutdown().await.unwrap();
    let mut text = String::new();
    hub.read_to_string(&mut text).await.unwrap();
    assert_eq!(text, "one, two");
}

#[tokio::test]
async fn a_message_past_the_bound_resets_the_stream() {
    let pair = Pair::new();
    let sessions = pair.connect().await;
    let (mut hub, mut phone) = sessions.stream().await;
    phone.write_message(&[7; 1001]).await.unwrap();
    assert_eq!(hub.read_message(1000).await, Err(StreamError::MessageTooLarge));
    let told = Err(StreamError::Reset(code::MESSAGE_TOO_LARGE));
    assert_eq!(hub.read_message(1000).await, told);
    assert_eq!(phone.read_message(1000).await, told);
}

#[tokio::test]
async fn a_message_without_its_end_is_none() {
    let pair = Pair::new();
    let sessions = pair.connect().await;
    let (mut hub, mut phone) = sessions.stream().await;
    phone.write_message(b"whole").await.unwrap();
    phone.write_all(b"ha").await.unwrap();
    phone.shutdown().await.unwrap();
    assert_eq!(hub.read_message(100).await.unwrap().unwrap(), b"whole");
    assert_eq!(hub.read_message(100).await, Err(StreamError::UnfinishedMessage));
    assert_eq!(phone.write_message(b"lf").await, Err(StreamError::Finished));
}
