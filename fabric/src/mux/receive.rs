//! What the peer's frames do (wire contract, 4): each acts, or is the offence that ends the session.

use super::control::Control;
use super::credit::{self, WINDOW_MAX};
use super::frame::{Frame, HEADER_BYTES, SERVICE_BYTES_MAX};
use super::stream::{Kind, State, Step};
use super::{Admission, Event, Mux, Priority, Reject, StreamId, code};
use crate::probe::Probe;
use crate::wire::Reader;
use alloc::string::String;
use machine::Instant;

/// The most replies that the peer may have coming.
const REPLIES_MAX: usize = 256;

type Admit<'a> = dyn FnMut(&str) -> Admission + 'a;

impl Mux {
    /// Takes the plaintext of one record: its frames act in order, up to the first offence. `admit` decides about an OPEN,
    /// by its service, while it is handled.
    ///
    /// # Errors
    /// The offence. The session has ended then ([`Event::Ended`] follows), and the CLOSE that says so is the last that
    /// [`Mux::fill`] gives.
    pub fn receive(
        &mut self,
        now: Instant,
        record: &[u8],
        admit: &mut dyn FnMut(&str) -> Admission,
    ) -> Result<(), Reject> {
        if self.phase.is_ended() {
            return Ok(());
        }
        self.keepalive.heard(now);
        let result = self.frames(now, record, admit);
        match result {
            Ok(()) => self.end_if_drained(),
            Err(reject) => self.reject(reject),
        }
        result
    }

    fn frames(&mut self, now: Instant, record: &[u8], admit: &mut Admit<'_>) -> Result<(), Reject> {
        if record.is_empty() {
            return Err(Reject::FrameInvalid);
        }
        self.pinged = false;
        let mut record = Reader::new(record);
        while !record.rest().is_empty() && !self.phase.is_ended() {
            self.act(now, Frame::decode(&mut record)?, admit)?;
        }
        Ok(())
    }

    fn act(&mut self, now: Instant, frame: Frame<'_>, admit: &mut Admit<'_>) -> Result<(), Reject> {
        match frame {
            Frame::Open { stream, priority, credit, service } => {
                self.check_open(stream, credit)?;
                self.on_open(now, stream, priority, credit, service, admit)
            }
            Frame::OpenAck { stream, credit } => self.on_open_ack(now, stream, credit),
            Frame::Data { stream, end_of_message, payload } => self.on_data(now, stream, end_of_message, payload),
            Frame::WindowUpdate { stream, delta } => self.on_window_update(now, stream, delta),
            Frame::SessionWindowUpdate { delta } => self.on_session_window_update(now, delta),
            Frame::Rst { stream, code } => self.on_rst(now, stream, code),
            Frame::Close { stream } => self.on_close(now, stream),
            Frame::Ping { token } => self.on_ping(now, token),
            Frame::Pong { token } => {
                if self.keepalive.answered(now, token) {
                    Ok(())
                } else {
                    self.probes.hit(Probe::PongUnasked);
                    self.spend(now)
                }
            }
            Frame::SessionClose { code } => {
                self.peer_closes(now, code);
                Ok(())
            }
        }
    }

    fn check_open(&self, stream: StreamId, credit: u32) -> Result<(), Reject> {
        let rises = !self.streams.is_own(stream) && stream.0 > self.streams.peers.highest;
        if self.phase.is_closed_by_peer() || !rises {
            return Err(Reject::InvalidStreamStateTransition);
        }
        if credit > WINDOW_MAX { Err(Reject::WindowCreditOverflowOrUnderflow) } else { Ok(()) }
    }

    fn on_open(
        &mut self,
        now: Instant,
        stream: StreamId,
        priority: Priority,
        credit: u32,
        service: &[u8],
        admit: &mut Admit<'_>,
    ) -> Result<(), Reject> {
        let service = match self.judge_open(service, admit) {
            Ok(service) => service,
            Err(code) => {
                self.probes.hit(Reject::from_code(code).map_or(Probe::OpenRefused, Reject::probe));
                self.opens_refused.count(code);
                self.streams.peers.highest = stream.0;
                self.spend(now)?;
                self.own_budget.spend(now);
                return self.reply(Control::Rst { stream, code, is_reply: true });
            }
        };
        let window = self.insert(now, stream, State::Open, priority);
        if let Some(stream) = self.streams.get_mut(stream) {
            stream.send_credit = credit;
        }
        self.events.push_back(Event::Accepted { stream, service: String::from(service), priority });
        self.reply(Control::OpenAck { stream, credit: window })
    }

    /// The service of a stream that is admitted, or the code of its RST.
    fn judge_open<'a>(&self, service: &'a [u8], admit: &mut Admit<'_>) -> Result<&'a str, u32> {
        if self.phase.is_closed_here() {
            return Err(code::REFUSED);
        }
        let service = core::str::from_utf8(service).ok().filter(|name| is_service_name(name));
        let service = service.ok_or(Reject::InvalidStreamName.code())?;
        let streams_max = usize::from(self.limits.streams_max);
        if self.streams.peers.live >= streams_max {
            return Err(Reject::StreamLimitExceeded.code());
        }
        if self.streams.peers.len() >= 2 * streams_max || !self.pool.affords(self.streams.len() + 1) {
            return Err(code::REFUSED); // the application leaves too many closed streams unread
        }
        match admit(service) {
            Admission::Admit => Ok(service),
            Admission::Deny => Err(Reject::ServiceDenied.code()),
        }
    }

    fn on_open_ack(&mut self, now: Instant, id: StreamId, credit: u32) -> Result<(), Reject> {
        match self.step(now, id, Kind::OpenAck)? {
            Step::To(_) if credit > WINDOW_MAX => Err(Reject::WindowCreditOverflowOrUnderflow),
            Step::To(state) => {
                self.change(id, |stream| (stream.state, stream.send_credit) = (state, credit));
                self.events.push_back(Event::Opened { stream: id });
                self.schedule_in(id);
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn on_data(&mut self, now: Instant, id: StreamId, end_of_message: bool, payload: &[u8]) -> Result<(), Reject> {
        let cost = (payload.len() + HEADER_BYTES) as u32;
        let step = self.state(id).on(Kind::Data)?;
        if !self.pool.session.take(cost) {
            return Err(Reject::WindowCreditOverflowOrUnderflow);
        }
        self.own_budget.earn(cost);
        if step == Step::Drop {
            return self.drop_data(now, cost);
        }
        let spare = &mut self.spare;
        let (taken, told) = Self::change_in(&mut self.streams, &mut self.pool, id, |stream| {
            if !stream.window.take(cost) {
                return (false, true);
            }
            let incoming = stream.incoming.get_or_insert_with(|| spare.incoming());
            incoming.push(payload, end_of_message, spare);
            (true, core::mem::replace(&mut stream.told.readable, true))
        })
        .unwrap_or((true, true));
        if !told {
            self.events.push_back(Event::Readable { stream: id });
        }
        if taken { Ok(()) } else { Err(Reject::WindowCreditOverflowOrUnderflow) }
    }

    /// DATA for a closed stream. It costs nothing as far as a RST of ours may have crossed it.
    fn drop_data(&mut self, now: Instant, cost: u32) -> Result<(), Reject> {
        self.probes.hit(Kind::Data.late_probe());
        self.pool.session.release(cost);
        self.return_session_credit();
        if let Some(left) = self.late_credit.checked_sub(u64::from(cost)) {
            self.late_credit = left;
            return Ok(());
        }
        self.probes.hit(Probe::LateDataCharged);
        self.spend(now)
    }

    fn on_window_update(&mut self, now: Instant, id: StreamId, delta: u32) -> Result<(), Reject> {
        let step = self.step(now, id, Kind::WindowUpdate)?;
        if delta == 0 {
            return Err(Reject::WindowCreditOverflowOrUnderflow);
        }
        if let (Step::AddCredit, Some(stream)) = (step, self.streams.get_mut(id)) {
            let sum = credit::add(stream.send_credit, delta);
            stream.send_credit = sum.ok_or(Reject::WindowCreditOverflowOrUnderflow)?;
            self.schedule_in(id);
        }
        Ok(())
    }

    fn on_session_window_update(&mut self, now: Instant, delta: u32) -> Result<(), Reject> {
        self.spend(now)?;
        let sum = credit::add(self.session_credit, delta).filter(|_| delta > 0);
        self.session_credit = sum.ok_or(Reject::WindowCreditOverflowOrUnderflow)?;
        for id in self.schedule.take_awaiting() {
            if let Some(stream) = self.streams.get_mut(id) {
                stream.place = super::Place::Out;
            }
            self.schedule_in(id);
        }
        Ok(())
    }

    fn on_rst(&mut self, now: Instant, id: StreamId, code: u32) -> Result<(), Reject> {
        let state = self.state(id);
        let step = self.step(now, id, Kind::Rst)?;
        self.control.forget(id); // what we owed to it is owed no more
        if let Step::To(_) = step {
            if state == State::Open {
                self.probes.hit(Probe::StreamReset);
            }
            if state == State::Opening {
                self.own_budget.spend(now); // the peer's price of a refusal
            }
            self.discard(id);
            self.events.push_back(Event::Reset { stream: id, code });
        }
        Ok(())
    }

    fn on_close(&mut self, now: Instant, id: StreamId) -> Result<(), Reject> {
        if let Step::To(state) = self.step(now, id, Kind::Close)? {
            self.change(id, |stream| stream.state = state);
            self.events.push_back(Event::Finished { stream: id });
        }
        Ok(())
    }

    fn on_ping(&mut self, now: Instant, token: u64) -> Result<(), Reject> {
        if core::mem::replace(&mut self.pinged, true) {
            return Err(Reject::Flood);
        }
        self.spend(now)?;
        self.reply(Control::Pong { token })
    }

    /// A cell of the state table, and its price.
    fn step(&mut self, now: Instant, id: StreamId, kind: Kind) -> Result<Step, Reject> {
        let step = self.state(id).on(kind)?;
        if step == Step::Drop {
            self.probes.hit(kind.late_probe());
        }
        if step == Step::Drop || matches!(kind, Kind::Rst | Kind::WindowUpdate) {
            self.spend(now)?;
        }
        Ok(step)
    }

    /// A stream whose OPEN has not left yet is not there for the peer.
    fn state(&self, id: StreamId) -> State {
        match self.streams.state(id) {
            _ if self.streams.is_own(id) && id.0 > self.open_sent => State::Idle,
            state => state,
        }
    }

    fn spend(&mut self, now: Instant) -> Result<(), Reject> {
        if self.budget.spend(now) { Ok(()) } else { Err(Reject::Flood) }
    }

    fn reply(&mut self, control: Control) -> Result<(), Reject> {
        self.control.push(control);
        let replies_max = REPLIES_MAX.max(2 * usize::from(self.limits.streams_max));
        if self.control.replies() > replies_max { Err(Reject::Flood) } else { Ok(()) }
    }
}

/// 1 to 64 bytes without control characters.
pub(super) fn is_service_name(name: &str) -> bool {
    (1..=SERVICE_BYTES_MAX).contains(&name.len()) && !name.chars().any(char::is_control)
}
