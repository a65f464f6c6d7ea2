//! Outputs that own their bytes, and the queue that lends them out. Decides nothing.

use alloc::collections::VecDeque;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use machine::{Addr, Destination, Output, PipeId};

/// An [`Output`] that owns what the output borrows.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the fields are those of machine::Output")]
pub enum Action<E> {
    /// [`Output::Datagram`].
    Datagram { to: Destination, bytes: Vec<u8> },
    /// [`Output::OpenPipe`].
    OpenPipe { pipe: PipeId, to: Addr },
    /// [`Output::FillPipe`].
    FillPipe { pipe: PipeId },
    /// [`Output::FinishPipe`].
    FinishPipe { pipe: PipeId },
    /// [`Output::ClosePipe`].
    ClosePipe { pipe: PipeId },
    /// [`Output::Store`].
    Store { key: String, bytes: Vec<u8> },
    /// [`Output::Event`].
    Event(E),
}

impl<E> From<Output<'_, E>> for Action<E> {
    fn from(output: Output<'_, E>) -> Self {
        match output {
            Output::Datagram { to, bytes } => Self::Datagram { to, bytes: bytes.to_vec() },
            Output::OpenPipe { pipe, to } => Self::OpenPipe { pipe, to },
            Output::FillPipe { pipe } => Self::FillPipe { pipe },
            Output::FinishPipe { pipe } => Self::FinishPipe { pipe },
            Output::ClosePipe { pipe } => Self::ClosePipe { pipe },
            Output::Store { key, bytes } => Self::Store { key: key.to_string(), bytes: bytes.to_vec() },
            Output::Event(event) => Self::Event(event),
        }
    }
}

/// A first-in first-out queue of outputs. Unbounded: its owner looks at [`Outbox::len`] before it takes on more work.
#[derive(Debug)]
pub struct Outbox<E> {
    queue: VecDeque<Action<E>>,
    key: String,
    bytes: Vec<u8>,
}

impl<E> Default for Outbox<E> {
    fn default() -> Self {
        Self { queue: VecDeque::new(), key: String::new(), bytes: Vec::new() }
    }
}

impl<E> Outbox<E> {
    /// Appends `action`.
    pub fn push(&mut self, action: Action<E>) {
        self.queue.push_back(action);
    }

    /// Appends `event`.
    pub fn event(&mut self, event: E) {
        self.push(Action::Event(event));
    }

    /// How many outputs wait.
    pub fn len(&self) -> usize {
        self.queue.len()
    }

    /// Whether no output waits.
    pub fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }

    /// Lends the oldest output; the loan ends at the next call.
    pub fn poll(&mut self) -> Option<Output<'_, E>> {
        Some(match self.queue.pop_front()? {
            Action::Datagram { to, bytes } => {
                self.bytes = bytes;
                Output::Datagram { to, bytes: &self.bytes }
            }
            Action::Store { key, bytes } => {
                (self.key, self.bytes) = (key, bytes);
                Output::Store { key: &self.key, bytes: &self.bytes }
            }
            Action::OpenPipe { pipe, to } => Output::OpenPipe { pipe, to },
            Action::FillPipe { pipe } => Output::FillPipe { pipe },
            Action::FinishPipe { pipe } => Output::FinishPipe { pipe },
            Action::ClosePipe { pipe } => Output::ClosePipe { pipe },
            Action::Event(event) => Output::Event(event),
        })
    }
}

impl<E: PartialEq> Outbox<E> {
    /// Appends `action` unless an equal one waits already: a driver that drains late makes no pile of it.
    pub fn push_once(&mut self, action: Action<E>) {
        if !self.queue.contains(&action) {
            self.push(action);
        }
    }
}
