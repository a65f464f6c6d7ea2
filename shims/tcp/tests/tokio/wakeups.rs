//! What wakes a driver that sleeps, each alone: every one of these tests would wait without end if it did not. And what one
//! that has much to do leaves to others.

use crate::support::{HUB, Home, Pair, glance, id};
use fabric::SessionEnd;
use fabric::mux::code;
use machine::{Duration, PipeEnd};
use shim_tcp::endpoint::{ConnectError, Endpoint};
use socket2::{Domain, Socket, Type};
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;
use tokio::task::yield_now;

/// The socket's edge: nothing else happens at the hub. And then its own deadline: nothing comes any more.
#[tokio::test]
async fn a_stranger_that_stays_silent_is_accepted_and_then_dropped() {
    let home = Home::new();
    let mut config = home.config(HUB);
    config.node.session.handshake_timeout = Duration::from_millis(100);
    let hub = Endpoint::bind(config).unwrap();
    let mut stranger = TcpStream::connect(hub.local_addr()).await.unwrap();
    let end = stranger.read(&mut [0; 1]).await;
    assert!(matches!(end, Ok(0) | Err(_)), "{end:?}");
    assert_eq!(hub.node(|node| node.counters().get(fabric::Count::HandshakeTimeout)), 1);
}

/// The driver's own deadline: the node's would come later.
#[tokio::test]
async fn a_dial_that_is_not_answered_is_given_up() {
    let pair = Pair::with(|config| config.driver.patience = Duration::from_millis(100));
    let listener = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    listener.bind(&SocketAddr::from((Ipv4Addr::LOCALHOST, 0)).into()).unwrap();
    listener.listen(0).unwrap();
    let addr = listener.local_addr().unwrap().as_socket().unwrap();
    let _waiting = TcpStream::connect(addr).await.unwrap(); // takes the only place: the next is not answered
    let failed = ConnectError::Failed(SessionEnd::Unreachable(PipeEnd::TimedOut));
    assert_eq!(pair.dial(addr).await.unwrap_err(), failed);
}

/// What the application does while the driver sleeps, first with a pipe, and then what no pipe shows.
#[tokio::test]
async fn the_application_is_heard() {
    let pair = Pair::new();
    assert!(glance(pair.hub.accept()).await.is_none());
    for _ in 0..100 {
        yield_now().await; // both drivers sleep by then
    }
    let sessions = pair.connect().await;
    drop(sessions.phone);
    assert_eq!(sessions.hub.closed().await, SessionEnd::Peer(code::GOING_AWAY));
    pair.hub.shutdown().await.unwrap(); // it has no pipe any more that would tell of it
    assert!(pair.phone.node(|node| node.session(id(HUB))).is_none());
}

/// A flood takes the driver several turns. In between others run, so that they see it half done.
#[tokio::test]
async fn a_driver_that_has_much_to_do_lets_others_run() {
    const DATAGRAMS: u64 = 200;
    let home = Home::new();
    let hub = Endpoint::bind(home.config(HUB)).unwrap();
    let stranger = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    for _ in 0..DATAGRAMS {
        stranger.send_to(b"?", hub.local_addr()).unwrap();
    }
    let mut seen = Vec::new();
    while seen.last() != Some(&DATAGRAMS) {
        yield_now().await;
        seen.push(hub.node(|node| node.discovery().counters().truncated));
    }
    seen.dedup();
    assert!(seen.len() > 3, "{seen:?}");
}
