//! Why something of an endpoint failed.

use fabric::discovery::Refusal;
use fabric::mux::{self, Reject};
use fabric::{CodeName, SessionEnd};
use std::fmt;
use std::io::{self, ErrorKind};
use tokio::runtime::TryCurrentError;

/// Why an endpoint could not start.
#[derive(Debug)]
pub enum BindError {
    /// The sockets or the storage could not be had.
    Driver(crate::Error),
    /// A service that is to be announced is not well-formed.
    Announce(Refusal),
    /// It was not called on a runtime of tokio.
    NoRuntime(TryCurrentError),
}

/// Why there is no session with a peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConnectError {
    /// A dial came to nothing.
    Failed(SessionEnd),
    /// The endpoint is shut down.
    ShutDown,
}

/// Why there is no stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OpenError {
    /// The name is none, too many streams are open, or the session is ending.
    NotOpened(mux::OpenError),
    /// The peer's policy does not allow this device the service, or nobody serves it: the same answer.
    Denied,
    /// The peer refused it with another code ([`mux::code`], [`Reject::code`]).
    Refused(u32),
    /// The session has ended.
    Session(SessionEnd),
}

/// Why a stream can be read or written no more. A clean end of the peer's half is none: a read of bytes gives 0 there, and a
/// read of messages `None`.
///
/// [`tokio::io::AsyncRead`] and [`tokio::io::AsyncWrite`] give it inside an [`io::Error`]: [`StreamError::of`] takes it out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StreamError {
    /// Both halves were ended at once, with this code ([`mux::code`], [`Reject::code`], or the application's).
    Reset(u32),
    /// The session ended before the stream did, so bytes may be missing.
    Session(SessionEnd),
    /// This half was shut down before.
    Finished,
    /// A message is longer than its reader takes; the stream is reset.
    MessageTooLarge,
    /// The peer's half ended cleanly, but amid a message.
    UnfinishedMessage,
}

impl StreamError {
    /// The stream's error in one of the traits' errors, if it is one.
    pub fn of(error: &io::Error) -> Option<Self> {
        error.get_ref()?.downcast_ref().copied()
    }
}

impl From<StreamError> for io::Error {
    fn from(error: StreamError) -> Self {
        let kind = match error {
            StreamError::Reset(_) => ErrorKind::ConnectionReset,
            StreamError::Session(_) => ErrorKind::ConnectionAborted,
            StreamError::Finished => ErrorKind::BrokenPipe,
            StreamError::MessageTooLarge | StreamError::UnfinishedMessage => ErrorKind::InvalidData,
        };
        Self::new(kind, error)
    }
}

impl OpenError {
    pub(super) fn of_reset(code: u32) -> Self {
        if code == Reject::ServiceDenied.code() { Self::Denied } else { Self::Refused(code) }
    }
}

impl From<crate::Error> for BindError {
    fn from(error: crate::Error) -> Self {
        Self::Driver(error)
    }
}

impl From<TryCurrentError> for BindError {
    fn from(error: TryCurrentError) -> Self {
        Self::NoRuntime(error)
    }
}

impl From<Refusal> for BindError {
    fn from(refusal: Refusal) -> Self {
        Self::Announce(refusal)
    }
}

impl fmt::Display for BindError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Driver(error) => error.fmt(f),
            Self::Announce(refusal) => write!(f, "what is to be announced is not well-formed: {refusal}"),
            Self::NoRuntime(error) => error.fmt(f),
        }
    }
}

impl fmt::Display for ConnectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Failed(end) => write!(f, "no session: {end}"),
            Self::ShutDown => f.write_str("the endpoint is shut down"),
        }
    }
}

impl fmt::Display for OpenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotOpened(error) => error.fmt(f),
            Self::Denied => Reject::ServiceDenied.fmt(f),
            Self::Refused(code) => write!(f, "refused by the peer: {}", CodeName(*code)),
            Self::Session(end) => write!(f, "the session has ended: {end}"),
        }
    }
}

impl fmt::Display for StreamError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Reset(code) => write!(f, "the stream was reset: {}", CodeName(*code)),
            Self::Session(end) => write!(f, "the session has ended: {end}"),
            Self::Finished => mux::StreamError::Finished.fmt(f),
            Self::MessageTooLarge => f.write_str("the message is too large"),
            Self::UnfinishedMessage => f.write_str("the stream ended amid a message"),
        }
    }
}

impl std::error::Error for BindError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Driver(error) => error.source(),
            Self::Announce(_) => None,
            Self::NoRuntime(error) => error.source(),
        }
    }
}

impl std::error::Error for ConnectError {}
impl std::error::Error for OpenError {}
impl std::error::Error for StreamError {}
