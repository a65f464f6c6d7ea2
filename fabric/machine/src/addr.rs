//! Addresses as a machine sees them: things to compare, keep and send to, not to look into.

use core::fmt;
use core::net::{IpAddr, Ipv6Addr, SocketAddr, SocketAddrV6};

/// One network interface's address, without a port. IPv4 is kept as IPv4-mapped IPv6 (RFC 4291, 2.5.5.2).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Host {
    octets: [u8; 16],
    /// Which link a link-local address belongs to (RFC 4007); 0 elsewhere.
    scope: u32,
}

/// Where a datagram comes from or a pipe leads: a [`Host`] and a port.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Addr {
    host: Host,
    port: u16,
}

impl Host {
    /// The host with these IPv6 octets, in no particular scope.
    pub const fn new(octets: [u8; 16]) -> Self {
        Self { octets, scope: 0 }
    }

    /// The IPv6 octets.
    pub const fn octets(self) -> [u8; 16] {
        self.octets
    }
}

impl Addr {
    /// `port` at `host`.
    pub const fn new(host: Host, port: u16) -> Self {
        Self { host, port }
    }

    /// The host; equal for all ports of one source, which is what per-source bounds count.
    pub const fn host(self) -> Host {
        self.host
    }

    /// The port.
    pub const fn port(self) -> u16 {
        self.port
    }

    /// The same host with another port.
    #[must_use]
    pub const fn with_port(self, port: u16) -> Self {
        Self { host: self.host, port }
    }
}

impl From<SocketAddr> for Addr {
    fn from(socket: SocketAddr) -> Self {
        let (octets, scope) = match socket {
            SocketAddr::V4(v4) => (v4.ip().to_ipv6_mapped().octets(), 0),
            SocketAddr::V6(v6) => (v6.ip().octets(), v6.scope_id()),
        };
        Self { host: Host { octets, scope }, port: socket.port() }
    }
}

impl From<Addr> for SocketAddr {
    fn from(addr: Addr) -> Self {
        let ip = Ipv6Addr::from(addr.host.octets);
        match ip.to_canonical() {
            IpAddr::V4(v4) => Self::new(IpAddr::V4(v4), addr.port),
            IpAddr::V6(v6) => Self::V6(SocketAddrV6::new(v6, addr.port, 0, addr.host.scope)),
        }
    }
}

impl fmt::Display for Addr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        SocketAddr::from(*self).fmt(f)
    }
}

impl fmt::Debug for Addr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Ipv6Addr::from(self.octets).to_canonical().fmt(f)
    }
}

impl fmt::Debug for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
