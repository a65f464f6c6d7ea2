//! The stack's owner: device, smoltcp, sockets, and who may use which. Blocks on nothing; every table, queue and loop is
//! bounded. Leaves to smoltcp what it does well (IP, TCP, UDP, ARP answers, IGMP), and does itself:
//!
//! - **Listening.** smoltcp's listening socket turns into the connection, and a copy of a SYN that meets another listening
//!   socket makes a second connection with the same addresses, which kills the first. So no socket listens: a SYN for a
//!   listened port that belongs to no connection gets a socket for its own frame. A SYN beyond the backlog is dropped, as
//!   systems do, and the peer sends it again.
//! - **Neighbours**: see `resolve`, and for datagrams `udp`.
//! - **Peers that owe** an acknowledgement: see `tcp`.

mod frame;
mod intake;
mod requests;
mod resolve;
mod table;
mod tcp;
mod udp;

use alloc::collections::VecDeque;
use alloc::vec;
use alloc::vec::Vec;
use core::net::Ipv4Addr;

use machine::{Duration, Instant};
use smoltcp::iface::{Interface, PollResult, SocketHandle, SocketSet};
use smoltcp::phy::Device;
use smoltcp::socket::Socket as AnySocket;
use smoltcp::socket::tcp::{Socket as TcpSocket, State};
use smoltcp::wire::{EthernetAddress, HardwareAddress, IpAddress, IpCidr, IpEndpoint};

use crate::channel::Channel;
use crate::message::{self, Endpoint, Handle, PAYLOAD_BYTES_MAX, Reply, Request, Status};
use frame::Ends;
use resolve::Resolver;
use table::Table;
use tcp::Connection;
use udp::{Lane, Net, Port};

/// Frames taken in by one poll; the rest waits in the device for the next.
const FRAMES_PER_POLL: usize = 64;
/// Rounds of sending in one poll: each sends one frame for each socket at most.
const SENDS_PER_POLL: usize = 64;
/// A connection whose handshake takes longer was a stray SYN.
const HANDSHAKE_MAX: Duration = Duration::from_secs(10);
/// A closed connection lingers for its reset to leave, or for its peer's last words (smoltcp's TIME-WAIT is 10 s).
const LINGER_MAX: Duration = Duration::from_secs(15);
/// When the device took no more: look again after this, unless the driver knows better.
const DEVICE_BUSY: Duration = Duration::from_millis(1);
/// The first of the ports that connections get (RFC 6335, dynamic ports).
const DYNAMIC_PORTS: u16 = 49_152;
/// Ethernet, IPv4 and UDP headers.
const UDP_HEADERS_BYTES: usize = 14 + 20 + 8;
/// Ethernet, IPv4 and TCP headers.
const TCP_HEADERS_BYTES: usize = 14 + 20 + 20;

/// Who uses a socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ClientId(pub u32);

/// All that a stack is made from, apart from its device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Config {
    /// The device's hardware address: unicast.
    pub mac: [u8; 6],
    /// The host's address: unicast.
    pub host: Ipv4Addr,
    /// How many bits of the address name the network; hosts elsewhere are out of reach.
    pub prefix_bits: u8,
    /// All the chance the stack has: initial sequence numbers and ports.
    pub seed: u64,
    /// Sockets at a time, those that linger included.
    pub sockets_max: u16,
    /// Bytes that each connection holds until they are read; at least 1. Above 64 KiB, windows are scaled (RFC 7323).
    pub tcp_receive_bytes: u32,
    /// Bytes that each connection holds until they are acknowledged; at least 1.
    pub tcp_send_bytes: u32,
    /// How long a peer may owe an acknowledgement before it is given up (RFC 5482): a closed window counts as owing.
    pub user_timeout: Duration,
}

impl Config {
    /// A host with buffers of 64 KiB in a /16 network, 64 sockets, and a minute of patience.
    pub const fn new(mac: [u8; 6], host: Ipv4Addr, seed: u64) -> Self {
        Self {
            mac,
            host,
            prefix_bits: 16,
            seed,
            sockets_max: 64,
            tcp_receive_bytes: 64 * 1024,
            tcp_send_bytes: 64 * 1024,
            user_timeout: Duration::from_secs(60),
        }
    }
}

#[derive(Debug)]
enum Socket {
    Port(Port),
    Listener(Listener),
    Connection(Connection),
}

#[derive(Debug)]
struct Listener {
    port: u16,
    backlog: u8,
    /// Connections that are not accepted yet.
    waiting: VecDeque<Connection>,
}

#[derive(Clone, Copy, Debug)]
struct Lingering {
    socket: SocketHandle,
    until: Instant,
}

/// The stack over one device.
pub struct NetStack<D> {
    device: D,
    iface: Interface,
    sockets: SocketSet<'static>,
    config: Config,
    table: Table<Socket>,
    lingering: VecDeque<Lingering>,
    resolver: Resolver,
    lane: Lane,
    /// The frame that is being taken in, while the device has no room for an answer.
    frame: Option<Vec<u8>>,
    spare: Vec<u8>,
    mtu: usize,
    ports: u64,
    /// Whether datagrams that wait may find their way now.
    has_news: bool,
    is_behind: bool,
    bytes: Vec<u8>,
}

impl<D: Device> NetStack<D> {
    /// A stack that has sent nothing yet. Addresses that are not unicast, buffers of no bytes and buffers of more than
    /// 1 GiB are the caller's bugs.
    pub fn new(now: Instant, config: Config, mut device: D) -> Self {
        let sizes = [config.tcp_receive_bytes, config.tcp_send_bytes];
        assert!(sizes.iter().all(|bytes| (1..=1 << 30).contains(bytes)), "a buffer holds 1 byte to 1 GiB");
        let mac = EthernetAddress(config.mac);
        let mut smoltcp = smoltcp::iface::Config::new(HardwareAddress::Ethernet(mac));
        smoltcp.random_seed = config.seed;
        let mut iface = Interface::new(smoltcp, &mut device, smoltcp_time(now));
        iface.update_ip_addrs(|addrs| {
            let pushed = addrs.push(IpCidr::new(IpAddress::Ipv4(config.host), config.prefix_bits));
            assert!(pushed.is_ok(), "a new interface has room for an address");
        });
        let mtu = device.capabilities().max_transmission_unit;
        Self {
            device,
            iface,
            sockets: SocketSet::new(Vec::new()),
            config,
            table: Table::new(config.sockets_max),
            lingering: VecDeque::new(),
            resolver: Resolver::new(mac, config.host),
            lane: Lane::new(mtu),
            frame: None,
            spare: Vec::new(),
            mtu,
            ports: config.seed,
            has_news: false,
            is_behind: false,
            bytes: vec![0; PAYLOAD_BYTES_MAX],
        }
    }

    /// The device.
    pub fn device_mut(&mut self) -> &mut D {
        &mut self.device
    }

    /// Takes in frames, sends frames, and looks after timers. To be called after frames came in, after requests, and when
    /// [`NetStack::next_timeout`] has come.
    pub fn poll(&mut self, now: Instant) {
        let at = smoltcp_time(now);
        self.iface.poll_maintenance(at);
        let taken = (0..FRAMES_PER_POLL).take_while(|_| self.take_in(now)).count();
        self.is_behind = taken == FRAMES_PER_POLL;
        self.watch(now);
        self.resolver.poll(now, &mut self.device);
        self.send_waiting(now);
        for _ in 0..SENDS_PER_POLL {
            if self.iface.poll_egress(at, &mut self.device, &mut self.sockets) == PollResult::None {
                break;
            }
        }
    }

    /// When to poll next, if nothing comes in; never in the past.
    pub fn next_timeout(&mut self, now: Instant) -> Option<Instant> {
        if self.is_behind {
            return Some(now);
        }
        let smoltcp = self.iface.poll_at(smoltcp_time(now), &self.sockets).map(|at| {
            let at = Instant::from_nanos(u64::try_from(at.total_micros()).unwrap_or(0).saturating_mul(1_000));
            if at > now { at } else { now + DEVICE_BUSY }
        });
        let user_timeout = self.config.user_timeout;
        let sockets = self.table.iter().filter_map(|socket| match socket {
            Socket::Port(port) => port.next_timeout(),
            Socket::Connection(connection) => connection.next_timeout(user_timeout),
            Socket::Listener(listener) => {
                listener.waiting.iter().filter_map(|waiting| waiting.next_timeout(user_timeout)).min()
            }
        });
        let lingering = self.lingering.iter().map(|lingering| lingering.until);
        let own = sockets.chain(lingering).chain(self.resolver.next_timeout()).min();
        [smoltcp, own.map(|at| at.max(now))].into_iter().flatten().min()
    }

    /// Answers every request that waits in `channel`, while there is room for replies.
    pub fn serve(&mut self, now: Instant, client: ClientId, channel: &mut Channel) {
        while channel.replies.has_room() {
            let replies = &mut channel.replies;
            let served = channel.requests.pop(|request| replies.push(|reply| self.handle(now, client, request, reply)));
            if served.is_none() {
                break;
            }
        }
    }

    /// Answers one request of `client`: any bytes, and the reply says what was wrong with them.
    pub fn handle(&mut self, now: Instant, client: ClientId, request: &[u8], reply: &mut Vec<u8>) {
        let (nonce, op) = message::head(request);
        let mut bytes = core::mem::take(&mut self.bytes);
        let result = Request::decode(request).and_then(|(_, request)| self.answer(now, client, &request, &mut bytes));
        Reply { nonce, op, result }.encode(reply);
        self.bytes = bytes;
    }

    /// Finds room for one more socket, if need be at the cost of the oldest that only lingers.
    fn make_room(&mut self) -> Result<(), Status> {
        if !self.table.has_room() {
            return Err(Status::NoBuffers);
        }
        if self.sockets.iter().count() >= usize::from(self.config.sockets_max) {
            let oldest = self.lingering.pop_front().ok_or(Status::NoBuffers)?;
            self.sockets.remove(oldest.socket);
        }
        Ok(())
    }

    /// A port that no connection to `to` uses. Not predictable without the seed (RFC 6056).
    fn dynamic_port(&mut self, to: Endpoint) -> Option<u16> {
        let tries = usize::from(self.config.sockets_max) + 1;
        (0..tries).find_map(|_| {
            self.ports = self.ports.wrapping_add(0x9E37_79B9_7F4A_7C15);
            let mixed = (self.ports ^ (self.ports >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
            let port = DYNAMIC_PORTS | (mixed >> 48) as u16;
            let ends = Ends { local: Endpoint { host: self.config.host, port }, remote: to };
            (!self.has_connection(ends)).then_some(port)
        })
    }

    fn has_connection(&self, ends: Ends) -> bool {
        self.sockets.iter().any(|(_, socket)| {
            let AnySocket::Tcp(socket) = socket else { return false };
            socket.state() != State::Closed && ends_of(socket) == Some(ends)
        })
    }

    fn listener(&mut self, port: u16) -> Option<&mut Listener> {
        self.table.iter_mut().find_map(|socket| match socket {
            Socket::Listener(listener) if listener.port == port => Some(listener),
            _ => None,
        })
    }

    fn observe(&mut self) {
        for socket in self.table.iter_mut() {
            match socket {
                Socket::Port(_) => {}
                Socket::Connection(connection) => connection.observe(&self.sockets),
                Socket::Listener(listener) => {
                    for connection in &mut listener.waiting {
                        connection.observe(&self.sockets);
                    }
                }
            }
        }
    }

    /// Looks after all that takes too long.
    fn watch(&mut self, now: Instant) {
        self.observe();
        let (sockets, lingering, resolver) = (&mut self.sockets, &mut self.lingering, &mut self.resolver);
        for socket in self.table.iter_mut() {
            match socket {
                Socket::Port(_) => {}
                Socket::Connection(connection) => {
                    if let Some(host) = connection.watch(now, sockets, self.config.user_timeout) {
                        resolver.want(now, host);
                    }
                }
                Socket::Listener(listener) => listener.waiting.retain_mut(|connection| {
                    connection.watch(now, sockets, self.config.user_timeout);
                    let is_late = !connection.is_connected && connection.since() + HANDSHAKE_MAX <= now;
                    let is_alive = connection.end.is_none_or(|end| end == Status::Finished) && !is_late;
                    let is_alive = is_alive && !sockets.get::<TcpSocket<'_>>(connection.socket).is_listening();
                    if !is_alive {
                        linger(now, connection, sockets, lingering);
                    }
                    is_alive
                }),
            }
        }
        lingering.retain(|linger| {
            let socket = sockets.get::<TcpSocket<'_>>(linger.socket);
            let is_over = socket.state() == State::Closed && socket.remote_endpoint().is_none();
            if is_over || linger.until <= now {
                sockets.remove(linger.socket);
                return false;
            }
            true
        });
    }

    fn send_waiting(&mut self, now: Instant) {
        let is_due = |port: &Port| port.next_timeout().is_some_and(|until| until <= now);
        let has_news = core::mem::take(&mut self.has_news);
        let net = &mut Net { device: &mut self.device, iface: &mut self.iface, sockets: &mut self.sockets };
        for socket in self.table.iter_mut() {
            if let Socket::Port(port) = socket
                && (has_news || is_due(port))
            {
                port.send_waiting(now, &mut self.lane, net);
            }
        }
    }
}

impl Table<Socket> {
    /// The connection with these ends.
    fn find(&mut self, sockets: &SocketSet<'static>, ends: Ends) -> Option<&mut Connection> {
        let is_it = |connection: &Connection| ends_of(sockets.get(connection.socket)) == Some(ends);
        self.iter_mut().find_map(|socket| match socket {
            Socket::Connection(connection) => Some(connection).filter(|connection| is_it(connection)),
            Socket::Listener(listener) => listener.waiting.iter_mut().find(|connection| is_it(connection)),
            Socket::Port(_) => None,
        })
    }

    fn connection(&mut self, client: ClientId, handle: Handle) -> Result<&mut Connection, Status> {
        match self.get_mut(client, handle) {
            Some(Socket::Connection(connection)) => Ok(connection),
            _ => Err(Status::InvalidInput),
        }
    }

    fn port(&mut self, client: ClientId, handle: Handle) -> Result<&mut Port, Status> {
        match self.get_mut(client, handle) {
            Some(Socket::Port(port)) => Ok(port),
            _ => Err(Status::InvalidInput),
        }
    }
}

/// Lets a connection go: whole ones wait for their peer's last words, others are reset.
fn linger(
    now: Instant,
    connection: &Connection,
    sockets: &mut SocketSet<'static>,
    lingering: &mut VecDeque<Lingering>,
) {
    if connection.end != Some(Status::Finished) {
        sockets.get_mut::<TcpSocket<'_>>(connection.socket).abort();
    }
    lingering.push_back(Lingering { socket: connection.socket, until: now + LINGER_MAX });
}

fn is_neighbour(config: &Config, host: Ipv4Addr) -> bool {
    IpCidr::new(IpAddress::Ipv4(config.host), config.prefix_bits).contains_addr(&IpAddress::Ipv4(host))
}

fn smoltcp_time(now: Instant) -> smoltcp::time::Instant {
    smoltcp::time::Instant::from_micros((now.as_nanos() / 1_000).cast_signed())
}

fn endpoint_of(endpoint: IpEndpoint) -> Endpoint {
    let IpAddress::Ipv4(host) = endpoint.addr;
    Endpoint { host, port: endpoint.port }
}

fn ends_of(socket: &TcpSocket<'_>) -> Option<Ends> {
    let (local, remote) = (socket.local_endpoint()?, socket.remote_endpoint()?);
    Some(Ends { local: endpoint_of(local), remote: endpoint_of(remote) })
}
