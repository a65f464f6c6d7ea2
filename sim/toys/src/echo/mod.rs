//! Requests and echoes over pipes, with a counter that outlives crashes, and pings over datagrams that ask for it.
//!
//! **Promise.** Every echo carries its request's bytes and a counter value that no other echo ever carried; the server
//! stores the value before the echo leaves. A server that starts never counts below a value that a client saw, whatever
//! crashes tore, unless the storage lost an acknowledged value. A pong is at least every value seen before its ping left.
//! A client's echoes come in order, each request's once for each start of the client; a request whose pipe broke is sent
//! again, so the server may count it twice. Nothing is lost when both sides finish a pipe. While pipes and datagrams get
//! through now and then and storing works now and then, `Done` comes.
//!
//! | what | bytes |
//! | --- | --- |
//! | request | body length u16, body |
//! | echo | body length u16, counter u64, body |
//! | ping | 1 u8, client's incarnation u64, number u32, checksum |
//! | pong | 2 u8, client's incarnation u64, number u32, counter u64, checksum |

mod client;
mod counter;
mod server;

use alloc::vec::Vec;
use core::convert::Infallible;

use machine::{Addr, Boot, Duration, Input, Instant, Machine, Output, PipeEnd, PipeId};

pub use client::Client;
pub use server::{PIPES_MAX, REQUESTS_MAX, Server};

use crate::wire::{self, Reader};

/// What a client does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Config {
    /// The server's address, for pipes and datagrams.
    pub server: Addr,
    /// Unique among the clients of a world; decides the requests' bytes.
    pub client: u32,
    /// How many requests, at least one.
    pub requests: u32,
    /// The longest body.
    pub bytes_max: u16,
    /// How many requests may wait for their echo: 1 to [`REQUESTS_MAX`].
    pub window: u32,
    /// When a dial that was not answered is given up.
    pub dial_timeout: Duration,
    /// When a pipe on which no echo byte came is given up.
    pub stall_timeout: Duration,
    /// The time between pings.
    pub ping_every: Duration,
}

impl Config {
    /// `requests` of up to 256 bytes to `server`, four at a time, with deadlines for a network of ordinary badness.
    pub const fn new(server: Addr, client: u32, requests: u32) -> Self {
        Self {
            server,
            client,
            requests,
            bytes_max: 256,
            window: 4,
            dial_timeout: Duration::from_secs(5),
            stall_timeout: Duration::from_secs(15),
            ping_every: Duration::from_millis(500),
        }
    }
}

/// What the application learns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// A server has started.
    Serving {
        /// The highest value that its storage still holds, 0 at first.
        counter: u64,
    },
    /// A client has started.
    Started {
        /// Which.
        client: u32,
    },
    /// A client got the echo of its next request.
    Echoed {
        /// Which request, from 0.
        index: u32,
        /// [`wire::digest`] of the echoed body.
        digest: u64,
        /// The value that the server stored for it.
        counter: u64,
    },
    /// A client's pipe has ended.
    Closed {
        /// How.
        reason: PipeEnd,
        /// How many of its requests were not echoed yet.
        missing: u32,
    },
    /// A client sends a ping.
    Pinged {
        /// Which, from 1.
        number: u32,
    },
    /// A client got a pong.
    Ponged {
        /// Of which ping.
        number: u32,
        /// The value that the server had stored.
        counter: u64,
    },
    /// A client has every echo, and a pong to a ping that left after the last of them.
    Done {
        /// Which.
        client: u32,
    },
}

impl Event {
    /// Whether the event is the same however a faultless network splits and delays: what worlds are compared by.
    pub const fn is_stable(&self) -> bool {
        !matches!(self, Self::Pinged { .. } | Self::Ponged { .. } | Self::Closed { .. })
    }
}

/// One end of the protocol.
#[derive(Debug)]
pub enum Echo {
    /// Asks.
    Client(Client),
    /// Answers.
    Server(Server),
}

impl Echo {
    /// A client that starts at once.
    pub fn client(boot: &Boot, config: Config) -> Self {
        Self::Client(Client::new(boot, config))
    }

    /// A server that counts on from what is stored.
    pub fn server(boot: &Boot) -> Self {
        Self::Server(Server::new(boot))
    }
}

impl Machine for Echo {
    type Command = Infallible;
    type Event = Event;

    fn handle(&mut self, now: Instant, input: Input<'_, Infallible>) {
        match self {
            Self::Client(client) => client.handle(now, &input),
            Self::Server(server) => server.handle(now, &input),
        }
    }

    fn poll(&mut self) -> Option<Output<'_, Event>> {
        match self {
            Self::Client(client) => client.outbox.poll(),
            Self::Server(server) => server.outbox.poll(),
        }
    }

    fn fill(&mut self, pipe: PipeId, room: &mut [u8]) -> usize {
        match self {
            Self::Client(client) => client.fill(pipe, room),
            Self::Server(server) => server.fill(pipe, room),
        }
    }

    fn next_timeout(&self) -> Option<Instant> {
        match self {
            Self::Client(client) => client.next_timeout(),
            Self::Server(server) => server.next_timeout(),
        }
    }
}

/// Cuts a byte stream into frames: length u16 of the body, `HEADER` bytes, body. Holds less than one frame between calls.
#[derive(Debug, Default)]
struct Frames<const HEADER: usize> {
    buffer: Vec<u8>,
}

impl<const HEADER: usize> Frames<HEADER> {
    /// Takes `bytes` and gives each whole frame's header and body to `each`.
    fn push(&mut self, bytes: &[u8], mut each: impl FnMut([u8; HEADER], &[u8])) {
        self.buffer.extend_from_slice(bytes);
        let mut rest = self.buffer.as_slice();
        while let Some((header, body, after)) = Self::split(rest) {
            each(header, body);
            rest = after;
        }
        let used = self.buffer.len() - rest.len();
        self.buffer.drain(..used);
    }

    fn split(bytes: &[u8]) -> Option<([u8; HEADER], &[u8], &[u8])> {
        let (length, rest) = bytes.split_first_chunk::<2>()?;
        let (header, rest) = rest.split_first_chunk::<HEADER>()?;
        let (body, after) = rest.split_at_checked(usize::from(u16::from_be_bytes(*length)))?;
        Some((*header, body, after))
    }

    fn encode(out: &mut Vec<u8>, header: [u8; HEADER], body: &[u8]) {
        let length = u16::try_from(body.len());
        assert!(length.is_ok(), "bodies are bounded when they are made");
        out.extend_from_slice(&length.unwrap_or_default().to_be_bytes());
        out.extend_from_slice(&header);
        out.extend_from_slice(body);
    }
}

/// The bytes of one half of a pipe that are encoded and not yet filled.
#[derive(Debug, Default)]
struct Unsent {
    bytes: Vec<u8>,
    written: usize,
}

impl Unsent {
    fn is_empty(&self) -> bool {
        self.written == self.bytes.len()
    }

    /// Moves what fits into `room`.
    fn write(&mut self, room: &mut [u8]) -> usize {
        let rest = &self.bytes[self.written..];
        let length = rest.len().min(room.len());
        room[..length].copy_from_slice(&rest[..length]);
        self.written += length;
        if self.is_empty() {
            self.bytes.clear();
            self.written = 0;
        }
        length
    }
}

/// A ping, or the question part of a pong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ping {
    /// The client's incarnation.
    pub incarnation: u64,
    /// Which ping.
    pub number: u32,
}

const PING: u8 = 1;
const PONG: u8 = 2;

impl Ping {
    /// The ping in `datagram`, or `None` if it is damaged or something else.
    pub fn parse(datagram: &[u8]) -> Option<Self> {
        let mut reader = Reader(wire::open(datagram)?);
        let ping = Self::read(&mut reader, PING)?;
        reader.0.is_empty().then_some(ping)
    }

    /// The ping and counter of the pong in `datagram`, or `None` if it is damaged or something else.
    pub fn parse_pong(datagram: &[u8]) -> Option<(Self, u64)> {
        let mut reader = Reader(wire::open(datagram)?);
        let pong = (Self::read(&mut reader, PONG)?, reader.u64()?);
        reader.0.is_empty().then_some(pong)
    }

    /// The ping's datagram.
    pub fn encode(self) -> Vec<u8> {
        let mut bytes = self.start(PING);
        wire::seal(&mut bytes);
        bytes
    }

    /// The datagram of the pong to it.
    pub fn encode_pong(self, counter: u64) -> Vec<u8> {
        let mut bytes = self.start(PONG);
        bytes.extend_from_slice(&counter.to_be_bytes());
        wire::seal(&mut bytes);
        bytes
    }

    fn read(reader: &mut Reader<'_>, kind: u8) -> Option<Self> {
        (reader.u8()? == kind).then_some(())?;
        Some(Self { incarnation: reader.u64()?, number: reader.u32()? })
    }

    fn start(self, kind: u8) -> Vec<u8> {
        let mut bytes = Vec::from([kind]);
        bytes.extend_from_slice(&self.incarnation.to_be_bytes());
        bytes.extend_from_slice(&self.number.to_be_bytes());
        bytes
    }
}
