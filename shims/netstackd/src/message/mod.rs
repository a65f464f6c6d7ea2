//! The facade's messages: what a client may ask of the stack, what it answers, and their bytes. Knows no socket.
//!
//! Integers are big-endian. Every message fits [`MESSAGE_BYTES_MAX`]. Decoding is total: any bytes give a message or
//! [`Status::Malformed`]; and canonical: no two byte strings mean the same message.
//!
//! A request is `nonce u64, op u8, fields`; a reply is `nonce u64, op u8, status u8`, and, when the status is `ok`, fields.
//! A `payload` runs to the end of its message, at most [`PAYLOAD_BYTES_MAX`] bytes. An `endpoint` is an IPv4 address in 4
//! bytes and a port u16; a `handle` is a u32 that the stack gave; a `deadline` is a u64, see below.
//!
//! | op | request | request fields | reply fields |
//! | --- | --- | --- | --- |
//! | 1 | `udp_bind` | port u16 | handle |
//! | 2 | `udp_send_to` | handle, endpoint, payload | |
//! | 3 | `udp_recv_from` | handle, deadline | endpoint, payload |
//! | 4 | `udp_join` | handle, group address 4 bytes | |
//! | 5 | `tcp_listen` | port u16, backlog u8 | handle |
//! | 6 | `tcp_accept` | handle, deadline | handle, endpoint |
//! | 7 | `tcp_connect` | endpoint | handle, at once; `tcp_wait_writable` tells how it went |
//! | 8 | `tcp_read` | handle, deadline | payload, at least one byte |
//! | 9 | `tcp_write` | handle, payload of at least one byte | bytes taken u32, at least one |
//! | 10 | `tcp_wait_writable` | handle, deadline | bytes of room u32, at least one |
//! | 11 | `tcp_close` | handle, mode u8: 0 finish, 1 abort | |
//! | 12 | `local_addr` | handle | endpoint |
//! | 13 | `ping` | | the stack's clock u64, ns |
//!
//! | status | meaning |
//! | --- | --- |
//! | 0 `ok` | done |
//! | 1 `would_block` | nothing for now, and the deadline has not come: ask again |
//! | 2 `timed_out` | nothing for now, and the deadline has come |
//! | 3 `invalid_input` | a field makes no sense here: no such handle of this client, port 0, a payload that is too long |
//! | 4 `addr_in_use` | the port is taken |
//! | 5 `not_connected` | the handle has no established connection, or its sending half is finished |
//! | 6 `disconnected` | the connection was given up: the peer did not answer for the stack's user timeout |
//! | 7 `no_buffers` | a table or queue is full |
//! | 8 `unsupported` | no such op |
//! | 9 `malformed` | the message is too short, too long, or not canonical |
//! | 10 `finished` | reading: the peer has finished its half; waiting to write: both halves are, and all is acknowledged |
//! | 11 `reset` | the peer aborted the connection |
//! | 12 `refused` | nobody listens there, or there is no way there |
//!
//! No request blocks. A deadline, in ns of the stack's clock, tells which of `would_block` and `timed_out` an answer is;
//! [`NO_DEADLINE`] is never reached. `finish` ends the sending half after all that was written; `abort` ends everything at
//! once and frees the handle, of whatever kind: a client aborts every handle in the end.

mod fields;

use alloc::vec::Vec;
use core::net::Ipv4Addr;

use machine::Instant;

use fields::{Reader, Writer};

/// The longest payload: one sealed record of the session layer, or any datagram that fits a frame.
pub const PAYLOAD_BYTES_MAX: usize = 16 * 1024;
/// The longest message: a request to send the longest payload.
pub const MESSAGE_BYTES_MAX: usize = 9 + 10 + PAYLOAD_BYTES_MAX;
/// A deadline that never comes.
pub const NO_DEADLINE: Instant = Instant::from_nanos(u64::MAX);

/// A socket of one client.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Handle(pub(crate) u32);

impl Handle {
    /// The handle with this number, as a message carries it. Whether it is one, the stack finds out.
    pub const fn new(number: u32) -> Self {
        Self(number)
    }
}

/// An IPv4 address and a port.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Endpoint {
    /// The host.
    pub host: Ipv4Addr,
    /// The port; 0 is not valid in a request.
    pub port: u16,
}

/// How `tcp_close` ends a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Close {
    /// The sending half, after all that was written.
    Finish,
    /// Everything, at once.
    Abort,
}

/// What a client asks. The module's table has the meaning of each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the module's table documents every request and field")]
pub enum Request<'a> {
    UdpBind { port: u16 },
    UdpSendTo { socket: Handle, to: Endpoint, payload: &'a [u8] },
    UdpRecvFrom { socket: Handle, deadline: Instant },
    UdpJoin { socket: Handle, group: Ipv4Addr },
    TcpListen { port: u16, backlog: u8 },
    TcpAccept { socket: Handle, deadline: Instant },
    TcpConnect { to: Endpoint },
    TcpRead { socket: Handle, deadline: Instant },
    TcpWrite { socket: Handle, payload: &'a [u8] },
    TcpWaitWritable { socket: Handle, deadline: Instant },
    TcpClose { socket: Handle, how: Close },
    LocalAddr { socket: Handle },
    Ping,
}

/// What a request that went well gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer<'a> {
    /// Nothing but that it is done.
    Done,
    /// A new socket.
    Opened(Handle),
    /// A datagram.
    Datagram {
        /// Its source.
        from: Endpoint,
        /// Its payload.
        payload: &'a [u8],
    },
    /// A connection that a peer made.
    Accepted {
        /// Its socket.
        socket: Handle,
        /// The peer.
        from: Endpoint,
    },
    /// The next bytes of a connection.
    Bytes(&'a [u8]),
    /// How many bytes were taken.
    Written(u32),
    /// How many bytes can be written now.
    Writable(u32),
    /// The socket's own end.
    Local(Endpoint),
    /// The stack's clock.
    Alive(Instant),
}

/// Why a request gave nothing. The module's table has the meaning of each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the module's table documents every status")]
#[repr(u8)]
pub enum Status {
    WouldBlock = 1,
    TimedOut = 2,
    InvalidInput = 3,
    AddrInUse = 4,
    NotConnected = 5,
    Disconnected = 6,
    NoBuffers = 7,
    Unsupported = 8,
    Malformed = 9,
    Finished = 10,
    Reset = 11,
    Refused = 12,
}

impl Status {
    const ALL: [Self; 12] = [
        Self::WouldBlock,
        Self::TimedOut,
        Self::InvalidInput,
        Self::AddrInUse,
        Self::NotConnected,
        Self::Disconnected,
        Self::NoBuffers,
        Self::Unsupported,
        Self::Malformed,
        Self::Finished,
        Self::Reset,
        Self::Refused,
    ];
}

impl core::fmt::Display for Status {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(match self {
            Self::WouldBlock => "nothing for now",
            Self::TimedOut => "the deadline has come",
            Self::InvalidInput => "a field makes no sense",
            Self::AddrInUse => "the port is taken",
            Self::NotConnected => "there is no connection",
            Self::Disconnected => "the peer does not answer",
            Self::NoBuffers => "a table or queue is full",
            Self::Unsupported => "there is no such request",
            Self::Malformed => "the message is not well formed",
            Self::Finished => "the stream is finished",
            Self::Reset => "the peer aborted the connection",
            Self::Refused => "nobody listens there",
        })
    }
}

impl core::error::Error for Status {}

/// The answer to one request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reply<'a> {
    /// The request's.
    pub nonce: u64,
    /// The request's, as it came.
    pub op: u8,
    /// How it went.
    pub result: Result<Answer<'a>, Status>,
}

/// A request's nonce and op, as far as they are there: what a reply to it repeats, well formed or not.
pub(crate) fn head(bytes: &[u8]) -> (u64, u8) {
    let mut reader = Reader(bytes);
    (reader.u64().unwrap_or(0), reader.u8().unwrap_or(0))
}

impl<'a> Request<'a> {
    /// Reads a request and its nonce: [`Status::Unsupported`] for an unknown op, [`Status::Malformed`] for all else.
    pub fn decode(bytes: &'a [u8]) -> Result<(u64, Self), Status> {
        let mut reader = Reader(bytes);
        let (nonce, op) = (reader.u64()?, reader.u8()?);
        let request = match op {
            1 => Self::UdpBind { port: reader.u16()? },
            2 => Self::UdpSendTo { socket: reader.handle()?, to: reader.endpoint()?, payload: reader.payload()? },
            3 => Self::UdpRecvFrom { socket: reader.handle()?, deadline: reader.instant()? },
            4 => Self::UdpJoin { socket: reader.handle()?, group: reader.host()? },
            5 => Self::TcpListen { port: reader.u16()?, backlog: reader.u8()? },
            6 => Self::TcpAccept { socket: reader.handle()?, deadline: reader.instant()? },
            7 => Self::TcpConnect { to: reader.endpoint()? },
            8 => Self::TcpRead { socket: reader.handle()?, deadline: reader.instant()? },
            9 => Self::TcpWrite { socket: reader.handle()?, payload: reader.payload_of_some()? },
            10 => Self::TcpWaitWritable { socket: reader.handle()?, deadline: reader.instant()? },
            11 => Self::TcpClose { socket: reader.handle()?, how: reader.close()? },
            12 => Self::LocalAddr { socket: reader.handle()? },
            13 => Self::Ping,
            _ => return Err(Status::Unsupported),
        };
        reader.end()?;
        Ok((nonce, request))
    }

    /// Writes the request into `out`, whose old content goes.
    pub fn encode(&self, nonce: u64, out: &mut Vec<u8>) {
        out.clear();
        let mut writer = Writer(out);
        writer.u64(nonce);
        writer.u8(self.op());
        match *self {
            Self::UdpBind { port } => writer.u16(port),
            Self::UdpSendTo { socket, to, payload } => {
                writer.handle(socket);
                writer.endpoint(to);
                writer.bytes(payload);
            }
            Self::UdpJoin { socket, group } => {
                writer.handle(socket);
                writer.bytes(&group.octets());
            }
            Self::TcpListen { port, backlog } => {
                writer.u16(port);
                writer.u8(backlog);
            }
            Self::TcpConnect { to } => writer.endpoint(to),
            Self::TcpWrite { socket, payload } => {
                writer.handle(socket);
                writer.bytes(payload);
            }
            Self::UdpRecvFrom { socket, deadline }
            | Self::TcpAccept { socket, deadline }
            | Self::TcpRead { socket, deadline }
            | Self::TcpWaitWritable { socket, deadline } => {
                writer.handle(socket);
                writer.u64(deadline.as_nanos());
            }
            Self::TcpClose { socket, how } => {
                writer.handle(socket);
                writer.u8(u8::from(how == Close::Abort));
            }
            Self::LocalAddr { socket } => writer.handle(socket),
            Self::Ping => {}
        }
    }

    const fn op(&self) -> u8 {
        match self {
            Self::UdpBind { .. } => 1,
            Self::UdpSendTo { .. } => 2,
            Self::UdpRecvFrom { .. } => 3,
            Self::UdpJoin { .. } => 4,
            Self::TcpListen { .. } => 5,
            Self::TcpAccept { .. } => 6,
            Self::TcpConnect { .. } => 7,
            Self::TcpRead { .. } => 8,
            Self::TcpWrite { .. } => 9,
            Self::TcpWaitWritable { .. } => 10,
            Self::TcpClose { .. } => 11,
            Self::LocalAddr { .. } => 12,
            Self::Ping => 13,
        }
    }
}

impl<'a> Reply<'a> {
    /// Reads a reply; [`Status::Malformed`] when it is none.
    pub fn decode(bytes: &'a [u8]) -> Result<Self, Status> {
        let mut reader = Reader(bytes);
        let (nonce, op, status) = (reader.u64()?, reader.u8()?, reader.u8()?);
        let result = if status == 0 { Ok(reader.answer(op)?) } else { Err(status_of(status)?) };
        reader.end()?;
        Ok(Self { nonce, op, result })
    }

    /// Writes the reply into `out`, whose old content goes.
    pub fn encode(&self, out: &mut Vec<u8>) {
        out.clear();
        let mut writer = Writer(out);
        writer.u64(self.nonce);
        writer.u8(self.op);
        writer.u8(self.result.map_or_else(|status| status as u8, |_| 0));
        match self.result {
            Ok(Answer::Opened(socket)) => writer.handle(socket),
            Ok(Answer::Datagram { from, payload }) => {
                writer.endpoint(from);
                writer.bytes(payload);
            }
            Ok(Answer::Accepted { socket, from }) => {
                writer.handle(socket);
                writer.endpoint(from);
            }
            Ok(Answer::Bytes(payload)) => writer.bytes(payload),
            Ok(Answer::Written(count) | Answer::Writable(count)) => writer.bytes(&count.to_be_bytes()),
            Ok(Answer::Local(endpoint)) => writer.endpoint(endpoint),
            Ok(Answer::Alive(now)) => writer.u64(now.as_nanos()),
            Ok(Answer::Done) | Err(_) => {}
        }
    }
}

fn status_of(byte: u8) -> Result<Status, Status> {
    Status::ALL.into_iter().find(|status| *status as u8 == byte).ok_or(Status::Malformed)
}
