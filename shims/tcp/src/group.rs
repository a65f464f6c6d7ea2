//! The local segment: a second socket that hears the group, so that several nodes of one host can share its port.

use std::io::{self, ErrorKind};
use std::net::{SocketAddr, UdpSocket as StdUdpSocket};

use mio::net::UdpSocket;
use socket2::{Domain, Protocol, SockRef, Socket, Type};

use crate::config::Group;
use crate::datagrams::Receiver;

#[derive(Debug)]
pub(crate) struct Joined {
    pub(crate) receiver: Receiver,
    pub(crate) to: SocketAddr,
    /// Where this node's own datagrams to the group come from.
    own: SocketAddr,
    /// When the kernel chooses that: a socket that never sends; connecting it tells the choice.
    probe: Option<StdUdpSocket>,
}

impl Joined {
    /// Joins `group`, and lets `sender` send to it.
    pub(crate) fn new(group: Group, sender: &UdpSocket) -> io::Result<Self> {
        let (to, own) = (group.addr(), sender.local_addr()?);
        if to.is_ipv4() != own.is_ipv4() {
            return Err(io::Error::new(ErrorKind::InvalidInput, "the datagrams are of another address family"));
        }
        let socket = Socket::new(Domain::for_address(to), Type::DGRAM, Some(Protocol::UDP))?;
        socket.set_reuse_address(true)?;
        socket.bind(&to.into())?; // to the group itself: what is sent to the port alone is not for us
        receive_from(group, &socket)?;
        send_to(group, &SockRef::from(sender))?;
        let probe = own.ip().is_unspecified().then(|| probe(group)).transpose()?;
        Ok(Self { receiver: Receiver::new(socket)?, to, own, probe })
    }

    /// Learns the source of what is sent now: interfaces come and go, and the kernel chooses anew each time.
    pub(crate) fn find_own(&mut self) {
        if let Some(probe) = &self.probe
            && probe.connect(self.to).is_ok()
            && let Ok(source) = probe.local_addr()
        {
            self.own.set_ip(source.ip());
        }
    }

    pub(crate) fn is_own(&self, from: SocketAddr) -> bool {
        (from.ip(), from.port()) == (self.own.ip(), self.own.port())
    }
}

fn probe(group: Group) -> io::Result<StdUdpSocket> {
    let probe = Socket::new(Domain::for_address(group.addr()), Type::DGRAM, Some(Protocol::UDP))?;
    send_to(group, &probe)?;
    Ok(probe.into())
}

fn receive_from(group: Group, socket: &Socket) -> io::Result<()> {
    match group {
        Group::V4 { to, interface } => socket.join_multicast_v4(to.ip(), &interface),
        Group::V6(to) => socket.join_multicast_v6(to.ip(), to.scope_id()),
        Group::Broadcast(_) => Ok(()),
    }
}

/// One hop and copies to this host's other nodes are the kernel's defaults, set again because they are relied on.
fn send_to(group: Group, socket: &Socket) -> io::Result<()> {
    match group {
        Group::V4 { interface, .. } => {
            socket.set_multicast_if_v4(&interface)?;
            socket.set_multicast_ttl_v4(1)?;
            socket.set_multicast_loop_v4(true)
        }
        Group::V6(to) => {
            socket.set_multicast_if_v6(to.scope_id())?;
            socket.set_multicast_hops_v6(1)?;
            socket.set_multicast_loop_v6(true)
        }
        Group::Broadcast(_) => socket.set_broadcast(true),
    }
}
