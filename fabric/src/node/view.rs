//! What can be seen of a node from outside: how much it holds, what it has refused, which rare states it has reached.

use super::Node;
use super::connection::Connection;
use crate::counters::Counters;
use crate::probe::Probes;
use alloc::collections::BTreeSet;

/// How much a node holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Load {
    /// Devices in the peer table.
    pub peers: usize,
    /// Inbound handshakes that are not finished.
    pub handshakes: usize,
    /// Of those, from the source that has most.
    pub handshakes_of_one_source: usize,
    /// Sessions, dialled and accepted, those that begin included.
    pub sessions: usize,
    /// Sessions that are over, or were refused, and whose last words are still being sent.
    pub endings: usize,
    /// Candidates of the device that has most.
    pub candidates_of_one_device: usize,
    /// Streams of the session that has most, those included that are closed and not read to their end.
    pub streams_of_one_session: usize,
}

impl Node {
    /// How much the node holds now, of what its [`Limits`](crate::Limits) bound.
    pub fn load(&self) -> Load {
        let inbound = || self.connections.values().filter(|connection| connection.is_inbound_handshake());
        let hosts: BTreeSet<_> = inbound().map(|connection| connection.addr.host()).collect();
        let ending = self.connections.values().filter(|connection| connection.is_ending()).count();
        let of_host = |host| inbound().filter(|connection| connection.addr.host() == host).count();
        let candidates = self.discovery.peers().map(|(_, peer)| peer.candidates().len());
        Load {
            peers: self.discovery.peers().count(),
            handshakes: inbound().count(),
            handshakes_of_one_source: hosts.into_iter().map(of_host).max().unwrap_or_default(),
            sessions: self.connections.len() - inbound().count() - ending,
            endings: ending,
            candidates_of_one_device: candidates.max().unwrap_or_default(),
            streams_of_one_session: self.connections.values().map(Connection::stream_count).max().unwrap_or_default(),
        }
    }

    /// Which rare states this node has reached since its start.
    pub fn probes(&self) -> Probes {
        let mut probes = self.probes;
        self.connections.values().for_each(|connection| probes.add(connection.probes()));
        probes
    }

    /// What this node has refused since its start.
    pub fn counters(&self) -> Counters {
        let mut counters = self.counters.clone();
        self.connections.values().for_each(|connection| counters.add_opens(connection.opens_refused()));
        counters
    }
}
