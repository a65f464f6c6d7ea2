//! Datagrams. Each port has one socket in smoltcp's table, which only receives; sending goes through one socket for all,
//! which is in the table only while it sends.
//!
//! For smoltcp keeps a datagram whose receiver does not answer ARP at the head of its socket's queue, and every later one
//! behind it, for good: one dead peer would silence the port. Here such datagrams wait aside, for a bounded time.

use alloc::collections::VecDeque;
use alloc::vec;
use alloc::vec::Vec;

use machine::{Duration, Instant};
use smoltcp::iface::{Interface, SocketHandle, SocketSet};
use smoltcp::phy::Device;
use smoltcp::socket::{Socket, udp};
use smoltcp::wire::IpAddress;

use super::{endpoint_of, smoltcp_time};
use crate::message::Endpoint;

/// Datagrams that a port holds until they are read; later ones are lost.
const RECEIVED_MAX: usize = 32;
/// Datagrams of a port that wait for a hardware address; when there are more, the oldest is lost.
const WAITING_MAX: usize = 16;
/// How long one waits: a neighbour that does not answer within two questions is not there.
const WAITS_FOR: Duration = Duration::from_secs(2);

/// One port.
#[derive(Debug)]
pub(super) struct Port {
    pub(super) socket: SocketHandle,
    pub(super) number: u16,
    waiting: VecDeque<Waiting>,
}

#[derive(Debug)]
struct Waiting {
    to: Endpoint,
    payload: Vec<u8>,
    until: Instant,
}

impl Port {
    pub(super) fn bind(sockets: &mut SocketSet<'static>, port: u16, mtu: usize) -> Self {
        let received =
            udp::PacketBuffer::new(vec![udp::PacketMetadata::EMPTY; RECEIVED_MAX], vec![0; RECEIVED_MAX * mtu]);
        let none = udp::PacketBuffer::new(Vec::new(), Vec::new());
        let mut socket = udp::Socket::new(received, none);
        let bound = socket.bind(port);
        assert!(bound.is_ok(), "a new socket binds to any port but 0, which was refused");
        Self { socket: sockets.add(socket), number: port, waiting: VecDeque::new() }
    }

    /// The next datagram, if one came.
    pub(super) fn receive<'a>(&self, sockets: &'a mut SocketSet<'static>) -> Option<(Endpoint, &'a [u8])> {
        let (payload, metadata) = sockets.get_mut::<udp::Socket<'_>>(self.socket).recv().ok()?;
        Some((endpoint_of(metadata.endpoint), payload))
    }

    /// Keeps a datagram that could not be sent yet.
    pub(super) fn wait(&mut self, now: Instant, to: Endpoint, payload: &[u8]) {
        if self.waiting.len() >= WAITING_MAX {
            self.waiting.pop_front();
        }
        self.waiting.push_back(Waiting { to, payload: payload.to_vec(), until: now + WAITS_FOR });
    }

    /// Tries again what waits, and forgets what has waited too long.
    pub(super) fn send_waiting<D: Device>(&mut self, now: Instant, lane: &mut Lane, net: &mut Net<'_, D>) {
        let port = self.number;
        self.waiting.retain(|waiting| waiting.until > now && !lane.send(now, net, port, waiting.to, &waiting.payload));
    }

    /// When the first waiting datagram is given up.
    pub(super) fn next_timeout(&self) -> Option<Instant> {
        self.waiting.iter().map(|waiting| waiting.until).min()
    }
}

/// What sending needs of the stack.
pub(super) struct Net<'a, D> {
    pub(super) device: &'a mut D,
    pub(super) iface: &'a mut Interface,
    pub(super) sockets: &'a mut SocketSet<'static>,
}

/// The socket that sends, with room for one datagram.
pub(super) struct Lane(Option<udp::Socket<'static>>);

impl Lane {
    pub(super) fn new(mtu: usize) -> Self {
        let none = udp::PacketBuffer::new(Vec::new(), Vec::new());
        let one = udp::PacketBuffer::new(vec![udp::PacketMetadata::EMPTY; 1], vec![0; mtu]);
        Self(Some(udp::Socket::new(none, one)))
    }

    /// Sends one datagram; false when the device has no room or the receiver's hardware address is not known.
    pub(super) fn send<D: Device>(
        &mut self,
        now: Instant,
        net: &mut Net<'_, D>,
        port: u16,
        to: Endpoint,
        payload: &[u8],
    ) -> bool {
        let Some(mut socket) = self.0.take() else { return false };
        socket.close();
        let is_queued =
            socket.bind(port).is_ok() && socket.send_slice(payload, (IpAddress::Ipv4(to.host), to.port)).is_ok();
        // A fresh entry: smoltcp silences one whose neighbour is missing for a second.
        let handle = net.sockets.add(socket);
        net.iface.poll_egress(smoltcp_time(now), net.device, net.sockets);
        let Socket::Udp(socket) = net.sockets.remove(handle) else { return false };
        let is_sent = is_queued && socket.send_queue() == 0;
        self.0 = Some(socket);
        is_sent
    }
}
