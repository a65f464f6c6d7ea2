//! Accepts connections, and waits a moment when the kernel has nothing to give.

use std::io::{self, ErrorKind};
use std::net::SocketAddr;

use machine::{Duration, Instant};
use mio::net::{TcpListener, TcpStream};
use mio::{Interest, Registry, Token};
use socket2::{Domain, Protocol, Socket, Type};

use crate::clock::Clock;

/// Connections that the kernel keeps until they are accepted.
const BACKLOG: i32 = 1_024;
/// Without file descriptors an accept fails at once and the edge stays: trying without a pause would spin.
const PAUSE: Duration = Duration::from_millis(100);

#[derive(Debug)]
pub(crate) struct Listener {
    socket: TcpListener,
    /// An edge came, and the kernel has not said since that nobody waits.
    ready: bool,
    paused_until: Option<Instant>,
    pub(crate) failed: u64,
}

impl Listener {
    pub(crate) fn bind(addr: SocketAddr) -> io::Result<Self> {
        let socket = Socket::new(Domain::for_address(addr), Type::STREAM, Some(Protocol::TCP))?;
        socket.set_reuse_address(true)?; // pipes of the last start may linger in TIME_WAIT
        if addr.is_ipv6() {
            socket.set_only_v6(false)?;
        }
        socket.bind(&addr.into())?;
        socket.listen(BACKLOG)?;
        socket.set_nonblocking(true)?;
        let socket = TcpListener::from_std(socket.into());
        Ok(Self { socket, ready: false, paused_until: None, failed: 0 })
    }

    pub(crate) fn register(&mut self, registry: &Registry, token: Token) -> io::Result<()> {
        registry.register(&mut self.socket, token, Interest::READABLE)
    }

    pub(crate) fn local_addr(&self) -> io::Result<SocketAddr> {
        self.socket.local_addr()
    }

    pub(crate) fn on_ready(&mut self) {
        self.ready = true;
    }

    /// Whether the next [`Listener::accept`] may give something now. Mostly it is clear without looking at the clock.
    pub(crate) fn is_ready(&self, clock: Clock) -> bool {
        self.ready && self.paused_until.is_none_or(|until| until <= clock.now())
    }

    /// When a pause ends.
    pub(crate) fn next_timeout(&self) -> Option<Instant> {
        self.paused_until.filter(|_| self.ready)
    }

    pub(crate) fn accept(&mut self, clock: Clock) -> Option<(TcpStream, SocketAddr)> {
        while self.is_ready(clock) {
            self.paused_until = None;
            match self.socket.accept() {
                Ok(accepted) => return Some(accepted),
                Err(error) => self.on_error(clock.now(), error.kind()),
            }
        }
        None
    }

    fn on_error(&mut self, now: Instant, error: ErrorKind) {
        match error {
            ErrorKind::WouldBlock => self.ready = false,
            ErrorKind::Interrupted | ErrorKind::ConnectionAborted => {}
            _ => {
                self.failed += 1;
                self.paused_until = Some(now + PAUSE);
            }
        }
    }
}
