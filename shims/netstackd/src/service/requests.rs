//! What each request does. Finds sockets by handle and owner, checks every field, and leaves the rest to them.

use alloc::collections::VecDeque;
use core::net::Ipv4Addr;

use machine::Instant;
use smoltcp::phy::Device;
use smoltcp::wire::IpAddress;

use super::tcp::Connection;
use super::udp::{Net, Port};
use super::{ClientId, Listener, NetStack, Socket, TcpSocket, UDP_HEADERS_BYTES, is_neighbour, linger};
use crate::message::{Answer, Close, Endpoint, Handle, Request, Status};

impl<D: Device> NetStack<D> {
    pub(super) fn answer<'a>(
        &mut self,
        now: Instant,
        client: ClientId,
        request: &Request<'_>,
        bytes: &'a mut [u8],
    ) -> Result<Answer<'a>, Status> {
        match *request {
            Request::UdpBind { port } => self.udp_bind(client, port),
            Request::UdpSendTo { socket, to, payload } => self.udp_send_to(now, client, socket, to, payload),
            Request::UdpRecvFrom { socket, deadline } => {
                until(now, deadline, self.udp_recv_from(client, socket, bytes))
            }
            Request::UdpJoin { socket, group } => self.udp_join(client, socket, group),
            Request::TcpListen { port, backlog } => self.tcp_listen(client, port, backlog),
            Request::TcpAccept { socket, deadline } => until(now, deadline, self.tcp_accept(client, socket)),
            Request::TcpConnect { to } => self.tcp_connect(now, client, to),
            Request::TcpRead { socket, deadline } => {
                let connection = self.table.connection(client, socket)?;
                let read = connection.read(&mut self.sockets, bytes);
                until(now, deadline, read.map(|count| Answer::Bytes(&bytes[..count])))
            }
            Request::TcpWrite { socket, payload } => {
                let count = self.table.connection(client, socket)?.write(&mut self.sockets, payload)?;
                Ok(Answer::Written(count as u32))
            }
            Request::TcpWaitWritable { socket, deadline } => {
                let room = self.table.connection(client, socket)?.room(&self.sockets);
                until(now, deadline, room.map(Answer::Writable))
            }
            Request::TcpClose { socket, how: Close::Finish } => {
                self.table.connection(client, socket)?.finish(&mut self.sockets)?;
                Ok(Answer::Done)
            }
            Request::TcpClose { socket, how: Close::Abort } => self.abort(now, client, socket),
            Request::LocalAddr { socket } => self.local_addr(client, socket),
            Request::Ping => Ok(Answer::Alive(now)),
        }
    }

    fn udp_bind(&mut self, client: ClientId, port: u16) -> Result<Answer<'static>, Status> {
        if port == 0 {
            return Err(Status::InvalidInput);
        }
        if self.table.iter().any(|socket| matches!(socket, Socket::Port(bound) if bound.number == port)) {
            return Err(Status::AddrInUse);
        }
        self.make_room()?;
        let port = Port::bind(&mut self.sockets, port, self.mtu);
        Ok(Answer::Opened(self.table.insert(client, Socket::Port(port))))
    }

    fn udp_send_to(
        &mut self,
        now: Instant,
        client: ClientId,
        socket: Handle,
        to: Endpoint,
        payload: &[u8],
    ) -> Result<Answer<'static>, Status> {
        let port = self.table.port(client, socket)?;
        if to.port == 0 || to.host.is_unspecified() || payload.len() + UDP_HEADERS_BYTES > self.mtu {
            return Err(Status::InvalidInput);
        }
        let is_one_host = !to.host.is_multicast() && !to.host.is_broadcast();
        if is_one_host && !is_neighbour(&self.config, to.host) {
            return Err(Status::Refused);
        }
        let net = &mut Net { device: &mut self.device, iface: &mut self.iface, sockets: &mut self.sockets };
        if !self.lane.send(now, net, port.number, to, payload) {
            port.wait(now, to, payload);
            if is_one_host {
                self.resolver.want(now, to.host);
            }
        }
        Ok(Answer::Done)
    }

    fn udp_recv_from<'a>(
        &mut self,
        client: ClientId,
        socket: Handle,
        bytes: &'a mut [u8],
    ) -> Result<Answer<'a>, Status> {
        let port = self.table.port(client, socket)?;
        let (from, payload) = port.receive(&mut self.sockets).ok_or(Status::WouldBlock)?;
        let bytes = bytes.get_mut(..payload.len()).ok_or(Status::NoBuffers)?;
        bytes.copy_from_slice(payload);
        Ok(Answer::Datagram { from, payload: bytes })
    }

    fn udp_join(&mut self, client: ClientId, socket: Handle, group: Ipv4Addr) -> Result<Answer<'static>, Status> {
        self.table.port(client, socket)?;
        if !group.is_multicast() {
            return Err(Status::InvalidInput);
        }
        self.iface.join_multicast_group(group).map_err(|_| Status::NoBuffers)?;
        Ok(Answer::Done)
    }

    fn tcp_listen(&mut self, client: ClientId, port: u16, backlog: u8) -> Result<Answer<'static>, Status> {
        if port == 0 || backlog == 0 {
            return Err(Status::InvalidInput);
        }
        if self.listener(port).is_some() {
            return Err(Status::AddrInUse);
        }
        self.make_room()?;
        let listener = Listener { port, backlog, waiting: VecDeque::new() };
        Ok(Answer::Opened(self.table.insert(client, Socket::Listener(listener))))
    }

    fn tcp_accept(&mut self, client: ClientId, socket: Handle) -> Result<Answer<'static>, Status> {
        let has_room = self.table.has_room();
        let Some(Socket::Listener(listener)) = self.table.get_mut(client, socket) else {
            return Err(Status::InvalidInput);
        };
        let ready = listener.waiting.iter().position(|waiting| waiting.is_connected).ok_or(Status::WouldBlock)?;
        if !has_room {
            return Err(Status::NoBuffers);
        }
        let connection = listener.waiting.remove(ready).ok_or(Status::WouldBlock)?;
        let from = connection.remote;
        let socket = self.table.insert(client, Socket::Connection(connection));
        Ok(Answer::Accepted { socket, from })
    }

    fn tcp_connect(&mut self, now: Instant, client: ClientId, to: Endpoint) -> Result<Answer<'static>, Status> {
        if to.port == 0 || to.host.is_multicast() || to.host == self.config.host {
            return Err(Status::InvalidInput);
        }
        if !is_neighbour(&self.config, to.host) {
            return Err(Status::Refused);
        }
        self.make_room()?;
        let from = self.dynamic_port(to).ok_or(Status::NoBuffers)?;
        let mut socket = Connection::socket(&self.config);
        let dialled = socket.connect(self.iface.context(), (IpAddress::Ipv4(to.host), to.port), from);
        dialled.map_err(|_| Status::InvalidInput)?;
        let socket = self.sockets.add(socket);
        self.resolver.want(now, to.host);
        let connection = Connection::new(now, socket, to);
        Ok(Answer::Opened(self.table.insert(client, Socket::Connection(connection))))
    }

    fn abort(&mut self, now: Instant, client: ClientId, socket: Handle) -> Result<Answer<'static>, Status> {
        match self.table.remove(client, socket).ok_or(Status::InvalidInput)? {
            Socket::Port(port) => {
                self.sockets.remove(port.socket);
            }
            Socket::Listener(listener) => {
                for connection in listener.waiting {
                    linger(now, &connection, &mut self.sockets, &mut self.lingering);
                }
            }
            Socket::Connection(connection) => linger(now, &connection, &mut self.sockets, &mut self.lingering),
        }
        Ok(Answer::Done)
    }

    fn local_addr(&mut self, client: ClientId, socket: Handle) -> Result<Answer<'static>, Status> {
        let port = match self.table.get_mut(client, socket).ok_or(Status::InvalidInput)? {
            Socket::Port(port) => port.number,
            Socket::Listener(listener) => listener.port,
            Socket::Connection(connection) => {
                let socket = self.sockets.get::<TcpSocket<'_>>(connection.socket);
                socket.local_endpoint().ok_or(Status::NotConnected)?.port
            }
        };
        Ok(Answer::Local(Endpoint { host: self.config.host, port }))
    }
}

/// Tells "not yet" from "too late".
fn until<T>(now: Instant, deadline: Instant, result: Result<T, Status>) -> Result<T, Status> {
    result.map_err(|status| if status == Status::WouldBlock && deadline <= now { Status::TimedOut } else { status })
}
