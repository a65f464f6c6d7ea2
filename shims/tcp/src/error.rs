//! Why a driver could not start or go on.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;

/// Why a driver could not start or go on.
#[derive(Debug)]
pub enum Error {
    /// Pipes cannot be accepted at the address.
    Listen {
        /// [`crate::Config::listen`].
        addr: SocketAddr,
        /// Why.
        source: io::Error,
    },
    /// Datagrams cannot be sent or received at the address.
    Datagrams {
        /// [`crate::Config::datagrams`].
        addr: SocketAddr,
        /// Why.
        source: io::Error,
    },
    /// The group cannot be joined, or is of another address family than the datagrams.
    Group {
        /// [`crate::Config::group`].
        addr: SocketAddr,
        /// Why.
        source: io::Error,
    },
    /// A file or directory of the storage cannot be used.
    Storage {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The operating system gave no seed.
    Seed(io::Error),
    /// The operating system gave no event loop, or it failed.
    Wait(io::Error),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Listen { addr, source } => write!(f, "cannot accept pipes at {addr}: {source}"),
            Self::Datagrams { addr, source } => write!(f, "cannot use datagrams at {addr}: {source}"),
            Self::Group { addr, source } => write!(f, "cannot join the group {addr}: {source}"),
            Self::Storage { path, source } => write!(f, "cannot use the storage {}: {source}", path.display()),
            Self::Seed(source) => write!(f, "cannot get a seed from the operating system: {source}"),
            Self::Wait(source) => write!(f, "cannot wait for sockets: {source}"),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Listen { source, .. }
            | Self::Datagrams { source, .. }
            | Self::Group { source, .. }
            | Self::Storage { source, .. }
            | Self::Seed(source)
            | Self::Wait(source) => Some(source),
        }
    }
}
