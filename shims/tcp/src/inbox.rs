//! Commands and the wish to stop, from other threads.

use std::fmt;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};

use mio::{Registry, Token, Waker};

/// Reaches a running driver from any thread.
pub struct Handle<C> {
    commands: SyncSender<C>,
    stop: Arc<AtomicBool>,
    waker: Arc<Waker>,
}

/// Why a command was not taken. It comes back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SendError<C> {
    /// [`crate::Config::commands_max`] commands are waiting.
    Full(C),
    /// The driver is gone.
    Gone(C),
}

impl<C> Handle<C> {
    /// Hands in `command` at the driver's next turn, and wakes it.
    pub fn send(&self, command: C) -> Result<(), SendError<C>> {
        self.commands.try_send(command).map_err(|error| match error {
            TrySendError::Full(command) => SendError::Full(command),
            TrySendError::Disconnected(command) => SendError::Gone(command),
        })?;
        self.wake();
        Ok(())
    }

    /// Makes this and every later turn of the driver the last.
    pub fn stop(&self) {
        self.stop.store(true, Ordering::Release);
        self.wake();
    }

    pub(crate) fn wake(&self) {
        // It fails only when the event loop is gone, and then nobody sleeps there.
        let _ = self.waker.wake();
    }
}

impl<C> Clone for Handle<C> {
    fn clone(&self) -> Self {
        Self { commands: self.commands.clone(), stop: Arc::clone(&self.stop), waker: Arc::clone(&self.waker) }
    }
}

impl<C> fmt::Debug for Handle<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Handle").field("stop", &self.stop).finish_non_exhaustive()
    }
}

impl<C> fmt::Display for SendError<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Full(_) => "too many commands are waiting",
            Self::Gone(_) => "the driver is gone",
        })
    }
}

impl<C: fmt::Debug> std::error::Error for SendError<C> {}

pub(crate) struct Inbox<C> {
    commands: Receiver<C>,
    handle: Handle<C>,
}

impl<C> Inbox<C> {
    pub(crate) fn new(registry: &Registry, token: Token, commands_max: usize) -> io::Result<Self> {
        let (sender, commands) = sync_channel(commands_max);
        let (stop, waker) = (Arc::default(), Arc::new(Waker::new(registry, token)?));
        Ok(Self { commands, handle: Handle { commands: sender, stop, waker } })
    }

    pub(crate) fn handle(&self) -> Handle<C> {
        self.handle.clone()
    }

    pub(crate) fn next(&self) -> Option<C> {
        self.commands.try_recv().ok()
    }

    pub(crate) fn is_stopped(&self) -> bool {
        self.handle.stop.load(Ordering::Acquire)
    }
}
