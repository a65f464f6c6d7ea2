//! The application that plays a part: it serves, keeps sessions with the peers that its work needs, and does its work.

use crate::calls::{Answer, Proxy};
use crate::client::{Client, Outcome};
use crate::done::DoneList;
use crate::server::Server;
use crate::{Expect, MarkKind, Observation, Part, Peer, Work, WorkSeen};
use alloc::collections::{BTreeMap, VecDeque};
use alloc::string::{String, ToString};
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::convert::Infallible;
use fabric::identity::{DeviceId, DeviceKey, NoiseStatic};
use fabric::mux::{Priority, Reject, code};
use fabric::session::Local;
use fabric::suite::Suite;
use fabric::{CodeName, Config, Event, Node, Policy, StreamKey};
use machine::{Boot, Duration, Input, Instant, Machine, Output, PipeId};

/// How long a piece of work waits after a try that failed.
const RETRY_AFTER: Duration = Duration::from_millis(500);

/// A fabric node together with the application that plays one part of a scenario on it.
#[derive(Debug)]
pub struct Actor {
    part: Part,
    node: Node,
    work: Vec<Progress>,
    clients: BTreeMap<StreamKey, (usize, Client)>,
    servers: BTreeMap<StreamKey, Server>,
    proxy: Proxy,
    done: DoneList,
    observations: VecDeque<Observation>,
    counts: Counts,
    scratch: Vec<u8>,
}

/// Bytes of messages that the application has sent and received.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Counts {
    pub(crate) sent: u64,
    pub(crate) received: u64,
}

/// How far one piece of work has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Progress {
    state: State,
    attempts: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Nothing before this time.
    Waiting(Instant),
    /// Its time has come; it needs a session.
    Due,
    /// A stream is being used for it.
    Trying,
    Over,
}

impl Actor {
    /// Starts the node and its application. `config` brings the limits; who the node is, whom it trusts and what it serves
    /// comes from the part.
    ///
    /// # Panics
    /// When the part announces what no node would accept: whoever resolves a scenario has checked it.
    pub fn new(boot: &Boot, part: Part, suite: Arc<dyn Suite>, config: Config) -> Self {
        let device = DeviceKey::from_seed(&part.device_seed.0);
        Self::with_key(boot, part, device, suite, config)
    }

    /// Like [`Actor::new`], for whoever has the device key that grows from the part's seed: to make one is the slowest thing
    /// in the life of a short run.
    ///
    /// # Panics
    /// Like [`Actor::new`].
    pub fn with_key(boot: &Boot, part: Part, device: DeviceKey, suite: Arc<dyn Suite>, config: Config) -> Self {
        let noise = NoiseStatic::new(part.noise_secret.0, suite.noise_public(&part.noise_secret.0));
        let local = Local { device, noise, features: 0, suite };
        let config = configure(&part, config);
        let proxy = Proxy::new(&part.serves, config.policy.clone());
        let node = Node::new(boot, local, config);
        #[expect(clippy::expect_used, reason = "a resolved part is checked when the scenario is")]
        let node = node.expect("the part's services and port can be announced");
        let done = DoneList::load(boot);
        let start = |work: &Work| {
            let at = Instant::from_nanos(done.began().as_nanos().saturating_add(work.at_nanos));
            let state = if done.contains(work.id) { State::Over } else { State::Waiting(at) };
            Progress { state, attempts: 0 }
        };
        let work = part.work.iter().map(start).collect();
        Self {
            node,
            work,
            clients: BTreeMap::new(),
            servers: BTreeMap::new(),
            proxy,
            done,
            observations: VecDeque::new(),
            counts: Counts::default(),
            scratch: Vec::new(),
            part,
        }
    }

    /// The part it plays.
    pub const fn part(&self) -> &Part {
        &self.part
    }

    /// The node that it plays on.
    pub const fn node(&self) -> &Node {
        &self.node
    }

    fn name(&self, device: DeviceId) -> String {
        self.part.peers.name(device).map_or_else(|| device.to_string(), String::from)
    }

    /// Acts on all that the node tells, until it has nothing more to tell.
    fn settle(&mut self, now: Instant) {
        self.proxy.handle_timeout(now, &mut self.node);
        self.take_events(now);
        self.read_slowly(now);
        self.start_work(now);
        self.report_marks();
    }

    fn take_events(&mut self, now: Instant) {
        loop {
            let Self { node, proxy, .. } = self;
            if let Some((at, answer)) = proxy.next_answer(now, node) {
                self.on_answer(now, at, answer);
                continue;
            }
            let Some(event) = node.poll_event() else { return };
            if let Some(event) = proxy.handle_event(now, node, event) {
                self.on_event(now, event);
            }
        }
    }

    fn read_slowly(&mut self, now: Instant) {
        let is_due = |server: &Server| server.reads_at().is_some_and(|at| at <= now);
        let due: Vec<_> = self.servers.iter().filter(|(_, server)| is_due(server)).map(|(stream, _)| *stream).collect();
        for stream in due {
            self.advance_server(now, stream);
        }
    }

    fn start_work(&mut self, now: Instant) {
        for at in 0..self.work.len() {
            if let State::Waiting(due) = self.work[at].state
                && due <= now
            {
                self.work[at].state = State::Due;
            }
            if self.work[at].state == State::Due {
                self.try_work(now, at);
            }
        }
    }

    fn try_work(&mut self, now: Instant, at: usize) {
        let work = &self.part.work[at];
        let Some(device) = self.part.peers.device(&work.peer) else { return };
        if !self.node.is_connected(device) {
            return self.node.connect(now, device);
        }
        if work.expect == Expect::Answered {
            return self.ask(now, device, at);
        }
        let priority = Priority::new(work.priority).unwrap_or(Priority::LAST);
        match self.node.open(now, device, &work.service, priority) {
            Ok(stream) => {
                let attempt = self.work[at].attempts;
                self.work[at] = Progress { state: State::Trying, attempts: attempt + 1 };
                self.clients.insert(stream, (at, Client::new(work, attempt)));
                self.see(work.id, WorkSeen::Started { attempt });
                self.advance_client(now, stream);
            }
            Err(_) => self.work[at].state = State::Waiting(now + RETRY_AFTER),
        }
    }

    fn ask(&mut self, now: Instant, device: DeviceId, at: usize) {
        let (work, attempt) = (&self.part.work[at], self.work[at].attempts);
        match self.proxy.ask(now, &mut self.node, device, &work.service, at) {
            Ok(()) => {
                self.work[at] = Progress { state: State::Trying, attempts: attempt + 1 };
                self.see(work.id, WorkSeen::Started { attempt });
            }
            Err(_) => self.work[at].state = State::Waiting(now + RETRY_AFTER),
        }
    }

    fn on_answer(&mut self, now: Instant, at: usize, answer: Answer) {
        match answer {
            Answer::Right(bytes) => self.end_work(at, Outcome::Done { messages: 1, bytes }),
            Answer::Wrong(why) => self.end_work(at, Outcome::Unexpected(why)),
            Answer::None(why) => self.fail_work(now, at, why),
        }
    }

    fn on_event(&mut self, now: Instant, event: Event) {
        match event {
            Event::Discovered { device, .. } => {
                let peer = self.name(device);
                self.observations.push_back(Observation::Discovered { peer });
            }
            Event::SessionUp { device, .. } => {
                let peer = self.name(device);
                self.observations.push_back(Observation::SessionUp { peer });
            }
            Event::SessionDown { session, device, reason } => {
                let (peer, reason) = (self.name(device), reason.to_string());
                self.drop_streams(now, |stream| stream.session == session, &reason);
                self.observations.push_back(Observation::SessionDown { peer, reason });
            }
            Event::SessionFailed { device: Some(device), reason, .. } => {
                let (peer, reason) = (self.name(device), reason.to_string());
                self.observations.push_back(Observation::SessionFailed { peer, reason });
            }
            Event::SessionFailed { device: None, reason, .. } => {
                self.observations.push_back(Observation::Refused { reason: reason.to_string() });
            }
            // No part of a scenario pairs.
            Event::Lost { .. }
            | Event::PairingNumber { .. }
            | Event::Paired { .. }
            | Event::PairingFailed { .. }
            | Event::TrustStored { .. } => {}
            Event::Accepted { stream, device, service, .. } => {
                let server = Server::new(self.name(device), service);
                self.servers.insert(stream, server);
                self.advance_server(now, stream);
            }
            Event::Opened { stream } => {
                if let Some((_, client)) = self.clients.get_mut(&stream) {
                    client.opened();
                }
                self.advance(now, stream);
            }
            Event::Readable { stream } | Event::Writable { stream } => self.advance(now, stream),
            Event::Finished { stream } => {
                if let Some((_, client)) = self.clients.get_mut(&stream) {
                    client.peer_finished();
                }
                if let Some(server) = self.servers.get_mut(&stream) {
                    server.peer_finished();
                }
                self.advance(now, stream);
            }
            Event::Reset { stream, code } => self.on_reset(now, stream, code),
        }
    }

    fn on_reset(&mut self, now: Instant, stream: StreamKey, code: u32) {
        self.servers.remove(&stream);
        let Some((at, _)) = self.clients.remove(&stream) else { return };
        let is_denied = code == Reject::ServiceDenied.code();
        match (is_denied, self.part.work[at].expect) {
            (true, Expect::Denied) => self.end_work(at, Outcome::Done { messages: 0, bytes: 0 }),
            (true, _) => self.end_work(at, Outcome::Unexpected("denied".into())),
            (false, _) => self.fail_work(now, at, CodeName(code).to_string()),
        }
    }

    fn drop_streams(&mut self, now: Instant, is_gone: impl Fn(&StreamKey) -> bool, reason: &str) {
        self.servers.retain(|stream, _| !is_gone(stream));
        let gone: Vec<_> = self.clients.keys().filter(|stream| is_gone(stream)).copied().collect();
        for stream in gone {
            if let Some((at, _)) = self.clients.remove(&stream) {
                self.fail_work(now, at, reason.into());
            }
        }
    }

    fn advance(&mut self, now: Instant, stream: StreamKey) {
        if self.clients.contains_key(&stream) {
            self.advance_client(now, stream);
        } else {
            self.advance_server(now, stream);
        }
    }

    fn advance_client(&mut self, now: Instant, stream: StreamKey) {
        let Self { clients, node, part, counts, .. } = self;
        let Some((at, client)) = clients.get_mut(&stream) else { return };
        let at = *at;
        let Some(outcome) = client.advance(now, node, stream, &part.work[at], counts) else { return };
        if part.work[at].expect == Expect::Opened && matches!(outcome, Outcome::Done { .. }) {
            return self.end_work(at, outcome); // the stream stays
        }
        self.clients.remove(&stream);
        if !matches!(outcome, Outcome::Done { .. }) {
            // It may have ended already: then there is nothing to reset.
            let _ = self.node.reset(now, stream, code::CANCELLED);
        }
        match outcome {
            Outcome::Failed(reason) => self.fail_work(now, at, reason),
            outcome => self.end_work(at, outcome),
        }
    }

    fn advance_server(&mut self, now: Instant, stream: StreamKey) {
        let Self { servers, node, counts, scratch, observations, .. } = self;
        let Some(server) = servers.get_mut(&stream) else { return };
        let is_over = server.advance(now, node, stream, counts, scratch, |seen| observations.push_back(seen));
        if is_over {
            servers.remove(&stream);
        }
    }

    fn end_work(&mut self, at: usize, outcome: Outcome) {
        if self.work[at].state == State::Over {
            return;
        }
        self.work[at].state = State::Over;
        let work = &self.part.work[at];
        let (id, as_expected) = (work.id, work.expect);
        let seen = match outcome {
            Outcome::Done { messages, bytes } => WorkSeen::Done { as_expected, messages, bytes },
            Outcome::Unexpected(seen) | Outcome::Failed(seen) => WorkSeen::Unexpected { seen },
        };
        self.done.add(id);
        self.see(id, seen);
    }

    /// Work that is over stays over: a stream that it left open may end at any time.
    fn fail_work(&mut self, now: Instant, at: usize, reason: String) {
        if self.work[at].state == State::Over {
            return;
        }
        let attempt = self.work[at].attempts.saturating_sub(1);
        self.work[at].state = State::Waiting(now + RETRY_AFTER);
        self.see(self.part.work[at].id, WorkSeen::Failed { attempt, reason });
    }

    fn see(&mut self, id: u32, seen: WorkSeen) {
        self.observations.push_back(Observation::Work { id, seen });
    }

    fn report_marks(&mut self) {
        let Counts { sent, received } = self.counts;
        let observations = &mut self.observations;
        self.part.marks.retain(|mark| {
            let reached = match mark.kind {
                MarkKind::Sent => sent,
                MarkKind::Received => received,
            };
            if reached >= mark.bytes {
                observations.push_back(Observation::Marked { id: mark.id });
            }
            reached < mark.bytes
        });
    }

    fn next_retry(&self) -> Option<Instant> {
        let due = |progress: &Progress| match progress.state {
            State::Waiting(at) => Some(at),
            State::Due | State::Trying | State::Over => None,
        };
        self.work.iter().filter_map(due).min()
    }
}

/// What the part says of the node, on top of the limits.
fn configure(part: &Part, mut config: Config) -> Config {
    config.port = part.port;
    config.services.clone_from(&part.serves);
    config.trusted = match &part.trusts {
        Some(names) => names.iter().filter_map(|name| part.peers.device(name)).collect(),
        None => part.peers.iter().filter(|peer| peer.name != part.name).map(Peer::device_id).collect(),
    };
    config.policy = Policy::default();
    for allow in &part.allow {
        if let Some(device) = part.peers.device(&allow.peer) {
            config.policy.allow(device, &allow.service);
        }
    }
    config
}

impl Machine for Actor {
    type Command = Infallible;
    type Event = Observation;

    fn handle(&mut self, now: Instant, input: Input<'_, Infallible>) {
        if let Input::Stored { key, .. } = input {
            self.done.stored(key);
        }
        self.node.handle(now, input.without_commands());
        self.settle(now);
    }

    fn poll(&mut self) -> Option<Output<'_, Observation>> {
        if let Some(observation) = self.observations.pop_front() {
            return Some(Output::Event(observation));
        }
        if self.done.wants_store() {
            let (key, bytes) = self.done.store();
            return Some(Output::Store { key, bytes });
        }
        self.node.poll_output().map(Output::without_events)
    }

    fn fill(&mut self, pipe: PipeId, room: &mut [u8]) -> usize {
        let filled = self.node.fill(pipe, room);
        let now = self.node.now();
        self.settle(now);
        filled
    }

    fn next_timeout(&self) -> Option<Instant> {
        let next_read = self.servers.values().filter_map(Server::reads_at).min();
        [self.node.next_timeout(), self.next_retry(), next_read, self.proxy.next_timeout()].into_iter().flatten().min()
    }
}
