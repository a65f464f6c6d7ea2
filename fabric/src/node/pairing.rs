//! A node's pairing mode: who may come in to pair, and the one exchange that each entry into it buys (wire contract, 6).

use super::{Node, Timer};
use crate::config::Admitting;
use crate::counters::Count;
use crate::event::{CallError, Event, SessionId, StreamKey};
use crate::identity::DeviceId;
use crate::mux::{Priority, code};
use crate::pairing::{Exchange, MESSAGE_BYTES_MAX, PairingEnd, PairingError, Step};
use crate::trust::{How, Label, TrustError, Trusted};
use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use machine::{Duration, Instant};

/// The service that a session's initiator opens.
pub(super) const SERVICE: &str = "pair";
/// How long pairing mode lasts.
const LASTS: Duration = Duration::from_secs(120);
/// Most sessions of devices that are let in only to pair.
pub(super) const STRANGERS_MAX: usize = 8;
/// A new session may be one of two that cross, of which only one stays: the exchange is for that one.
const BEGIN_AFTER: Duration = Duration::from_secs(1);

/// One entry into pairing mode.
#[derive(Debug)]
pub(super) struct Mode {
    until: Instant,
    /// With whom this side wants to pair.
    wanted: Option<DeviceId>,
    /// Streams that peers have opened, and what has come of their first message; at most one of a session.
    offers: BTreeMap<StreamKey, Offer>,
    /// The exchange that the entry has bought: from its first message on there is no other.
    live: Option<Live>,
}

#[derive(Debug)]
struct Offer {
    device: DeviceId,
    message: Vec<u8>,
}

#[derive(Debug)]
struct Live {
    stream: StreamKey,
    device: DeviceId,
    exchange: Exchange,
    message: Vec<u8>,
    /// This side's person has said yes, and under which label and when.
    yes: Option<(Label, u64)>,
}

impl Node {
    /// Lets devices that are not trusted in for 120 s, to pair and for nothing else, and allows one exchange with one of them.
    /// What another entry was doing is rejected.
    pub fn enter_pairing(&mut self, now: Instant) -> Result<(), PairingError> {
        if self.config.admitting == Admitting::Closed {
            return Err(PairingError::Off);
        }
        self.leave_pairing(now);
        let until = self.now + LASTS;
        self.pairing = Some(Mode { until, wanted: None, offers: BTreeMap::new(), live: None });
        self.timers.set(Timer::Pairing, Some(until));
        Ok(())
    }

    /// Pairs with `device`, which is in pairing mode too: dials it where discovery finds it. [`Event::PairingNumber`] follows
    /// on both sides, or [`Event::PairingFailed`].
    pub fn pair(&mut self, now: Instant, device: DeviceId) -> Result<(), PairingError> {
        let mode = self.pairing.as_mut().ok_or(PairingError::NotPairing)?;
        if mode.live.is_some() {
            return Err(PairingError::Spent);
        }
        mode.wanted = Some(device);
        self.connect(now, device);
        self.begin_exchange();
        Ok(())
    }

    /// This side's person says that the numbers are equal: the device is trusted under `label` once the other's has said so
    /// too. `since` is the time as in [`Trusted::since`].
    pub fn confirm_pairing(&mut self, now: Instant, label: Label, since: u64) -> Result<(), PairingError> {
        self.now = self.now.max(now);
        let mode = self.pairing.as_mut().ok_or(PairingError::NotPairing)?;
        let live = mode.live.as_mut().filter(|live| live.exchange.shown().is_some()).ok_or(PairingError::NoNumber)?;
        if let Some(holder) = self.trust.by_label(label).filter(|holder| *holder != live.device) {
            return Err(PairingError::Trust(TrustError::LabelTaken(holder)));
        }
        let is_first = live.yes.replace((label, since)).is_none();
        let stream = live.stream;
        if is_first && self.send_pairing(stream, &Exchange::confirm()).is_err() {
            self.fail_pairing(PairingEnd::PeerGone);
        }
        self.complete_pairing();
        Ok(())
    }

    /// Ends pairing mode. A person who sees other digits than the other side says so by this.
    pub fn leave_pairing(&mut self, now: Instant) {
        self.now = self.now.max(now);
        if self.pairing.as_ref().is_some_and(|mode| mode.live.is_some()) {
            self.fail_pairing(PairingEnd::Rejected);
        }
        self.end_mode();
    }

    /// Until when the node is in pairing mode, if it is.
    pub fn pairing_until(&self) -> Option<Instant> {
        self.pairing.as_ref().map(|mode| mode.until)
    }

    pub(super) fn pairing_timeout(&mut self) {
        if self.pairing.as_ref().is_some_and(|mode| mode.until <= self.now) {
            return self.fail_pairing(PairingEnd::TimedOut);
        }
        self.begin_exchange();
    }

    /// Whether a device that is not trusted gets a session.
    pub(super) fn admits_stranger(&self) -> bool {
        let strangers = self.connections.values().filter_map(|connection| match connection.phase {
            super::Phase::Up(device) => (!self.trusts(device)).then_some(()),
            _ => None,
        });
        self.pairing.is_some() && strangers.count() < STRANGERS_MAX
    }

    /// Whether a peer that dialled may open a stream to pair on its session.
    pub(super) fn admits_offer(mode: Option<&Mode>, session: SessionId) -> bool {
        mode.is_some_and(|mode| mode.live.is_none() && !mode.offers.keys().any(|stream| stream.session == session))
    }

    /// A session is up: it may be the one that was wanted.
    pub(super) fn expect_exchange(&mut self) {
        if let Some(mode) = &self.pairing {
            let at = (self.now + BEGIN_AFTER).min(mode.until);
            self.timers.set(Timer::Pairing, Some(at));
        }
    }

    /// Opens the stream and commits, if this side wants to, and the session that has stayed is one that it dialled.
    fn begin_exchange(&mut self) {
        let Some(mode) = &self.pairing else { return };
        self.timers.set(Timer::Pairing, Some(mode.until));
        let Some(device) = mode.wanted.filter(|_| mode.live.is_none()) else { return };
        let Some(pipe) = self.newest_session(device) else { return };
        let Some(connection) = self.connections.get(&pipe) else { return };
        let begins_at = connection.up_since.unwrap_or_default() + BEGIN_AFTER;
        if begins_at > self.now {
            return self.timers.set(Timer::Pairing, Some(begins_at.min(mode.until)));
        }
        let Some(peer) = connection.peer().filter(|_| connection.dialled.is_some()) else { return };
        let Ok(stream) = self.open(self.now, device, SERVICE, Priority::FIRST) else { return };
        let nonce = self.fresh_seed();
        let (exchange, commit) = Exchange::initiate(&*self.local.suite, peer.handshake_hash, nonce);
        self.go_live(stream, device, exchange);
        if self.send_pairing(stream, &commit).is_err() {
            self.fail_pairing(PairingEnd::PeerGone);
        }
    }

    /// The exchange is spent: all other offers are turned down.
    fn go_live(&mut self, stream: StreamKey, device: DeviceId, exchange: Exchange) {
        let Some(mode) = &mut self.pairing else { return };
        mode.live = Some(Live { stream, device, exchange, message: Vec::new(), yes: None });
        let others: Vec<_> = core::mem::take(&mut mode.offers).into_keys().filter(|other| *other != stream).collect();
        for other in others {
            let _ = self.reset(self.now, other, code::CANCELLED); // it may have ended by itself
        }
    }

    /// Whether an event is about pairing alone: it is not the application's.
    pub(super) fn is_about_pairing(&self, event: &Event) -> bool {
        let is_own = |stream: &StreamKey| {
            let is_live = |mode: &Mode| mode.live.as_ref().is_some_and(|live| live.stream == *stream);
            self.pairing.as_ref().is_some_and(|mode| is_live(mode) || mode.offers.contains_key(stream))
        };
        match event {
            Event::Accepted { service, .. } => service == SERVICE,
            Event::Opened { stream }
            | Event::Readable { stream }
            | Event::Writable { stream }
            | Event::Finished { stream }
            | Event::Reset { stream, .. } => is_own(stream),
            _ => false,
        }
    }

    /// Acts on what happened to its streams: one event after the other, although acting on one may bring more.
    pub(super) fn settle_pairing(&mut self) {
        if self.is_settling_pairing {
            return;
        }
        self.is_settling_pairing = true;
        while let Some(event) = self.pairing_events.pop_front() {
            self.pairing_event(&event);
        }
        self.is_settling_pairing = false;
    }

    fn pairing_event(&mut self, event: &Event) {
        match *event {
            Event::Accepted { stream, device, .. } => {
                if let Some(mode) = &mut self.pairing {
                    mode.offers.insert(stream, Offer { device, message: Vec::new() });
                }
                self.read_pairing(stream);
            }
            Event::Readable { stream } => self.read_pairing(stream),
            Event::Finished { stream } => {
                self.read_pairing(stream);
                self.pairing_stream_over(stream);
            }
            Event::Reset { stream, .. } => self.pairing_stream_over(stream),
            _ => {}
        }
    }

    /// The session has ended, and what was on it.
    pub(super) fn pairing_session_over(&mut self, session: SessionId) {
        let Some(mode) = &mut self.pairing else { return };
        mode.offers.retain(|stream, _| stream.session != session);
        if mode.live.as_ref().is_some_and(|live| live.stream.session == session) {
            self.fail_pairing(PairingEnd::PeerGone);
        }
    }

    fn pairing_stream_over(&mut self, stream: StreamKey) {
        let Some(mode) = &mut self.pairing else { return };
        mode.offers.remove(&stream);
        if mode.live.as_ref().is_some_and(|live| live.stream == stream) {
            self.fail_pairing(PairingEnd::PeerGone);
        }
    }

    fn read_pairing(&mut self, stream: StreamKey) {
        // An error means that the stream is gone, which an event of its own tells.
        while let Ok(Some(chunk)) = self.read(self.now, stream, MESSAGE_BYTES_MAX + 1) {
            let Some(message) = self.pairing_message(stream) else { return };
            message.extend_from_slice(&chunk.bytes);
            let is_too_long = message.len() > MESSAGE_BYTES_MAX;
            if chunk.end_of_message || is_too_long {
                let message = core::mem::take(message);
                self.take_pairing(stream, &message);
            }
        }
    }

    /// What has come of the stream's next message.
    fn pairing_message(&mut self, stream: StreamKey) -> Option<&mut Vec<u8>> {
        let mode = self.pairing.as_mut()?;
        match &mut mode.live {
            Some(live) => (live.stream == stream).then_some(&mut live.message),
            None => mode.offers.get_mut(&stream).map(|offer| &mut offer.message),
        }
    }

    /// A whole message, or one that is too long to be one.
    fn take_pairing(&mut self, stream: StreamKey, message: &[u8]) {
        self.answer_offer(stream);
        let Some(live) = self.pairing.as_mut().and_then(|mode| mode.live.as_mut()) else { return };
        let device = live.device;
        match live.exchange.receive(&*self.local.suite, message) {
            Err(offence) => self.fail_pairing(PairingEnd::Offence(offence)),
            Ok(Step::PeerConfirmed) => self.complete_pairing(),
            Ok(Step::Send(reply)) => self.send_or_fail(stream, &reply),
            Ok(Step::Number(number, reply)) => {
                if let Some(reply) = reply {
                    self.send_or_fail(stream, &reply);
                }
                if self.pairing.is_some() {
                    self.events.push_back(Event::PairingNumber { device, number });
                }
            }
        }
    }

    /// The first message of the first peer to send one spends the exchange, whatever it is.
    fn answer_offer(&mut self, stream: StreamKey) {
        let Some(mode) = self.pairing.as_mut().filter(|mode| mode.live.is_none()) else { return };
        let Some(Offer { device, .. }) = mode.offers.remove(&stream) else { return };
        let Some(connection) = self.connections.get(&stream.session.pipe()) else { return };
        let Some(peer) = connection.peer() else { return };
        let nonce = self.fresh_seed();
        self.go_live(stream, device, Exchange::respond(peer.handshake_hash, nonce));
    }

    fn send_or_fail(&mut self, stream: StreamKey, message: &[u8]) {
        if self.send_pairing(stream, message).is_err() {
            self.fail_pairing(PairingEnd::PeerGone);
        }
    }

    /// The messages are few and short: one for which there is no room meets a peer that reads nothing.
    fn send_pairing(&mut self, stream: StreamKey, message: &[u8]) -> Result<(), CallError> {
        let taken = self.write(self.now, stream, message, true)?;
        if taken < message.len() { Err(crate::mux::StreamError::Full.into()) } else { Ok(()) }
    }

    /// Both people have said yes.
    fn complete_pairing(&mut self) {
        let Some(live) = self.pairing.as_ref().and_then(|mode| mode.live.as_ref()) else { return };
        let Some((label, since)) = live.yes.filter(|_| live.exchange.is_confirmed_by_peer()) else { return };
        let (stream, device) = (live.stream, live.device);
        let known = self.trust.get(device).cloned();
        let known = known.unwrap_or(Trusted::new(label, How::Pairing, since));
        let trusted = Trusted { label, since, how: How::Pairing, ..known };
        let outcome = self.trust_as(device, trusted);
        let _ = self.finish(self.now, stream); // it may have ended by itself
        if let Some(mode) = &mut self.pairing {
            mode.live = None;
        }
        self.events.push_back(match outcome {
            Ok(()) => Event::Paired { device, label },
            Err(error) => Event::PairingFailed { device: Some(device), reason: PairingEnd::NotTrusted(error) },
        });
        self.end_mode();
    }

    /// Any end but success is shown, else a man in the middle could try in silence until the numbers agree.
    fn fail_pairing(&mut self, reason: PairingEnd) {
        let Some(mode) = &mut self.pairing else { return };
        let live = mode.live.take();
        self.counters.add(Count::PairingFailed, 1);
        if let Some(live) = &live {
            let _ = self.reset(self.now, live.stream, code::CANCELLED); // it may have ended by itself
        }
        self.events.push_back(Event::PairingFailed { device: live.map(|live| live.device), reason });
        self.end_mode();
    }

    /// Who was let in only to pair, and is not trusted now, goes.
    fn end_mode(&mut self) {
        let Some(mode) = self.pairing.take() else { return };
        self.timers.set(Timer::Pairing, None);
        if let Some(wanted) = mode.wanted.filter(|wanted| !self.trusts(*wanted)) {
            self.disconnect(self.now, wanted);
        }
        let is_stranger = |device: &DeviceId| !self.trusts(*device);
        let accepted = self.connections.iter().filter(|(_, connection)| connection.dialled.is_none());
        let strangers = accepted.filter_map(|(pipe, connection)| match connection.phase {
            super::Phase::Up(device) => Some(device).filter(is_stranger).map(|_| *pipe),
            _ => None,
        });
        for pipe in strangers.collect::<Vec<_>>() {
            self.close_session(pipe, code::NOT_TRUSTED);
        }
    }
}
