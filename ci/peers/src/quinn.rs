//! quinn's QUIC (`quinn-proto`), both ends in memory: datagrams go from one endpoint to the other, and time is a number that
//! goes on when nothing else does. No socket, no runtime.

use crate::tls;
use bytes::{Bytes, BytesMut};
use quinn_proto::congestion::CubicConfig;
use quinn_proto::crypto::rustls::{QuicClientConfig, QuicServerConfig};
use quinn_proto::{
    ClientConfig, Connection, ConnectionHandle, DatagramEvent, Dir, Endpoint, EndpointConfig, MtuDiscoveryConfig,
    ReadError, ServerConfig, StreamId, TransportConfig, WriteError,
};
use rustls::SupportedCipherSuite;
use rustls::crypto::ring::cipher_suite::TLS13_CHACHA20_POLY1305_SHA256;
use std::collections::VecDeque;
use std::hint::black_box;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Datagrams that one call may put together, as with segmentation offload.
const DATAGRAMS_MAX: usize = 10;
/// What may be under way: as many bytes as the fabric's session credit.
const WINDOW: u64 = 1024 * 1024;
/// The longest packet on Ethernet, without the headers of IPv6 and UDP.
pub const ETHERNET: u16 = 1_452;
/// The longest that UDP carries over IPv4.
pub const UDP: u16 = 65_507;

struct Side {
    endpoint: Endpoint,
    addr: SocketAddr,
    connection: Option<(ConnectionHandle, Connection)>,
    buffer: Vec<u8>,
}

struct Pair {
    sides: [Side; 2],
    now: Instant,
}

impl Side {
    fn new(server: Option<Arc<ServerConfig>>, mtu: u16, number: u8) -> Self {
        let mut config = EndpointConfig::default();
        config.max_udp_payload_size(mtu).unwrap();
        let endpoint = Endpoint::new(Arc::new(config), server, true, Some([number; 32]));
        let addr = SocketAddr::from((Ipv4Addr::LOCALHOST, u16::from(number)));
        Self { endpoint, addr, connection: None, buffer: Vec::new() }
    }

    fn connection(&mut self) -> &mut Connection {
        &mut self.connection.as_mut().unwrap().1
    }

    /// Takes in one datagram; what it leads to is sent by the next `send`.
    fn receive(&mut self, now: Instant, from: SocketAddr, datagram: BytesMut) {
        self.buffer.clear();
        match self.endpoint.handle(now, from, None, None, datagram, &mut self.buffer) {
            Some(DatagramEvent::ConnectionEvent(_, event)) => self.connection().handle_event(event),
            Some(DatagramEvent::NewConnection(incoming)) => {
                let accepted = self.endpoint.accept(incoming, now, &mut self.buffer, None);
                self.connection = Some(accepted.unwrap_or_else(|error| panic!("{:?}", error.cause)));
            }
            Some(DatagramEvent::Response(_)) | None => {}
        }
    }

    /// The datagrams that are to be sent now.
    fn send(&mut self, now: Instant, to: &mut VecDeque<BytesMut>) {
        let Some((handle, connection)) = &mut self.connection else { return };
        loop {
            self.buffer.clear();
            let Some(transmit) = connection.poll_transmit(now, DATAGRAMS_MAX, &mut self.buffer) else { break };
            let length = transmit.segment_size.unwrap_or(transmit.size);
            to.extend(self.buffer[..transmit.size].chunks(length).map(BytesMut::from));
        }
        while let Some(event) = connection.poll_endpoint_events() {
            if let Some(event) = self.endpoint.handle_event(*handle, event) {
                connection.handle_event(event);
            }
        }
        while let Some(event) = connection.poll() {
            black_box(event);
        }
    }
}

impl Pair {
    fn new(mtu: u16) -> Self {
        let (client, server) = configs(mtu);
        let mut sides = [Side::new(None, mtu, 1), Side::new(Some(Arc::new(server)), mtu, 2)];
        let now = Instant::now();
        let to = sides[1].addr;
        sides[0].connection = Some(sides[0].endpoint.connect(now, client, to, "peer").unwrap());
        let mut pair = Self { sides, now };
        while pair.sides.iter_mut().any(|side| side.connection.is_none() || side.connection().is_handshaking()) {
            pair.step();
        }
        pair
    }

    /// Lets every datagram arrive; where there is none, time goes on to the next timer.
    fn step(&mut self) {
        let mut moved = false;
        for from in 0..2 {
            let mut datagrams = VecDeque::new();
            self.sides[from].send(self.now, &mut datagrams);
            moved |= !datagrams.is_empty();
            let addr = self.sides[from].addr;
            for datagram in datagrams {
                self.sides[1 - from].receive(self.now, addr, datagram);
            }
        }
        if moved {
            self.now += Duration::from_micros(50);
            return;
        }
        let timers = self.sides.iter_mut().filter_map(|side| side.connection().poll_timeout());
        self.now = timers.min().unwrap_or(self.now).max(self.now);
        for side in &mut self.sides {
            let now = self.now;
            if side.connection().poll_timeout().is_some_and(|due| due <= now) {
                side.connection().handle_timeout(now);
            }
        }
    }
}

/// The configs of both ends, with this cipher, and else quinn's own choices.
pub fn default_configs(suite: SupportedCipherSuite) -> (ClientConfig, ServerConfig) {
    let (client, server) = tls::configs(suite);
    let client = ClientConfig::new(Arc::new(QuicClientConfig::try_from(client).unwrap()));
    (client, ServerConfig::with_crypto(Arc::new(QuicServerConfig::try_from(server).unwrap())))
}

fn configs(mtu: u16) -> (ClientConfig, ServerConfig) {
    let (mut client, mut server) = default_configs(TLS13_CHACHA20_POLY1305_SHA256);
    let mut congestion = CubicConfig::default();
    congestion.initial_window(WINDOW);
    let mut transport = TransportConfig::default();
    transport.initial_mtu(mtu).mtu_discovery_config(None::<MtuDiscoveryConfig>).send_window(WINDOW);
    transport.congestion_controller_factory(Arc::new(congestion));
    let transport = Arc::new(transport);
    client.transport_config(Arc::clone(&transport));
    server.transport_config(transport);
    (client, server)
}

/// What is left of one stream, at both ends.
struct Transfer {
    stream: StreamId,
    to_write: usize,
    to_read: usize,
}

/// Sends so many messages on each of these streams, in packets of at most `mtu` bytes.
pub fn transfer(mtu: u16, streams: usize, length: usize, messages: usize) -> impl FnMut() {
    let mut pair = Pair::new(mtu);
    let mut opened: Vec<StreamId> = Vec::new();
    while opened.len() < streams {
        match pair.sides[0].connection().streams().open(Dir::Uni) {
            Some(stream) => opened.push(stream),
            None => pair.step(),
        }
    }
    let message = Bytes::from(vec![7; length]);
    move || {
        let bytes = length * messages;
        let new = |stream: &StreamId| Transfer { stream: *stream, to_write: bytes, to_read: bytes };
        let mut transfers: Vec<_> = opened.iter().map(new).collect();
        while transfers.iter().any(|transfer| transfer.to_read > 0) {
            for transfer in &mut transfers {
                write(pair.sides[0].connection(), transfer, &message);
            }
            pair.step();
            for transfer in &mut transfers {
                read(pair.sides[1].connection(), transfer);
            }
        }
    }
}

fn write(connection: &mut Connection, transfer: &mut Transfer, message: &Bytes) {
    while transfer.to_write > 0 {
        let rest = 1 + (transfer.to_write - 1) % message.len();
        match connection.send_stream(transfer.stream).write(&message[message.len() - rest..]) {
            Ok(count) => transfer.to_write -= count,
            Err(WriteError::Blocked) => return,
            Err(error) => panic!("{error}"),
        }
    }
}

fn read(connection: &mut Connection, transfer: &mut Transfer) {
    let mut stream = connection.recv_stream(transfer.stream);
    let Ok(mut chunks) = stream.read(true) else { return };
    loop {
        match chunks.next(usize::MAX) {
            Ok(Some(chunk)) => {
                transfer.to_read -= chunk.bytes.len();
                black_box(&chunk.bytes);
            }
            Ok(None) | Err(ReadError::Blocked) => break,
            Err(error) => panic!("{error}"),
        }
    }
    let _ = chunks.finalize();
}
