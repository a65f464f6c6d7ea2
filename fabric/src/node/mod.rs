//! A whole node: routes a driver's inputs to discovery and sessions, owns the timers, and keeps sessions with devices.

mod announcing;
mod connection;
mod device;
mod pairing;
mod sessions;
mod streams;
mod trusting;
mod view;

use crate::config::Config;
use crate::counters::{Count, Counters};
use crate::discovery::{Discovery, LocalAnnounce, NextDial, Refusal, Services};
use crate::event::{Command, Event, SessionEnd, SessionId, StreamKey};
use crate::identity::{DeviceId, NoisePublic};
use crate::mux::{self, code};
use crate::policy::Policy;
use crate::probe::{Probe, Probes};
use crate::session::{HandshakeError, Local, Session, SessionError};
use crate::timer::Timers;
use crate::trust::{How, TrustStore, Trusted};
use alloc::collections::{BTreeMap, BTreeSet, VecDeque};
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use announcing::Announces;
use connection::{Connection, Dialled, Phase};
use core::convert::Infallible;
use device::Device;
use machine::{Addr, Boot, Destination, Input, Instant, Machine, Output, PipeEnd, PipeId, StoreFailed};
pub use view::{DialUnderWay, Load, Older};

use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

/// One node of the fabric. See [`machine`] for how it is driven.
pub struct Node {
    local: Arc<Local>,
    config: Config,
    own: DeviceId,
    discovery: Discovery,
    announces: Announces,
    trust: TrustStore,
    /// While the node is in pairing mode.
    pairing: Option<pairing::Mode>,
    /// What happened to its streams, until it is looked at.
    pairing_events: VecDeque<Event>,
    is_settling_pairing: bool,
    random: ChaCha20Rng,
    connections: BTreeMap<PipeId, Connection>,
    /// Services that peers may open though they are not announced.
    unannounced: BTreeSet<String>,
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
    /// Likewise.
    counters: Counters,
}

/// Everything that a node waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Timer {
    Discovery,
    Epoch,
    TrustStore,
    Pairing,
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
        let announce = LocalAnnounce { port: config.port, noise_static: local.noise.public(), services };
        let key = local.device.verifying_key();
        let announces = Announces::start(boot.now, config.announce, announce, key, &boot.stored, &mut discovery)?;
        let mut node = Self {
            local: Arc::new(local),
            config,
            own,
            discovery,
            announces,
            trust: TrustStore::load(&boot.stored),
            pairing: None,
            pairing_events: VecDeque::new(),
            is_settling_pairing: false,
            random,
            connections: BTreeMap::new(),
            unannounced: BTreeSet::new(),
            devices: BTreeMap::new(),
            timers: Timers::default(),
            pipe_outputs: VecDeque::new(),
            store: ("", Vec::new()),
            events: VecDeque::new(),
            now: boot.now,
            pipes_opened: 0,
            is_shut_down: false,
            probes: Probes::default(),
            counters: Counters::default(),
        };
        node.begin_trusting();
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

    /// Keeps a session with `device` from now on: dials it where discovery finds it, and again when the session is lost.
    pub fn connect(&mut self, now: Instant, device: DeviceId) {
        if device == self.own || self.is_shut_down {
            return;
        }
        self.now = self.now.max(now);
        let known = self.devices.entry(device).or_default();
        (known.is_wanted, known.is_unasked) = (true, false);
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

    /// Ends in order: says goodbye, announces and dials no more, accepts no more, lets streams finish.
    pub fn shut_down(&mut self, now: Instant) {
        self.leave_pairing(now);
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

    /// The session with `device` that new streams are opened on, if one is up.
    pub fn session(&self, device: DeviceId) -> Option<SessionId> {
        self.newest_session(device).map(SessionId::of)
    }

    /// Lets peers open `service` from now on, as far as the policy does. It is not announced: see
    /// [`Config::services`](Config::services).
    pub fn serve(&mut self, service: &str) {
        self.unannounced.insert(service.into());
    }

    /// Decides by `policy` from now on: which streams peers open, and which calls they make. Streams that are open stay so.
    pub fn set_policy(&mut self, policy: Policy) {
        self.config.policy = policy;
    }

    /// Whether streams to `device` can be opened.
    pub fn is_connected(&self, device: DeviceId) -> bool {
        self.newest_session(device).is_some()
    }

    /// What it was told at its start, and whom it trusts by now.
    pub const fn config(&self) -> &Config {
        &self.config
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

    /// Whether something is to be done with a pipe, so that [`Node::poll_output`] gives it.
    pub fn wants_pipe(&self) -> bool {
        !self.pipe_outputs.is_empty()
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
        if let Some(store) = self.announces.poll_store().or_else(|| self.trust.poll_store()) {
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
            // What cannot be done is not: a command has no answer.
            Command::TrustAs(device, label, since) => {
                let _ = self.trust_as(device, Trusted::new(label, How::Manual, since));
            }
            Command::EnterPairing => drop(self.enter_pairing(now)),
            Command::Pair(device) => drop(self.pair(now, device)),
            Command::ConfirmPairing(label, since) => drop(self.confirm_pairing(now, label, since)),
            Command::LeavePairing => self.leave_pairing(now),
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
                Timer::TrustStore => self.trust.write(),
                Timer::Pairing => self.pairing_timeout(),
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
        match self.discovery.observe(self.now, from, bytes, verify) {
            Ok(device) => self.note_epoch(device),
            Err(refusal) => self.probes.hit(refusal.probe()),
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
                    self.lost(device);
                }
            }
        }
        self.timers.set(Timer::Discovery, self.discovery.next_timeout());
    }

    fn stored(&mut self, key: &str, result: Result<(), StoreFailed>) {
        self.counters.add(Count::StoreFailed, result.is_err().into());
        self.trust_stored(key, result);
        self.announces.stored(self.now, key, result, &mut self.discovery);
        self.timers.set(Timer::Epoch, self.announces.next_timeout());
        self.settle_discovery();
    }

    /// Where everybody is trusted, strangers make up as many devices as they like.
    fn lost(&mut self, device: DeviceId) {
        if let Some(known) = self.devices.get_mut(&device).filter(|known| known.is_unasked) {
            (known.is_wanted, known.is_unasked) = (false, false);
            self.drop_idle(device);
        }
    }

    fn found(&mut self, device: DeviceId) {
        if self.config.dial_trusted && self.trusts(device) && !self.is_shut_down {
            let known = self.devices.entry(device).or_default();
            known.is_unasked |= !known.is_wanted;
            known.is_wanted = true;
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
