//! A whole node: routes a driver's inputs to discovery and sessions, owns the timers, and keeps sessions with devices.

mod announcing;
mod connection;
mod device;
mod sessions;

use crate::config::Config;
use crate::discovery::{Discovery, LocalAnnounce, NextDial, Refusal, Services};
use crate::event::{CallError, Command, Event, SessionEnd, SessionId, StreamKey};
use crate::identity::{DeviceId, NoisePublic};
use crate::mux::{self, Chunk, Mux, Part, Priority, StreamError, code};
use crate::probe::{Probe, Probes};
use crate::session::{HandshakeError, Local, Session, SessionError};
use crate::timer::Timers;
use alloc::collections::{BTreeMap, VecDeque};
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use announcing::Announces;
use bytes::Bytes;
use connection::{Connection, Dialled, Phase};
use core::convert::Infallible;
use device::Device;
use machine::{Addr, Boot, Destination, Input, Instant, Machine, Output, PipeEnd, PipeId, StoreFailed};
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

/// One node of the fabric. See [`machine`] for how it is driven.
pub struct Node {
    local: Arc<Local>,
    config: Config,
    own: DeviceId,
    discovery: Discovery,
    announces: Announces,
    random: ChaCha20Rng,
    connections: BTreeMap<PipeId, Connection>,
    /// Devices that a session is wanted or had with.
    devices: BTreeMap<DeviceId, Device>,
    timers: Timers<Timer>,
    pipe_outputs: VecDeque<PipeOutput>,
    /// The value that was given to be stored last, by its key.
    store: (&'static str, Vec<u8>),
    events: VecDeque<Event>,
    /// The newest time that the driver told.
    now: Instant,
    pipes_opened: u64,
    is_shut_down: bool,
    /// Of sessions that are over, and the node's own.
    probes: Probes,
}

/// Everything that a node waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Timer {
    Discovery,
    Epoch,
    Connection(PipeId),
    Dial(DeviceId),
}

#[derive(Clone, Copy, Debug)]
enum PipeOutput {
    Open(PipeId, Addr),
    Fill(PipeId),
    Finish(PipeId),
    Close(PipeId),
}

/// How much a node holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Load {
    /// Devices in the peer table.
    pub peers: usize,
    /// Inbound handshakes that are not finished.
    pub handshakes: usize,
    /// Of those, from the source that has most.
    pub handshakes_of_one_source: usize,
    /// Sessions, dialled and accepted, those that begin included.
    pub sessions: usize,
    /// Sessions that are over, or were refused, and whose last words are still being sent.
    pub endings: usize,
    /// Candidates of the device that has most.
    pub candidates_of_one_device: usize,
    /// Streams of the session that has most, those included that are closed and not read to their end.
    pub streams_of_one_session: usize,
}

impl Node {
    /// Starts a node as `local`, and announces it if the config says so. It keeps values of its own in the driver's storage,
    /// under keys that begin with `fabric.`.
    ///
    /// # Errors
    /// What is wrong with the services or the port to announce.
    pub fn new(boot: &Boot, local: Local, config: Config) -> Result<Self, Refusal> {
        let services = Services::new(config.services.iter().map(String::as_str)).map_err(Refusal::Malformed)?;
        let mut random = ChaCha20Rng::from_seed(boot.seed);
        let own = local.device.device_id();
        let mut discovery = Discovery::new(own, random.next_u64(), &config.discovery);
        for device in &config.trusted {
            discovery.set_trusted(*device, true);
        }
        let announce = LocalAnnounce { port: config.port, noise_static: local.noise.public(), services };
        let key = local.device.verifying_key();
        let announces = Announces::start(boot.now, config.announce, announce, key, &boot.stored, &mut discovery)?;
        let mut node = Self {
            local: Arc::new(local),
            config,
            own,
            discovery,
            announces,
            random,
            connections: BTreeMap::new(),
            devices: BTreeMap::new(),
            timers: Timers::default(),
            pipe_outputs: VecDeque::new(),
            store: ("", Vec::new()),
            events: VecDeque::new(),
            now: boot.now,
            pipes_opened: 0,
            is_shut_down: false,
            probes: Probes::default(),
        };
        node.settle_discovery();
        Ok(node)
    }

    /// This node's own id.
    pub const fn device_id(&self) -> DeviceId {
        self.own
    }

    /// The peer table and its counters.
    pub const fn discovery(&self) -> &Discovery {
        &self.discovery
    }

    /// How much the node holds now, of what its [`Limits`](crate::Limits) bound.
    pub fn load(&self) -> Load {
        let inbound = || self.connections.values().filter(|connection| connection.is_inbound_handshake());
        let hosts: alloc::collections::BTreeSet<_> = inbound().map(|connection| connection.addr.host()).collect();
        let ending = self.connections.values().filter(|connection| connection.is_ending()).count();
        let of_host = |host| inbound().filter(|connection| connection.addr.host() == host).count();
        let candidates = self.discovery.peers().map(|(_, peer)| peer.candidates().len());
        Load {
            peers: self.discovery.peers().count(),
            handshakes: inbound().count(),
            handshakes_of_one_source: hosts.into_iter().map(of_host).max().unwrap_or_default(),
            sessions: self.connections.len() - inbound().count() - ending,
            endings: ending,
            candidates_of_one_device: candidates.max().unwrap_or_default(),
            streams_of_one_session: self.connections.values().map(Connection::stream_count).max().unwrap_or_default(),
        }
    }

    /// Keeps a session with `device` from now on: dials it where discovery finds it, and again when the session is lost.
    pub fn connect(&mut self, now: Instant, device: DeviceId) {
        if device == self.own || self.is_shut_down {
            return;
        }
        self.now = self.now.max(now);
        self.devices.entry(device).or_default().is_wanted = true;
        self.dial(device);
    }

    /// As [`Node::connect`], at an address and with a Noise static that are known without discovery.
    pub fn connect_to(&mut self, now: Instant, device: DeviceId, addr: Addr, noise_static: NoisePublic) {
        if device != self.own {
            self.devices.entry(device).or_default().address = Some((addr, noise_static));
            self.connect(now, device);
        }
    }

    /// Wants no session with `device` any more: those that are up drain with `going_away`.
    pub fn disconnect(&mut self, now: Instant, device: DeviceId) {
        self.end_sessions(now, device, code::GOING_AWAY);
    }

    /// Accepts sessions of `device` from now on.
    pub fn trust(&mut self, device: DeviceId) {
        self.config.trusted.insert(device);
        self.discovery.set_trusted(device, true);
    }

    /// Trusts `device` no more, and ends its sessions at once.
    pub fn revoke(&mut self, now: Instant, device: DeviceId) {
        self.config.trusted.remove(&device);
        self.discovery.set_trusted(device, false);
        self.end_sessions(now, device, code::REVOKED);
    }

    /// Ends in order: says goodbye, announces and dials no more, accepts no more, lets streams finish.
    pub fn shut_down(&mut self, now: Instant) {
        self.is_shut_down = true;
        self.announces.stop();
        self.discovery.stop_announcing();
        let devices: Vec<_> = self.devices.keys().copied().collect();
        for device in devices {
            self.end_sessions(now, device, code::GOING_AWAY);
        }
        self.settle_discovery();
    }

    /// Whether nothing is left to end after [`Node::shut_down`].
    pub fn is_quiet(&self) -> bool {
        self.connections.is_empty() && self.pipe_outputs.is_empty() && !self.discovery.has_announce()
    }

    /// Whether streams to `device` can be opened.
    pub fn is_connected(&self, device: DeviceId) -> bool {
        self.newest_session(device).is_some()
    }

    /// Opens a stream on the newest session with `device`. What is written is sent after [`Event::Opened`].
    pub fn open(
        &mut self,
        now: Instant,
        device: DeviceId,
        service: &str,
        priority: Priority,
    ) -> Result<StreamKey, CallError> {
        let pipe = self.newest_session(device).ok_or(CallError::UnauthenticatedSession)?;
        let session = SessionId::of(pipe);
        let stream = self.on_session(now, session, |mux, now| Ok(mux.open(now, service, priority)?))?;
        Ok(StreamKey { session, stream })
    }

    /// Hands over as many bytes as there is room for: see [`Mux::write`].
    pub fn write(
        &mut self,
        now: Instant,
        stream: StreamKey,
        bytes: &[u8],
        end_of_message: bool,
    ) -> Result<usize, CallError> {
        self.on_stream(now, stream, |mux, _| mux.write(stream.stream, bytes, end_of_message))
    }

    /// As [`Node::write`], without a copy where that pays: see [`Mux::write_shared`].
    pub fn write_shared(
        &mut self,
        now: Instant,
        stream: StreamKey,
        bytes: &Bytes,
        end_of_message: bool,
    ) -> Result<usize, CallError> {
        self.on_stream(now, stream, |mux, _| mux.write_shared(stream.stream, bytes, end_of_message))
    }

    /// Takes bytes that came in: see [`Mux::read`].
    pub fn read(&mut self, now: Instant, stream: StreamKey, bytes_max: usize) -> Result<Option<Chunk>, CallError> {
        self.on_stream(now, stream, |mux, now| mux.read(now, stream.stream, bytes_max))
    }

    /// As [`Node::read`], but lends the bytes to `take`: see [`Mux::read_with`].
    pub fn read_with<R>(
        &mut self,
        now: Instant,
        stream: StreamKey,
        bytes_max: usize,
        take: impl FnOnce(Part<'_>) -> R,
    ) -> Result<Option<R>, CallError> {
        self.on_stream(now, stream, |mux, now| mux.read_with(now, stream.stream, bytes_max, take))
    }

    /// Closes this half after what was written.
    pub fn finish(&mut self, now: Instant, stream: StreamKey) -> Result<(), CallError> {
        self.on_stream(now, stream, |mux, _| mux.finish(stream.stream))
    }

    /// Ends both halves at once.
    pub fn reset(&mut self, now: Instant, stream: StreamKey, code: u32) -> Result<(), CallError> {
        self.on_stream(now, stream, |mux, _| mux.reset(stream.stream, code))
    }

    /// Sends this side's bytes with another priority.
    pub fn set_priority(&mut self, now: Instant, stream: StreamKey, priority: Priority) -> Result<(), CallError> {
        self.on_stream(now, stream, |mux, _| mux.set_priority(stream.stream, priority))
    }

    fn on_stream<T>(
        &mut self,
        now: Instant,
        stream: StreamKey,
        call: impl FnOnce(&mut Mux, Instant) -> Result<T, StreamError>,
    ) -> Result<T, CallError> {
        self.on_session(now, stream.session, |mux, now| Ok(call(mux, now)?))
    }

    fn on_session<T>(
        &mut self,
        now: Instant,
        session: SessionId,
        call: impl FnOnce(&mut Mux, Instant) -> Result<T, CallError>,
    ) -> Result<T, CallError> {
        self.now = self.now.max(now);
        let mux = self.connections.get_mut(&session.pipe()).and_then(Connection::streams);
        let outcome = call(mux.ok_or(CallError::UnauthenticatedSession)?, self.now);
        self.settle(session.pipe());
        outcome
    }

    /// What it was told at its start, and whom it trusts by now.
    pub const fn config(&self) -> &Config {
        &self.config
    }

    /// Which rare states this node has reached since its start.
    pub fn probes(&self) -> Probes {
        let mut probes = self.probes;
        self.connections.values().for_each(|connection| probes.add(connection.probes()));
        probes
    }

    /// The newest time that the node was told.
    pub const fn now(&self) -> Instant {
        self.now
    }

    /// The next event alone: for a machine that holds a node and its application, which must not be told anything while a
    /// driver's outputs wait.
    pub fn poll_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    /// The next output that is no event: see [`Node::poll_event`].
    pub fn poll_output(&mut self) -> Option<Output<'_, Infallible>> {
        if let Some(output) = self.pipe_outputs.pop_front() {
            return Some(match output {
                PipeOutput::Open(pipe, to) => Output::OpenPipe { pipe, to },
                PipeOutput::Fill(pipe) => Output::FillPipe { pipe },
                PipeOutput::Finish(pipe) => Output::FinishPipe { pipe },
                PipeOutput::Close(pipe) => Output::ClosePipe { pipe },
            });
        }
        if let Some(store) = self.announces.poll_store() {
            self.store = store;
            return Some(Output::Store { key: self.store.0, bytes: &self.store.1 });
        }
        let Local { suite, device, .. } = &*self.local;
        let bytes = self.discovery.poll_announce(|message| suite.sign(device, message))?;
        Some(Output::Datagram { to: Destination::Group, bytes })
    }

    fn command(&mut self, command: Command) {
        let now = self.now;
        match command {
            Command::Connect(device) => self.connect(now, device),
            Command::ConnectTo(device, addr, noise_static) => self.connect_to(now, device, addr, noise_static),
            Command::Disconnect(device) => self.disconnect(now, device),
            Command::Trust(device) => self.trust(device),
            Command::Revoke(device) => self.revoke(now, device),
            Command::ShutDown => self.shut_down(now),
        }
    }

    fn timeout(&mut self) {
        while let Some(timer) = self.timers.pop_due(self.now) {
            match timer {
                Timer::Discovery => {
                    self.discovery.handle_timeout(self.now);
                    self.settle_discovery();
                }
                Timer::Epoch => self.announces.handle_timeout(self.now),
                Timer::Connection(pipe) => self.connection_timeout(pipe),
                Timer::Dial(device) => self.dial(device),
            }
        }
    }

    fn datagram(&mut self, from: Addr, bytes: &[u8]) {
        let suite = &self.local.suite;
        let verify = |key: &[u8; 32], message: &[u8], signature: &[u8; 64]| suite.verify(key, message, signature);
        // A refusal is counted where it was made; there is nobody to tell.
        if let Err(refusal) = self.discovery.observe(self.now, from, bytes, verify) {
            self.probes.hit(refusal.probe());
        }
        self.settle_discovery();
    }

    /// Tells what discovery has found, dials whom that allows to, and keeps its timer.
    fn settle_discovery(&mut self) {
        while let Some(event) = self.discovery.poll() {
            match event {
                crate::discovery::Event::Discovered { device, services } => {
                    self.events.push_back(Event::Discovered { device, services });
                    self.found(device);
                }
                crate::discovery::Event::Updated { device, .. } => self.found(device),
                crate::discovery::Event::Lost { device, reason } => {
                    self.probes.hit(reason.probe());
                    self.events.push_back(Event::Lost { device });
                }
            }
        }
        self.timers.set(Timer::Discovery, self.discovery.next_timeout());
    }

    fn stored(&mut self, key: &str, result: Result<(), StoreFailed>) {
        self.announces.stored(self.now, key, result, &mut self.discovery);
        self.timers.set(Timer::Epoch, self.announces.next_timeout());
        self.settle_discovery();
    }

    fn found(&mut self, device: DeviceId) {
        if self.config.dial_trusted && self.config.trusted.contains(&device) && !self.is_shut_down {
            self.devices.entry(device).or_default().is_wanted = true;
        }
        self.dial(device);
    }
}

impl Machine for Node {
    type Command = Command;
    type Event = Event;

    fn handle(&mut self, now: Instant, input: Input<'_, Command>) {
        self.now = self.now.max(now);
        match input {
            Input::Timeout => self.timeout(),
            Input::Command(command) => self.command(command),
            Input::Datagram { from, bytes } => self.datagram(from, bytes),
            Input::PipeOpened { pipe } => self.settle(pipe),
            Input::PipeAccepted { pipe, from } => self.accept(pipe, from),
            Input::PipeBytes { pipe, bytes } => self.receive(pipe, bytes),
            Input::PipeFinished { pipe } => self.pipe_finished(pipe),
            Input::PipeClosed { pipe, reason } => self.pipe_closed(pipe, reason),
            Input::Stored { key, result } => self.stored(key, result),
        }
    }

    fn poll(&mut self) -> Option<Output<'_, Event>> {
        if let Some(event) = self.poll_event() {
            return Some(Output::Event(event));
        }
        self.poll_output().map(Output::without_events)
    }

    fn fill(&mut self, pipe: PipeId, room: &mut [u8]) -> usize {
        let now = self.now;
        let Some(connection) = self.connections.get_mut(&pipe) else { return 0 };
        let filled = connection.fill(now, room);
        self.settle(pipe);
        filled
    }

    fn next_timeout(&self) -> Option<Instant> {
        self.timers.next()
    }
}

impl core::fmt::Debug for Node {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Node")
            .field("own", &self.own)
            .field("connections", &self.connections.len())
            .finish_non_exhaustive()
    }
}
