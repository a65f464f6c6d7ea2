//! A `quinn_proto::Endpoint` and its connections as a machine. Clients send pieces of work over a stream each, the server
//! sends every byte back; a client whose connection is lost begins again with what has not come back.

use crate::secrets::{self, with_chance};
use crate::streams::Streams;
use bytes::{Bytes, BytesMut};
use machine::{Addr, Boot, Destination, Duration, Host, Input, Instant, Machine, Output, PipeId};
use quinn_proto::{Connection, ConnectionHandle, DatagramEvent, Endpoint, VarInt};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;
use std::collections::{BTreeMap, VecDeque};
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::sync::OnceLock;

const DIAL_AGAIN_AFTER: Duration = Duration::from_millis(500);
/// A client to whom nothing comes back for so long begins again. The idle timeout does not do that: it is at least three probe
/// timeouts (RFC 9000, 10.1), and one answer that was long under way makes minutes of these.
const GIVE_UP_AFTER: Duration = Duration::from_secs(5);

/// A bug of the adapter, not of the crate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Plant {
    /// Chunks are read as they come in, and taken for being in order.
    Unordered,
    /// A timer that has run out is not told.
    DeafToTimers,
    /// Leaves it to the idle timeout to give up a dial.
    Patient,
    /// Connection ids come from the crate, and so from the operating system.
    OsRandom,
}

/// What a client is to send.
#[derive(Clone, Debug)]
pub(crate) struct Errand {
    pub(crate) server: Addr,
    /// The bytes of each piece of work.
    pub(crate) works: Vec<u64>,
}

/// What the application learns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Event {
    /// So many bytes more of a stream have been read.
    Read { connection: u64, stream: u64, offset: u64, length: u64, digest: u64 },
    /// A piece of work came back, and then the end of its stream.
    Done { work: usize, length: u64 },
    /// A connection is over before it was asked to be.
    Lost { reason: String },
}

/// A connection, by a number that is not used again.
pub(crate) struct Peer {
    number: u64,
    handle: ConnectionHandle,
    connection: Connection,
    /// When its next timer runs out.
    due: Option<Instant>,
    /// It was closed from here: that it is over is no news.
    is_given_up: bool,
    streams: Streams,
}

pub(crate) struct Node {
    endpoint: Endpoint,
    errand: Option<Errand>,
    /// Which of its works are done.
    done: Vec<bool>,
    dial_at: Option<Instant>,
    /// When a connection on which nothing has come back by then is given up.
    give_up_at: Option<Instant>,
    peers: BTreeMap<ConnectionHandle, Peer>,
    connections: u64,
    chance: ChaCha8Rng,
    plant: Option<Plant>,
    outbox: VecDeque<(Addr, Vec<u8>)>,
    /// The datagram that the driver is looking at.
    sent: Vec<u8>,
    events: VecDeque<Event>,
}

/// The crate's time is the standard library's, which nobody can make up: some moment stands for the start of the world, and
/// how far it is from that is the only thing that the crate can know of any other.
#[expect(clippy::disallowed_types, reason = "the crate's interface has this type")]
pub(crate) type Moment = std::time::Instant;

fn origin() -> Moment {
    static ORIGIN: OnceLock<Moment> = OnceLock::new();
    #[expect(clippy::disallowed_methods, reason = "which moment it is cannot be seen in any difference")]
    *ORIGIN.get_or_init(Moment::now)
}

fn moment(now: Instant) -> Moment {
    origin() + std::time::Duration::from_nanos(now.as_nanos())
}

fn instant(moment: Moment) -> Instant {
    let since = moment.saturating_duration_since(origin());
    Instant::from_nanos(u64::try_from(since.as_nanos()).unwrap_or(u64::MAX))
}

fn socket(addr: Addr) -> SocketAddr {
    SocketAddr::new(Ipv6Addr::from(addr.host().octets()).into(), addr.port())
}

fn addr(socket: SocketAddr) -> Addr {
    let host = match socket.ip() {
        IpAddr::V6(ip) => ip.octets(),
        IpAddr::V4(ip) => ip.to_ipv6_mapped().octets(),
    };
    Addr::new(Host::new(host), socket.port())
}

impl Node {
    /// A client with an errand, or the server.
    pub(crate) fn new(errand: Option<Errand>, boot: &Boot, plant: Option<Plant>) -> Self {
        let server = errand.is_none().then(secrets::server);
        let config = secrets::endpoint(plant == Some(Plant::OsRandom));
        let mut chance = ChaCha8Rng::from_seed(boot.seed);
        let endpoint = with_chance(&mut chance, || Endpoint::new(config, server, true, Some(boot.seed)));
        Self {
            endpoint,
            dial_at: errand.is_some().then_some(boot.now),
            give_up_at: None,
            done: errand.as_ref().map(|errand| vec![false; errand.works.len()]).unwrap_or_default(),
            errand,
            peers: BTreeMap::new(),
            connections: 0,
            chance,
            plant,
            outbox: VecDeque::new(),
            sent: Vec::new(),
            events: VecDeque::new(),
        }
    }

    fn dial(&mut self, now: Instant) {
        self.dial_at = None;
        let Some(errand) = &self.errand else { return };
        match self.endpoint.connect(moment(now), secrets::client(), socket(errand.server), "server") {
            Ok((handle, connection)) => {
                self.add(handle, connection);
                self.hope(now);
            }
            Err(error) => self.lost(now, error.to_string()),
        }
    }

    fn add(&mut self, handle: ConnectionHandle, connection: Connection) {
        let number = self.connections;
        self.connections += 1;
        let streams = Streams::new(self.plant == Some(Plant::Unordered));
        self.peers.insert(handle, Peer { number, handle, connection, due: None, is_given_up: false, streams });
    }

    fn lost(&mut self, now: Instant, reason: String) {
        self.events.push_back(Event::Lost { reason });
        if self.done.contains(&false) {
            self.dial_at = Some(now + DIAL_AGAIN_AFTER);
        }
    }

    fn hear(&mut self, now: Instant, from: Addr, bytes: &[u8]) {
        let mut answer = Vec::new();
        let event = self.endpoint.handle(moment(now), socket(from), None, None, BytesMut::from(bytes), &mut answer);
        let transmit = match event {
            Some(DatagramEvent::ConnectionEvent(handle, event)) => {
                if let Some(peer) = self.peers.get_mut(&handle) {
                    peer.connection.handle_event(event);
                }
                None
            }
            Some(DatagramEvent::NewConnection(incoming)) => {
                match self.endpoint.accept(incoming, moment(now), &mut answer, None) {
                    Ok((handle, connection)) => {
                        self.add(handle, connection);
                        None
                    }
                    Err(error) => error.response,
                }
            }
            Some(DatagramEvent::Response(transmit)) => Some(transmit),
            None => None,
        };
        if let Some(transmit) = transmit {
            self.outbox.push_back((addr(transmit.destination), answer[..transmit.size].to_vec()));
        }
    }

    fn timeout(&mut self, now: Instant) {
        for peer in self.peers.values_mut() {
            let is_due = peer.due.is_some_and(|at| at <= now);
            if is_due && self.plant != Some(Plant::DeafToTimers) {
                peer.connection.handle_timeout(moment(now));
            }
        }
        if self.give_up_at.take_if(|at| *at <= now).is_some() {
            self.give_up(now);
        }
        if self.dial_at.is_some_and(|at| at <= now) {
            self.dial(now);
        }
    }

    fn hope(&mut self, now: Instant) {
        let is_waiting = self.done.contains(&false) && self.plant != Some(Plant::Patient);
        self.give_up_at = is_waiting.then_some(now + GIVE_UP_AFTER);
    }

    fn give_up(&mut self, now: Instant) {
        let open: Vec<_> = self.peers.values_mut().filter(|peer| !peer.connection.is_closed()).collect();
        if open.is_empty() {
            return;
        }
        for peer in open {
            peer.connection.close(moment(now), VarInt::from_u32(0), Bytes::new());
            peer.is_given_up = true;
        }
        self.lost(now, "nothing came back".to_owned());
    }

    /// Lets every connection do what it can, until none can do more.
    fn work(&mut self, now: Instant) {
        let handles: Vec<_> = self.peers.keys().copied().collect();
        for handle in handles {
            let Some(mut peer) = self.peers.remove(&handle) else { continue };
            while self.step(now, &mut peer) {}
            peer.due = peer.connection.poll_timeout().map(instant);
            if !peer.connection.is_drained() {
                self.peers.insert(handle, peer);
            }
        }
    }

    /// Whether there may be more to do.
    fn step(&mut self, now: Instant, peer: &mut Peer) -> bool {
        let mut moved = false;
        let mut lost = None;
        while let Some(event) = peer.connection.poll() {
            moved = true;
            if let quinn_proto::Event::ConnectionLost { reason } = event {
                lost = Some(reason.to_string());
            }
        }
        if let Some(reason) = lost.filter(|_| !peer.is_given_up) {
            self.lost(now, reason);
        } else if !peer.connection.is_closed() {
            let works = self.errand.as_ref().map_or(&[][..], |errand| &errand.works);
            let is_client = self.errand.is_some();
            moved |= peer.streams.serve(
                &mut peer.connection,
                peer.number,
                is_client.then_some((works, &self.done)),
                &mut self.events,
            );
            for event in &self.events {
                if let Event::Done { work, .. } = event {
                    self.done[*work] = true;
                }
            }
            if is_client && self.events.iter().any(|event| matches!(event, Event::Read { .. } | Event::Done { .. })) {
                self.hope(now);
            }
        }
        let mut datagram = Vec::new();
        while let Some(transmit) = peer.connection.poll_transmit(moment(now), 1, &mut datagram) {
            self.outbox.push_back((addr(transmit.destination), core::mem::take(&mut datagram)));
            moved = true;
        }
        while let Some(event) = peer.connection.poll_endpoint_events() {
            moved = true;
            if let Some(event) = self.endpoint.handle_event(peer.handle, event) {
                peer.connection.handle_event(event);
            }
        }
        moved
    }
}

impl Machine for Node {
    type Command = core::convert::Infallible;
    type Event = Event;

    fn handle(&mut self, now: Instant, input: Input<'_, Self::Command>) {
        let mut chance = self.chance.clone();
        with_chance(&mut chance, || {
            match input {
                Input::Timeout => self.timeout(now),
                Input::Datagram { from, bytes } => self.hear(now, from, bytes),
                _ => {}
            }
            self.work(now);
        });
        self.chance = chance;
    }

    fn poll(&mut self) -> Option<Output<'_, Event>> {
        if let Some(event) = self.events.pop_front() {
            return Some(Output::Event(event));
        }
        let (to, bytes) = self.outbox.pop_front()?;
        self.sent = bytes;
        Some(Output::Datagram { to: Destination::Addr(to), bytes: &self.sent })
    }

    fn fill(&mut self, _: PipeId, _: &mut [u8]) -> usize {
        0
    }

    fn next_timeout(&self) -> Option<Instant> {
        let timers = self.peers.values().filter_map(|peer| peer.due);
        let timers = timers.filter(|_| self.plant != Some(Plant::DeafToTimers));
        timers.chain(self.dial_at).chain(self.give_up_at).min()
    }
}

/// What two runs are compared by.
impl core::fmt::Debug for Node {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let stats = self.peers.values().map(|peer| (peer.number, peer.connection.stats()));
        f.debug_struct("Node")
            .field("done", &self.done)
            .field("dial_at", &self.dial_at)
            .field("connections", &stats.collect::<BTreeMap<_, _>>())
            .finish_non_exhaustive()
    }
}
