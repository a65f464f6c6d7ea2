//! All calls of a machine in one start of it, and what they gave: enough to make them again elsewhere, and to see whether
//! they give the same. Prints nothing and reads nothing: lines go to whoever records.

use crate::Hex;
use alloc::borrow::ToOwned;
use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;
use core::convert::Infallible;
use core::fmt::{Debug, Write};
use core::net::SocketAddr;
use machine::{Boot, Input, Instant, Machine, Output, PipeEnd, PipeId, StoreFailed};
use scenario_actor::{Bytes32, Part};
use serde::{Deserialize, Serialize};

/// The most room that a driver offers; a replay makes no more.
pub const ROOM_MAX: u64 = 1 << 20;

/// What a recorded machine was started from. It holds the node's secrets.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Recording {
    /// The version of the format: 1.
    pub record: u8,
    /// The node's own time, in nanoseconds.
    pub now: u64,
    /// Which start of the node it was.
    pub incarnation: u64,
    /// All its chance.
    pub seed: Bytes32,
    /// What it had stored, by key.
    pub stored: BTreeMap<String, Hex>,
    /// Its part in the scenario.
    pub part: Part,
}

impl Recording {
    /// The version that is written and read.
    pub const VERSION: u8 = 1;

    /// What `boot` and `part` are.
    pub fn new(boot: &Boot, part: &Part) -> Self {
        Self {
            record: Self::VERSION,
            now: boot.now.as_nanos(),
            incarnation: boot.incarnation,
            seed: Bytes32(boot.seed),
            stored: boot.stored.iter().map(|(key, value)| (key.clone(), Hex(value.clone()))).collect(),
            part: part.clone(),
        }
    }

    /// What the machine is started from again.
    pub fn boot(&self) -> Boot {
        Boot {
            now: Instant::from_nanos(self.now),
            incarnation: self.incarnation,
            seed: self.seed.0,
            stored: self.stored.iter().map(|(key, value)| (key.clone(), value.0.clone())).collect(),
        }
    }
}

/// One call. Times are in nanoseconds of the node's own time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Call {
    /// [`Machine::handle`].
    Handle {
        /// When.
        now: u64,
        /// What.
        input: Told,
    },
    /// [`Machine::poll`].
    Poll {
        /// The digest of what it gave; 0 for nothing.
        gave: u64,
    },
    /// [`Machine::fill`].
    Fill {
        /// Which pipe.
        pipe: u64,
        /// How many bytes there was room for.
        room: u64,
        /// How many it gave.
        bytes: u64,
        /// Their digest.
        gave: u64,
    },
}

/// An [`Input`], as it is written down.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
#[expect(missing_docs, reason = "the fields are those of the inputs")]
pub enum Told {
    /// [`Input::Timeout`].
    Timeout,
    /// [`Input::Datagram`].
    Datagram { from: SocketAddr, bytes: Hex },
    /// [`Input::PipeOpened`].
    PipeOpened { pipe: u64 },
    /// [`Input::PipeAccepted`].
    PipeAccepted { pipe: u64, from: SocketAddr },
    /// [`Input::PipeBytes`].
    PipeBytes { pipe: u64, bytes: Hex },
    /// [`Input::PipeFinished`].
    PipeFinished { pipe: u64 },
    /// [`Input::PipeClosed`].
    PipeClosed { pipe: u64, reason: End },
    /// [`Input::Stored`].
    Stored { key: String, is_durable: bool },
}

/// A [`PipeEnd`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[expect(missing_docs, reason = "they are those of the pipe's end")]
pub enum End {
    Refused,
    TimedOut,
    Reset,
    Finished,
}

const ENDS: [(End, PipeEnd); 4] = [
    (End::Refused, PipeEnd::Refused),
    (End::TimedOut, PipeEnd::TimedOut),
    (End::Reset, PipeEnd::Reset),
    (End::Finished, PipeEnd::Finished),
];

impl Told {
    fn of(input: &Input<'_, Infallible>) -> Self {
        let hex = |bytes: &[u8]| Hex(bytes.to_vec());
        match *input {
            Input::Timeout => Self::Timeout,
            Input::Command(never) => match never {},
            Input::Datagram { from, bytes } => Self::Datagram { from: from.into(), bytes: hex(bytes) },
            Input::PipeOpened { pipe } => Self::PipeOpened { pipe: pipe.as_u64() },
            Input::PipeAccepted { pipe, from } => Self::PipeAccepted { pipe: pipe.as_u64(), from: from.into() },
            Input::PipeBytes { pipe, bytes } => Self::PipeBytes { pipe: pipe.as_u64(), bytes: hex(bytes) },
            Input::PipeFinished { pipe } => Self::PipeFinished { pipe: pipe.as_u64() },
            Input::PipeClosed { pipe, reason } => {
                let end = ENDS.iter().find(|(_, known)| *known == reason).map_or(End::Reset, |(end, _)| *end);
                Self::PipeClosed { pipe: pipe.as_u64(), reason: end }
            }
            Input::Stored { key, result } => Self::Stored { key: key.to_owned(), is_durable: result.is_ok() },
        }
    }

    fn input(&self) -> Input<'_, Infallible> {
        match *self {
            Self::Timeout => Input::Timeout,
            Self::Datagram { from, ref bytes } => Input::Datagram { from: from.into(), bytes: &bytes.0 },
            Self::PipeOpened { pipe } => Input::PipeOpened { pipe: pipe_of(pipe) },
            Self::PipeAccepted { pipe, from } => Input::PipeAccepted { pipe: pipe_of(pipe), from: from.into() },
            Self::PipeBytes { pipe, ref bytes } => Input::PipeBytes { pipe: pipe_of(pipe), bytes: &bytes.0 },
            Self::PipeFinished { pipe } => Input::PipeFinished { pipe: pipe_of(pipe) },
            Self::PipeClosed { pipe, reason } => {
                let end = ENDS.iter().find(|(known, _)| *known == reason).map_or(PipeEnd::Reset, |(_, end)| *end);
                Input::PipeClosed { pipe: pipe_of(pipe), reason: end }
            }
            Self::Stored { ref key, is_durable } => {
                Input::Stored { key, result: if is_durable { Ok(()) } else { Err(StoreFailed) } }
            }
        }
    }
}

const fn pipe_of(number: u64) -> PipeId {
    if number.is_multiple_of(2) { PipeId::opened(number / 2) } else { PipeId::accepted(number / 2) }
}

impl Call {
    /// Makes this call of `machine` again: the call as it is now, which is equal where the machine gives the same.
    #[must_use]
    pub fn again<M>(&self, machine: &mut M, room: &mut Vec<u8>) -> Self
    where
        M: Machine<Command = Infallible, Event: Debug>,
    {
        match self {
            Self::Handle { now, input } => {
                machine.handle(Instant::from_nanos(*now), input.input());
                self.clone()
            }
            Self::Poll { .. } => Self::Poll { gave: machine.poll().as_ref().map_or(0, digest) },
            Self::Fill { pipe, room: bytes, .. } => {
                let offered = (*bytes).min(ROOM_MAX);
                room.resize(offered as usize, 0);
                let filled = machine.fill(pipe_of(*pipe), room);
                Self::Fill { pipe: *pipe, room: *bytes, bytes: filled as u64, gave: Digest::of(&room[..filled]) }
            }
        }
    }
}

/// A machine whose calls are written down.
#[derive(Debug)]
pub struct Recorded<M, W> {
    inner: M,
    /// `None` while nobody wants them.
    write: Option<W>,
}

impl<M, W: Fn(Call)> Recorded<M, W> {
    /// `inner`; its calls go to `write`, if that is there.
    pub const fn new(inner: M, write: Option<W>) -> Self {
        Self { inner, write }
    }
}

impl<M: Machine<Command = Infallible, Event: Debug>, W: Fn(Call)> Machine for Recorded<M, W> {
    type Command = Infallible;
    type Event = M::Event;

    fn handle(&mut self, now: Instant, input: Input<'_, Infallible>) {
        if let Some(write) = &self.write {
            write(Call::Handle { now: now.as_nanos(), input: Told::of(&input) });
        }
        self.inner.handle(now, input);
    }

    fn poll(&mut self) -> Option<Output<'_, M::Event>> {
        let Self { inner, write } = self;
        let output = inner.poll();
        if let Some(write) = write {
            write(Call::Poll { gave: output.as_ref().map_or(0, digest) });
        }
        output
    }

    fn fill(&mut self, pipe: PipeId, room: &mut [u8]) -> usize {
        let filled = self.inner.fill(pipe, room);
        if let Some(write) = &self.write {
            let (offered, bytes, gave) = (room.len() as u64, filled as u64, Digest::of(&room[..filled]));
            write(Call::Fill { pipe: pipe.as_u64(), room: offered, bytes, gave });
        }
        filled
    }

    fn next_timeout(&self) -> Option<Instant> {
        self.inner.next_timeout()
    }
}

/// FNV-1a of 64 bits: it tells results apart, and keeps no secret.
struct Digest(u64);

impl Digest {
    fn of(bytes: &[u8]) -> u64 {
        let mut digest = Self(0xCBF2_9CE4_8422_2325);
        digest.take(bytes);
        digest.0
    }

    fn take(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01B3);
        }
    }
}

impl Write for Digest {
    fn write_str(&mut self, text: &str) -> core::fmt::Result {
        self.take(text.as_bytes());
        Ok(())
    }
}

/// Of an output's every field. Bytes go in as they are: as text they would take longer than all else.
fn digest<E: Debug>(output: &Output<'_, E>) -> u64 {
    let mut digest = Digest(Digest::of(b"output"));
    // Writing to a digest cannot fail.
    let _ = match output {
        Output::Datagram { to, bytes } => {
            digest.take(bytes);
            write!(digest, "datagram {to:?}")
        }
        Output::Store { key, bytes } => {
            digest.take(bytes);
            write!(digest, "store {key}")
        }
        other => write!(digest, "{other:?}"),
    };
    digest.0
}
