//! A node's pipes and sessions: whom to dial, whom to let in, which session with a device counts, and how each ends
//! (wire contract, 3).

use super::connection::Progress;
use super::trusting::Gate;
use super::{
    Connection, DeviceId, Dialled, Event, HandshakeError, Instant, NextDial, Node, Phase, PipeEnd, PipeId, PipeOutput,
    Probe, Session, SessionEnd, SessionError, SessionId, StreamKey, Timer, code, mux,
};
use crate::session::Peer;
use machine::Addr;

impl Node {
    /// Dials `device` if a session with it is wanted and none is up, as soon as its candidates and its failures allow.
    pub(super) fn dial(&mut self, device: DeviceId) {
        if self.newest_session(device).is_some() || self.is_shut_down {
            return;
        }
        let Some(known) = self.devices.get(&device).filter(|known| known.is_wanted) else { return };
        if let Some(until) = known.waits_until(self.now) {
            self.probes.hit(Probe::DialPaced);
            return self.timers.set(Timer::Dial(device), Some(until));
        }
        let (addr, noise_static) = match self.discovery.next_dial(self.now, device) {
            NextDial::Now(dial) => (dial.addr, dial.noise_static),
            NextDial::At(at) => {
                self.probes.hit(Probe::DialPaced);
                return self.timers.set(Timer::Dial(device), Some(at));
            }
            NextDial::Unknown => match known.address {
                Some(address) => address,
                None => return,
            },
        };
        self.timers.set(Timer::Dial(device), Some(self.now + self.config.limits.next_candidate_after));
        let is_under_way = known.dials.iter().any(|(_, dialled)| *dialled == addr);
        if is_under_way || self.places_taken() >= usize::from(self.config.limits.sessions_max) {
            return;
        }
        if known.has_failed() {
            self.probes.hit(Probe::HandshakeRetried);
        }
        self.open_pipe(device, addr, noise_static);
    }

    fn open_pipe(&mut self, device: DeviceId, addr: Addr, noise_static: crate::identity::NoisePublic) {
        let seed = self.fresh_seed();
        let dialled = Session::dial(self.now, &self.local, device, noise_static, seed, &self.config.session);
        let session = match dialled {
            Ok(session) => session,
            Err(error) => return self.tell_failure(Some(device), addr, SessionEnd::Handshake(error)),
        };
        let pipe = PipeId::opened(self.pipes_opened);
        self.pipes_opened += 1;
        let connection = Connection::new(addr, Some(Dialled { device, noise_static }), session);
        self.connections.insert(pipe, connection);
        self.devices.entry(device).or_default().dials.push((pipe, addr));
        self.pipe_outputs.push_back(PipeOutput::Open(pipe, addr));
        self.settle(pipe);
    }

    /// How many sessions there are, those that are dialled for included.
    fn places_taken(&self) -> usize {
        let takes_place = |connection: &&Connection| !connection.is_inbound_handshake() && !connection.is_ending();
        self.connections.values().filter(takes_place).count()
    }

    /// Lets a pipe in, at the cost of an older handshake where a bound is passed.
    pub(super) fn accept(&mut self, pipe: PipeId, from: Addr) {
        if self.is_shut_down {
            return self.pipe_outputs.push_back(PipeOutput::Close(pipe));
        }
        let seed = self.fresh_seed();
        let session = Session::accept(self.now, &self.local, seed, &self.config.session);
        self.connections.insert(pipe, Connection::new(from, None, session));
        self.settle(pipe);
        let limits = self.config.limits;
        self.evict_past(limits.handshakes_per_source_max, |addr| addr.host() == from.host());
        self.evict_past(limits.handshakes_max, |_| true);
    }

    /// Closes the oldest inbound handshake among these sources while there are more than `most`, those without a valid
    /// message 1 first.
    fn evict_past(&mut self, most: u16, is_meant: impl Fn(Addr) -> bool) {
        let meant = |connection: &Connection| connection.is_inbound_handshake() && is_meant(connection.addr);
        let unfinished = || self.connections.iter().filter(|(_, connection)| meant(connection));
        if unfinished().count() <= usize::from(most).max(1) {
            return;
        }
        // Accepted pipes are numbered in their order, and `min_by` takes the first of equals: the oldest.
        let Some(pipe) = unfinished().min_by(|(_, one), (_, other)| one.by_worth(other)).map(|(pipe, _)| *pipe) else {
            return;
        };
        self.abort(pipe, SessionEnd::Handshake(HandshakeError::Evicted));
    }

    /// Closes the pipe that has been ending for longest while more are than may be: they must take no place from sessions,
    /// and no more memory.
    fn hurry_endings(&mut self) {
        let ending = || self.connections.iter().filter(|(_, connection)| connection.is_ending());
        if ending().count() <= usize::from(self.config.limits.sessions_max) {
            return;
        }
        let oldest = ending().min_by_key(|(pipe, connection)| (connection.next_timeout(), **pipe));
        let Some(pipe) = oldest.map(|(pipe, _)| *pipe) else { return };
        self.probes.hit(Probe::EndingHurried);
        self.abort(pipe, SessionEnd::Handshake(HandshakeError::Evicted));
    }

    /// Bytes of a pipe; those of a session that is over are discarded.
    pub(super) fn receive(&mut self, pipe: PipeId, mut bytes: &[u8]) {
        while let Some(connection) = self.connections.get_mut(&pipe) {
            if let Phase::Lingering(_) = connection.phase {
                return;
            }
            let mode = self.pairing.as_ref().filter(|_| connection.dialled.is_none());
            let mut gate = Gate {
                config: &self.config,
                trust: &self.trust,
                unannounced: &self.unannounced,
                may_pair: Self::admits_offer(mode, SessionId::of(pipe)),
            };
            let admit = |device: DeviceId, service: &str| gate.admit(device, service);
            match connection.receive(self.now, &mut bytes, admit) {
                Ok(Some(Progress::Established(peer))) => self.establish(pipe, &peer),
                Ok(Some(Progress::Record)) => self.record_taken(pipe),
                Ok(None) => break,
                Err(SessionError::Handshake(error)) => return self.abort(pipe, SessionEnd::Handshake(error)),
                Err(SessionError::RecordInvalid) => return self.abort(pipe, SessionEnd::RecordInvalid),
            }
        }
        self.settle(pipe);
    }

    /// The peer is who it says. An untrusted one learns that it is not, as a responder's first frame; so does one for whom
    /// there is no place.
    fn establish(&mut self, pipe: PipeId, peer: &Peer) {
        let is_trusted = self.trusts(peer.device) || self.admits_stranger();
        let is_full = self.places_taken() >= usize::from(self.config.limits.sessions_max);
        let (now, limits) = (self.now, self.config.mux);
        let Some(connection) = self.connections.get_mut(&pipe) else { return };
        connection.establish(now, &limits, is_trusted);
        if connection.dialled.is_some() {
            return; // the first record says whether the other side agrees
        }
        if !is_trusted {
            self.probes.hit(Probe::StrangerRefused);
        }
        if is_trusted && !is_full {
            return self.session_up(pipe);
        }
        if is_trusted {
            self.probes.hit(Probe::SessionRefused);
            self.close_session(pipe, code::GOING_AWAY);
            self.hurry_endings();
        }
    }

    /// A dialled session is up once its first record was not a refusal.
    fn record_taken(&mut self, pipe: PipeId) {
        let Some(connection) = self.connections.get_mut(&pipe) else { return };
        if connection.phase == Phase::Handshaking && !connection.has_ended() {
            self.session_up(pipe);
        }
        self.take_events(pipe);
    }

    fn session_up(&mut self, pipe: PipeId) {
        let now = self.now;
        let Some(connection) = self.connections.get_mut(&pipe) else { return };
        let Some(device) = connection.device() else { return };
        connection.phase = Phase::Up(device);
        connection.up_since = Some(now);
        let (addr, dialled) = (connection.addr, connection.dialled);
        if let Some(dialled) = dialled {
            self.discovery.proven(now, device, addr, dialled.noise_static);
        }
        self.discovery.set_live(now, device, true);
        let known = self.devices.entry(device).or_default();
        known.sessions.push(pipe);
        known.dials.retain(|(dial, _)| *dial != pipe);
        let older = known.sessions.clone();
        let session = SessionId::of(pipe);
        self.events.push_back(Event::SessionUp { session, device, dialled: dialled.is_some() });
        self.expect_exchange();
        self.give_up_dials(device);
        // One side alone ends the others, else two that dialled each other could end both.
        if self.own < device {
            for older in older.into_iter().filter(|older| *older != pipe) {
                self.probes.hit(Probe::DuplicateEnded);
                self.close_session(older, code::DUPLICATE);
            }
        }
        self.end_oldest_past_bound(device);
    }

    /// However many sessions a device opens, it takes no more than its share of the places.
    fn end_oldest_past_bound(&mut self, device: DeviceId) {
        let most = usize::from(self.config.limits.sessions_per_device_max).max(1);
        let Some(known) = self.devices.get(&device) else { return };
        if let Some(oldest) = known.sessions.first().copied().filter(|_| known.sessions.len() > most) {
            self.probes.hit(Probe::OldestSessionEnded);
            self.abort(oldest, SessionEnd::Local(code::DUPLICATE));
        }
    }

    /// A session is up: other dials are not needed. One on which this side has proven itself may be a session to the peer,
    /// who may have given up its own dial, this session, for it: that one is ended as a duplicate, if at all.
    fn give_up_dials(&mut self, device: DeviceId) {
        let Self { devices, connections, .. } = self;
        let Some(known) = devices.get_mut(&device) else { return };
        let is_unproven = |dial: &PipeId| connections.get(dial).is_none_or(Connection::is_unproven_dial);
        let given_up: alloc::vec::Vec<_> = known.dials.extract_if(.., |(dial, _)| is_unproven(dial)).collect();
        for (dial, _) in given_up {
            self.probes.hit(Probe::DialGivenUp);
            self.forget(dial);
            self.pipe_outputs.push_back(PipeOutput::Close(dial));
        }
    }

    /// The newest session with `device` that neither side has begun to end.
    pub(super) fn newest_session(&self, device: DeviceId) -> Option<PipeId> {
        let newest_first = self.devices.get(&device)?.sessions.iter().rev();
        newest_first.copied().find(|pipe| self.connections.get(pipe).is_some_and(Connection::is_open))
    }

    pub(super) fn end_sessions(&mut self, now: Instant, device: DeviceId, code: u32) {
        self.now = self.now.max(now);
        let Some(known) = self.devices.get_mut(&device) else { return };
        (known.is_wanted, known.is_unasked) = (false, false);
        let (sessions, dials) = (known.sessions.clone(), core::mem::take(&mut known.dials));
        self.timers.set(Timer::Dial(device), None);
        for (dial, _) in dials {
            self.forget(dial);
            self.pipe_outputs.push_back(PipeOutput::Close(dial));
        }
        for session in sessions {
            self.close_session(session, code);
        }
        self.drop_idle(device);
    }

    pub(super) fn close_session(&mut self, pipe: PipeId, code: u32) {
        let now = self.now;
        if let Some(connection) = self.connections.get_mut(&pipe) {
            connection.close(now, code);
            self.settle(pipe);
        }
    }

    pub(super) fn connection_timeout(&mut self, pipe: PipeId) {
        let now = self.now;
        let Some(connection) = self.connections.get_mut(&pipe) else { return };
        if let Phase::Lingering(until) = connection.phase
            && until <= now
        {
            self.forget(pipe);
            return self.pipe_outputs.push_back(PipeOutput::Close(pipe));
        }
        match connection.handle_timeout(now) {
            Ok(()) => self.settle(pipe),
            Err(SessionError::Handshake(error)) => self.abort(pipe, SessionEnd::Handshake(error)),
            Err(SessionError::RecordInvalid) => self.abort(pipe, SessionEnd::RecordInvalid),
        }
    }

    /// The peer has shut its half down. In an ordered end that is the end of what there is to read.
    pub(super) fn pipe_finished(&mut self, pipe: PipeId) {
        let Some(connection) = self.connections.get_mut(&pipe) else { return };
        if let Phase::Lingering(_) = connection.phase {
            return; // the driver tells when both halves are done
        }
        let reason = connection.pipe_ended();
        self.abort(pipe, reason);
    }

    pub(super) fn pipe_closed(&mut self, pipe: PipeId, end: PipeEnd) {
        let Some(connection) = self.connections.get_mut(&pipe) else { return };
        let reason = match (connection.phase, connection.dialled) {
            (Phase::Handshaking, Some(_)) if end != PipeEnd::Finished => SessionEnd::Unreachable(end),
            _ => connection.pipe_ended(),
        };
        self.over(pipe, reason);
        self.forget(pipe);
    }

    /// Ends a pipe in silence.
    fn abort(&mut self, pipe: PipeId, reason: SessionEnd) {
        self.over(pipe, reason);
        self.forget(pipe);
        self.pipe_outputs.push_back(PipeOutput::Close(pipe));
    }

    /// Tells that a session has ended or came to nothing, unless that was told; dials again where one is wanted.
    fn over(&mut self, pipe: PipeId, reason: SessionEnd) {
        let (now, limits) = (self.now, self.config.limits);
        let Some(connection) = self.connections.get_mut(&pipe) else { return };
        let (addr, device, up_since) = (connection.addr, connection.device(), connection.up_since);
        self.timers.set(Timer::Connection(pipe), Some(now + limits.linger));
        match core::mem::replace(&mut connection.phase, Phase::Lingering(now + limits.linger)) {
            Phase::Lingering(until) => {
                connection.phase = Phase::Lingering(until);
                return self.timers.set(Timer::Connection(pipe), Some(until));
            }
            Phase::Handshaking => self.tell_failure(device, addr, reason),
            Phase::Up(device) => {
                self.counters.session_ended(reason, true);
                self.reached(reason);
                self.events.push_back(Event::SessionDown { session: SessionId::of(pipe), device, reason });
                self.pairing_session_over(SessionId::of(pipe));
            }
        }
        let Some(device) = device else { return };
        let Some(known) = self.devices.get_mut(&device) else { return };
        known.sessions.retain(|session| *session != pipe);
        known.dials.retain(|(dial, _)| *dial != pipe);
        if known.sessions.is_empty() {
            self.discovery.set_live(now, device, false);
            if up_since.is_some_and(|since| now.saturating_since(since) >= limits.redial_after_max) {
                known.forgive();
            }
            if known.dials.is_empty() {
                known.back_off(now, &limits, &mut self.random);
            }
        }
        self.drop_idle(device);
        self.dial(device);
    }

    fn reached(&mut self, end: SessionEnd) {
        if let Some(probe) = end.probe() {
            self.probes.hit(probe);
        }
    }

    fn tell_failure(&mut self, device: Option<DeviceId>, addr: Addr, reason: SessionEnd) {
        self.counters.session_ended(reason, false);
        self.reached(reason);
        self.events.push_back(Event::SessionFailed { device, addr, reason });
    }

    pub(super) fn drop_idle(&mut self, device: DeviceId) {
        if self.devices.get(&device).is_some_and(super::Device::is_idle) {
            self.devices.remove(&device);
            self.timers.set(Timer::Dial(device), None);
        }
    }

    fn forget(&mut self, pipe: PipeId) {
        if let Some(connection) = self.connections.remove(&pipe) {
            self.probes.add(connection.probes());
            self.counters.add_opens(connection.opens_refused());
        }
        self.timers.set(Timer::Connection(pipe), None);
    }

    /// After anything that touched a pipe: tells what its streams tell, asks to be filled, keeps its timer.
    pub(super) fn settle(&mut self, pipe: PipeId) {
        self.take_events(pipe);
        let Some(connection) = self.connections.get_mut(&pipe) else { return };
        if connection.starts_filling() {
            self.pipe_outputs.push_back(PipeOutput::Fill(pipe));
        }
        self.timers.set(Timer::Connection(pipe), connection.next_timeout());
    }

    fn take_events(&mut self, pipe: PipeId) {
        while let Some(event) = self.connections.get_mut(&pipe).and_then(Connection::poll) {
            self.stream_event(pipe, event);
        }
    }

    fn stream_event(&mut self, pipe: PipeId, event: mux::Event) {
        let session = SessionId::of(pipe);
        let key = |stream| StreamKey { session, stream };
        let event = match event {
            mux::Event::Accepted { stream, service, priority } => {
                let Some(device) = self.connections.get(&pipe).and_then(Connection::device) else { return };
                Event::Accepted { stream: key(stream), device, service, priority }
            }
            mux::Event::Opened { stream } => Event::Opened { stream: key(stream) },
            mux::Event::Readable { stream } => Event::Readable { stream: key(stream) },
            mux::Event::Writable { stream } => Event::Writable { stream: key(stream) },
            mux::Event::Finished { stream } => Event::Finished { stream: key(stream) },
            mux::Event::Reset { stream, code } => Event::Reset { stream: key(stream), code },
            mux::Event::Draining { .. } => return,
            mux::Event::Ended { reason } => return self.session_over(pipe, reason.into()),
        };
        if self.is_about_pairing(&event) {
            self.pairing_events.push_back(event);
            return self.settle_pairing();
        }
        self.events.push_back(event);
    }

    /// The streams are over: what is left to send is sent, then the pipe is finished and read to its end.
    fn session_over(&mut self, pipe: PipeId, reason: SessionEnd) {
        if self.connections.get_mut(&pipe).is_some_and(Connection::starts_filling) {
            self.pipe_outputs.push_back(PipeOutput::Fill(pipe));
        }
        self.pipe_outputs.push_back(PipeOutput::Finish(pipe));
        self.over(pipe, reason);
        self.hurry_endings();
    }
}
