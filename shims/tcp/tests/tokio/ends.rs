//! How streams end: cleanly, or with an error that says why, and never one for the other.

use crate::support::{ECHO, HUB, Home, PHONE, Pair, Relay, Sessions, id};
use fabric::SessionEnd;
use fabric::mux::{Priority, code};
use machine::Duration;
use shim_tcp::endpoint::{Endpoint, OpenError, StreamError};
use std::io::{self, BufRead, BufReader, ErrorKind};
use std::process::{Command, Stdio};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// How a stream was read to its end.
async fn read_to_end(stream: &mut (impl AsyncReadExt + Unpin)) -> Result<usize, StreamError> {
    let mut bytes = Vec::new();
    let read = stream.read_to_end(&mut bytes).await;
    read.map_err(|error| StreamError::of(&error).unwrap())
}

#[tokio::test]
async fn a_shut_down_half_reads_as_the_end_and_the_other_half_goes_on() {
    let pair = Pair::new();
    let sessions = pair.connect().await;
    let (mut hub, mut phone) = sessions.stream().await;
    phone.write_all(b"question").await.unwrap();
    phone.shutdown().await.unwrap();
    assert_eq!(read_to_end(&mut hub).await, Ok(8));
    hub.write_all(b"answer").await.unwrap();
    hub.shutdown().await.unwrap();
    assert_eq!(read_to_end(&mut phone).await, Ok(6));
    assert_eq!(phone.write(b"more").await.unwrap_err().kind(), ErrorKind::BrokenPipe);
}

#[tokio::test]
async fn a_connection_that_is_cut_is_no_end_of_a_stream() {
    let pair = Pair::new();
    let relay = Relay::new(pair.hub.local_addr()).await;
    let sessions = pair.connect_at(relay.addr).await;
    let (mut hub, mut phone) = sessions.stream().await;
    hub.write_all(b"begin").await.unwrap();
    let mut begin = [0; 5];
    phone.read_exact(&mut begin).await.unwrap();
    relay.cut().await;
    let cut = SessionEnd::Truncated;
    assert_eq!(read_to_end(&mut phone).await, Err(StreamError::Session(cut)));
    assert_eq!(read_to_end(&mut hub).await, Err(StreamError::Session(cut)));
    assert_eq!(phone.write(b"more").await.unwrap_err().kind(), ErrorKind::ConnectionAborted);
    assert_eq!((sessions.hub.closed().await, sessions.phone.closed().await), (cut, cut));
    assert_eq!(sessions.phone.open(ECHO, Priority::NORMAL).await.unwrap_err(), OpenError::Session(cut));
    assert_eq!(sessions.hub.accept_stream().await.unwrap_err(), cut);
    let redials = pair.phone.node(|node| node.redials_in(id(HUB)));
    assert_eq!(redials, Duration::ZERO, "that is for the application to say");
}

/// What was read before the cut to the peer's clean end stays that.
#[tokio::test]
async fn a_cut_after_the_clean_end_does_not_undo_it() {
    let pair = Pair::new();
    let relay = Relay::new(pair.hub.local_addr()).await;
    let sessions = pair.connect_at(relay.addr).await;
    let (mut hub, mut phone) = sessions.stream().await;
    hub.write_all(b"all").await.unwrap();
    hub.shutdown().await.unwrap();
    assert_eq!(read_to_end(&mut phone).await, Ok(3));
    relay.cut().await;
    sessions.phone.closed().await;
    assert_eq!(read_to_end(&mut phone).await, Ok(0));
}

/// The last bytes were read before it could be known that they are the last, and the session's orderly end came with that.
#[tokio::test]
async fn a_clean_end_that_comes_with_the_end_of_the_session_is_one() {
    let pair = Pair::new();
    let sessions = pair.connect().await;
    let (mut hub, mut phone) = sessions.stream().await;
    phone.shutdown().await.unwrap();
    assert_eq!(read_to_end(&mut hub).await, Ok(0));
    hub.write_all(b"all").await.unwrap();
    let mut all = [0; 3];
    phone.read_exact(&mut all).await.unwrap();
    hub.shutdown().await.unwrap();
    let Sessions { hub: hub_session, phone: phone_session } = sessions;
    drop(hub_session);
    assert_eq!(phone_session.closed().await, SessionEnd::Peer(code::GOING_AWAY));
    assert_eq!(read_to_end(&mut phone).await, Ok(0));
}

/// The peer's half was closed, but a session that ends at once takes what was not read with it.
#[tokio::test]
async fn unread_bytes_of_a_session_that_ends_at_once_are_missed() {
    let pair = Pair::new();
    let sessions = pair.connect().await;
    let (mut hub, mut phone) = sessions.stream().await;
    hub.write_all(b"all").await.unwrap();
    hub.shutdown().await.unwrap();
    let mut first = [0; 1];
    phone.read_exact(&mut first).await.unwrap();
    pair.hub.revoke(id(PHONE));
    let revoked = SessionEnd::Peer(code::REVOKED);
    assert_eq!(sessions.phone.closed().await, revoked);
    assert_eq!(read_to_end(&mut phone).await, Err(StreamError::Session(revoked)));
}

#[tokio::test]
async fn a_dropped_stream_is_reset() {
    let pair = Pair::new();
    let sessions = pair.connect().await;
    let (mut hub, mut phone) = sessions.stream().await;
    hub.write_all(b"all there is?").await.unwrap();
    let mut begin = [0; 5];
    phone.read_exact(&mut begin).await.unwrap();
    drop(hub);
    assert_eq!(read_to_end(&mut phone).await, Err(StreamError::Reset(code::CANCELLED)));
    let error = io::Error::from(StreamError::Reset(code::CANCELLED));
    assert_eq!(
        (error.kind(), error.to_string()),
        (ErrorKind::ConnectionReset, "the stream was reset: cancelled".into())
    );
}

#[tokio::test]
async fn a_stream_that_was_shut_down_and_dropped_still_delivers() {
    let pair = Pair::new();
    let sessions = pair.connect().await;
    for _ in 0..20 {
        let (mut hub, mut phone) = sessions.stream().await;
        phone.write_all(&vec![7; 50_000]).await.unwrap();
        phone.shutdown().await.unwrap();
        drop(phone);
        assert_eq!(read_to_end(&mut hub).await, Ok(50_000));
        hub.shutdown().await.unwrap();
    }
    // Who answers nevertheless learns that nobody listens.
    let (mut hub, mut phone) = sessions.stream().await;
    phone.shutdown().await.unwrap();
    drop(phone);
    assert_eq!(read_to_end(&mut hub).await, Ok(0));
    hub.write_all(b"answer").await.unwrap();
    assert_eq!(hub.read_message(0).await, Ok(None), "its reading half has ended cleanly");
    let error = loop {
        if let Err(error) = hub.write_all(b"answer").await {
            break StreamError::of(&error);
        }
        tokio::task::yield_now().await;
    };
    assert_eq!(error, Some(StreamError::Reset(code::CANCELLED)));
}

#[tokio::test]
async fn a_closed_session_and_a_shut_down_endpoint_let_streams_finish() {
    let pair = Pair::new();
    let sessions = pair.connect().await;
    let (mut hub, mut phone) = sessions.stream().await;
    let Sessions { hub: hub_session, phone: phone_session } = sessions;
    phone_session.close();
    let refused = phone_session.open(ECHO, Priority::NORMAL).await.unwrap_err();
    assert_eq!(refused, OpenError::NotOpened(fabric::mux::OpenError::Ending));
    let write = async {
        phone.write_all(&vec![7; 3_000_000]).await.unwrap();
        phone.shutdown().await.unwrap();
        assert_eq!(read_to_end(&mut phone).await, Ok(0));
    };
    let read = async {
        assert_eq!(read_to_end(&mut hub).await, Ok(3_000_000));
        hub.shutdown().await.unwrap();
    };
    let ((), (), stopped) = tokio::join!(write, read, pair.phone.shutdown());
    stopped.unwrap();
    assert_eq!(hub_session.closed().await, SessionEnd::Peer(code::GOING_AWAY));
    assert_eq!(phone_session.closed().await, SessionEnd::Local(code::GOING_AWAY));
}

/// Set for the process that is to be killed.
const CHILD: &str = "SHIM_TCP_TOKIO_CHILD";

/// Not a test of its own: the hub of the next one.
#[tokio::test]
async fn the_hub_that_is_killed() {
    if std::env::var_os(CHILD).is_none() {
        return;
    }
    let home = Home::new();
    let hub = Endpoint::bind(home.config(HUB)).unwrap();
    println!("\n{}", hub.local_addr());
    let session = hub.accept().await.unwrap();
    let mut stream = session.accept_stream().await.unwrap();
    stream.write_all(b"alive").await.unwrap();
    std::future::pending::<()>().await;
}

#[tokio::test]
async fn a_peer_that_is_killed_is_an_error_that_says_so() {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "ends::the_hub_that_is_killed", "--nocapture"])
        .env(CHILD, "")
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
    let addr = lines.find_map(|line| line.parse().ok()).unwrap();
    let pair = Pair::new();
    let session = pair.dial(addr).await.unwrap();
    let mut stream = session.open(ECHO, Priority::NORMAL).await.unwrap();
    let mut alive = [0; 5];
    stream.read_exact(&mut alive).await.unwrap();
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(read_to_end(&mut stream).await, Err(StreamError::Session(SessionEnd::Truncated)));
    assert_eq!(session.closed().await, SessionEnd::Truncated);
}
