//! One TCP connection and what its two halves still owe. Knows no ids and no machine.
//!
//! Every socket has `SO_LINGER` 0: closing it before both halves have ended sends a reset, even when the process is killed,
//! so that a peer reads an end of stream only where the machine finished its half.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr};
use std::time::Duration as StdDuration;

use machine::{Duration, Instant, PipeEnd};
use mio::event::{Event, Source};
use mio::net::TcpStream;
use mio::{Interest, Registry, Token};
use socket2::{Domain, Protocol, SockRef, Socket, Type};

use crate::clock::std_duration;
use crate::config::Config;

/// Bytes that the kernel takes ahead of the network. What it holds no priority can pass any more.
const UNSENT_BYTES_MAX: u32 = 64 * 1024;

/// The kernel's unit: less would mean its default, many minutes.
const MILLISECOND: StdDuration = StdDuration::from_millis(1);

/// How each socket is set up.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Tuning {
    pub(crate) patience: Duration,
    send_buffer_bytes: Option<usize>,
    receive_buffer_bytes: Option<usize>,
}

/// Readiness comes as edges, so it is kept here until the kernel takes it back: by `WouldBlock`, or by less than was asked for,
/// after which it tells of more by the next edge.
#[derive(Clone, Copy, Debug, Default)]
struct Ready {
    read: bool,
    write: bool,
    /// An end or an error lies behind the bytes: its edge has come, and no further one will.
    end: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Finish {
    No,
    /// After all that the machine still fills.
    Asked,
    Done,
}

#[derive(Debug)]
pub(crate) struct Pipe {
    socket: TcpStream,
    /// When the dial is given up; `None` once connected.
    pub(crate) dial_deadline: Option<Instant>,
    ready: Ready,
    /// The machine has bytes: `fill` has not returned 0 since it said so.
    wants_fill: bool,
    /// Filled but not taken by the kernel: at most one buffer.
    unsent: Vec<u8>,
    finish: Finish,
    peer_finished: bool,
    /// Waits in the table's queue.
    pub(crate) queued: bool,
}

/// What a read gave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Received {
    Nothing,
    Bytes(usize),
    Finished,
}

impl Tuning {
    pub(crate) const fn new(config: &Config) -> Self {
        let Config { patience, send_buffer_bytes, receive_buffer_bytes, .. } = *config;
        Self { patience, send_buffer_bytes, receive_buffer_bytes }
    }

    fn apply(&self, socket: &SockRef<'_>) -> io::Result<()> {
        socket.set_linger(Some(StdDuration::ZERO))?;
        socket.set_tcp_nodelay(true)?;
        socket.set_tcp_notsent_lowat(UNSENT_BYTES_MAX)?;
        socket.set_tcp_user_timeout(Some(std_duration(self.patience).max(MILLISECOND)))?;
        if let Some(bytes) = self.send_buffer_bytes {
            socket.set_send_buffer_size(bytes)?;
        }
        if let Some(bytes) = self.receive_buffer_bytes {
            socket.set_recv_buffer_size(bytes)?;
        }
        Ok(())
    }
}

impl Pipe {
    pub(crate) fn dial(to: SocketAddr, deadline: Instant, tuning: &Tuning) -> io::Result<Self> {
        let socket = Socket::new(Domain::for_address(to), Type::STREAM, Some(Protocol::TCP))?;
        socket.set_nonblocking(true)?;
        tuning.apply(&SockRef::from(&socket))?;
        if let Err(error) = socket.connect(&to.into())
            && error.raw_os_error() != Some(rustix::io::Errno::INPROGRESS.raw_os_error())
        {
            return Err(error);
        }
        Ok(Self::new(TcpStream::from_std(socket.into()), Some(deadline)))
    }

    pub(crate) fn accepted(socket: TcpStream, tuning: &Tuning) -> io::Result<Self> {
        tuning.apply(&SockRef::from(&socket))?;
        Ok(Self::new(socket, None))
    }

    fn new(socket: TcpStream, dial_deadline: Option<Instant>) -> Self {
        Self {
            socket,
            dial_deadline,
            ready: Ready::default(),
            wants_fill: false,
            unsent: Vec::new(),
            finish: Finish::No,
            peer_finished: false,
            queued: false,
        }
    }

    pub(crate) fn register(&mut self, registry: &Registry, token: Token) -> io::Result<()> {
        self.socket.register(registry, token, Interest::READABLE | Interest::WRITABLE)
    }

    /// Takes an edge. An error or a hang-up is found by the next read or write.
    pub(crate) fn on_ready(&mut self, event: &Event) {
        self.ready.end |= event.is_read_closed() || event.is_error();
        self.ready.read |= event.is_readable() || self.ready.end;
        self.ready.write |= event.is_writable() || event.is_write_closed() || event.is_error();
    }

    pub(crate) fn want_fill(&mut self) {
        self.wants_fill = self.finish != Finish::Done;
    }

    /// Asks for the end of the machine's half, after one more fill at least.
    pub(crate) fn finish(&mut self) {
        if self.finish == Finish::No {
            self.finish = Finish::Asked;
            self.wants_fill = true;
        }
    }

    /// Whether another visit would find something to do without a new edge.
    pub(crate) fn has_work(&self) -> bool {
        let to_write = self.wants_fill || !self.unsent.is_empty();
        self.dial_deadline.is_none() && (self.ready.read || self.ready.write && to_write)
    }

    /// Has the next visit read without an edge. Not if nothing can come, or something is to be written first: its edge, too,
    /// would be waited for.
    pub(crate) fn look_again(&mut self) -> bool {
        let may_look =
            !self.peer_finished && self.dial_deadline.is_none() && !self.wants_fill && self.unsent.is_empty();
        self.ready.read |= may_look;
        may_look
    }

    /// Whether the dial was answered by now.
    pub(crate) fn is_answered(&mut self) -> Result<bool, PipeEnd> {
        if let Some(error) = self.socket.take_error().unwrap_or_else(Some) {
            return Err(end_of_dial(&error));
        }
        match (self.socket.peer_addr(), self.socket.local_addr()) {
            // A dial of a free port of this host may get that port itself as its source, and so meet itself.
            (Ok(peer), Ok(own)) if peer == own => Err(PipeEnd::Refused),
            (Ok(_), _) => {
                self.dial_deadline = None;
                Ok(true)
            }
            (Err(_), _) => Ok(false),
        }
    }

    /// Reads once, into `buffer`.
    pub(crate) fn receive(&mut self, buffer: &mut [u8]) -> Result<Received, PipeEnd> {
        if !self.ready.read {
            return Ok(Received::Nothing);
        }
        if self.peer_finished {
            self.ready.read = false; // nothing but an error can come, and reading would not tell it
            return self.check().map(|()| Received::Nothing);
        }
        match self.socket.read(buffer) {
            Ok(0) => {
                self.peer_finished = true;
                Ok(Received::Finished)
            }
            Ok(length) => {
                self.ready.read = length == buffer.len() || self.ready.end;
                Ok(Received::Bytes(length))
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                self.ready.read = false;
                Ok(Received::Nothing)
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => Ok(Received::Nothing),
            Err(error) => Err(end_of(&error)),
        }
    }

    /// Writes what the kernel takes: first what is left over, then up to one `buffer` from `fill`. Then finishes if all is
    /// written. Returns how many bytes `fill` gave, if it was called.
    pub(crate) fn send(
        &mut self,
        buffer: &mut [u8],
        fill: &mut dyn FnMut(&mut [u8]) -> usize,
    ) -> Result<Option<usize>, PipeEnd> {
        self.send_unsent()?;
        let may_fill = self.wants_fill && self.ready.write && self.unsent.is_empty();
        let filled = may_fill.then(|| self.gather(buffer, fill));
        if let Some(filled) = filled {
            let written = self.write(&buffer[..filled])?;
            self.unsent.extend_from_slice(&buffer[written..filled]);
        }
        if self.finish == Finish::Asked && !self.wants_fill && self.unsent.is_empty() {
            self.socket.shutdown(Shutdown::Write).map_err(|error| end_of(&error))?;
            self.finish = Finish::Done;
        }
        Ok(filled)
    }

    /// Whether both halves have ended and the peer has acknowledged every byte: only then has the kernel let go of the
    /// connection, and the socket has no peer any more.
    pub(crate) fn is_over(&self) -> Result<bool, PipeEnd> {
        if !self.peer_finished || self.finish != Finish::Done || self.socket.peer_addr().is_ok() {
            return Ok(false);
        }
        self.check().map(|()| true)
    }

    fn check(&self) -> Result<(), PipeEnd> {
        match self.socket.take_error() {
            Ok(None) => Ok(()),
            Ok(Some(error)) | Err(error) => Err(end_of(&error)),
        }
    }

    fn send_unsent(&mut self) -> Result<(), PipeEnd> {
        if self.unsent.is_empty() || !self.ready.write {
            return Ok(());
        }
        let unsent = std::mem::take(&mut self.unsent);
        let written = self.write(&unsent)?;
        self.unsent = unsent;
        self.unsent.drain(..written);
        Ok(())
    }

    /// Fills `buffer` as far as the machine has bytes: many small fills cost one system call.
    fn gather(&mut self, buffer: &mut [u8], fill: &mut dyn FnMut(&mut [u8]) -> usize) -> usize {
        let mut filled = 0;
        while filled < buffer.len() {
            let room = &mut buffer[filled..];
            let length = fill(room);
            assert!(length <= room.len(), "a machine fills no more than its room");
            if length == 0 {
                self.wants_fill = false;
                break;
            }
            filled += length;
        }
        filled
    }

    fn write(&mut self, bytes: &[u8]) -> Result<usize, PipeEnd> {
        if bytes.is_empty() {
            return Ok(0);
        }
        match self.socket.write(bytes) {
            Ok(length) => {
                self.ready.write = length == bytes.len();
                Ok(length)
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                self.ready.write = false;
                Ok(0)
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => Ok(0),
            Err(error) => Err(end_of(&error)),
        }
    }
}

/// How a dial failed. The kernel's own silence limit may strike before the driver's.
pub(crate) fn end_of_dial(error: &io::Error) -> PipeEnd {
    if error.kind() == ErrorKind::TimedOut { PipeEnd::TimedOut } else { PipeEnd::Refused }
}

/// How a connected pipe failed. A peer that stays silent shows as the last thing that the network said of it.
fn end_of(error: &io::Error) -> PipeEnd {
    match error.kind() {
        ErrorKind::TimedOut | ErrorKind::HostUnreachable | ErrorKind::NetworkUnreachable => PipeEnd::TimedOut,
        _ => PipeEnd::Reset,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dial_that_meets_itself_is_refused() {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        socket.bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into()).unwrap();
        socket.connect(&socket.local_addr().unwrap()).unwrap();
        let mut pipe = Pipe::new(TcpStream::from_std(socket.into()), Some(Instant::ZERO));
        assert_eq!(pipe.is_answered(), Err(PipeEnd::Refused));
    }
}
