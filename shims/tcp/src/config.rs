//! What a driver is told, and what it counts.

use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4, SocketAddrV6};
use std::path::PathBuf;

use machine::Duration;

/// Where a driver listens and stores, and its limits.
#[derive(Clone, Debug)]
pub struct Config {
    /// Where pipes are accepted. Port 0 takes a free one; `[::]` takes IPv4 too.
    pub listen: SocketAddr,
    /// Where datagrams are sent from and received. Port 0 takes the number of the listener's port.
    pub datagrams: SocketAddr,
    /// Who gets [`machine::Destination::Group`]; without one such datagrams are dropped and counted.
    pub group: Option<Group>,
    /// Where values and the count of starts are kept; made if missing. One driver at a time uses it.
    pub storage: PathBuf,
    /// The machine's chance; `None` takes it from the operating system, which everyone but a test wants.
    pub seed: Option<[u8; 32]>,
    /// Accepted pipes open at a time; a further one is reset at once.
    pub accepted_max: usize,
    /// Pipes of the machine's own open at a time; a further one is refused.
    pub opened_max: usize,
    /// Commands from other threads that may wait.
    pub commands_max: usize,
    /// Values that may be stored, under different keys.
    pub values_max: usize,
    /// The longest value.
    pub value_bytes_max: usize,
    /// How long a dial, or a sent byte, may stay unanswered before the pipe times out; at least a millisecond.
    pub patience: Duration,
    /// How long a driver that has answered on a pipe, or was answered, looks there for what comes next before it sleeps; other
    /// threads may run meanwhile. Zero sleeps at once.
    pub busy_poll: Duration,
    /// The kernel's send buffer of each pipe, in bytes; `None` lets it choose and grow.
    pub send_buffer_bytes: Option<usize>,
    /// The kernel's receive buffer of each pipe, in bytes; `None` lets it choose and grow.
    pub receive_buffer_bytes: Option<usize>,
}

impl Config {
    /// Pipes and datagrams at `addr`, no group, values in `storage`, and ordinary limits.
    pub fn new(addr: SocketAddr, storage: impl Into<PathBuf>) -> Self {
        Self {
            listen: addr,
            datagrams: addr,
            group: None,
            storage: storage.into(),
            seed: None,
            accepted_max: 256,
            opened_max: 256,
            commands_max: 256,
            values_max: 1_024,
            value_bytes_max: 1024 * 1024,
            patience: Duration::from_secs(120),
            busy_poll: Duration::from_micros(30),
            send_buffer_bytes: None,
            receive_buffer_bytes: None,
        }
    }
}

/// The local segment. Of the same address family as [`Config::datagrams`]; several nodes of one host may share it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Group {
    /// An IPv4 multicast group, such as `239.0.0.0/8`, within one hop.
    V4 {
        /// The group and its port.
        to: SocketAddrV4,
        /// The address of the interface to use; `0.0.0.0` lets the kernel choose.
        interface: Ipv4Addr,
    },
    /// An IPv6 multicast group, such as `ff02::/16`, within one hop. The scope id is the interface; 0 lets the kernel choose.
    V6(SocketAddrV6),
    /// An IPv4 broadcast address, where there is no multicast.
    Broadcast(SocketAddrV4),
}

impl Group {
    pub(crate) const fn addr(self) -> SocketAddr {
        match self {
            Self::V4 { to, .. } | Self::Broadcast(to) => SocketAddr::V4(to),
            Self::V6(to) => SocketAddr::V6(to),
        }
    }
}

/// What a driver has dropped, refused or failed to do since its start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Datagrams that the kernel called too long.
    pub datagrams_too_long: u64,
    /// Datagrams that could not be sent for another reason: no room, no route, no group.
    pub datagrams_unsent: u64,
    /// Times that receiving a datagram failed.
    pub datagrams_unreceived: u64,
    /// Pipes reset at once: [`Config::accepted_max`] were open, or the kernel would not set them up.
    pub accepts_refused: u64,
    /// Times that the kernel could not give an accepted pipe: each makes the listener wait a moment.
    pub accepts_failed: u64,
    /// Dials refused without asking the network: [`Config::opened_max`] were open, or the kernel gave no socket or knew no
    /// way.
    pub dials_refused: u64,
    /// Values that could not be stored.
    pub stores_failed: u64,
}
