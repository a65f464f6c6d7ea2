//! A node whose calls are written down.

use crate::line::{Line, Start, Stream};
use crate::log::Log;
use crate::settings::{Settings, permit};
use crate::suite::{Recording, Shared};
use crate::text::{Digest, Hex, Text};
use bytes::Bytes;
use fabric::call::Streams;
use fabric::discovery::Refusal;
use fabric::identity::{DeviceId, DeviceKey, NoiseStatic};
use fabric::mux::{Chunk, Part, Priority};
use fabric::session::Local;
use fabric::suite::{RealSuite, Suite};
use fabric::{CallError, Command, Event, Node, Policy, SessionId, StreamKey};
use machine::{Boot, Input, Instant, Machine, Output, PipeId};
use std::convert::Infallible;
use std::ops::Deref;
use std::sync::Arc;
use zeroize::Zeroizing;

/// A [`Node`], and a log of what it is told if one is wanted. What changes nothing is the node's own.
pub struct Recorded {
    node: Node,
    log: Option<Shared<Log>>,
}

impl Deref for Recorded {
    type Target = Node;
    fn deref(&self) -> &Node {
        &self.node
    }
}

impl Recorded {
    /// [`Node::new`] with the real cryptography.
    ///
    /// # Errors
    /// What is wrong with the services or the port to announce.
    pub fn new(
        boot: &Boot,
        device: DeviceKey,
        noise: NoiseStatic,
        settings: &Settings,
        log: Option<Log>,
    ) -> Result<Self, Refusal> {
        let mut suite: Arc<dyn Suite> = Arc::new(RealSuite);
        let log = log.map(|mut log| {
            log.write(&start(boot, &device, &noise, settings));
            let (mixed_with, log) = (log.mixed_with(), Shared::new(log));
            let noise_secret = Zeroizing::new(*noise.secret());
            suite = Arc::new(Recording { log: log.clone(), noise_secret, mixed_with });
            log
        });
        let node = Node::new(boot, Local { device, noise, features: 0, suite }, settings.config())?;
        Ok(Self { node, log })
    }

    /// Why no more is recorded, if so.
    pub fn log_ended(&self) -> Option<String> {
        self.log.as_ref()?.lock().ended()
    }

    fn record(&self, line: impl FnOnce() -> Line) {
        if let Some(log) = &self.log {
            log.lock().write(&line());
        }
    }

    fn write_out(&self, digest: impl FnOnce() -> Digest) {
        self.record(|| Line::Out { is: Text(digest()) });
    }

    /// [`Node::poll_event`].
    pub fn poll_event(&mut self) -> Option<Event> {
        let event = self.node.poll_event();
        if event.is_some() {
            self.record(|| Line::PollEvent {});
            self.write_out(|| Digest::of_value(&event));
        }
        event
    }

    /// [`Node::poll_output`].
    pub fn poll_output(&mut self) -> Option<Output<'_, Infallible>> {
        self.record(|| Line::PollOutput {});
        let Self { node, log } = self;
        let output = node.poll_output();
        if let Some(log) = log {
            let mut log = log.lock();
            log.write(&Line::Out { is: Text(Digest::of_value(&output)) });
            if output.is_none() {
                log.flush();
            }
        }
        output
    }

    /// [`Node::connect`] and its like.
    pub fn command(&mut self, now: Instant, command: Command) {
        self.handle(now, Input::Command(command));
    }

    /// Lets `device` open `service`, or call the method of `service/method`, from now on: [`Node::set_policy`].
    pub fn allow(&mut self, device: DeviceId, service: &str) {
        self.record(|| Line::Allow { device: Text(device), service: service.to_owned() });
        allow(&mut self.node, device, service);
    }

    /// [`Node::write_shared`].
    pub fn write_shared(
        &mut self,
        now: Instant,
        stream: StreamKey,
        bytes: &Bytes,
        ends: bool,
    ) -> Result<usize, CallError> {
        let at = now.as_nanos();
        self.record(|| Line::Write { now: at, stream: stream.into(), bytes: Hex(bytes.clone()), ends });
        let written = self.node.write_shared(now, stream, bytes, ends);
        self.write_out(|| Digest::of_value(&written));
        written
    }

    /// [`Node::read_with`].
    pub fn read_with<R>(
        &mut self,
        now: Instant,
        stream: StreamKey,
        bytes_max: usize,
        take: impl FnOnce(Part<'_>) -> R,
    ) -> Result<Option<R>, CallError> {
        let at = now.as_nanos();
        self.record(|| Line::Read { now: at, stream: stream.into(), bytes_max: bytes_max as u64 });
        let Self { node, log } = self;
        let mut digest = None;
        let read = node.read_with(now, stream, bytes_max, |part| {
            digest = log.is_some().then(|| Digest::of_part(&part));
            take(part)
        });
        let failed = read.as_ref().err().copied();
        self.write_out(|| digest.unwrap_or_else(|| Digest::of_value(&failed)));
        read
    }
}

pub(crate) fn allow(node: &mut Node, device: DeviceId, service: &str) {
    let mut policy = node.config().policy.clone();
    permit(&mut policy, Some(device), service);
    node.set_policy(policy);
}

/// So that calls are written down as the streams that they are.
impl Streams for Recorded {
    fn session(&self, device: DeviceId) -> Option<SessionId> {
        self.node.session(device)
    }

    fn policy(&self) -> &Policy {
        &self.node.config().policy
    }

    fn open(
        &mut self,
        now: Instant,
        device: DeviceId,
        service: &str,
        priority: Priority,
    ) -> Result<StreamKey, CallError> {
        let (at, level) = (now.as_nanos(), priority.level());
        self.record(|| Line::Open { now: at, device: Text(device), service: service.to_owned(), priority: level });
        let opened = self.node.open(now, device, service, priority);
        self.write_out(|| Digest::of_value(&opened));
        opened
    }

    fn write(&mut self, now: Instant, stream: StreamKey, bytes: &[u8], ends: bool) -> Result<usize, CallError> {
        self.write_shared(now, stream, &Bytes::copy_from_slice(bytes), ends)
    }

    fn read(&mut self, now: Instant, stream: StreamKey, bytes_max: usize) -> Result<Option<Chunk>, CallError> {
        self.read_with(now, stream, bytes_max, |part| Chunk {
            bytes: Bytes::copy_from_slice(part.bytes),
            end_of_message: part.end_of_message,
        })
    }

    fn finish(&mut self, now: Instant, stream: StreamKey) -> Result<(), CallError> {
        self.record(|| Line::Finish { now: now.as_nanos(), stream: stream.into() });
        let finished = self.node.finish(now, stream);
        self.write_out(|| Digest::of_value(&finished));
        finished
    }

    fn reset(&mut self, now: Instant, stream: StreamKey, code: u32) -> Result<(), CallError> {
        self.record(|| Line::Reset { now: now.as_nanos(), stream: stream.into(), code });
        let reset = self.node.reset(now, stream, code);
        self.write_out(|| Digest::of_value(&reset));
        reset
    }
}

fn start(boot: &Boot, device: &DeviceKey, noise: &NoiseStatic, settings: &Settings) -> Line {
    Line::Boot(Box::new(Start {
        log: 1,
        now: boot.now.as_nanos(),
        incarnation: boot.incarnation,
        seed: Hex::of(&boot.seed),
        stored: boot.stored.iter().map(|(key, value)| (key.clone(), Hex::of(value))).collect(),
        verifying_key: Hex::of(&device.verifying_key()),
        noise_static: Text(noise.public()),
        settings: settings.clone(),
    }))
}

impl From<StreamKey> for Stream {
    fn from(stream: StreamKey) -> Self {
        Self(stream.session.pipe().as_u64(), stream.stream.as_u32())
    }
}

/// An input as its line.
fn line_of(now: Instant, input: &Input<'_, Command>) -> Line {
    let now = now.as_nanos();
    match *input {
        Input::Timeout => Line::Timeout { now },
        Input::Datagram { from, bytes } => Line::Datagram { now, from: from.into(), bytes: Hex::of(bytes) },
        Input::PipeOpened { pipe } => Line::PipeOpened { now, pipe: pipe.as_u64() },
        Input::PipeAccepted { pipe, from } => Line::PipeAccepted { now, pipe: pipe.as_u64(), from: from.into() },
        Input::PipeBytes { pipe, bytes } => Line::PipeBytes { now, pipe: pipe.as_u64(), bytes: Hex::of(bytes) },
        Input::PipeFinished { pipe } => Line::PipeFinished { now, pipe: pipe.as_u64() },
        Input::PipeClosed { pipe, reason } => Line::PipeClosed { now, pipe: pipe.as_u64(), reason: reason.into() },
        Input::Stored { key, result } => Line::Stored { now, key: key.to_owned(), ok: result.is_ok() },
        Input::Command(command) => match command {
            Command::Connect(device) => Line::Connect { now, device: Text(device) },
            Command::ConnectTo(device, addr, noise_static) => {
                Line::ConnectTo { now, device: Text(device), addr: addr.into(), noise_static: Text(noise_static) }
            }
            Command::Disconnect(device) => Line::Disconnect { now, device: Text(device) },
            Command::Trust(device) => Line::Trust { now, device: Text(device) },
            Command::Revoke(device) => Line::Revoke { now, device: Text(device) },
            Command::TrustAs(device, label, at) => Line::TrustAs { now, device: Text(device), label: Text(label), at },
            Command::EnterPairing => Line::EnterPairing { now },
            Command::Pair(device) => Line::Pair { now, device: Text(device) },
            Command::ConfirmPairing(label, at) => Line::ConfirmPairing { now, label: Text(label), at },
            Command::LeavePairing => Line::LeavePairing { now },
            Command::ShutDown => Line::ShutDown { now },
        },
    }
}

impl Machine for Recorded {
    type Command = Command;
    type Event = Event;

    fn handle(&mut self, now: Instant, input: Input<'_, Command>) {
        self.record(|| line_of(now, &input));
        self.node.handle(now, input);
    }

    fn poll(&mut self) -> Option<Output<'_, Event>> {
        if let Some(event) = self.poll_event() {
            return Some(Output::Event(event));
        }
        self.poll_output().map(Output::without_events)
    }

    fn fill(&mut self, pipe: PipeId, room: &mut [u8]) -> usize {
        self.record(|| Line::Fill { pipe: pipe.as_u64(), room: room.len() as u64 });
        let filled = self.node.fill(pipe, room);
        self.write_out(|| Digest::of(&room[..filled]));
        filled
    }

    fn next_timeout(&self) -> Option<Instant> {
        self.node.next_timeout()
    }
}
