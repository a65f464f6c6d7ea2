//! What the application does with streams.

use super::buffer::Source;
use super::control::Control;
use super::receive::is_service_name;
use super::stream::{State, Stream};
use super::{Chunk, Mux, OpenError, Part, Priority, StreamError, StreamId};
use crate::probe::Probe;
use alloc::boxed::Box;
use bytes::Bytes;
use machine::{Duration, Instant};

/// The least that a send buffer takes: a byte and its message's end.
const SEND_BUFFER_MIN: usize = 16;

impl Mux {
    /// Opens a stream to a service of the peer's. Bytes may be written at once; they are sent after
    /// [`Event::Opened`](super::Event::Opened).
    pub fn open(&mut self, now: Instant, service: &str, priority: Priority) -> Result<StreamId, OpenError> {
        if !is_service_name(service) {
            return Err(OpenError::InvalidName);
        }
        if !self.is_open() {
            return Err(OpenError::Ending);
        }
        let stream = self.streams.next_own().ok_or(OpenError::Ending)?;
        let (own, streams_max) = (&self.streams.own, usize::from(self.limits.streams_max));
        let full = own.live >= streams_max || own.len() >= 2 * streams_max;
        if full || !self.can_afford_open(now) || !self.pool.affords(self.streams.len() + 1) {
            return Err(OpenError::TooMany);
        }
        let credit = self.insert(now, stream, State::Opening, priority);
        self.control.push(Control::Open { stream, priority, credit, service: Box::from(service) });
        Ok(stream)
    }

    /// Hands over as many bytes as there is room for and returns how many; `end_of_message` counts only when all were
    /// taken. After less than all, [`Event::Writable`](super::Event::Writable) follows.
    pub fn write(&mut self, stream: StreamId, bytes: &[u8], end_of_message: bool) -> Result<usize, StreamError> {
        self.write_from(stream, Source::Lent(bytes), end_of_message)
    }

    /// As [`Mux::write`], but keeps a reference where a copy would cost more. All that `bytes` refers to stays in memory
    /// until what was taken of it is sent.
    pub fn write_shared(
        &mut self,
        stream: StreamId,
        bytes: &Bytes,
        end_of_message: bool,
    ) -> Result<usize, StreamError> {
        self.write_from(stream, Source::Shared(bytes), end_of_message)
    }

    fn write_from(&mut self, stream: StreamId, bytes: Source<'_>, end_of_message: bool) -> Result<usize, StreamError> {
        let limit = (self.limits.send_buffer_bytes as usize).max(SEND_BUFFER_MIN);
        let found = self.streams.get_mut(stream).ok_or(StreamError::Unknown)?;
        check_unfinished(found)?;
        if bytes.is_empty() && !end_of_message {
            return Ok(0);
        }
        let outgoing = found.outgoing.get_or_insert_with(|| self.spare.outgoing());
        let (taken, ended) = outgoing.write(bytes, end_of_message, limit, &mut self.spare);
        if taken < bytes.len() || ended != end_of_message {
            found.told.wants_room = true;
            self.probes.hit(Probe::SendBufferFull);
        }
        self.schedule_in(stream);
        if bytes.is_empty() && !ended { Err(StreamError::Full) } else { Ok(taken) }
    }

    /// Takes up to `bytes_max` bytes of what came in, not beyond a message's end, and returns their credit to the peer.
    /// `None` when there is nothing for now, or nothing more after [`Event::Finished`](super::Event::Finished). A stream
    /// of which both halves are closed is [`StreamError::Unknown`] after its last byte.
    pub fn read(&mut self, now: Instant, stream: StreamId, bytes_max: usize) -> Result<Option<Chunk>, StreamError> {
        self.read_with(now, stream, bytes_max, |part| Chunk {
            bytes: Bytes::copy_from_slice(part.bytes),
            end_of_message: part.end_of_message,
        })
    }

    /// As [`Mux::read`], but lends the bytes to `take`, and so allocates and copies nothing.
    pub fn read_with<R>(
        &mut self,
        now: Instant,
        stream: StreamId,
        bytes_max: usize,
        take: impl FnOnce(Part<'_>) -> R,
    ) -> Result<Option<R>, StreamError> {
        let found = self.streams.get_mut(stream).ok_or(StreamError::Unknown)?;
        let Some(incoming) = &mut found.incoming else {
            found.told.readable = false;
            return Ok(None);
        };
        let Some(read) = incoming.read(bytes_max) else { return Ok(None) };
        let result = take(Part { bytes: &incoming.front()[..read.length], end_of_message: read.end_of_message });
        incoming.consume(read.length, &mut self.spare);
        self.settle_read(now, stream, read.cost);
        Ok(Some(result))
    }

    /// Whether bytes of the stream, or a message's end, have come in that are not read: after
    /// [`Event::Finished`](super::Event::Finished) it says whether the reader has everything.
    pub fn has_unread(&self, stream: StreamId) -> bool {
        self.streams.get(stream).is_some_and(Stream::has_unread)
    }

    /// So much was read of a stream: gives its buffer back if it is empty, and its credit.
    fn settle_read(&mut self, now: Instant, stream: StreamId, cost: u32) {
        let spare = &mut self.spare;
        Self::change_in(&mut self.streams, &mut self.pool, stream, |stream| {
            stream.window.release(cost);
            if let Some(emptied) = stream.incoming.take_if(|incoming| incoming.is_empty()) {
                spare.put_incoming(emptied);
            }
        });
        self.budget.earn(cost);
        if !self.phase.is_ended() {
            self.return_credit(now, stream, cost);
        }
        self.end_if_drained();
    }

    /// Closes this half after what was written.
    pub fn finish(&mut self, stream: StreamId) -> Result<(), StreamError> {
        let found = self.streams.get_mut(stream).ok_or(StreamError::Unknown)?;
        check_unfinished(found)?;
        found.finishing = true;
        self.schedule_in(stream);
        Ok(())
    }

    /// Ends both halves at once; what was not sent or not read is gone.
    pub fn reset(&mut self, stream: StreamId, code: u32) -> Result<(), StreamError> {
        let found = self.streams.get(stream).ok_or(StreamError::Unknown)?;
        let (was_live, late) = (found.is_live(), found.share().unused);
        let never_opened = self.control.forget(stream);
        if never_opened {
            self.probes.hit(Probe::OpenWithdrawn);
        }
        self.discard(stream);
        if was_live && !never_opened {
            self.late_credit = (self.late_credit + u64::from(late)).min(u64::from(self.pool.session.size()));
            self.push_rst(stream, code);
        }
        self.end_if_drained();
        Ok(())
    }

    /// Sends this side's bytes of the stream with another priority from now on.
    pub fn set_priority(&mut self, stream: StreamId, priority: Priority) -> Result<(), StreamError> {
        self.streams.get(stream).ok_or(StreamError::Unknown)?;
        self.schedule_out(stream);
        if let Some(found) = self.streams.get_mut(stream) {
            found.priority = priority;
        }
        self.schedule_in(stream);
        Ok(())
    }

    /// So much was read: returns it to the stream and the session, and lets windows that are used up fast grow.
    fn return_credit(&mut self, now: Instant, id: StreamId, cost: u32) {
        let round_trip = self.keepalive.round_trip().unwrap_or(Duration::ZERO);
        self.pool.session.release(cost);
        if self.pool.session.was_used_up(now, round_trip) {
            self.pool.double();
            self.probes.hit(Probe::SessionWindowGrown);
        }
        let (streams, frugally) = (self.streams.len(), self.is_frugal(now));
        let Some(stream) = self.streams.get_mut(id).filter(|stream| stream.state.grants()) else {
            return self.return_session_credit();
        };
        let before = stream.share();
        if stream.window.was_used_up(now, round_trip) {
            stream.window.grow(self.pool.growth(stream.window.size(), streams));
            self.probes.hit(Probe::WindowGrown);
        }
        let is_due = stream.window.is_worth_returning(frugally) && !core::mem::replace(&mut stream.update_queued, true);
        self.pool.change(before, stream.share());
        if self.pool.raise(streams) {
            self.control.push_session_update();
        }
        self.return_session_credit();
        if is_due {
            self.control.push(Control::WindowUpdate { stream: id });
            if self.keepalive.round_trip().is_none() {
                self.ping(now); // whether a window may grow depends on it
            }
        }
    }
}

fn check_unfinished(stream: &Stream) -> Result<(), StreamError> {
    let finished = stream.finishing || matches!(stream.state, State::LocalClosed | State::Closed);
    if finished { Err(StreamError::Finished) } else { Ok(()) }
}
