//! Sends and receives datagrams. What cannot be sent is dropped and counted, as a network would.

use std::io::{self, ErrorKind};
use std::net::SocketAddr;

use machine::{Addr, Destination};
use mio::net::UdpSocket;
use mio::{Interest, Registry, Token};
use rustix::io::Errno;
use socket2::{Domain, Protocol, Socket, Type};

use crate::config::{Counters, Group};
use crate::group::Joined;

/// Which of the two sockets.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Source {
    Own,
    Group,
}

/// A socket that is read until the kernel says that no more is there: it tells of new datagrams only then.
#[derive(Debug)]
pub(crate) struct Receiver {
    pub(crate) socket: UdpSocket,
    ready: bool,
    failed: u64,
}

#[derive(Debug)]
pub(crate) struct Datagrams {
    own: Receiver,
    group: Option<Joined>,
    too_long: u64,
    unsent: u64,
}

impl Receiver {
    pub(crate) fn new(socket: Socket) -> io::Result<Self> {
        socket.set_nonblocking(true)?;
        Ok(Self { socket: UdpSocket::from_std(socket.into()), ready: false, failed: 0 })
    }

    fn receive(&mut self, buffer: &mut [u8]) -> Option<(SocketAddr, usize)> {
        if !self.ready {
            return None;
        }
        match self.socket.recv_from(buffer) {
            Ok((length, from)) => return Some((from, length)),
            Err(error) if error.kind() == ErrorKind::WouldBlock => self.ready = false,
            Err(_) => self.failed += 1,
        }
        None
    }
}

impl Datagrams {
    pub(crate) fn bind(addr: SocketAddr) -> io::Result<Self> {
        let socket = Socket::new(Domain::for_address(addr), Type::DGRAM, Some(Protocol::UDP))?;
        if addr.is_ipv6() {
            socket.set_only_v6(false)?;
        }
        socket.bind(&addr.into())?;
        Ok(Self { own: Receiver::new(socket)?, group: None, too_long: 0, unsent: 0 })
    }

    pub(crate) fn join(&mut self, group: Group) -> io::Result<()> {
        self.group = Some(Joined::new(group, &self.own.socket)?);
        Ok(())
    }

    pub(crate) fn register(&mut self, registry: &Registry, own: Token, group: Token) -> io::Result<()> {
        registry.register(&mut self.own.socket, own, Interest::READABLE)?;
        match &mut self.group {
            Some(joined) => registry.register(&mut joined.receiver.socket, group, Interest::READABLE),
            None => Ok(()),
        }
    }

    pub(crate) fn local_addr(&self) -> io::Result<SocketAddr> {
        self.own.socket.local_addr()
    }

    pub(crate) fn on_ready(&mut self, source: Source) {
        match (source, &mut self.group) {
            (Source::Own, _) => self.own.ready = true,
            (Source::Group, Some(group)) => group.receiver.ready = true,
            (Source::Group, None) => {}
        }
    }

    /// Whether datagrams may be waiting.
    pub(crate) fn is_ready(&self) -> bool {
        self.own.ready || self.group.as_ref().is_some_and(|group| group.receiver.ready)
    }

    /// The next datagram that is not this node's own: where it is from, and how many bytes of `buffer` it fills.
    pub(crate) fn receive(&mut self, source: Source, buffer: &mut [u8]) -> Option<(Addr, usize)> {
        let (from, length) = match (source, &mut self.group) {
            (Source::Own, _) => self.own.receive(buffer)?,
            (Source::Group, Some(group)) => {
                let received = group.receiver.receive(buffer)?;
                if group.is_own(received.0) {
                    return None;
                }
                received
            }
            (Source::Group, None) => return None,
        };
        Some((from.into(), length))
    }

    pub(crate) fn send(&mut self, to: Destination, bytes: &[u8]) {
        let to = match (to, &mut self.group) {
            (Destination::Addr(to), _) => Some(to.into()),
            (Destination::Group, Some(group)) => {
                group.find_own();
                Some(group.to)
            }
            (Destination::Group, None) => None,
        };
        match to.map(|to| self.own.socket.send_to(bytes, to)) {
            Some(Ok(_)) => {}
            Some(Err(error)) if Errno::from_io_error(&error) == Some(Errno::MSGSIZE) => self.too_long += 1,
            Some(Err(_)) | None => self.unsent += 1,
        }
    }

    pub(crate) fn count(&self, counters: &mut Counters) {
        counters.datagrams_too_long = self.too_long;
        counters.datagrams_unsent = self.unsent;
        counters.datagrams_unreceived = self.own.failed + self.group.as_ref().map_or(0, |group| group.receiver.failed);
    }
}
