//! Two endpoints on the loopback interface, and a relay between them that can be cut.

use fabric::identity::{DeviceId, DeviceKey, NoiseStatic};
use fabric::mux::Priority;
use fabric::session::Local;
use fabric::suite::{RealSuite, Suite};
use shim_tcp::Group;
use shim_tcp::endpoint::{Config, ConnectError, Endpoint, Session, Stream};
use std::future::{Future, poll_fn};
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4, UdpSocket};
use std::path::PathBuf;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::task::Poll;
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{JoinHandle, yield_now};

pub(crate) const HUB: u8 = 1;
pub(crate) const PHONE: u8 = 2;
pub(crate) const ECHO: &str = "echo";

fn noise(secret: u8) -> NoiseStatic {
    NoiseStatic::new([secret; 32], RealSuite.noise_public(&[secret; 32]))
}

fn local(secret: u8) -> Local {
    Local { device: DeviceKey::from_seed(&[secret; 32]), noise: noise(secret), features: 0, suite: Arc::new(RealSuite) }
}

pub(crate) fn id(secret: u8) -> DeviceId {
    DeviceKey::from_seed(&[secret; 32]).device_id()
}

/// A directory that goes with the test.
pub(crate) struct Home(PathBuf);

impl Home {
    pub(crate) fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = format!("shim-tcp-tokio-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        Self(std::env::temp_dir().join(name))
    }

    /// Where a device stores.
    pub(crate) fn storage(&self, secret: u8) -> PathBuf {
        self.0.join(secret.to_string())
    }

    /// A device that trusts the other one and serves it `echo`.
    pub(crate) fn config(&self, secret: u8) -> Config {
        let other = id(HUB + PHONE - secret);
        let loopback = (Ipv4Addr::LOCALHOST, 0).into();
        let mut config = Config::new(local(secret), shim_tcp::Config::new(loopback, self.storage(secret)));
        config.node.trusted.insert(other);
        config.node.services.push(ECHO.into());
        config.node.policy.allow(other, ECHO);
        config
    }
}

impl Drop for Home {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0); // a test that failed early has made none
    }
}

/// Two endpoints.
pub(crate) struct Pair {
    pub(crate) hub: Endpoint,
    pub(crate) phone: Endpoint,
    pub(crate) home: Home,
}

/// A session between them: each side's.
pub(crate) struct Sessions {
    pub(crate) hub: Session,
    pub(crate) phone: Session,
}

impl Pair {
    pub(crate) fn new() -> Self {
        Self::with(|_| {})
    }

    pub(crate) fn with(change: impl Fn(&mut Config)) -> Self {
        let home = Home::new();
        let bind = |secret| {
            let mut config = home.config(secret);
            change(&mut config);
            Endpoint::bind(config).unwrap()
        };
        Self { hub: bind(HUB), phone: bind(PHONE), home }
    }

    /// The phone dials the hub.
    pub(crate) async fn connect(&self) -> Sessions {
        self.connect_at(self.hub.local_addr()).await
    }

    /// The phone dials the hub at another address than its own.
    pub(crate) async fn connect_at(&self, addr: SocketAddr) -> Sessions {
        let dial = self.phone.connect_to(id(HUB), addr, noise(HUB).public());
        let (phone, hub) = tokio::join!(dial, self.hub.accept());
        Sessions { hub: hub.unwrap(), phone: phone.unwrap() }
    }

    /// The phone tries to dial the hub.
    pub(crate) async fn dial(&self, addr: SocketAddr) -> Result<Session, ConnectError> {
        self.phone.connect_to(id(HUB), addr, noise(HUB).public()).await
    }

    /// The hub dials the phone.
    pub(crate) async fn dial_back(&self) -> Result<Session, ConnectError> {
        self.hub.connect_to(id(PHONE), self.phone.local_addr(), noise(PHONE).public()).await
    }

    pub(crate) async fn shutdown(self) {
        let (hub, phone) = tokio::join!(self.hub.shutdown(), self.phone.shutdown());
        hub.unwrap();
        phone.unwrap();
    }
}

impl Sessions {
    /// A stream that the phone opens: the hub's end, and the phone's.
    pub(crate) async fn stream(&self) -> (Stream, Stream) {
        let (phone, hub) = tokio::join!(self.phone.open(ECHO, Priority::NORMAL), self.hub.accept_stream());
        (hub.unwrap(), phone.unwrap())
    }
}

/// Between the phone and the hub until it is cut.
pub(crate) struct Relay {
    pub(crate) addr: SocketAddr,
    task: JoinHandle<()>,
}

impl Relay {
    /// One connection to `to`.
    pub(crate) async fn new(to: SocketAddr) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let addr = listener.local_addr().unwrap();
        let relay = async move {
            let (mut from, _) = listener.accept().await.unwrap();
            let mut to = TcpStream::connect(to).await.unwrap();
            let _ = copy_bidirectional(&mut from, &mut to).await; // it ends with the pipe
        };
        Self { addr, task: tokio::spawn(relay) }
    }

    /// Both connections end, as orderly as TCP can end them, and nobody has said a word.
    pub(crate) async fn cut(self) {
        self.task.abort();
        let _ = self.task.await; // cancelled
    }
}

/// A group of the loopback interface that no other test has.
pub(crate) fn group() -> Group {
    let port = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port();
    let to = SocketAddrV4::new(Ipv4Addr::new(239, 42, 0, 1), port);
    Group::V4 { to, interface: Ipv4Addr::LOCALHOST }
}

/// Lets the drivers go on until they have nothing more to do.
pub(crate) async fn settle() {
    for _ in 0..100 {
        yield_now().await;
    }
}

/// Polls a future once, and drops it.
pub(crate) async fn glance<F: Future>(future: F) -> Option<F::Output> {
    let mut future = pin!(future);
    poll_fn(|cx| match future.as_mut().poll(cx) {
        Poll::Ready(output) => Poll::Ready(Some(output)),
        Poll::Pending => Poll::Ready(None),
    })
    .await
}

/// Bytes in which a piece that is lost, repeated or out of place shows.
pub(crate) fn pattern(seed: u32, length: usize) -> Vec<u8> {
    let word = |at: u32| (at ^ seed).wrapping_mul(0x9E37_79B9).to_le_bytes();
    (0..length.div_ceil(4) as u32).flat_map(word).take(length).collect()
}
