//! What can be seen of a node from outside: how much it holds, what it has refused, which rare states it has reached.

use super::connection::Connection;
use super::{Device, Node, Timer};
use crate::counters::Counters;
use crate::identity::{DeviceId, NoisePublic};
use crate::probe::Probes;
use alloc::collections::BTreeSet;
use core::ops::Bound::{Excluded, Unbounded};
use machine::{Addr, Duration, PipeId};

/// How much a node holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Load {
    /// Devices in the peer table.
    pub peers: usize,
    /// Devices that a session is wanted or had with.
    pub devices: usize,
    /// Inbound handshakes that are not finished.
    pub handshakes: usize,
    /// Of those, from the source that has most.
    pub handshakes_of_one_source: usize,
    /// Sessions, dialled and accepted, those that begin included.
    pub sessions: usize,
    /// Of those that are up, with the device that has most.
    pub sessions_of_one_device: usize,
    /// Sessions that are over, or were refused, and whose last words are still being sent.
    pub endings: usize,
    /// Candidates of the device that has most.
    pub candidates_of_one_device: usize,
    /// Streams of the session that has most, those included that are closed and not read to their end.
    pub streams_of_one_session: usize,
    /// Streams that the other side has open, of the session that has most.
    pub streams_open_of_one_peer: usize,
}

/// A handshake under way that a node dialled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DialUnderWay {
    /// On which pipe; later ones have greater ids.
    pub pipe: PipeId,
    /// Whom it is meant for.
    pub device: DeviceId,
    /// Where.
    pub addr: Addr,
    /// The Noise static that is expected there.
    pub noise_static: NoisePublic,
}

/// Sessions with a device that has a newer one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Older {
    /// Whose they are.
    pub device: DeviceId,
    /// The pipe of the newest session with it that neither side has begun to end.
    pub newest: PipeId,
    /// How many streams this node has opened on the others.
    pub opened: u32,
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
            devices: self.devices.len(),
            handshakes: inbound().count(),
            handshakes_of_one_source: hosts.into_iter().map(of_host).max().unwrap_or_default(),
            sessions: self.connections.len() - inbound().count() - ending,
            sessions_of_one_device: self.devices.values().map(|known| known.sessions.len()).max().unwrap_or_default(),
            endings: ending,
            candidates_of_one_device: candidates.max().unwrap_or_default(),
            streams_of_one_session: self.connections.values().map(Connection::stream_count).max().unwrap_or_default(),
            streams_open_of_one_peer: self
                .connections
                .values()
                .map(Connection::streams_of_peer)
                .max()
                .unwrap_or_default(),
        }
    }

    /// The handshakes under way that this node dialled.
    pub fn dials(&self) -> impl Iterator<Item = DialUnderWay> {
        let dials = self.devices.iter().flat_map(|(device, known)| known.dials.iter().map(|dial| (*device, *dial)));
        dials.filter_map(|(device, (pipe, addr))| {
            let noise_static = self.connections.get(&pipe)?.dialled?.noise_static;
            Some(DialUnderWay { pipe, device, addr, noise_static })
        })
    }

    /// How many sessions it should end as duplicates and has not begun to: those with a device of a larger id that are not
    /// the newest one. None, but while a call goes on (wire contract, 3).
    pub fn duplicates(&self) -> usize {
        let is_open = |pipe: &&PipeId| self.connections.get(pipe).is_some_and(Connection::is_open);
        let larger = self.devices.range((Excluded(self.own), Unbounded));
        larger.map(|(_, known)| known.sessions.iter().filter(is_open).count().saturating_sub(1)).sum()
    }

    /// What was opened on sessions that a newer one has taken the place of (wire contract, 3): it never rises while that is
    /// the newest.
    pub fn older_sessions(&self) -> impl Iterator<Item = Older> {
        let several = self.devices.iter().filter(|(_, known)| known.sessions.len() > 1);
        several.filter_map(|(device, known)| {
            // Found anew, not by what streams are opened by: that may be wrong.
            let is_open = |pipe: &&PipeId| self.connections.get(pipe).is_some_and(Connection::is_open);
            let newest = known.sessions.iter().rfind(is_open).copied()?;
            let others = known.sessions.iter().filter(|pipe| **pipe != newest);
            let opened = others.filter_map(|pipe| self.connections.get(pipe)).map(Connection::streams_opened).sum();
            Some(Older { device: *device, newest, opened })
        })
    }

    /// A device that a session is wanted with and is not to be had, though it is known where to dial it: there is none, nor
    /// a dial under way, nor a time to dial at. None, but while a call goes on.
    pub fn forgotten(&self) -> Option<DeviceId> {
        let is_forgotten = |(device, known): &(&DeviceId, &Device)| {
            let has_address = known.address.is_some() || self.discovery.peer(**device).is_some();
            let has_session = !known.sessions.is_empty() || !known.dials.is_empty();
            known.is_wanted && has_address && !has_session && !self.timers.is_set(Timer::Dial(**device))
        };
        self.devices.iter().find(is_forgotten).map(|(device, _)| *device)
    }

    /// The devices that a session is up with, as often as there are sessions.
    pub fn session_devices(&self) -> impl Iterator<Item = DeviceId> {
        self.devices.iter().flat_map(|(device, known)| known.sessions.iter().map(|_| *device))
    }

    /// How many bytes of memory are kept for the records that come in, by device: so far as it is known who sends them.
    pub fn record_memory(&self) -> impl Iterator<Item = (DeviceId, usize)> {
        self.connections.values().filter_map(|connection| Some((connection.device()?, connection.record_memory())))
    }

    /// How long it waits before it dials `device` again, because a dial or a session failed; zero when it does not.
    pub fn redials_in(&self, device: DeviceId) -> Duration {
        let until = self.devices.get(&device).and_then(|known| known.waits_until(self.now));
        until.map_or(Duration::ZERO, |until| until.saturating_since(self.now))
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
