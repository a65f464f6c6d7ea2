//! Every datagram and every connection between nodes goes through here, as fast and as whole as the links let it.
//!
//! A node knows another by an address of the relay; what it sends there goes to the other from the address by which the
//! other knows it. So the source of an announce is where its sender can be dialled.

use super::super::medium::Medium;
use super::super::site::NODES_TOKENS;
use super::addresses::{ATTEMPTS, Addresses};
use super::conn::{ACCEPTOR, Conn, DIALLER, State, tune};
use ::sim::{Config, Segments, Time};
use mio::event::Event;
use mio::net::{TcpListener, TcpStream, UdpSocket};
use mio::{Interest, Registry, Token};
use rustix::io::Errno;
use socket2::{Domain, Protocol, SockRef, Socket, Type};
use std::collections::BTreeMap;
use std::io::{self, ErrorKind};
use std::net::{SocketAddr, SocketAddrV4};

const LISTENERS_FROM: usize = 1 << 12;
const CONNS_FROM: usize = 1 << 16;
/// Connections at a time; a further one is reset.
const CONNS_MAX: usize = 1_024;
/// Datagrams on their way; a further one is lost.
const FLIGHTS_MAX: usize = 65_536;
/// Datagrams and connections that one socket gives before the others have their turn.
const VISIT_MAX: u32 = 1_024;
const DATAGRAM_BYTES_MAX: usize = 65_536;

pub(super) struct Relay {
    pub(super) medium: Medium,
    pub(super) addresses: Addresses,
    nodes: u32,
    segments: Segments,
    registry: Registry,
    /// By viewer and node: see [`Addresses::seen`].
    datagrams: Vec<UdpSocket>,
    listeners: Vec<TcpListener>,
    /// Datagrams sent in each direction, and by each node to its segment.
    numbers: Vec<u64>,
    dials: BTreeMap<(u32, u32), u64>,
    flights: BTreeMap<(Time, u64), Flight>,
    flights_made: u64,
    conns: BTreeMap<usize, Conn>,
    conns_made: usize,
    buffer: Vec<u8>,
}

struct Flight {
    from: u32,
    to: u32,
    bytes: Vec<u8>,
}

/// The sockets of one run: datagrams and listeners by viewer and node.
type Sockets = (Addresses, Vec<UdpSocket>, Vec<TcpListener>);

/// Takes the first network that no other run has.
fn claim(nodes: u32) -> io::Result<Sockets> {
    let mut attempt = 0;
    loop {
        let addresses = Addresses::new(nodes, std::process::id(), attempt);
        match bind(addresses, nodes) {
            Err(error) if error.kind() == ErrorKind::AddrInUse && attempt + 1 < ATTEMPTS => attempt += 1,
            bound => return bound,
        }
    }
}

fn bind(addresses: Addresses, nodes: u32) -> io::Result<Sockets> {
    let (mut datagrams, mut listeners) = (Vec::new(), Vec::new());
    for (viewer, node) in (0..nodes).flat_map(|viewer| (0..nodes).map(move |node| (viewer, node))) {
        let addr = SocketAddr::V4(addresses.seen(viewer, node));
        datagrams.push(UdpSocket::bind(addr)?);
        listeners.push(TcpListener::bind(addr)?);
    }
    Ok((addresses, datagrams, listeners))
}

impl Relay {
    pub(super) fn new(config: &Config, registry: Registry) -> io::Result<Self> {
        let nodes = config.nodes.len() as u32;
        let (addresses, mut datagrams, mut listeners) = claim(nodes)?;
        for (place, socket) in datagrams.iter_mut().enumerate() {
            registry.register(socket, Token(NODES_TOKENS + place), Interest::READABLE)?;
        }
        for (place, listener) in listeners.iter_mut().enumerate() {
            registry.register(listener, Token(LISTENERS_FROM + place), Interest::READABLE)?;
        }
        Ok(Self {
            medium: Medium::new(config),
            addresses,
            nodes,
            segments: Segments::new(config.nodes.iter().map(|node| node.segments.as_slice())),
            registry,
            numbers: vec![0; datagrams.len()],
            datagrams,
            listeners,
            dials: BTreeMap::new(),
            flights: BTreeMap::new(),
            flights_made: 0,
            conns: BTreeMap::new(),
            conns_made: 0,
            buffer: vec![0; DATAGRAM_BYTES_MAX],
        })
    }

    const fn pair(&self, place: usize) -> (u32, u32) {
        (place as u32 / self.nodes, place as u32 % self.nodes)
    }

    const fn place(&self, viewer: u32, node: u32) -> usize {
        (viewer * self.nodes + node) as usize
    }

    pub(super) fn on_ready(&mut self, now: Time, event: &Event) {
        match event.token().0 {
            token @ CONNS_FROM.. => {
                let (id, side) = ((token - CONNS_FROM) / 2, (token - CONNS_FROM) % 2);
                if let Some(conn) = self.conns.get_mut(&id) {
                    conn.on_ready(side, event);
                    self.visit(now, id);
                }
            }
            token @ LISTENERS_FROM.. => self.accept(now, token - LISTENERS_FROM),
            token => self.receive(now, token - NODES_TOKENS),
        }
    }

    /// Takes datagrams that a node has sent to one of its addresses.
    fn receive(&mut self, now: Time, place: usize) {
        let (from, to) = self.pair(place);
        let own = SocketAddr::V4(self.addresses.own(from));
        for _ in 0..VISIT_MAX {
            let (length, source) = match self.datagrams[place].recv_from(&mut self.buffer) {
                Ok(received) => received,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return,
                Err(_) => continue, // an earlier datagram's bad luck
            };
            if source != own {
                continue; // some other program's
            }
            let number = self.numbers[place];
            self.numbers[place] += 1;
            let bytes = self.buffer[..length].to_vec();
            if from == to {
                let mut reached = Vec::new();
                self.segments.reach(from, &mut reached);
                for to in reached {
                    self.launch(now, (from, to), true, number, &bytes);
                }
            } else {
                self.launch(now, (from, to), false, number, &bytes);
            }
        }
    }

    fn launch(&mut self, now: Time, (from, to): (u32, u32), to_group: bool, number: u64, bytes: &[u8]) {
        for (at, bytes) in self.medium.datagram(now, (from, to), to_group, number, bytes) {
            if self.flights.len() < FLIGHTS_MAX {
                self.flights.insert((at, self.flights_made), Flight { from, to, bytes });
                self.flights_made += 1;
            }
        }
    }

    fn accept(&mut self, now: Time, place: usize) {
        let (from, to) = self.pair(place);
        for _ in 0..VISIT_MAX {
            let mut socket = match self.listeners[place].accept() {
                Ok((socket, _)) => socket, // whom it is from is said by where it was dialled: the kernel chose its source
                Err(error) if error.kind() == ErrorKind::WouldBlock => return,
                Err(_) => continue,
            };
            let is_tuned = tune(&SockRef::from(&socket)).is_ok();
            if from == to || !is_tuned || self.conns.len() >= CONNS_MAX {
                continue; // dropped, it is reset
            }
            let id = self.conns_made;
            if self.register(&mut socket, id, DIALLER).is_err() {
                continue;
            }
            self.conns_made += 1;
            let dial = self.dials.entry((from, to)).or_default();
            let key = self.medium.pipe_key(from, to, *dial);
            *dial += 1;
            self.conns.insert(id, Conn::new(now, [from, to], key, socket, &mut self.medium));
            self.visit(now, id);
        }
    }

    fn register(&self, socket: &mut TcpStream, id: usize, side: usize) -> io::Result<()> {
        self.registry.register(socket, Token(CONNS_FROM + 2 * id + side), Interest::READABLE | Interest::WRITABLE)
    }

    /// Lets a connection move what it can, and acts on what came of that.
    fn visit(&mut self, now: Time, id: usize) {
        loop {
            let Some(conn) = self.conns.get_mut(&id) else { return };
            match conn.visit(now, &mut self.medium) {
                State::Open => return,
                State::Dials => self.dial(now, id),
                State::Finished => {
                    conn.finish();
                    self.conns.remove(&id);
                }
                State::Broken => {
                    self.medium.counts.pipes_reset += 1;
                    self.conns.remove(&id);
                }
            }
        }
    }

    /// Dials the acceptor from the address by which it knows the dialler.
    fn dial(&mut self, now: Time, id: usize) {
        let Some(conn) = self.conns.get(&id) else { return };
        let [from, to] = conn.nodes;
        let source = SocketAddrV4::new(*self.addresses.seen(to, from).ip(), 0);
        let dialled = connect(source, self.addresses.own(to));
        let dialled = dialled.and_then(|mut socket| self.register(&mut socket, id, ACCEPTOR).map(|()| socket));
        let Some(conn) = self.conns.get_mut(&id) else { return };
        match dialled {
            Ok(socket) => conn.dialled(socket),
            Err(_) => conn.reset_by(now, ACCEPTOR, &mut self.medium),
        }
    }

    /// Does what is due by `now`.
    pub(super) fn advance(&mut self, now: Time) {
        while let Some(first) = self.flights.first_entry().filter(|first| first.key().0 <= now) {
            let Flight { from, to, bytes } = first.remove();
            let known_as = self.place(to, from);
            // No room is one more way to be lost, and so is a node that is down.
            let _ = self.datagrams[known_as].send_to(&bytes, SocketAddr::V4(self.addresses.own(to)));
        }
        let due: Vec<_> = self.conns.iter().filter(|(_, conn)| conn.due.is_some_and(|due| due <= now)).collect();
        for id in due.into_iter().map(|(id, _)| *id).collect::<Vec<_>>() {
            self.visit(now, id);
        }
    }

    /// When [`Relay::advance`] has something to do.
    pub(super) fn next_due(&self) -> Option<Time> {
        let flight = self.flights.first_key_value().map(|((at, _), _)| *at);
        self.conns.values().filter_map(|conn| conn.due).chain(flight).min()
    }

    /// The node loses power: whoever is connected to it hears nothing more.
    pub(super) fn darken(&mut self, node: u32) {
        self.medium.dark.insert(node);
    }

    /// The node has power again: its connections of before are reset.
    pub(super) fn light(&mut self, now: Time, node: u32) {
        if self.medium.dark.remove(&node) {
            self.each(now, |conn, medium| {
                for side in [DIALLER, ACCEPTOR] {
                    if conn.nodes[side] == node {
                        conn.relit(now, side, medium);
                    }
                }
            });
        }
    }

    /// Resets every connection between the two.
    pub(super) fn reset(&mut self, a: u32, b: u32) {
        let before = self.conns.len();
        self.conns.retain(|_, conn| conn.nodes != [a, b] && conn.nodes != [b, a]);
        self.medium.counts.pipes_reset += (before - self.conns.len()) as u64;
    }

    fn each(&mut self, now: Time, mut change: impl FnMut(&mut Conn, &mut Medium)) {
        for id in self.conns.keys().copied().collect::<Vec<_>>() {
            if let Some(conn) = self.conns.get_mut(&id) {
                change(conn, &mut self.medium);
            }
            self.visit(now, id);
        }
    }
}

fn connect(source: SocketAddrV4, to: SocketAddrV4) -> io::Result<TcpStream> {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, Some(Protocol::TCP))?;
    tune(&SockRef::from(&socket))?;
    socket.bind(&source.into())?;
    match socket.connect(&to.into()) {
        Err(error) if error.raw_os_error() != Some(Errno::INPROGRESS.raw_os_error()) => Err(error),
        _ => Ok(TcpStream::from_std(socket.into())),
    }
}
