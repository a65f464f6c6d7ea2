//! One TCP connection through the relay: two sockets, and in each direction what is on its way from one to the other.
//!
//! A segment that is lost is sent again after a while, and all behind it wait: that is how loss shows in TCP. How one side
//! ends is how the other sees it end: a finished half by a finished half, a reset by a reset.

use super::super::medium::{Medium, Transit};
use ::sim::Time;
use ::sim::fate::Key;
use mio::event::Event;
use mio::net::TcpStream;
use socket2::SockRef;
use std::collections::VecDeque;
use std::io::{self, ErrorKind, Read, Write};
use std::net::Shutdown;
use std::time::Duration;

/// Passes over one connection before the others have their turn.
const PASSES_MAX: u32 = 32;
/// Longer segments than these are no use.
const SEGMENT_MAX: usize = 64 * 1024;

/// Which side: 0 dialled, 1 accepts.
pub(super) const DIALLER: usize = 0;
pub(super) const ACCEPTOR: usize = 1;

pub(super) struct Conn {
    /// The nodes at its sides.
    pub(super) nodes: [u32; 2],
    key: Key,
    ends: [End; 2],
    /// What each end has sent.
    halves: [Half; 2],
    /// When it has something to do without being asked.
    pub(super) due: Option<Time>,
}

/// What a visit left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    Open,
    /// The dial has arrived: the acceptor's socket is to be made.
    Dials,
    /// Both halves are finished.
    Finished,
    /// Reset; both sockets are to be.
    Broken,
}

#[expect(
    clippy::struct_excessive_bools,
    reason = "TCP's two halves end independently, each by itself or with its node"
)]
#[derive(Default)]
struct End {
    socket: Option<TcpStream>,
    connected: bool,
    readable: bool,
    writable: bool,
    /// Nothing more comes from it.
    is_over: bool,
    /// Its node has reset it, or is gone: what is for it is for nobody.
    is_gone: bool,
}

#[derive(Default)]
struct Half {
    queue: VecDeque<Segment>,
    bytes: usize,
    next: u64,
    /// Of the first segment.
    written: usize,
    is_finished: bool,
}

#[derive(Debug)]
enum Content {
    Dial,
    Data(Vec<u8>),
    Finish,
    Reset,
}

struct Segment {
    content: Content,
    key: Key,
    attempt: u32,
    first_sent: Time,
    transit: Transit,
}

impl Conn {
    /// The relay has accepted `socket` from the dialler.
    pub(super) fn new(now: Time, nodes: [u32; 2], key: Key, socket: TcpStream, medium: &mut Medium) -> Self {
        let dialler = End { socket: Some(socket), connected: true, readable: true, writable: true, ..End::default() };
        let (ends, halves) = ([dialler, End::default()], Default::default());
        let mut conn = Self { nodes, key, ends, halves, due: None };
        conn.send(now, DIALLER, Content::Dial, medium);
        conn
    }

    /// The acceptor's socket is being connected.
    pub(super) fn dialled(&mut self, socket: TcpStream) {
        self.ends[ACCEPTOR].socket = Some(socket);
    }

    pub(super) fn on_ready(&mut self, side: usize, event: &Event) {
        let end = &mut self.ends[side];
        end.readable |= event.is_readable() || event.is_read_closed() || event.is_error();
        end.writable |= event.is_writable() || event.is_write_closed() || event.is_error();
    }

    fn direction(&self, side: usize) -> (u32, u32) {
        (self.nodes[side], self.nodes[1 - side])
    }

    fn send(&mut self, now: Time, side: usize, content: Content, medium: &mut Medium) {
        let half = &mut self.halves[side];
        let key = self.key.number(side as u64).number(half.next);
        half.next += 1;
        half.bytes += content.length();
        let length = content.length() as u32;
        let transit = medium.segment(now, (self.nodes[side], self.nodes[1 - side]), key, 0, length);
        half.queue.push_back(Segment { content, key, attempt: 0, first_sent: now, transit });
    }

    /// The side's node has reset the connection, or its process has died.
    pub(super) fn reset_by(&mut self, now: Time, side: usize, medium: &mut Medium) {
        let end = &mut self.ends[side];
        if end.is_gone {
            return;
        }
        (end.is_over, end.is_gone) = (true, true);
        if medium.dark.contains(&self.nodes[side]) {
            return; // lost power tells nothing
        }
        self.send(now, side, Content::Reset, medium);
    }

    /// The side's node has power again and knows nothing of the connection.
    pub(super) fn relit(&mut self, now: Time, side: usize, medium: &mut Medium) {
        self.ends[side].is_gone = true;
        self.send(now, side, Content::Reset, medium);
    }

    /// Moves what can be moved now.
    pub(super) fn visit(&mut self, now: Time, medium: &mut Medium) -> State {
        for _ in 0..PASSES_MAX {
            let mut moved = false;
            for side in [DIALLER, ACCEPTOR] {
                moved |= self.receive(now, side, medium);
                match self.deliver(now, side, medium) {
                    Ok(delivered) => moved |= delivered,
                    Err(state) => return state,
                }
            }
            if self.halves.iter().all(|half| half.is_finished) {
                return State::Finished;
            }
            if !moved {
                self.due = self.next_due(now);
                return State::Open;
            }
        }
        self.due = Some(now);
        State::Open
    }

    /// Reads segments from the side's socket while its direction has room for them.
    fn receive(&mut self, now: Time, side: usize, medium: &mut Medium) -> bool {
        let mut moved = self.connect(now, side, medium);
        if !self.ends[side].connected || self.ends[side].is_gone {
            return moved;
        }
        let (from, to) = self.direction(side);
        let segment = medium.pipes.segment.min(medium.profile(from, to).mtu).max(1) as usize;
        let mut buffer = vec![0; segment.min(SEGMENT_MAX)];
        loop {
            let end = &mut self.ends[side];
            let has_room = self.halves[side].bytes < medium.pipes.buffer as usize;
            let Some(socket) = end.socket.as_mut().filter(|_| end.readable && !end.is_over && has_room) else {
                return moved;
            };
            match socket.read(&mut buffer) {
                Ok(0) => {
                    end.is_over = true;
                    self.send(now, side, Content::Finish, medium);
                }
                Ok(read) => self.send(now, side, Content::Data(buffer[..read].to_vec()), medium),
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    end.readable = false;
                    return moved;
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(_) => self.reset_by(now, side, medium),
            }
            moved = true;
        }
    }

    /// Asks whether a dial was answered, if it has not been; whether it was by now. A dial that failed is a reset.
    fn connect(&mut self, now: Time, side: usize, medium: &mut Medium) -> bool {
        let end = &mut self.ends[side];
        if end.connected || end.is_gone || !end.writable {
            return false;
        }
        let Some(socket) = &end.socket else { return false };
        match (socket.take_error(), socket.peer_addr()) {
            (Ok(None), Ok(_)) => end.connected = true,
            (Ok(None), Err(error)) if error.kind() == ErrorKind::NotConnected => return false,
            _ => {
                medium.counts.pipes_refused += 1;
                self.reset_by(now, side, medium);
            }
        }
        true
    }

    /// Sends again what was lost, and hands on what has arrived from `side`, in order.
    fn deliver(&mut self, now: Time, side: usize, medium: &mut Medium) -> Result<bool, State> {
        self.send_again(now, side, medium)?;
        let mut moved = false;
        while let Some(first) = self.halves[side].queue.front() {
            if !matches!(first.transit, Transit::Arrives(at) if at <= now) {
                break;
            }
            match &first.content {
                Content::Reset => return Err(State::Broken),
                Content::Dial => {
                    self.pop(side);
                    return Err(State::Dials);
                }
                Content::Finish => {
                    if !self.can_write(side) {
                        break;
                    }
                    if let Some(socket) = &self.ends[1 - side].socket {
                        let _ = socket.shutdown(Shutdown::Write); // a socket that is gone says so when it is read
                    }
                    self.pop(side);
                    self.halves[side].is_finished = true;
                }
                Content::Data(_) => {
                    if !self.write(now, side, medium) {
                        break;
                    }
                }
            }
            moved = true;
        }
        Ok(moved)
    }

    fn pop(&mut self, side: usize) {
        let half = &mut self.halves[side];
        if let Some(segment) = half.queue.pop_front() {
            half.bytes -= segment.content.length();
            half.written = 0;
        }
    }

    /// Whether the other end is there; one that is gone takes everything.
    fn can_write(&self, side: usize) -> bool {
        self.ends[1 - side].connected || self.ends[1 - side].is_gone
    }

    /// Writes more of the first segment to the other end; whether anything was done.
    fn write(&mut self, now: Time, side: usize, medium: &mut Medium) -> bool {
        let (half, end) = (&mut self.halves[side], &mut self.ends[1 - side]);
        let Some(Segment { content: Content::Data(bytes), .. }) = half.queue.front() else { return false };
        if end.is_gone {
            self.pop(side);
            return true;
        }
        let Some(socket) = end.socket.as_mut().filter(|_| end.connected && end.writable) else { return false };
        match socket.write(&bytes[half.written..]) {
            Ok(written) => {
                half.written += written;
                if half.written == bytes.len() {
                    self.pop(side);
                }
                true
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                end.writable = false;
                false
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => true,
            Err(_) => {
                // The error is told once: whoever read next would take the end for a clean one.
                self.reset_by(now, 1 - side, medium);
                true
            }
        }
    }

    fn send_again(&mut self, now: Time, side: usize, medium: &mut Medium) -> Result<(), State> {
        let direction = self.direction(side);
        for segment in &mut self.halves[side].queue {
            match segment.transit {
                Transit::Lost { again } if again <= now => {
                    if now.since(segment.first_sent) > medium.pipes.patience {
                        medium.counts.pipes_timed_out += 1;
                        return Err(State::Broken);
                    }
                    segment.attempt += 1;
                    let length = segment.content.length() as u32;
                    segment.transit = medium.segment(now, direction, segment.key, segment.attempt, length);
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn next_due(&self, now: Time) -> Option<Time> {
        let due = |half: &Half| {
            let lost = half.queue.iter().filter_map(|segment| match segment.transit {
                Transit::Lost { again } => Some(again),
                Transit::Arrives(_) => None,
            });
            let first = half.queue.front().and_then(|segment| match segment.transit {
                Transit::Arrives(at) if at > now => Some(at),
                _ => None,
            });
            lost.chain(first).min()
        };
        self.halves.iter().filter_map(due).min()
    }

    /// Lets the kernel end both sockets in its own time, since nothing is left to say. Dropped otherwise, they are reset.
    pub(super) fn finish(&self) {
        for socket in self.ends.iter().filter_map(|end| end.socket.as_ref()) {
            let _ = SockRef::from(socket).set_linger(None);
        }
    }
}

/// Sets a socket of the relay up: dropped, it is reset, and nothing waits in it.
pub(super) fn tune(socket: &SockRef<'_>) -> io::Result<()> {
    socket.set_nonblocking(true)?;
    socket.set_linger(Some(Duration::ZERO))?;
    socket.set_tcp_nodelay(true)
}

impl Content {
    const fn length(&self) -> usize {
        match self {
            Self::Data(bytes) => bytes.len(),
            Self::Dial | Self::Finish | Self::Reset => 0,
        }
    }
}
