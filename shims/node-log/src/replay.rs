//! Makes the calls of a log again, and compares what comes out.

use crate::line::{Line, Start, Stream};
use crate::recorded;
use crate::suite::{Answers, Replaying, Shared};
use crate::text::Digest;
use fabric::identity::{DeviceKey, NoiseStatic};
use fabric::mux::Priority;
use fabric::session::Local;
use fabric::{Command, Event, Node, StreamKey};
use machine::{Boot, Input, Instant, Machine, PipeId, StoreFailed};
use std::collections::BTreeMap;
use std::fmt;
use std::io::{BufRead, Read};
use std::sync::Arc;

/// The longest line: a boot with all that a driver may have stored, in hex.
const LINE_BYTES_MAX: u64 = 1 << 31;
/// The most room that a driver offers.
const ROOM_MAX: u64 = 1 << 20;

/// What was replayed, to the byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Replayed {
    /// Calls made.
    pub calls: u64,
    /// Results compared.
    pub compared: u64,
    /// The time from the boot to the last call, in nanoseconds.
    pub nanos: u64,
    /// Whether the log ends because it was full.
    pub is_full: bool,
    /// Whether its last line is cut: the process was killed.
    pub is_cut: bool,
}

/// Why a replay did not come to the log's end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stopped {
    /// This is no log, or a line of it makes no sense.
    Unreadable {
        /// From 1.
        line: u64,
        /// What is wrong.
        why: String,
    },
    /// The call of this line gave something else than when the log was written.
    Differs {
        /// From 1.
        line: u64,
        /// The call.
        call: String,
        /// What it gives now.
        now: String,
    },
}

impl fmt::Display for Stopped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreadable { line, why } => write!(f, "line {line}: {why}"),
            Self::Differs { line, call, now } => write!(f, "line {line}: {call} now gives {now}"),
        }
    }
}

impl std::error::Error for Stopped {}

/// Replays a whole log.
pub fn replay(log: impl BufRead) -> Result<Replayed, Stopped> {
    let mut lines = Lines { log, number: 0, is_cut: false };
    let Some(Line::Boot(start)) = lines.next()? else { return Err(lines.unreadable("a log begins with its boot")) };
    let mut replay = Replay::new(*start);
    while let Some(line) = lines.next()? {
        replay.take(line, lines.number)?;
    }
    let last = replay.make(None);
    // What the last call was answered may be missing: then the log is cut there.
    let is_short = replay.answers.lock().have_run_out;
    match last {
        Err(stopped) if !is_short => Err(stopped),
        _ => Ok(Replayed { is_cut: (lines.is_cut || is_short) && !replay.done.is_full, ..replay.done }),
    }
}

struct Lines<R> {
    log: R,
    number: u64,
    is_cut: bool,
}

impl<R: BufRead> Lines<R> {
    /// The next line; `None` at the end, and where the last line is cut.
    fn next(&mut self) -> Result<Option<Line>, Stopped> {
        self.number += 1;
        let mut text = Vec::new();
        let read = self.log.by_ref().take(LINE_BYTES_MAX).read_until(b'\n', &mut text);
        read.map_err(|error| self.unreadable(error))?;
        if text.last() != Some(&b'\n') {
            self.is_cut = !text.is_empty();
            return Ok(None);
        }
        serde_json::from_slice(&text).map(Some).map_err(|error| self.unreadable(error))
    }

    fn unreadable(&self, why: impl fmt::Display) -> Stopped {
        Stopped::Unreadable { line: self.number, why: why.to_string() }
    }
}

struct Replay {
    /// To be booted once the answers that it needs are there.
    start: Option<Start>,
    node: Option<Node>,
    answers: Shared<Answers>,
    /// The last call read, and its line: it is made when the answers that it needs are there.
    pending: Option<(Line, u64)>,
    streams: BTreeMap<Stream, StreamKey>,
    room: Vec<u8>,
    began: u64,
    done: Replayed,
}

/// What a call gave: its digest, and what to show.
struct Given(Digest, String);

impl Given {
    fn value(value: &impl fmt::Debug) -> Self {
        Self(Digest::of_value(value), format!("{value:?}"))
    }
}

impl Replay {
    fn new(start: Start) -> Self {
        Self {
            began: start.now,
            start: Some(start),
            node: None,
            answers: Shared::new(Answers::default()),
            pending: None,
            streams: BTreeMap::new(),
            room: Vec::new(),
            done: Replayed { calls: 0, compared: 0, nanos: 0, is_full: false, is_cut: false },
        }
    }

    fn take(&mut self, line: Line, number: u64) -> Result<(), Stopped> {
        match line {
            Line::NoisePublic { .. } | Line::DiffieHellman { .. } | Line::Sign { .. } => {
                self.answers.lock().waiting.push_back(line);
                Ok(())
            }
            Line::Out { is } => self.make(Some(is.0)),
            Line::Full {} => {
                self.done.is_full = true;
                Ok(())
            }
            Line::Boot(_) => Err(Stopped::Unreadable { line: number, why: "a second boot".into() }),
            call => {
                self.make(None)?;
                self.pending = Some((call, number));
                Ok(())
            }
        }
    }

    /// Makes the pending call, or boots, and compares the result with what was written.
    fn make(&mut self, expected: Option<Digest>) -> Result<(), Stopped> {
        if let Some(start) = self.start.take() {
            self.node = Some(self.boot(&start)?);
        }
        let Some((call, line)) = self.pending.take() else { return Ok(()) };
        let given = self.call(&call).map_err(|why| Stopped::Unreadable { line, why })?;
        self.done.calls += 1;
        let differs = |now: String| Stopped::Differs { line, call: name(&call), now };
        let answers = self.answers.lock();
        if answers.are_wrong || !answers.waiting.is_empty() {
            return Err(differs("other questions to the cryptography".into()));
        }
        match (given, expected) {
            (Some(Given(digest, shown)), Some(expected)) if digest != expected => Err(differs(shown)),
            (None, Some(_)) => Err(Stopped::Unreadable { line, why: "a result of what has none".into() }),
            (_, expected) => {
                self.done.compared += u64::from(expected.is_some());
                Ok(())
            }
        }
    }

    fn boot(&self, start: &Start) -> Result<Node, Stopped> {
        let unreadable = |why: String| Stopped::Unreadable { line: 1, why };
        let key = |key: Option<[u8; 32]>| key.ok_or_else(|| unreadable("a key has 32 bytes".into()));
        let stored = start.stored.iter().map(|(key, value)| (key.clone(), value.0.to_vec())).collect();
        let boot = Boot {
            now: Instant::from_nanos(start.now),
            incarnation: start.incarnation,
            seed: key(start.seed.array())?,
            stored,
        };
        let local = Local {
            device: DeviceKey::without_secret(key(start.verifying_key.array())?),
            noise: NoiseStatic::new([0; 32], start.noise_static.0), // the log answers whatever it is asked for
            features: 0,
            suite: Arc::new(Replaying(self.answers.clone())),
        };
        if start.log != 1 {
            return Err(unreadable(format!("a log of version {}, and this program reads 1", start.log)));
        }
        Node::new(&boot, local, start.settings.config())
            .map_err(|error| unreadable(format!("it does not boot: {error}")))
    }

    fn stream(&self, stream: Stream) -> Result<StreamKey, String> {
        self.streams.get(&stream).copied().ok_or_else(|| "no such stream".into())
    }

    /// Makes one call; an error says why it cannot be made.
    fn call(&mut self, call: &Line) -> Result<Option<Given>, String> {
        if let Some(now) = time(call) {
            self.done.nanos = self.done.nanos.max(now.saturating_sub(self.began));
        }
        let at = |now: &u64| Instant::from_nanos(*now);
        let stream = stream(call).map(|stream| self.stream(stream)).transpose()?;
        let Some(node) = &mut self.node else { return Err("nothing was booted".into()) };
        let given = match (call, stream) {
            (Line::Open { now, device, service, priority }, _) => {
                let priority = Priority::new(*priority).ok_or("no priority")?;
                let opened = node.open(at(now), device.0, service, priority);
                self.streams.extend(opened.map(|key| (key.into(), key)));
                Given::value(&opened)
            }
            (Line::Write { now, bytes, ends, .. }, Some(stream)) => {
                Given::value(&node.write_shared(at(now), stream, &bytes.0, *ends))
            }
            (Line::Read { now, bytes_max, .. }, Some(stream)) => {
                let read = node.read_with(at(now), stream, *bytes_max as usize, |part| {
                    Given(Digest::of_part(&part), format!("{} bytes, or others", part.bytes.len()))
                });
                let failed = read.as_ref().err().copied();
                read.ok().flatten().unwrap_or_else(|| Given::value(&failed))
            }
            (Line::Finish { now, .. }, Some(stream)) => Given::value(&node.finish(at(now), stream)),
            (Line::Reset { now, code, .. }, Some(stream)) => Given::value(&node.reset(at(now), stream, *code)),
            (Line::Allow { device, service }, _) => {
                recorded::allow(node, device.0, service);
                return Ok(None);
            }
            (Line::PollEvent {}, _) => {
                let event = node.poll_event();
                if let Some(Event::Accepted { stream, .. }) = event {
                    self.streams.insert(stream.into(), stream);
                }
                Given::value(&event)
            }
            (Line::PollOutput {}, _) => Given::value(&node.poll_output()),
            (Line::Fill { pipe, room }, _) => {
                self.room.resize((*room).min(ROOM_MAX) as usize, 0);
                let filled = node.fill(pipe_of(*pipe), &mut self.room);
                Given(Digest::of(&self.room[..filled]), format!("{filled} bytes, or others"))
            }
            (input, _) => {
                let (now, input) = input_of(input).ok_or("this is no call")?;
                node.handle(at(&now), input);
                return Ok(None);
            }
        };
        Ok(Some(given))
    }
}

/// The call without its bytes.
fn name(call: &Line) -> String {
    let text = format!("{call:?}");
    text.split(" bytes:").next().unwrap_or_default().chars().take(200).collect()
}

const fn pipe_of(number: u64) -> PipeId {
    if number.is_multiple_of(2) { PipeId::opened(number / 2) } else { PipeId::accepted(number / 2) }
}

const fn stream(call: &Line) -> Option<Stream> {
    match call {
        Line::Write { stream, .. }
        | Line::Read { stream, .. }
        | Line::Finish { stream, .. }
        | Line::Reset { stream, .. } => Some(*stream),
        _ => None,
    }
}

fn time(call: &Line) -> Option<u64> {
    match call {
        Line::Open { now, .. }
        | Line::Write { now, .. }
        | Line::Read { now, .. }
        | Line::Finish { now, .. }
        | Line::Reset { now, .. } => Some(*now),
        input => Some(input_of(input)?.0),
    }
}

/// The input that a line is, and when.
fn input_of(line: &Line) -> Option<(u64, Input<'_, Command>)> {
    Some(match *line {
        Line::Timeout { now } => (now, Input::Timeout),
        Line::Datagram { now, from, ref bytes } => (now, Input::Datagram { from: from.into(), bytes: &bytes.0 }),
        Line::PipeOpened { now, pipe } => (now, Input::PipeOpened { pipe: pipe_of(pipe) }),
        Line::PipeAccepted { now, pipe, from } => (now, Input::PipeAccepted { pipe: pipe_of(pipe), from: from.into() }),
        Line::PipeBytes { now, pipe, ref bytes } => (now, Input::PipeBytes { pipe: pipe_of(pipe), bytes: &bytes.0 }),
        Line::PipeFinished { now, pipe } => (now, Input::PipeFinished { pipe: pipe_of(pipe) }),
        Line::PipeClosed { now, pipe, reason } => {
            (now, Input::PipeClosed { pipe: pipe_of(pipe), reason: reason.into() })
        }
        Line::Stored { now, ref key, ok } => {
            (now, Input::Stored { key, result: if ok { Ok(()) } else { Err(StoreFailed) } })
        }
        Line::Connect { now, device } => (now, Input::Command(Command::Connect(device.0))),
        Line::ConnectTo { now, device, addr, noise_static } => {
            (now, Input::Command(Command::ConnectTo(device.0, addr.into(), noise_static.0)))
        }
        Line::Disconnect { now, device } => (now, Input::Command(Command::Disconnect(device.0))),
        Line::Trust { now, device } => (now, Input::Command(Command::Trust(device.0))),
        Line::Revoke { now, device } => (now, Input::Command(Command::Revoke(device.0))),
        Line::TrustAs { now, device, label, at } => (now, Input::Command(Command::TrustAs(device.0, label.0, at))),
        Line::EnterPairing { now } => (now, Input::Command(Command::EnterPairing)),
        Line::Pair { now, device } => (now, Input::Command(Command::Pair(device.0))),
        Line::ConfirmPairing { now, label, at } => (now, Input::Command(Command::ConfirmPairing(label.0, at))),
        Line::LeavePairing { now } => (now, Input::Command(Command::LeavePairing)),
        Line::ShutDown { now } => (now, Input::Command(Command::ShutDown)),
        _ => return None,
    })
}
