//! The driver as its user sees it: made, asked, run.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::ops::ControlFlow;
use std::time::Duration as StdDuration;

use machine::{Boot, Duration, Instant, Machine};
use mio::{Events, Poll, Token};

use crate::busy_poll::BusyPoll;
use crate::clock::Clock;
use crate::config::{Config, Counters};
use crate::datagrams::Datagrams;
use crate::error::Error;
use crate::inbox::{Handle, Inbox};
use crate::listener::Listener;
use crate::pipes::Pipes;
use crate::store::Store;
use crate::turn::Turn;

/// One read, one fill, one datagram: the contract asks for this much room where a driver can.
const BUFFER_BYTES: usize = 64 * 1024;
/// Edges taken from the kernel at a time; further ones wait there.
const EVENTS_PER_TURN: usize = 256;
/// A free port may be free for pipes and taken for datagrams.
const BIND_ATTEMPTS: u32 = 16;

// Odd, as no pipe that a machine opens is, and too high for any that is accepted.
pub(crate) const LISTENER: Token = Token(usize::MAX - 2);
pub(crate) const WAKER: Token = Token(usize::MAX - 4);
pub(crate) const DATAGRAMS: Token = Token(usize::MAX - 6);
pub(crate) const GROUP: Token = Token(usize::MAX - 8);

/// A machine on real sockets. Dropping it resets every pipe that has not ended, as a crash would.
pub struct Driver<M: Machine> {
    pub(crate) machine: M,
    pub(crate) clock: Clock,
    pub(crate) poll: Poll,
    pub(crate) events: Events,
    pub(crate) inbox: Inbox<M::Command>,
    pub(crate) listener: Listener,
    pub(crate) datagrams: Datagrams,
    pub(crate) pipes: Pipes,
    pub(crate) store: Store,
    pub(crate) buffer: Box<[u8]>,
    pub(crate) busy_poll: BusyPoll,
    /// The last turn ended before the machine had no more outputs.
    pub(crate) outputs_left: bool,
    /// The last turn ended before every command was taken.
    pub(crate) commands_left: bool,
    /// The last turn did not take all of the kernel's edges: no further one tells of those that are left.
    pub(crate) edges_left: bool,
    local_addr: SocketAddr,
    datagram_addr: SocketAddr,
}

/// Open sockets and storage that wait for a machine: where it will listen is known before it is made.
pub struct Bound {
    poll: Poll,
    listener: Listener,
    datagrams: Datagrams,
    pipes: Pipes,
    store: Store,
    seed: [u8; 32],
    commands_max: usize,
    busy_poll: Duration,
    local_addr: SocketAddr,
    datagram_addr: SocketAddr,
}

impl Bound {
    /// Opens the sockets and the storage of `config`.
    pub fn new(config: &Config) -> Result<Self, Error> {
        let (mut listener, mut datagrams) = bind(config)?;
        if let Some(group) = config.group {
            datagrams.join(group).map_err(|source| Error::Group { addr: group.addr(), source })?;
        }
        let local_addr = listener.local_addr().map_err(Error::Wait)?;
        let datagram_addr = datagrams.local_addr().map_err(Error::Wait)?;
        let poll = Poll::new().map_err(Error::Wait)?;
        listener.register(poll.registry(), LISTENER).map_err(Error::Wait)?;
        datagrams.register(poll.registry(), DATAGRAMS, GROUP).map_err(Error::Wait)?;
        let pipes = Pipes::new(config, poll.registry().try_clone().map_err(Error::Wait)?);
        let seed = config.seed.map_or_else(random_seed, Ok)?;
        let store = Store::open(config)?;
        let Config { commands_max, busy_poll, .. } = *config;
        Ok(Self { poll, listener, datagrams, pipes, store, seed, commands_max, busy_poll, local_addr, datagram_addr })
    }

    /// Where pipes will be accepted.
    pub const fn local_addr(&self) -> SocketAddr {
        self.local_addr
    }

    /// Boots the machine that `factory` makes. Nothing is sent before the first turn.
    pub fn boot<M: Machine>(self, factory: impl FnOnce(Boot) -> M) -> Result<Driver<M>, Error> {
        self.try_boot(|boot| Ok(factory(boot)))
    }

    /// As [`Bound::boot`], with a `factory` that may fail.
    pub fn try_boot<M: Machine, E: From<Error>>(
        mut self,
        factory: impl FnOnce(Boot) -> Result<M, E>,
    ) -> Result<Driver<M>, E> {
        let inbox = Inbox::new(self.poll.registry(), WAKER, self.commands_max).map_err(Error::Wait)?;
        let (stored, incarnation) = (self.store.load()?, self.store.spend_incarnation()?);
        let clock = Clock::start();
        Ok(Driver {
            machine: factory(Boot { now: clock.now(), incarnation, seed: self.seed, stored })?,
            clock,
            poll: self.poll,
            events: Events::with_capacity(EVENTS_PER_TURN),
            inbox,
            listener: self.listener,
            datagrams: self.datagrams,
            pipes: self.pipes,
            store: self.store,
            buffer: vec![0; BUFFER_BYTES].into_boxed_slice(),
            busy_poll: BusyPoll::new(self.busy_poll),
            outputs_left: false,
            commands_left: false,
            edges_left: false,
            local_addr: self.local_addr,
            datagram_addr: self.datagram_addr,
        })
    }
}

/// Tells no more than the addresses: the seed is secret.
impl fmt::Debug for Bound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bound").field("addrs", &(self.local_addr, self.datagram_addr)).finish_non_exhaustive()
    }
}

impl<M: Machine> Driver<M> {
    /// Opens the sockets and the storage of `config`, and boots the machine that `factory` makes: see [`Bound`], for when
    /// the machine has to know where it listens.
    pub fn new(config: &Config, factory: impl FnOnce(Boot) -> M) -> Result<Self, Error> {
        Bound::new(config)?.boot(factory)
    }

    /// Where pipes are accepted.
    pub const fn local_addr(&self) -> SocketAddr {
        self.local_addr
    }

    /// Where datagrams are sent from and received.
    pub const fn datagram_addr(&self) -> SocketAddr {
        self.datagram_addr
    }

    /// The time that an input would have now.
    pub fn now(&self) -> Instant {
        self.clock.now()
    }

    /// The machine, to be looked at.
    pub const fn machine(&self) -> &M {
        &self.machine
    }

    /// What was dropped, refused or failed so far.
    pub fn counters(&self) -> Counters {
        let mut counters = Counters { accepts_failed: self.listener.failed, ..Counters::default() };
        counters.stores_failed = self.store.failed;
        self.datagrams.count(&mut counters);
        self.pipes.count(&mut counters);
        counters
    }

    /// A way in for other threads, while this one runs the driver.
    pub fn handle(&self) -> Handle<M::Command> {
        self.inbox.handle()
    }

    /// Whether the next turn finds something to do without waiting.
    pub(crate) fn has_work(&self) -> bool {
        self.outputs_left
            || self.commands_left
            || self.edges_left
            || self.inbox.is_stopped()
            || self.datagrams.is_ready()
            || self.pipes.queued() > 0
            || self.listener.is_ready(self.clock)
    }

    /// When the machine, the dials or a pause of the listener want a turn.
    pub(crate) fn next_timeout(&self) -> Option<Instant> {
        let deadlines = [self.machine.next_timeout(), self.pipes.next_timeout(), self.listener.next_timeout()];
        deadlines.into_iter().flatten().min()
    }

    /// Hands in a command from this thread. What comes of it is done in the next turn.
    pub fn command(&mut self, command: M::Command) {
        self.machine.handle(self.clock.now(), machine::Input::Command(command));
    }

    /// Takes turns until `on_event` breaks or a [`Handle`] stops it. See [`Driver::turn`].
    pub fn run(&mut self, mut on_event: impl FnMut(&mut M, M::Event) -> ControlFlow<()>) -> Result<(), Error> {
        while self.turn(None, &mut on_event)?.is_continue() {}
        Ok(())
    }

    /// Does what the machine wants, waits for something to happen, at most `max_wait`, hands in what is ready, and does what
    /// the machine then wants. The work of one turn is bounded; what is left makes the next one not wait.
    ///
    /// `on_event` gets each event, and the machine for the calls that its protocol offers beside the contract. When it
    /// breaks, the turn breaks too, and further events wait in the machine for the next.
    pub fn turn(
        &mut self,
        max_wait: Option<StdDuration>,
        on_event: impl FnMut(&mut M, M::Event) -> ControlFlow<()>,
    ) -> Result<ControlFlow<()>, Error> {
        Turn::new(self, on_event).run(max_wait).map_err(Error::Wait)
    }
}

/// Tells no more than the addresses: a machine holds secrets.
impl<M: Machine> fmt::Debug for Driver<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let addrs = (self.local_addr, self.datagram_addr);
        f.debug_struct("Driver").field("addrs", &addrs).finish_non_exhaustive()
    }
}

fn random_seed() -> Result<[u8; 32], Error> {
    let mut seed = [0; 32];
    getrandom::fill(&mut seed).map_err(|error| Error::Seed(io::Error::other(error)))?;
    Ok(seed)
}

/// Binds both sockets, and the datagrams to the listener's port if they ask for none.
fn bind(config: &Config) -> Result<(Listener, Datagrams), Error> {
    let mut attempts = BIND_ATTEMPTS;
    loop {
        let addr = config.listen;
        let listener = Listener::bind(addr).map_err(|source| Error::Listen { addr, source })?;
        let port = listener.local_addr().map_err(|source| Error::Listen { addr, source })?.port();
        let mut addr = config.datagrams;
        let may_retry = addr.port() == 0 && config.listen.port() == 0;
        if addr.port() == 0 {
            addr.set_port(port);
        }
        attempts -= 1;
        match Datagrams::bind(addr) {
            Ok(datagrams) => return Ok((listener, datagrams)),
            Err(error) if may_retry && attempts > 0 && error.kind() == io::ErrorKind::AddrInUse => {}
            Err(source) => return Err(Error::Datagrams { addr, source }),
        }
    }
}
