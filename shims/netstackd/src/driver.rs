//! Runs a [`Machine`] as a client of the facade, by the contract of [`machine`]. Knows no protocol and no smoltcp.
//!
//! A driver is turned whenever something may have happened: frames came in, the machine got a command, a deadline came.
//! One turn moves all that can move, in bounded rounds, and leaves the rest to the next.

use alloc::collections::BTreeMap;
use alloc::vec;
use alloc::vec::Vec;
use core::net::{Ipv4Addr, SocketAddr, SocketAddrV4};

use machine::{Addr, Destination, Input, Instant, Machine, Output, PipeEnd, PipeId};
use smoltcp::phy::Device;

use crate::channel::{Channel, Client};
use crate::message::{Answer, Close, Endpoint, Handle, NO_DEADLINE, PAYLOAD_BYTES_MAX, Request, Status};
use crate::service::{ClientId, NetStack};

/// Rounds in one turn: what one round hands to the machine may give the next something to do.
const ROUNDS_PER_TURN: usize = 16;
/// Datagrams, connections, reads and fills of one kind in one round.
const STEPS_PER_ROUND: usize = 16;
/// Outputs taken from the machine in one round.
const OUTPUTS_PER_ROUND: usize = 256;

/// Where a driver listens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ports {
    /// Datagrams come and go by this port, those to the group too.
    pub datagrams: u16,
    /// Pipes are accepted at this port.
    pub pipes: u16,
    /// Connections that wait to be accepted, the handshakes under way included.
    pub backlog: u8,
    /// [`Destination::Group`]: a multicast address, or 255.255.255.255.
    pub group: Ipv4Addr,
}

impl Ports {
    /// One port for both, the group 239.42.0.1, and a backlog of 8.
    pub const fn new(port: u16) -> Self {
        Self { datagrams: port, pipes: port, backlog: 8, group: Ipv4Addr::new(239, 42, 0, 1) }
    }
}

/// Those outputs of a machine that are not for the network.
pub trait Owner<E> {
    /// [`Output::Event`].
    fn event(&mut self, event: E);
    /// [`Output::Store`]: to be answered by [`Input::Stored`].
    fn store(&mut self, key: &str, bytes: &[u8]);
}

/// The sockets of one machine.
#[derive(Debug)]
pub struct Driver {
    id: ClientId,
    client: Client,
    channel: Channel,
    group: Endpoint,
    datagrams: Handle,
    listener: Handle,
    pipes: BTreeMap<PipeId, Pipe>,
    /// How many pipes were accepted.
    accepted: u64,
    /// Pipes that ended, and that the machine has not been told of.
    ended: Vec<(PipeId, PipeEnd)>,
    buffer: Vec<u8>,
    dropped: u64,
    is_behind: bool,
}

#[derive(Clone, Copy, Debug)]
struct Pipe {
    socket: Handle,
    is_open: bool,
    peer_finished: bool,
    sending: Sending,
}

/// The machine's half of a pipe.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sending {
    /// Nothing to fill.
    Idle,
    /// To be filled until the machine gives no more.
    Filling,
    /// To be filled to the end, and then finished.
    Finishing,
    /// Finished; the stack still sends what it has.
    Finished,
}

impl Pipe {
    const fn new(socket: Handle, is_open: bool) -> Self {
        Self { socket, is_open, peer_finished: false, sending: Sending::Idle }
    }

    fn fill(&mut self) {
        if self.sending == Sending::Idle {
            self.sending = Sending::Filling;
        }
    }

    fn finish(&mut self) {
        if self.sending != Sending::Finished {
            self.sending = Sending::Finishing;
        }
    }
}

impl Driver {
    /// Opens a machine's sockets as the client `id`.
    pub fn new<D: Device>(now: Instant, id: ClientId, ports: Ports, stack: &mut NetStack<D>) -> Result<Self, Status> {
        let mut driver = Self {
            id,
            client: Client::default(),
            channel: Channel::default(),
            group: Endpoint { host: ports.group, port: ports.datagrams },
            datagrams: Handle(0),
            listener: Handle(0),
            pipes: BTreeMap::new(),
            accepted: 0,
            ended: Vec::new(),
            buffer: vec![0; PAYLOAD_BYTES_MAX],
            dropped: 0,
            is_behind: false,
        };
        driver.datagrams = driver.open(now, stack, &Request::UdpBind { port: ports.datagrams })?;
        if ports.group.is_multicast() {
            let join = Request::UdpJoin { socket: driver.datagrams, group: ports.group };
            driver.call(now, stack, &join)?;
        }
        let listen = Request::TcpListen { port: ports.pipes, backlog: ports.backlog };
        driver.listener = driver.open(now, stack, &listen)?;
        Ok(driver)
    }

    /// Moves all that can move between `machine` and `stack`.
    pub fn turn<M: Machine, D: Device>(
        &mut self,
        now: Instant,
        stack: &mut NetStack<D>,
        machine: &mut M,
        owner: &mut impl Owner<M::Event>,
    ) {
        if machine.next_timeout().is_some_and(|deadline| deadline <= now) {
            machine.handle(now, Input::Timeout);
        }
        let rounds = (0..ROUNDS_PER_TURN).take_while(|_| {
            stack.poll(now);
            self.round(now, stack, machine, owner)
        });
        self.is_behind = rounds.count() == ROUNDS_PER_TURN;
        stack.poll(now);
    }

    /// When to turn next, if nothing comes in.
    pub fn next_timeout<M: Machine, D: Device>(
        &self,
        now: Instant,
        stack: &mut NetStack<D>,
        machine: &M,
    ) -> Option<Instant> {
        let behind = self.is_behind.then_some(now);
        [behind, stack.next_timeout(now), machine.next_timeout()].into_iter().flatten().min()
    }

    /// Datagrams that the stack did not take.
    pub const fn dropped(&self) -> u64 {
        self.dropped
    }

    /// One of each; whether anything moved.
    fn round<M: Machine, D: Device>(
        &mut self,
        now: Instant,
        stack: &mut NetStack<D>,
        machine: &mut M,
        owner: &mut impl Owner<M::Event>,
    ) -> bool {
        let mut moved = self.take_outputs(now, stack, machine, owner);
        moved |= self.accept(now, stack, machine);
        moved |= self.receive(now, stack, machine);
        let pipes: Vec<PipeId> = self.pipes.keys().copied().collect();
        for id in pipes {
            moved |= self.open_pipe(now, stack, machine, id);
            moved |= self.read(now, stack, machine, id);
            moved |= self.fill(now, stack, machine, id);
            moved |= self.finish(now, stack, id);
        }
        for (pipe, reason) in core::mem::take(&mut self.ended) {
            machine.handle(now, Input::PipeClosed { pipe, reason });
            moved = true;
        }
        moved
    }

    fn take_outputs<M: Machine, D: Device>(
        &mut self,
        now: Instant,
        stack: &mut NetStack<D>,
        machine: &mut M,
        owner: &mut impl Owner<M::Event>,
    ) -> bool {
        let mut count = 0;
        while count < OUTPUTS_PER_ROUND
            && let Some(output) = machine.poll()
        {
            count += 1;
            match output {
                Output::Event(event) => owner.event(event),
                Output::Store { key, bytes } => owner.store(key, bytes),
                Output::Datagram { to, bytes } => self.send(now, stack, to, bytes),
                Output::OpenPipe { pipe, to } => self.dial(now, stack, pipe, to),
                Output::FillPipe { pipe } => self.change(pipe, Pipe::fill),
                Output::FinishPipe { pipe } => self.change(pipe, Pipe::finish),
                Output::ClosePipe { pipe } => self.close(now, stack, pipe),
            }
        }
        count > 0
    }

    fn change(&mut self, id: PipeId, change: impl FnOnce(&mut Pipe)) {
        if let Some(pipe) = self.pipes.get_mut(&id) {
            change(pipe);
        }
    }

    fn send<D: Device>(&mut self, now: Instant, stack: &mut NetStack<D>, to: Destination, payload: &[u8]) {
        let to = match to {
            Destination::Group => Some(self.group),
            Destination::Addr(addr) => endpoint(addr),
        };
        let sent = to.filter(|_| payload.len() <= PAYLOAD_BYTES_MAX).is_some_and(|to| {
            let send = Request::UdpSendTo { socket: self.datagrams, to, payload };
            self.call(now, stack, &send).is_ok()
        });
        self.dropped += u64::from(!sent);
    }

    fn dial<D: Device>(&mut self, now: Instant, stack: &mut NetStack<D>, pipe: PipeId, to: Addr) {
        let dialled = endpoint(to).ok_or(Status::Refused).and_then(|to| {
            let connect = Request::TcpConnect { to };
            self.open(now, stack, &connect)
        });
        match dialled {
            Ok(socket) => {
                self.pipes.insert(pipe, Pipe::new(socket, false));
            }
            Err(_) => self.ended.push((pipe, PipeEnd::Refused)),
        }
    }

    fn accept<M: Machine, D: Device>(&mut self, now: Instant, stack: &mut NetStack<D>, machine: &mut M) -> bool {
        let accept = Request::TcpAccept { socket: self.listener, deadline: NO_DEADLINE };
        let mut count = 0;
        while count < STEPS_PER_ROUND
            && let Ok(Answer::Accepted { socket, from }) = self.call(now, stack, &accept)
        {
            count += 1;
            let pipe = PipeId::accepted(self.accepted);
            self.accepted += 1;
            self.pipes.insert(pipe, Pipe::new(socket, true));
            machine.handle(now, Input::PipeAccepted { pipe, from: addr(from) });
        }
        count > 0
    }

    fn receive<M: Machine, D: Device>(&mut self, now: Instant, stack: &mut NetStack<D>, machine: &mut M) -> bool {
        let receive = Request::UdpRecvFrom { socket: self.datagrams, deadline: NO_DEADLINE };
        let mut count = 0;
        while count < STEPS_PER_ROUND
            && let Ok(Answer::Datagram { from, payload }) = self.call(now, stack, &receive)
        {
            count += 1;
            machine.handle(now, Input::Datagram { from: addr(from), bytes: payload });
        }
        count > 0
    }

    /// Looks whether a dial was answered.
    fn open_pipe<M: Machine, D: Device>(
        &mut self,
        now: Instant,
        stack: &mut NetStack<D>,
        machine: &mut M,
        id: PipeId,
    ) -> bool {
        let Some(pipe) = self.pipes.get(&id).copied().filter(|pipe| !pipe.is_open) else { return false };
        match self.room(now, stack, pipe.socket) {
            Ok(_) => {
                self.change(id, |pipe| pipe.is_open = true);
                machine.handle(now, Input::PipeOpened { pipe: id });
                true
            }
            Err(status) => self.ends(now, stack, id, status),
        }
    }

    fn read<M: Machine, D: Device>(
        &mut self,
        now: Instant,
        stack: &mut NetStack<D>,
        machine: &mut M,
        id: PipeId,
    ) -> bool {
        let Some(pipe) = self.pipes.get(&id).copied().filter(|pipe| pipe.is_open) else { return false };
        let read = Request::TcpRead { socket: pipe.socket, deadline: NO_DEADLINE };
        for count in 0..STEPS_PER_ROUND {
            match self.call(now, stack, &read) {
                Ok(Answer::Bytes(bytes)) => machine.handle(now, Input::PipeBytes { pipe: id, bytes }),
                Ok(_) => return count > 0,
                Err(Status::Finished) if pipe.peer_finished => return count > 0,
                Err(Status::Finished) => {
                    self.change(id, |pipe| pipe.peer_finished = true);
                    machine.handle(now, Input::PipeFinished { pipe: id });
                    return true;
                }
                Err(status) => return self.ends(now, stack, id, status) || count > 0,
            }
        }
        true
    }

    /// Pulls bytes from the machine while the pipe has room and the machine has bytes.
    fn fill<M: Machine, D: Device>(
        &mut self,
        now: Instant,
        stack: &mut NetStack<D>,
        machine: &mut M,
        id: PipeId,
    ) -> bool {
        let wants = |pipe: &Pipe| pipe.is_open && matches!(pipe.sending, Sending::Filling | Sending::Finishing);
        let Some(pipe) = self.pipes.get(&id).copied().filter(wants) else { return false };
        for count in 0..STEPS_PER_ROUND {
            let room = match self.room(now, stack, pipe.socket) {
                Ok(room) => (room as usize).min(PAYLOAD_BYTES_MAX),
                Err(status) => return self.ends(now, stack, id, status) || count > 0,
            };
            let mut buffer = core::mem::take(&mut self.buffer);
            let filled = machine.fill(id, &mut buffer[..room]);
            let written = self.write(now, stack, pipe.socket, &buffer[..filled]);
            self.buffer = buffer;
            if filled == 0 {
                self.filled(now, stack, id, pipe);
                return true; // it may have outputs now
            }
            assert_eq!(written, filled, "the stack takes as much as it had room for");
        }
        true
    }

    /// The machine has no more bytes for now, or at all.
    fn filled<D: Device>(&mut self, now: Instant, stack: &mut NetStack<D>, id: PipeId, pipe: Pipe) {
        if pipe.sending == Sending::Filling {
            self.change(id, |pipe| pipe.sending = Sending::Idle);
            return;
        }
        self.change(id, |pipe| pipe.sending = Sending::Finished);
        let close = Request::TcpClose { socket: pipe.socket, how: Close::Finish };
        // If the connection is gone, the next look at it tells how.
        let _ = self.call(now, stack, &close);
    }

    fn write<D: Device>(&mut self, now: Instant, stack: &mut NetStack<D>, socket: Handle, bytes: &[u8]) -> usize {
        if bytes.is_empty() {
            return 0;
        }
        match self.call(now, stack, &Request::TcpWrite { socket, payload: bytes }) {
            Ok(Answer::Written(count)) => count as usize,
            _ => 0,
        }
    }

    /// Looks whether both halves are finished; the end of the peer's comes first.
    fn finish<D: Device>(&mut self, now: Instant, stack: &mut NetStack<D>, id: PipeId) -> bool {
        let is_over = |pipe: &Pipe| pipe.sending == Sending::Finished && pipe.peer_finished;
        let Some(pipe) = self.pipes.get(&id).copied().filter(is_over) else { return false };
        match self.room(now, stack, pipe.socket) {
            Err(status) => self.ends(now, stack, id, status),
            Ok(_) => false,
        }
    }

    /// Ends the pipe if `status` says that it is gone.
    fn ends<D: Device>(&mut self, now: Instant, stack: &mut NetStack<D>, id: PipeId, status: Status) -> bool {
        let reason = match status {
            Status::Finished => PipeEnd::Finished,
            Status::Refused => PipeEnd::Refused,
            Status::Disconnected => PipeEnd::TimedOut,
            Status::Reset => PipeEnd::Reset,
            _ => return false,
        };
        self.close(now, stack, id);
        self.ended.push((id, reason));
        true
    }

    fn close<D: Device>(&mut self, now: Instant, stack: &mut NetStack<D>, id: PipeId) {
        // A dial that failed at once and is closed before its machine has learnt of it.
        self.ended.retain(|(ended, _)| *ended != id);
        if let Some(pipe) = self.pipes.remove(&id) {
            let close = Request::TcpClose { socket: pipe.socket, how: Close::Abort };
            let closed = self.call(now, stack, &close);
            assert!(closed.is_ok(), "an own handle can be freed");
        }
    }

    fn room<D: Device>(&mut self, now: Instant, stack: &mut NetStack<D>, socket: Handle) -> Result<u32, Status> {
        match self.call(now, stack, &Request::TcpWaitWritable { socket, deadline: NO_DEADLINE })? {
            Answer::Writable(room) => Ok(room),
            _ => Err(Status::WouldBlock),
        }
    }

    fn open<D: Device>(
        &mut self,
        now: Instant,
        stack: &mut NetStack<D>,
        request: &Request<'_>,
    ) -> Result<Handle, Status> {
        match self.call(now, stack, request)? {
            Answer::Opened(socket) => Ok(socket),
            _ => Err(Status::Malformed),
        }
    }

    /// Sends one request and takes its reply.
    fn call<D: Device>(
        &mut self,
        now: Instant,
        stack: &mut NetStack<D>,
        request: &Request<'_>,
    ) -> Result<Answer<'_>, Status> {
        self.client.send(&mut self.channel, request)?;
        stack.serve(now, self.id, &mut self.channel);
        self.client.receive(&mut self.channel)
    }
}

/// The IPv4 endpoint of an address; `None` for one that is not IPv4.
pub fn endpoint(addr: Addr) -> Option<Endpoint> {
    match SocketAddr::from(addr) {
        SocketAddr::V4(v4) => Some(Endpoint { host: *v4.ip(), port: v4.port() }),
        SocketAddr::V6(_) => None,
    }
}

/// The address of an IPv4 endpoint, as a machine sees it.
pub fn addr(endpoint: Endpoint) -> Addr {
    Addr::from(SocketAddr::V4(SocketAddrV4::new(endpoint.host, endpoint.port)))
}
