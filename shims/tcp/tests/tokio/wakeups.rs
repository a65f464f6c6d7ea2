//! What wakes a driver that sleeps, each alone: every one of these tests would wait without end if it did not. And what one
//! that has much to do leaves to others.

use crate::support::{HUB, Home, Pair, settle};
use fabric::SessionEnd;
use fabric::mux::code;
use machine::Duration;
use shim_tcp::endpoint::Endpoint;
use std::net::{Ipv4Addr, UdpSocket};
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

/// What the application does while the driver sleeps.
#[tokio::test]
async fn the_application_is_heard() {
    let pair = Pair::new();
    settle().await;
    let sessions = pair.connect().await;
    settle().await;
    drop(sessions.phone);
    assert_eq!(sessions.hub.closed().await, SessionEnd::Peer(code::GOING_AWAY));
}

/// Where no pipe tells of it.
#[tokio::test]
async fn an_endpoint_that_nobody_has_spoken_to_shuts_down() {
    let pair = Pair::new();
    settle().await;
    pair.shutdown().await;
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
