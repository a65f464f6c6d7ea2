//! A hostile peer: a machine with valid keys. It finds its victims by their announces and does what its [`Attack`] says.

use super::announces::{Flood, Impostor};
use super::crowd::{Crowd, Unsigned};
use super::kinds::Conduct;
use super::low_order::{Weak, WeakSuite};
use super::script::Script;
use crate::scenario::Scenario;
use crate::scenario::resolved::Hostile;
use core::convert::Infallible;
use fabric::discovery::announce::Announce;
use fabric::identity::{DeviceId, DeviceKey, NoisePublic, NoiseStatic};
use fabric::session::{Limits, Local, Session};
use fabric::suite::Suite;
use machine::{Addr, Boot, Destination, Duration, Input, Instant, Machine, Output, PipeEnd, PipeId};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use scenario_actor::{Observation, Part};
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

/// Somebody to attack, as found.
#[derive(Clone, Copy, Debug)]
pub(super) struct Victim {
    pub(super) device: DeviceId,
    pub(super) addr: Addr,
    pub(super) noise_static: NoisePublic,
}

/// What a hostile peer does.
pub(super) trait Attack {
    /// A victim has announced itself for the first time.
    fn found(&mut self, io: &mut Io, victim: Victim);
    /// The time asked for by [`Io::wake_in`] has come.
    fn woken(&mut self, io: &mut Io);
    fn accepted(&mut self, io: &mut Io, pipe: PipeId) {
        io.close(pipe);
    }
    fn received(&mut self, io: &mut Io, pipe: PipeId, bytes: &[u8]);
    fn fill(&mut self, io: &mut Io, pipe: PipeId, room: &mut [u8]) -> usize;
    /// The victim has said all it had to say.
    fn finished(&mut self, io: &mut Io, pipe: PipeId) {
        io.close(pipe);
        self.closed(io, pipe, PipeEnd::Finished);
    }
    fn closed(&mut self, io: &mut Io, pipe: PipeId, end: PipeEnd);
}

enum Action {
    Open(PipeId, Addr),
    Fill(PipeId),
    Close(PipeId),
    Send(Addr, Vec<u8>),
}

/// What an attack has in its hands.
pub(super) struct Io {
    pub(super) now: Instant,
    pub(super) local: Arc<Local>,
    /// As whom it can dial besides.
    guises: Vec<Arc<Local>>,
    /// The port at which this node accepts.
    pub(super) port: u16,
    /// It got further than anybody should: how.
    pub(super) complaint: Option<String>,
    /// It has done all it came for at least once.
    pub(super) is_through: bool,
    random: ChaCha8Rng,
    actions: VecDeque<Action>,
    wake_at: Option<Instant>,
    pipes_opened: u64,
}

impl Io {
    fn new(boot: &Boot, local: Local, port: u16) -> Self {
        Self {
            now: boot.now,
            local: Arc::new(local),
            guises: Vec::new(),
            port,
            complaint: None,
            is_through: false,
            random: ChaCha8Rng::from_seed(boot.seed),
            actions: VecDeque::new(),
            wake_at: None,
            pipes_opened: 0,
        }
    }

    #[cfg(test)]
    pub(super) fn testing() -> Self {
        let suite = fabric::suite::RealSuite;
        let noise = NoiseStatic::new([1; 32], suite.noise_public(&[1; 32]));
        let local = Local { device: DeviceKey::from_seed(&[1; 32]), noise, features: 0, suite: Arc::new(suite) };
        Self::new(&Boot::default(), local, 1)
    }

    pub(super) fn open(&mut self, to: Addr) -> PipeId {
        let pipe = PipeId::opened(self.pipes_opened);
        self.pipes_opened += 1;
        self.actions.push_back(Action::Open(pipe, to));
        pipe
    }

    pub(super) fn want_fill(&mut self, pipe: PipeId) {
        self.actions.push_back(Action::Fill(pipe));
    }

    pub(super) fn close(&mut self, pipe: PipeId) {
        self.actions.push_back(Action::Close(pipe));
    }

    pub(super) fn send(&mut self, to: Addr, bytes: Vec<u8>) {
        self.actions.push_back(Action::Send(to, bytes));
    }

    pub(super) fn wake_in(&mut self, after: Duration) {
        let at = self.now + after;
        self.wake_at = Some(self.wake_at.map_or(at, |earlier| earlier.min(at)));
    }

    pub(super) fn complain(&mut self, how: impl Into<String>) {
        self.complaint.get_or_insert_with(|| how.into());
    }

    pub(super) fn random_bytes<const N: usize>(&mut self) -> [u8; N] {
        let mut bytes = [0; N];
        self.random.fill_bytes(&mut bytes);
        bytes
    }

    /// A handshake with `victim`; none when its Noise static is of low order.
    pub(super) fn dial(&mut self, victim: Victim) -> Option<Session> {
        self.dial_as(&Arc::clone(&self.local), victim)
    }

    /// The same in one of its guises, in turn.
    pub(super) fn dial_in_guise(&mut self, turn: usize, victim: Victim) -> Option<Session> {
        let guise = Arc::clone(self.guises.get(turn % self.guises.len().max(1))?);
        self.dial_as(&guise, victim)
    }

    fn dial_as(&mut self, local: &Arc<Local>, victim: Victim) -> Option<Session> {
        let seed = self.random_bytes();
        Session::dial(self.now, local, victim.device, victim.noise_static, seed, &Limits::default()).ok()
    }
}

/// The machine.
pub(crate) struct HostilePeer {
    /// `None` until it is found.
    victims: BTreeMap<DeviceId, Option<Victim>>,
    attack: Box<dyn Attack>,
    io: Io,
    sending: Vec<u8>,
}

impl HostilePeer {
    pub(crate) fn new(boot: &Boot, part: &Part, hostile: &Hostile, scenario: &Scenario, suite: Arc<dyn Suite>) -> Self {
        let noise = NoiseStatic::new(part.noise_secret.0, suite.noise_public(&part.noise_secret.0));
        let device = DeviceKey::from_seed(&part.device_seed.0);
        let weak = (hostile.conduct == Conduct::LowOrder).then_some(Weak::ALL).into_iter().flatten();
        let guises = weak.map(|weak| Arc::new(WeakSuite::local(weak, part, &suite))).collect();
        let suite = match hostile.guise {
            Some(_) => Arc::new(Unsigned(suite)),
            None => suite,
        };
        let id = |name: &str| part.peers.iter().find(|peer| peer.name == name).map(|peer| device_id(&peer.device.0));
        let victims = hostile.victims.iter().filter_map(|victim| id(scenario.node_name(*victim)));
        let victims: BTreeMap<_, _> = victims.map(|device| (device, None)).collect();
        let others = part.peers.iter().map(|peer| device_id(&peer.device.0));
        let others: Vec<_> = others.filter(|id| *id != device.device_id() && !victims.contains_key(id)).collect();
        Self {
            attack: attack(hostile.conduct, &others),
            victims,
            io: Io { guises, ..Io::new(boot, Local { device, noise, features: 0, suite }, part.port) },
            sending: Vec::new(),
        }
    }

    /// How it got further than anybody should, if it did.
    pub(crate) fn complaint(&self) -> Option<&str> {
        self.io.complaint.as_deref()
    }

    /// Whether it has done all it came for at least once.
    pub(crate) const fn is_through(&self) -> bool {
        self.io.is_through
    }

    fn datagram(&mut self, from: Addr, bytes: &[u8]) {
        let Ok(announce) = Announce::parse(bytes) else { return };
        let body = announce.body();
        let Ok(device) = body.device_id.parse() else { return };
        if let Some(victim @ None) = self.victims.get_mut(&device) {
            let found = Victim { device, addr: from.with_port(body.port), noise_static: body.noise_static };
            *victim = Some(found);
            self.attack.found(&mut self.io, found);
        }
    }
}

fn device_id(bytes: &[u8; 32]) -> DeviceId {
    DeviceId::from_bytes(*bytes)
}

fn attack(conduct: Conduct, others: &[DeviceId]) -> Box<dyn Attack> {
    match conduct {
        Conduct::AnnounceFlood => Box::new(Flood::default()),
        Conduct::Impostor => Box::new(Impostor::new(others)),
        Conduct::HalfOpen
        | Conduct::Drip
        | Conduct::Garbage
        | Conduct::Storm
        | Conduct::Hoard
        | Conduct::ForgedProof
        | Conduct::LowOrder
        | Conduct::Promise => Box::new(Crowd::new(conduct)),
        Conduct::OutOfTurn
        | Conduct::BadFrames
        | Conduct::CreditLies
        | Conduct::FloodPing
        | Conduct::FloodPong
        | Conduct::FloodWindowUpdate
        | Conduct::FloodOpen
        | Conduct::FloodChurn
        | Conduct::FloodEmptyData
        | Conduct::FloodReset
        | Conduct::Crowding
        | Conduct::Miser
        | Conduct::FalseCommitment => Box::new(Script::new(conduct)),
    }
}

impl Machine for HostilePeer {
    type Command = Infallible;
    type Event = Observation;

    fn handle(&mut self, now: Instant, input: Input<'_, Infallible>) {
        self.io.now = self.io.now.max(now);
        let (attack, io) = (&mut self.attack, &mut self.io);
        match input {
            Input::Timeout if io.wake_at.is_some_and(|at| at <= now) => {
                io.wake_at = None;
                attack.woken(io);
            }
            Input::Timeout | Input::Stored { .. } => {}
            Input::Command(never) => match never {},
            Input::Datagram { from, bytes } => self.datagram(from, bytes),
            Input::PipeOpened { pipe } => io.want_fill(pipe),
            Input::PipeAccepted { pipe, .. } => attack.accepted(io, pipe),
            Input::PipeBytes { pipe, bytes } => attack.received(io, pipe, bytes),
            Input::PipeFinished { pipe } => attack.finished(io, pipe),
            Input::PipeClosed { pipe, reason } => attack.closed(io, pipe, reason),
        }
    }

    fn poll(&mut self) -> Option<Output<'_, Observation>> {
        Some(match self.io.actions.pop_front()? {
            Action::Open(pipe, to) => Output::OpenPipe { pipe, to },
            Action::Fill(pipe) => Output::FillPipe { pipe },
            Action::Close(pipe) => Output::ClosePipe { pipe },
            Action::Send(to, bytes) => {
                self.sending = bytes;
                Output::Datagram { to: Destination::Addr(to), bytes: &self.sending }
            }
        })
    }

    fn fill(&mut self, pipe: PipeId, room: &mut [u8]) -> usize {
        self.attack.fill(&mut self.io, pipe, room)
    }

    fn next_timeout(&self) -> Option<Instant> {
        self.io.wake_at
    }
}
