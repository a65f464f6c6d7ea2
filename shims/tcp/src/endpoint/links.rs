//! Links: what an application calls a session. One is all that this endpoint has with one device, from the first session
//! that comes up until none is left, so that two nodes which dial each other, or one that restarts, need no thought.

use super::error::ConnectError;
use super::state::{Phase, State};
use fabric::identity::{DeviceId, NoisePublic};
use fabric::mux::{Priority, code};
use fabric::{SessionEnd, SessionId, StreamKey};
use machine::{Addr, Instant};
use std::collections::VecDeque;
use std::sync::Arc;
use tokio::sync::Notify;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct LinkId(u64);

pub(super) struct Link {
    pub(super) device: DeviceId,
    /// How many the application holds.
    handles: usize,
    /// How many sessions are up.
    sessions: usize,
    /// Streams that the peer has opened and nobody has accepted.
    pub(super) incoming: VecDeque<Incoming>,
    pub(super) is_closing: bool,
    pub(super) end: Option<SessionEnd>,
    /// A stream came in, or the end.
    pub(super) changed: Arc<Notify>,
}

/// A stream of the peer's.
pub(super) struct Incoming {
    pub(super) key: StreamKey,
    pub(super) service: String,
    pub(super) priority: Priority,
}

/// A device that somebody waits for a session with.
pub(super) struct Dial {
    waiting: usize,
    address: Option<(Addr, NoisePublic)>,
    /// How often it came to nothing, and why the last time.
    failures: u64,
    last: Option<SessionEnd>,
}

impl State {
    /// Wants a session with `device` on behalf of one more who waits for it. Returns how often that has failed by now.
    pub(super) fn dial(&mut self, now: Instant, device: DeviceId, address: Option<(Addr, NoisePublic)>) -> u64 {
        let dial = self.dials.entry(device).or_insert(Dial { waiting: 0, address: None, failures: 0, last: None });
        dial.waiting += 1;
        dial.address = address.or(dial.address);
        let failures = dial.failures;
        self.want(now, device);
        failures
    }

    /// Wants a session with `device` if somebody waits for one.
    fn want(&mut self, now: Instant, device: DeviceId) {
        let Some(dial) = self.dials.get(&device).filter(|_| !self.current.contains_key(&device)) else { return };
        match dial.address {
            Some((addr, noise_static)) => self.node.connect_to(now, device, addr, noise_static),
            None => self.node.connect(now, device),
        }
    }

    /// What came of a wait that began after so many failures.
    pub(super) fn dialled(&mut self, device: DeviceId, failures: u64) -> Option<Result<LinkId, ConnectError>> {
        if self.phase != Phase::Running {
            return Some(Err(ConnectError::ShutDown));
        }
        if let Some(link) = self.current.get(&device).copied() {
            self.backlog.retain(|waiting| *waiting != link);
            self.hold(link);
            return Some(Ok(link));
        }
        let dial = self.dials.get(&device).filter(|dial| dial.failures > failures)?;
        Some(Err(ConnectError::Failed(dial.last?)))
    }

    pub(super) fn dial_failed(&mut self, device: Option<DeviceId>, reason: SessionEnd) {
        let Some(dial) = device.and_then(|device| self.dials.get_mut(&device)) else { return };
        dial.failures += 1;
        dial.last = Some(reason);
        self.wake_all(&Arc::clone(&self.changed));
    }

    /// One who waited for `device` waits no more. Without anybody who does, it is not dialled any more.
    pub(super) fn dial_over(&mut self, now: Instant, device: DeviceId) {
        let Some(dial) = self.dials.get_mut(&device) else { return };
        dial.waiting -= 1;
        if dial.waiting > 0 {
            return;
        }
        self.dials.remove(&device);
        match self.current.get(&device).copied() {
            None => self.node.disconnect(now, device),
            // It came for somebody who has given up in the meantime.
            Some(link) if self.is_unclaimed(link) => self.close_link(now, link),
            Some(_) => {}
        }
    }

    fn is_unclaimed(&self, link: LinkId) -> bool {
        self.links.get(&link).is_some_and(|link| link.handles == 0) && !self.backlog.contains(&link)
    }

    pub(super) fn session_up(&mut self, now: Instant, session: SessionId, device: DeviceId) {
        let id = match self.current.get(&device) {
            Some(id) => *id,
            None => self.link_up(device),
        };
        self.sessions.insert(session, id);
        if let Some(link) = self.links.get_mut(&id) {
            link.sessions += 1;
        }
        if self.phase != Phase::Running {
            self.close_link(now, id);
        }
    }

    fn link_up(&mut self, device: DeviceId) -> LinkId {
        let id = LinkId(self.links_made);
        self.links_made += 1;
        let link = Link {
            device,
            handles: 0,
            sessions: 0,
            incoming: VecDeque::new(),
            is_closing: false,
            end: None,
            changed: Arc::default(),
        };
        self.links.insert(id, link);
        self.current.insert(device, id);
        if !self.dials.contains_key(&device) {
            self.backlog.push_back(id);
        }
        self.wake_all(&Arc::clone(&self.changed));
        id
    }

    pub(super) fn session_down(&mut self, session: SessionId, reason: SessionEnd) {
        self.streams_down(session, reason);
        let Some(id) = self.sessions.remove(&session) else { return };
        let Some(link) = self.links.get_mut(&id) else { return };
        link.sessions -= 1;
        if link.sessions > 0 {
            return;
        }
        link.end = Some(reason);
        let (device, was_closing, changed) = (link.device, link.is_closing, Arc::clone(&link.changed));
        self.wake_all(&changed);
        self.backlog.retain(|waiting| *waiting != id);
        self.forget_current(device, id);
        self.forget_link(id);
        // The node would dial again by itself: here that is the application's to say.
        if !was_closing && !self.dials.contains_key(&device) {
            let now = self.node.now();
            self.node.disconnect(now, device);
        }
    }

    /// The next link that a peer has begun; `None` when none waits.
    pub(super) fn accept_link(&mut self) -> Option<(LinkId, DeviceId)> {
        let link = self.backlog.pop_front()?;
        self.hold(link);
        Some((link, self.links.get(&link)?.device))
    }

    pub(super) fn hold(&mut self, id: LinkId) {
        if let Some(link) = self.links.get_mut(&id) {
            link.handles += 1;
        }
    }

    /// The application has one handle less; with its last one the link closes.
    pub(super) fn let_go(&mut self, now: Instant, id: LinkId) {
        let Some(link) = self.links.get_mut(&id) else { return };
        link.handles -= 1;
        if link.handles == 0 {
            self.close_link(now, id);
            self.forget_link(id);
        }
    }

    /// Begins to end all sessions of a link: streams that the application has may finish, others are refused.
    pub(super) fn close_link(&mut self, now: Instant, id: LinkId) {
        let Some(link) = self.links.get_mut(&id).filter(|link| !link.is_closing && link.end.is_none()) else { return };
        link.is_closing = true;
        let (device, unaccepted) = (link.device, std::mem::take(&mut link.incoming));
        for incoming in unaccepted {
            self.drop_stream(now, incoming.key, code::REFUSED);
        }
        self.forget_current(device, id);
        self.node.disconnect(now, device);
        self.want(now, device); // somebody else may have begun to wait for the device
    }

    fn forget_current(&mut self, device: DeviceId, id: LinkId) {
        if self.current.get(&device) == Some(&id) {
            self.current.remove(&device);
        }
    }

    /// A link that has ended and that nobody holds is gone.
    fn forget_link(&mut self, id: LinkId) {
        if self.links.get(&id).is_some_and(|link| link.handles == 0 && link.end.is_some()) {
            self.links.remove(&id);
        }
    }
}
