//! What goes to the peer, frame by frame: control first, then streams by their turns (wire contract, 4, Order).

use super::control::Control;
use super::frame::{self, Frame, HEADER_BYTES};
use super::stream::Next;
use super::{Event, Mux, Place, Priority, StreamId};
use crate::probe::Probe;
use machine::Instant;

/// The plaintext of the longest record.
const RECORD_BYTES_MAX: usize = 65_535 - 16;
/// The longest record while streams of several classes wait: what is urgent waits for no more than this.
const RECORD_BYTES_CONTENDED: usize = 16 * 1024;
/// A record ends rather than take a frame that is cut so short.
const FRAME_ROOM_MIN: usize = 64;

impl Mux {
    /// Writes whole frames into `room` and returns how many bytes; 0 when there is nothing to send for now. Room of
    /// [`ROOM_MIN`](super::ROOM_MIN) is always enough for the next frame.
    pub fn fill(&mut self, now: Instant, room: &mut [u8]) -> usize {
        self.release_paced(now);
        let contended = self.schedule.is_contended();
        let length = room.len().min(if contended { RECORD_BYTES_CONTENDED } else { RECORD_BYTES_MAX });
        if contended && room.len() > length {
            self.probes.hit(Probe::RecordKeptShort);
        }
        let room = &mut room[..length];
        let mut written = 0;
        while !self.control.is_empty() {
            let Some(length) = self.write_control(now, &mut room[written..]) else { return written };
            written += length;
        }
        while room.len() - written >= FRAME_ROOM_MIN {
            let Some(class) = self.schedule.turn() else { break };
            let Some(stream) = self.schedule.pop(class) else { break };
            if self.schedule.has_above(class) {
                self.probes.hit(Probe::LowerClassServed);
            }
            written += self.write_stream(stream, class, &mut room[written..]);
        }
        self.end_if_drained();
        written
    }

    /// Whether [`Mux::fill`] is to be called: false after it gave 0, until there is something to send again.
    pub fn wants_fill(&self) -> bool {
        let may_release = self.control.has_paced() && self.paced_until.is_none();
        !self.control.is_empty() || !self.schedule.is_empty() || may_release
    }

    /// Writes the next control frame, if it still makes sense; `None` when there is no room for it.
    fn write_control(&mut self, now: Instant, room: &mut [u8]) -> Option<usize> {
        if self.must_raise_session() {
            self.probes.hit(Probe::SessionRaisedFirst);
            return self.write_session_update(now, room); // and then the grant
        }
        let length = match self.control.front()? {
            Control::Open { stream, priority, credit, service } => {
                let (stream, priority, credit) = (*stream, *priority, *credit);
                let length = Frame::Open { stream, priority, credit, service: service.as_bytes() }.encode(room)?;
                self.open_sent = stream.0;
                length
            }
            Control::OpenAck { stream, credit } => Frame::OpenAck { stream: *stream, credit: *credit }.encode(room)?,
            Control::Rst { stream, code, .. } => Frame::Rst { stream: *stream, code: *code }.encode(room)?,
            Control::Pong { token } => Frame::Pong { token: *token }.encode(room)?,
            Control::SessionClose { code } => Frame::SessionClose { code: *code }.encode(room)?,
            Control::Ping => {
                let length = Frame::Ping { token: self.keepalive.token() }.encode(room)?;
                self.keepalive.sent(now);
                length
            }
            Control::SessionWindowUpdate => self.write_session_update(now, room)?,
            Control::WindowUpdate { stream } => {
                let stream = *stream;
                self.write_window_update(now, stream, room)?
            }
        };
        self.control.pop();
        Some(length)
    }

    /// What is due to a stream now; 0 when the peer cannot use it any more.
    fn due(&self, id: StreamId) -> u32 {
        self.streams.get(id).filter(|stream| stream.state.grants()).map_or(0, |stream| stream.window.due())
    }

    /// Whether the next control frame grants a stream more than the session has left for it.
    fn must_raise_session(&self) -> bool {
        let is_short = match self.control.front() {
            Some(Control::Open { .. } | Control::OpenAck { .. }) => self.pool.is_short(),
            Some(Control::WindowUpdate { stream }) => self.due(*stream) > self.pool.grantable(),
            _ => false,
        };
        is_short && self.pool.session.due() > 0
    }

    fn write_session_update(&mut self, now: Instant, room: &mut [u8]) -> Option<usize> {
        let delta = self.pool.session.due();
        if delta == 0 {
            return Some(0);
        }
        let length = Frame::SessionWindowUpdate { delta }.encode(room)?;
        self.pool.session.grant(delta);
        self.own_budget.spend(now);
        Some(length)
    }

    fn write_window_update(&mut self, now: Instant, id: StreamId, room: &mut [u8]) -> Option<usize> {
        let due = self.due(id);
        let delta = due.min(self.pool.grantable());
        if delta < due {
            self.probes.hit(Probe::GrantCut);
        }
        let length = if delta == 0 { 0 } else { Frame::WindowUpdate { stream: id, delta }.encode(room)? };
        self.change(id, |stream| {
            stream.update_queued = false;
            stream.window.grant(delta)
        });
        if delta > 0 {
            self.own_budget.spend(now);
        }
        Some(length)
    }

    /// Writes the next frame of a stream whose turn it is.
    fn write_stream(&mut self, id: StreamId, class: Priority, room: &mut [u8]) -> usize {
        let payload_max = usize::from(self.limits.data_bytes_max).clamp(1, frame::DATA_BYTES_MAX);
        let Some(stream) = self.streams.get_mut(id) else { return 0 };
        stream.place = Place::Out;
        let written = match stream.next(self.session_credit, payload_max.min(room.len() - HEADER_BYTES)) {
            Next::Nothing | Next::AwaitSession => 0,
            Next::Close => {
                let written = Frame::Close { stream: id }.encode(room).unwrap_or(0);
                self.change(id, |stream| stream.state = stream.state.on_local_close());
                written
            }
            Next::Data { length, end_of_message } => {
                self.write_data(id, &mut room[..HEADER_BYTES + length], end_of_message);
                HEADER_BYTES + length
            }
        };
        if written > 0 {
            self.schedule.served(class);
        }
        self.schedule_in(id);
        written
    }

    /// Writes a DATA frame that fills `room`.
    fn write_data(&mut self, id: StreamId, room: &mut [u8], end_of_message: bool) {
        let Some(stream) = self.streams.get_mut(id) else { return };
        let Some(outgoing) = &mut stream.outgoing else { return };
        let cost = room.len() as u32;
        let (head, payload) = room.split_at_mut(HEADER_BYTES);
        head.copy_from_slice(&frame::data_header(id, end_of_message, payload.len() as u16));
        outgoing.take(payload, end_of_message, &mut self.spare);
        stream.send_credit -= cost;
        self.session_credit -= cost;
        self.budget.earn(cost);
        if stream.told.wants_room && outgoing.cost() <= self.limits.send_buffer_bytes as usize / 2 {
            stream.told.wants_room = false;
            self.events.push_back(Event::Writable { stream: id });
        }
        if !outgoing.is_empty() && stream.send_credit <= HEADER_BYTES as u32 {
            self.probes.hit(Probe::WindowExhausted);
        }
        if let Some(emptied) = stream.outgoing.take_if(|outgoing| outgoing.is_empty()) {
            self.spare.put_outgoing(emptied);
        }
    }
}
