//! The vocabulary of a sans-IO protocol core. No protocol, no driver, no clock, no socket.
//!
//! A [`Machine`] is a state machine: bytes, time, commands and a seed go in; bytes, deadlines and events come out. Whoever
//! moves the bytes is a *driver*. The same machine runs in a simulator, over real sockets and on bare metal, because it
//! cannot tell them apart.
//!
//! # The contract
//!
//! 1. **Boot.** A driver makes a machine from a [`Boot`]: the time, a seed, which start of this node it is, and what the
//!    node has stored. Equal boots and equal inputs give equal outputs.
//! 2. **Input.** Whenever something happens the driver calls [`Machine::handle`] with its clock's time, which never falls.
//! 3. **Drain.** After boot and after inputs the driver calls [`Machine::poll`] until it gives `None`, and acts on each
//!    output. Handing in several inputs first and draining late is legal.
//! 4. **Timers.** After a drain the driver reads [`Machine::next_timeout`] and hands in [`Input::Timeout`] when its clock
//!    reaches it. A `Timeout` before its time changes nothing. A `Timeout` at or after its time moves the deadline.
//! 5. **Filling.** Pipe bytes are pulled. [`Output::FillPipe`] is an edge: from then on, while the pipe has room, the driver
//!    calls [`Machine::fill`] until it returns 0, and then waits for the next `FillPipe`. Room may be as little as one
//!    byte; where a driver can, it offers 64 KiB or more. After `fill` the driver drains again.
//! 6. **Receiving.** [`Input::PipeBytes`] is consumed whole. How a byte stream was split must not show in the events.
//! 7. **Pipes.** A machine names the pipes it opens with even [`PipeId`]s, a driver those it accepts with odd ones; neither
//!    uses an id again. Every opened or accepted pipe ends with exactly one [`Input::PipeClosed`], unless the machine ended
//!    it by [`Output::ClosePipe`]. Input for a pipe that has ended is ignored, as are outputs that name one.
//! 8. **Finishing.** [`Output::FinishPipe`] shuts the machine's half once `fill` has returned 0, and implies a
//!    [`Output::FillPipe`] of its own: all that was written arrives. [`Output::ClosePipe`] aborts at once: bytes in flight may be lost, in both directions.
//! 9. **Storing.** [`Output::Store`] replaces one value. Until its [`Input::Stored`] the value is old, new or torn after a
//!    crash; after a successful one it changes only by rot. Stores of one key are answered in order.
//!
//! # The loop
//!
//! ```
//! use machine::{Boot, Destination, Input, Instant, Machine, Output};
//!
//! /// Everything a driver does, over whatever sockets it has.
//! trait Sockets {
//!     fn send(&mut self, to: Destination, bytes: &[u8]);
//!     fn want(&mut self, pipe: machine::PipeId);
//!     fn wait(&mut self, until: Option<Instant>) -> (Instant, machine::Addr, Vec<u8>);
//! }
//!
//! fn run<M: Machine>(mut node: M, sockets: &mut impl Sockets, mut on_event: impl FnMut(M::Event) -> bool) {
//!     loop {
//!         while let Some(output) = node.poll() {
//!             match output {
//!                 Output::Datagram { to, bytes } => sockets.send(to, bytes),
//!                 Output::FillPipe { pipe } => sockets.want(pipe),
//!                 Output::Event(event) => {
//!                     if !on_event(event) {
//!                         return;
//!                     }
//!                 }
//!                 _ => {} // open, finish and close pipes, store values: likewise
//!             }
//!         }
//!         let (now, from, bytes) = sockets.wait(node.next_timeout());
//!         if node.next_timeout().is_some_and(|deadline| deadline <= now) {
//!             node.handle(now, Input::Timeout);
//!         } else {
//!             node.handle(now, Input::Datagram { from, bytes: &bytes });
//!         }
//!     }
//! }
//! ```

#![no_std]

extern crate alloc;

mod addr;
mod time;

use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;

pub use addr::{Addr, Host};
pub use time::{Duration, Instant};

/// A protocol core. See the [crate] for the contract between it and its driver.
pub trait Machine {
    /// What the application may ask: its only way in, so that a recorded run holds everything.
    type Command;
    /// What the application learns.
    type Event;

    /// Takes one input at the node's own time `now`, which is never earlier than before.
    fn handle(&mut self, now: Instant, input: Input<'_, Self::Command>);

    /// Gives the next output, or `None` when there is no more to do until the next input.
    fn poll(&mut self) -> Option<Output<'_, Self::Event>>;

    /// Writes the next bytes of `pipe` into `room` (at least one byte) and returns how many; 0 when it has none for now.
    fn fill(&mut self, pipe: PipeId, room: &mut [u8]) -> usize;

    /// When to hand in the next [`Input::Timeout`]; `None` when nothing is waited for.
    fn next_timeout(&self) -> Option<Instant>;
}

/// What a machine starts from.
#[derive(Clone, Debug, Default)]
pub struct Boot {
    /// The node's own time at the start.
    pub now: Instant,
    /// Which start of this node this is, from 0.
    pub incarnation: u64,
    /// All the chance that the machine will ever have; fresh for each incarnation, and secret outside a simulation.
    pub seed: [u8; 32],
    /// The stored values by key, as the last incarnation left them.
    pub stored: BTreeMap<String, Vec<u8>>,
}

/// What happens to a machine.
#[derive(Debug)]
pub enum Input<'a, C> {
    /// The clock has reached [`Machine::next_timeout`].
    Timeout,
    /// The application asks for something.
    Command(C),
    /// A datagram came in.
    Datagram {
        /// Its source.
        from: Addr,
        /// Its payload.
        bytes: &'a [u8],
    },
    /// A pipe that the machine opened is connected.
    PipeOpened {
        /// Which.
        pipe: PipeId,
    },
    /// A peer has connected a pipe to this node.
    PipeAccepted {
        /// Its new, odd id.
        pipe: PipeId,
        /// The peer's address.
        from: Addr,
    },
    /// Bytes came in on a pipe: in order, none missing, split anywhere.
    PipeBytes {
        /// Which.
        pipe: PipeId,
        /// At least one byte.
        bytes: &'a [u8],
    },
    /// The peer has finished its half: no more bytes will come.
    PipeFinished {
        /// Which.
        pipe: PipeId,
    },
    /// The pipe is gone.
    PipeClosed {
        /// Which.
        pipe: PipeId,
        /// How it ended.
        reason: PipeEnd,
    },
    /// An [`Output::Store`] is done.
    Stored {
        /// Which value.
        key: &'a str,
        /// Whether it is durable.
        result: Result<(), StoreFailed>,
    },
}

/// What a machine wants done.
#[derive(Debug)]
pub enum Output<'a, E> {
    /// Send one datagram; it may be lost, repeated, reordered.
    Datagram {
        /// Who shall get it.
        to: Destination,
        /// Its payload, to be copied or sent before the next call of the machine.
        bytes: &'a [u8],
    },
    /// Connect a pipe.
    OpenPipe {
        /// Its new, even id.
        pipe: PipeId,
        /// Where to.
        to: Addr,
    },
    /// The machine has bytes for the pipe: call [`Machine::fill`] until it returns 0.
    FillPipe {
        /// Which.
        pipe: PipeId,
    },
    /// Shut the machine's half of the pipe after the bytes it still fills.
    FinishPipe {
        /// Which.
        pipe: PipeId,
    },
    /// Abort the pipe now.
    ClosePipe {
        /// Which.
        pipe: PipeId,
    },
    /// Make a value durable under a key, and answer with [`Input::Stored`].
    Store {
        /// 1..=64 bytes of `a-z`, `0-9`, `-` and `.`; not first a `.`.
        key: &'a str,
        /// The whole new value.
        bytes: &'a [u8],
    },
    /// Tell the application.
    Event(E),
}

impl<'a> Output<'a, core::convert::Infallible> {
    /// The same output of a machine that has events, for one that holds another machine and keeps its events to itself.
    pub fn without_events<E>(self) -> Output<'a, E> {
        match self {
            Self::Datagram { to, bytes } => Output::Datagram { to, bytes },
            Self::OpenPipe { pipe, to } => Output::OpenPipe { pipe, to },
            Self::FillPipe { pipe } => Output::FillPipe { pipe },
            Self::FinishPipe { pipe } => Output::FinishPipe { pipe },
            Self::ClosePipe { pipe } => Output::ClosePipe { pipe },
            Self::Store { key, bytes } => Output::Store { key, bytes },
            Self::Event(never) => match never {},
        }
    }
}

impl<'a> Input<'a, core::convert::Infallible> {
    /// The same input for a machine that takes commands, of which this is none.
    pub fn without_commands<C>(self) -> Input<'a, C> {
        match self {
            Self::Timeout => Input::Timeout,
            Self::Command(never) => match never {},
            Self::Datagram { from, bytes } => Input::Datagram { from, bytes },
            Self::PipeOpened { pipe } => Input::PipeOpened { pipe },
            Self::PipeAccepted { pipe, from } => Input::PipeAccepted { pipe, from },
            Self::PipeBytes { pipe, bytes } => Input::PipeBytes { pipe, bytes },
            Self::PipeFinished { pipe } => Input::PipeFinished { pipe },
            Self::PipeClosed { pipe, reason } => Input::PipeClosed { pipe, reason },
            Self::Stored { key, result } => Input::Stored { key, result },
        }
    }
}

/// Who shall get a datagram.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Destination {
    /// One address.
    Addr(Addr),
    /// Every node on the local segment that listens: multicast, or broadcast where there is none. Not the sender itself.
    Group,
}

/// One ordered byte stream in each direction with TCP's meaning, named for one machine and its driver.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PipeId(u64);

impl PipeId {
    /// The `index`-th pipe that the machine opens, from 0.
    pub const fn opened(index: u64) -> Self {
        Self(index * 2)
    }

    /// The `index`-th pipe that the driver accepts, from 0.
    pub const fn accepted(index: u64) -> Self {
        Self(index * 2 + 1)
    }

    /// Whether the machine opened it.
    pub const fn is_opened(self) -> bool {
        self.0.is_multiple_of(2)
    }

    /// The number itself.
    pub const fn as_u64(self) -> u64 {
        self.0
    }
}

/// How a pipe ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PipeEnd {
    /// Nobody listens at the address, or the address cannot be reached.
    Refused,
    /// The peer did not answer for as long as the driver waits.
    TimedOut,
    /// The peer, or something between, aborted it; bytes may be lost.
    Reset,
    /// Both halves were finished; every byte arrived.
    Finished,
}

/// A value could not be made durable: the disk is full, broken or gone. The old value stands, or is torn after a crash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StoreFailed;

impl core::fmt::Display for StoreFailed {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("the value could not be made durable")
    }
}

impl core::error::Error for StoreFailed {}
