//! What the application does with streams: each call goes to the session that the stream is of.

use super::Node;
use super::connection::Connection;
use crate::event::{CallError, SessionId, StreamKey};
use crate::identity::DeviceId;
use crate::mux::{Chunk, Mux, Part, Priority, StreamError};
use bytes::Bytes;
use machine::Instant;

impl Node {
    /// Opens a stream on the newest session with `device`. What is written is sent after [`Event::Opened`](crate::Event::Opened).
    pub fn open(
        &mut self,
        now: Instant,
        device: DeviceId,
        service: &str,
        priority: Priority,
    ) -> Result<StreamKey, CallError> {
        let pipe = self.newest_session(device).ok_or(CallError::UnauthenticatedSession)?;
        let session = SessionId::of(pipe);
        let stream = self.on_session(now, session, |mux, now| Ok(mux.open(now, service, priority)?))?;
        Ok(StreamKey { session, stream })
    }

    /// Hands over as many bytes as there is room for: see [`Mux::write`].
    pub fn write(
        &mut self,
        now: Instant,
        stream: StreamKey,
        bytes: &[u8],
        end_of_message: bool,
    ) -> Result<usize, CallError> {
        self.on_stream(now, stream, |mux, _| mux.write(stream.stream, bytes, end_of_message))
    }

    /// As [`Node::write`], without a copy where that pays: see [`Mux::write_shared`].
    pub fn write_shared(
        &mut self,
        now: Instant,
        stream: StreamKey,
        bytes: &Bytes,
        end_of_message: bool,
    ) -> Result<usize, CallError> {
        self.on_stream(now, stream, |mux, _| mux.write_shared(stream.stream, bytes, end_of_message))
    }

    /// Takes bytes that came in: see [`Mux::read`].
    pub fn read(&mut self, now: Instant, stream: StreamKey, bytes_max: usize) -> Result<Option<Chunk>, CallError> {
        self.on_stream(now, stream, |mux, now| mux.read(now, stream.stream, bytes_max))
    }

    /// As [`Node::read`], but lends the bytes to `take`: see [`Mux::read_with`].
    pub fn read_with<R>(
        &mut self,
        now: Instant,
        stream: StreamKey,
        bytes_max: usize,
        take: impl FnOnce(Part<'_>) -> R,
    ) -> Result<Option<R>, CallError> {
        self.on_stream(now, stream, |mux, now| mux.read_with(now, stream.stream, bytes_max, take))
    }

    /// Whether bytes of the stream have come in that are not read: see [`Mux::has_unread`]. `None` when its session is not up.
    pub fn has_unread(&self, stream: StreamKey) -> Option<bool> {
        let mux = self.connections.get(&stream.session.pipe()).and_then(Connection::streams_seen);
        mux.map(|mux| mux.has_unread(stream.stream))
    }

    /// Closes this half after what was written.
    pub fn finish(&mut self, now: Instant, stream: StreamKey) -> Result<(), CallError> {
        self.on_stream(now, stream, |mux, _| mux.finish(stream.stream))
    }

    /// Ends both halves at once.
    pub fn reset(&mut self, now: Instant, stream: StreamKey, code: u32) -> Result<(), CallError> {
        self.on_stream(now, stream, |mux, _| mux.reset(stream.stream, code))
    }

    /// Sends this side's bytes with another priority.
    pub fn set_priority(&mut self, now: Instant, stream: StreamKey, priority: Priority) -> Result<(), CallError> {
        self.on_stream(now, stream, |mux, _| mux.set_priority(stream.stream, priority))
    }

    fn on_stream<T>(
        &mut self,
        now: Instant,
        stream: StreamKey,
        call: impl FnOnce(&mut Mux, Instant) -> Result<T, StreamError>,
    ) -> Result<T, CallError> {
        self.on_session(now, stream.session, |mux, now| Ok(call(mux, now)?))
    }

    fn on_session<T>(
        &mut self,
        now: Instant,
        session: SessionId,
        call: impl FnOnce(&mut Mux, Instant) -> Result<T, CallError>,
    ) -> Result<T, CallError> {
        self.now = self.now.max(now);
        let mux = self.connections.get_mut(&session.pipe()).and_then(Connection::streams);
        let outcome = call(mux.ok_or(CallError::UnauthenticatedSession)?, self.now);
        self.settle(session.pipe());
        outcome
    }
}
