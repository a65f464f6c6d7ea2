//! Who gets a session and a stream, and who does not.

use crate::support::{ECHO, HUB, Home, PHONE, Pair, glance, group, id};
use fabric::identity::DeviceId;
use fabric::mux::{Priority, code};
use fabric::session::HandshakeError;
use fabric::{Policy, SessionEnd};
use machine::PipeEnd;
use shim_tcp::endpoint::{BindError, ConnectError, Endpoint, OpenError, StreamError};
use std::net::{Ipv4Addr, TcpListener};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

#[tokio::test]
async fn what_the_policy_does_not_allow_is_denied() {
    let pair = Pair::new();
    let sessions = pair.connect().await;
    assert_eq!(sessions.phone.open("files", Priority::NORMAL).await.unwrap_err(), OpenError::Denied);
    assert_eq!(
        sessions.phone.open("", Priority::NORMAL).await.unwrap_err(),
        OpenError::NotOpened(fabric::mux::OpenError::InvalidName)
    );
    sessions.stream().await;
    pair.hub.set_policy(Policy::default());
    assert_eq!(sessions.phone.open(ECHO, Priority::NORMAL).await.unwrap_err(), OpenError::Denied);
    assert_eq!(pair.hub.node(|node| node.counters().get(fabric::Count::ServiceDenied)), 2);
}

#[tokio::test]
async fn who_is_not_trusted_gets_no_session() {
    let pair = Pair::with(|config| config.node.trusted.clear());
    let addr = pair.hub.local_addr();
    let refused = ConnectError::Failed(SessionEnd::Peer(code::NOT_TRUSTED));
    assert_eq!(pair.dial(addr).await.unwrap_err(), refused);
    pair.hub.trust(id(PHONE));
    let sessions = pair.connect().await;
    pair.hub.revoke(id(PHONE));
    assert_eq!(sessions.phone.closed().await, SessionEnd::Peer(code::REVOKED));
    assert_eq!(pair.dial(addr).await.unwrap_err(), refused);
}

#[tokio::test]
async fn why_a_dial_failed_is_told() {
    let pair = Pair::new();
    let nobody = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap();
    let unreachable = SessionEnd::Unreachable(PipeEnd::Refused);
    assert_eq!(pair.dial(nobody).await.unwrap_err(), ConnectError::Failed(unreachable));
    let own = SessionEnd::Handshake(HandshakeError::SelfConnect);
    assert_eq!(pair.phone.connect(id(PHONE)).await.unwrap_err(), ConnectError::Failed(own));
    // Whoever listens there has other keys than the hub, and hangs up at the first message.
    let other = pair.dial(pair.phone.local_addr()).await.unwrap_err();
    assert_eq!(other, ConnectError::Failed(SessionEnd::Unreachable(PipeEnd::Reset)));
}

#[tokio::test]
async fn a_second_connect_is_the_same_session_and_the_last_handle_ends_it() {
    let pair = Pair::new();
    let sessions = pair.connect().await;
    let again = pair.dial(pair.hub.local_addr()).await.unwrap();
    assert_eq!(pair.hub.node(|node| node.load().sessions), 1);
    drop(sessions.phone);
    let (stream, accepted) = tokio::join!(again.open(ECHO, Priority::LAST), sessions.hub.accept_stream());
    assert_eq!((stream.unwrap().device(), accepted.unwrap().priority()), (id(HUB), Priority::LAST));
    drop(again);
    assert_eq!(sessions.hub.closed().await, SessionEnd::Peer(code::GOING_AWAY));
    let next = pair.connect().await;
    next.stream().await;
}

#[tokio::test]
async fn a_session_goes_to_who_connects_or_to_who_accepts() {
    let pair = Pair::new();
    let phone = pair.dial(pair.hub.local_addr()).await.unwrap();
    let hub = pair.dial_back().await.unwrap();
    assert!(glance(pair.hub.accept()).await.is_none(), "it was taken");
    assert_eq!(pair.phone.node(|node| node.load().sessions), 1);
    drop(hub);
    assert_eq!(phone.closed().await, SessionEnd::Peer(code::GOING_AWAY));
}

#[tokio::test]
async fn streams_that_nobody_accepts_are_refused_with_the_end_of_the_session() {
    let pair = Pair::new();
    let sessions = pair.connect().await;
    let mut stream = sessions.phone.open(ECHO, Priority::NORMAL).await.unwrap();
    drop(sessions.hub);
    assert_eq!(stream.read_message(100).await, Err(StreamError::Reset(code::REFUSED)));
    assert_eq!(sessions.phone.closed().await, SessionEnd::Peer(code::GOING_AWAY));
}

#[tokio::test]
async fn two_that_dial_each_other_have_one_session() {
    let pair = Pair::new();
    for _ in 0..10 {
        let (phone, hub) = tokio::join!(pair.dial(pair.hub.local_addr()), pair.dial_back());
        let (phone, hub) = (phone.unwrap(), hub.unwrap());
        for (from, to) in [(&phone, &hub), (&hub, &phone)] {
            let (opened, accepted) = tokio::join!(from.open(ECHO, Priority::NORMAL), to.accept_stream());
            opened.unwrap().write_message(b"both ways").await.unwrap();
            let _ = accepted.unwrap(); // dropped: the other side learns that nobody reads
        }
        drop(phone);
        assert_eq!(hub.closed().await, SessionEnd::Peer(code::GOING_AWAY));
    }
}

#[tokio::test]
async fn a_shut_down_endpoint_accepts_and_connects_no_more() {
    let pair = Pair::new();
    let sessions = pair.connect().await;
    let addr = pair.hub.local_addr();
    drop(sessions.hub);
    let nobody_comes = pair.phone.connect(DeviceId::from_bytes([9; 32]));
    let (accepted, connected, stopped) = tokio::join!(pair.phone.accept(), nobody_comes, pair.phone.shutdown());
    assert!(accepted.is_none());
    assert_eq!(connected.unwrap_err(), ConnectError::ShutDown);
    stopped.unwrap();
    assert_eq!(pair.dial(addr).await.unwrap_err(), ConnectError::ShutDown);
    pair.hub.shutdown().await.unwrap();
    pair.hub.shutdown().await.unwrap();
    assert_eq!(Endpoint::bind(pair.home.config(HUB)).unwrap().device_id(), id(HUB), "the storage is free again");
}

#[tokio::test]
async fn devices_that_discover_each_other_need_no_address() {
    let group = Some(group());
    let pair = Pair::with(|config| config.driver.group = group);
    let (phone, hub) = tokio::join!(pair.phone.connect(id(HUB)), pair.hub.accept());
    let (phone, hub) = (phone.unwrap(), hub.unwrap());
    let (opened, accepted) = tokio::join!(phone.open(ECHO, Priority::NORMAL), hub.accept_stream());
    opened.unwrap().shutdown().await.unwrap();
    assert_eq!(accepted.unwrap().read(&mut [0; 10]).await.unwrap(), 0);
}

#[tokio::test]
async fn what_cannot_start_says_why() {
    let home = Home::new();
    let _first = Endpoint::bind(home.config(HUB)).unwrap();
    let error = Endpoint::bind(home.config(HUB)).unwrap_err();
    assert!(matches!(error, BindError::Driver(shim_tcp::Error::Storage { .. })), "{error}");
    let mut config = home.config(PHONE);
    config.node.services.push("x".repeat(65));
    let error = Endpoint::bind(config).unwrap_err();
    assert!(matches!(error, BindError::Announce(_)), "{error}");
}
