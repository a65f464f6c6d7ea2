//! The fabric for programs that run on tokio (feature `tokio`): an [`Endpoint`] has [`Session`]s with other devices, a
//! session has [`Stream`]s, and a stream is [`AsyncRead`](tokio::io::AsyncRead) and [`AsyncWrite`](tokio::io::AsyncWrite).
//!
//! ```
//! use fabric::identity::{DeviceKey, NoiseStatic};
//! use fabric::mux::Priority;
//! use fabric::session::Local;
//! use fabric::suite::{RealSuite, Suite};
//! use shim_tcp::endpoint::{Config, Endpoint};
//! use std::sync::Arc;
//! use tokio::io::{AsyncReadExt, AsyncWriteExt};
//!
//! // Secrets come from the operating system, and are kept; see `getrandom`.
//! fn device(secret: u8) -> Local {
//!     let noise = NoiseStatic::new([secret; 32], RealSuite.noise_public(&[secret; 32]));
//!     Local { device: DeviceKey::from_seed(&[secret; 32]), noise, features: 0, suite: Arc::new(RealSuite) }
//! }
//!
//! # let directory = std::env::temp_dir().join(format!("shim-tcp-endpoint-{}", std::process::id()));
//! # let storage = |name: &str| directory.join(name);
//! # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
//! let loopback = ([127, 0, 0, 1], 0).into();
//! let (phone, hub) = (device(1), device(2));
//! let (phone_id, hub_id, hub_static) = (phone.device.device_id(), hub.device.device_id(), hub.noise.public());
//!
//! let mut config = Config::new(hub, shim_tcp::Config::new(loopback, storage("hub")));
//! config.node.trusted.insert(phone_id);
//! config.node.services.push("echo".into());
//! config.node.policy.allow(phone_id, "echo");
//! let hub = Endpoint::bind(config)?;
//!
//! let mut config = Config::new(phone, shim_tcp::Config::new(loopback, storage("phone")));
//! config.node.trusted.insert(hub_id);
//! let phone = Endpoint::bind(config)?;
//!
//! let ask = async {
//!     let session = phone.connect_to(hub_id, hub.local_addr(), hub_static).await?;
//!     let mut stream = session.open("echo", Priority::NORMAL).await?;
//!     stream.write_all(b"hello").await?;
//!     stream.shutdown().await?;
//!     let mut answer = Vec::new();
//!     stream.read_to_end(&mut answer).await?;
//!     Ok::<_, Box<dyn std::error::Error>>(answer)
//! };
//! let serve = async {
//!     let session = hub.accept().await.ok_or("shut down")?;
//!     let mut stream = session.accept_stream().await?;
//!     let (mut from, mut to) = tokio::io::split(&mut stream);
//!     tokio::io::copy(&mut from, &mut to).await?;
//!     stream.shutdown().await?;
//!     session.closed().await;
//!     Ok::<_, Box<dyn std::error::Error>>(())
//! };
//! let (answer, served) = tokio::join!(ask, serve);
//! assert_eq!(answer?, b"hello");
//! served?;
//! phone.shutdown().await?;
//! hub.shutdown().await?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! # })?;
//! # std::fs::remove_dir_all(directory)?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Who may do what
//!
//! Nothing is allowed that the config does not allow: a device that is not trusted gets no session, a service that is not
//! served, or that the policy does not allow this device, gets no stream. All of that is the node's, as for any other driver.
//!
//! # Bytes and messages
//!
//! The fabric's streams carry messages. What is written by [`AsyncWrite`](tokio::io::AsyncWrite) is bytes without a boundary,
//! however it was split; [`Stream::write_message`] and [`Stream::end_message`] set the boundaries. What is read by
//! [`AsyncRead`](tokio::io::AsyncRead) is all bytes, whatever their boundaries; [`Stream::read_message`] keeps to them. So two
//! programs that use the same pair understand each other, and one that reads bytes understands both.
//!
//! A clean end (`shutdown` by the peer) reads as the end of the stream. A stream that was reset, and a session that was cut
//! off, read as a [`StreamError`]: never as an end.
//!
//! # What it costs, and what is bounded
//!
//! An endpoint is a task of the runtime that it was [bound](Endpoint::bind) on, which runs the ordinary
//! [`Driver`](crate::Driver) and never waits in it. It is woken by a socket, by a call of the application that gives it
//! something to do, or by the time, and does a bounded piece of work before others have their turn: at most one read and one
//! write of 64 KiB for each connection. A handshake is arithmetic of some hundred microseconds in it; what the node stores is
//! written and synced on a thread that may block. After a small exchange it looks for the next message for
//! [`busy_poll`](crate::Config::busy_poll) before the runtime sleeps, and lets other tasks and threads run meanwhile.
//!
//! What else keeps the runtime from polling its tasks (a `current_thread` runtime outside of `block_on`, a task that computes
//! or blocks) stops the endpoint too, and a peer that hears nothing for [`fabric::mux::Limits::dead_after`] gives it up. A
//! program that cannot help that gives its endpoints a runtime of their own, and uses them from any other.
//!
//! Reading and writing call the node under a lock. There are no channels: what is not read stays in the stream's window, so
//! that the peer stops ([`fabric::mux::Limits::session_window_max`]), and a writer waits while
//! [`fabric::mux::Limits::send_buffer_bytes`] are not sent. Futures can be dropped at any time, and lose nothing.

mod config;
mod error;
mod hosted;
mod links;
mod session;
mod state;
mod stream;
mod streams;
mod task;

pub use config::Config;
pub use error::{BindError, ConnectError, OpenError, StreamError};
pub use session::Session;
pub use stream::Stream;

use crate::driver::Bound;
use fabric::identity::{DeviceId, NoisePublic};
use fabric::session::HandshakeError;
use fabric::{Announcing, Node, Policy, SessionEnd};
use hosted::Hosted;
use machine::Addr;
use state::{Phase, Shared, State};
use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use task::Task;
use tokio::runtime::Handle;
use tokio::sync::Mutex;
use tokio::task::{JoinError, JoinHandle};

/// A device of the fabric on real sockets.
///
/// Dropped, it [shuts down](Endpoint::shutdown) by itself, and nobody waits for that.
pub struct Endpoint {
    shared: Arc<Shared>,
    /// `None` once it was waited for.
    task: Mutex<Option<JoinHandle<Result<(), crate::Error>>>>,
    device: DeviceId,
    local_addr: SocketAddr,
}

impl Endpoint {
    /// Opens the sockets and the storage, and starts the node as a task of the runtime that this is called on. It runs as
    /// long as that: with the runtime, sockets and storage are free, and all that waits for the endpoint ends.
    ///
    /// The storage is read, and the count of starts is written and synced, before it returns.
    ///
    /// # Panics
    /// When the runtime has IO or time not enabled ([`tokio::runtime::Builder::enable_all`]).
    pub fn bind(config: Config) -> Result<Self, BindError> {
        let runtime = Handle::try_current()?;
        let Config { identity, mut node, driver } = config;
        let bound = Bound::new(&driver)?;
        let local_addr = bound.local_addr();
        node.port = local_addr.port();
        if driver.group.is_none() {
            node.announce = Announcing::Off;
        }
        let device = identity.device.device_id();
        let driver = bound.try_boot(|boot| {
            let node = Node::new(&boot, identity, node)?;
            Ok::<_, BindError>(Hosted::new(State::new(node)))
        })?;
        let shared = Arc::new(Shared { state: driver.machine().state(), clock: driver.clock });
        let task = runtime.spawn(Task::new(driver)?.run());
        Ok(Self { shared, task: Mutex::new(Some(task)), device, local_addr })
    }

    /// Where sessions are accepted.
    pub const fn local_addr(&self) -> SocketAddr {
        self.local_addr
    }

    /// This device's own id.
    pub const fn device_id(&self) -> DeviceId {
        self.device
    }

    /// A session with `device`: the one that there is, else one that is dialled as soon as discovery has found the device,
    /// for which it waits without end. Dropped before, it dials no more.
    pub async fn connect(&self, device: DeviceId) -> Result<Session, ConnectError> {
        self.dial(device, None).await
    }

    /// As [`Endpoint::connect`], with an address and a Noise static that are known without discovery.
    pub async fn connect_to(
        &self,
        device: DeviceId,
        addr: SocketAddr,
        noise_static: NoisePublic,
    ) -> Result<Session, ConnectError> {
        self.dial(device, Some((addr.into(), noise_static))).await
    }

    async fn dial(&self, device: DeviceId, address: Option<(Addr, NoisePublic)>) -> Result<Session, ConnectError> {
        if device == self.device {
            return Err(ConnectError::Failed(SessionEnd::Handshake(HandshakeError::SelfConnect)));
        }
        let dialling = Dialling { shared: &self.shared, device };
        let failures = self.shared.with(|state, now| state.dial(now, device, address));
        let link = self.wait(|state| state.dialled(device, failures)).await;
        drop(dialling);
        Ok(Session::new(&self.shared, link?, device))
    }

    /// Waits for the next session that a peer begins; `None` when the endpoint is shut down. A session with a device that
    /// [`Endpoint::connect`] waits for at that time goes there. Dropped before, it loses none.
    pub async fn accept(&self) -> Option<Session> {
        let accepted = self.wait(|state| match state.accept_link() {
            Some(accepted) => Some(Some(accepted)),
            None => (state.phase != Phase::Running).then_some(None),
        });
        let (link, device) = accepted.await?;
        Some(Session::new(&self.shared, link, device))
    }

    /// Counts this device among the trusted ones until it restarts: [`Node::trust`].
    pub fn trust(&self, device: DeviceId) {
        self.shared.with(|state, _| {
            state.node.trust(device);
            state.tell_driver();
        });
    }

    /// Trusts a device no more, and ends what there is with it: [`Node::revoke`].
    pub fn revoke(&self, device: DeviceId) {
        self.shared.with(|state, now| {
            state.node.revoke(now, device);
            state.tell_driver();
        });
    }

    /// Decides by `policy` from now on: [`Node::set_policy`].
    pub fn set_policy(&self, policy: Policy) {
        self.shared.with(|state, _| state.node.set_policy(policy));
    }

    /// Lets `look` see the node, which stands still meanwhile: its counters, who was discovered, whom it trusts.
    pub fn node<R>(&self, look: impl FnOnce(&Node) -> R) -> R {
        look(&self.shared.state.lock().node)
    }

    /// Ends in order: says goodbye, accepts and opens no more, lets streams finish for as long as
    /// [`fabric::mux::Limits::drain_timeout`], and waits for all that. Sockets and storage are free then.
    ///
    /// # Errors
    /// Why the driver had ended before it was asked to, be it with its runtime; told once.
    ///
    /// # Panics
    /// When the node has panicked; told once.
    pub async fn shutdown(&self) -> Result<(), crate::Error> {
        self.shared.with(State::stop);
        let mut task = self.task.lock().await;
        let Some(running) = &mut *task else { return Ok(()) };
        let ended = running.await;
        *task = None;
        match ended.map_err(JoinError::try_into_panic) {
            Ok(result) => result,
            Err(Ok(panic)) => std::panic::resume_unwind(panic),
            Err(Err(_cancelled)) => Err(crate::Error::Wait(io::Error::other("its runtime was shut down"))),
        }
    }

    /// Waits until `look` finds something.
    async fn wait<T>(&self, look: impl Fn(&mut State) -> Option<T>) -> T {
        let changed = self.shared.with(|state, _| Arc::clone(&state.changed));
        loop {
            let notified = changed.notified(); // before the look, so that nothing is missed after it
            if let Some(found) = self.shared.with(|state, _| look(state)) {
                return found;
            }
            notified.await;
        }
    }
}

impl Drop for Endpoint {
    fn drop(&mut self) {
        self.shared.with(State::stop);
    }
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { device, local_addr, .. } = self;
        f.debug_struct("Endpoint").field("device", device).field("local_addr", local_addr).finish_non_exhaustive()
    }
}

/// One who waits for a session with a device.
struct Dialling<'a> {
    shared: &'a Shared,
    device: DeviceId,
}

impl Drop for Dialling<'_> {
    fn drop(&mut self) {
        self.shared.with(|state, now| state.dial_over(now, self.device));
    }
}
