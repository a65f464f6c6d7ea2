//! The streams that the application has, or has left behind, and who waits for them.

use super::error::{OpenError, StreamError};
use super::links::{Incoming, LinkId};
use super::state::{Phase, State, wait};
use fabric::mux::{self, Part, Priority, code};
use fabric::{CallError, SessionEnd, SessionId, StreamKey};
use machine::Instant;
use std::task::{Context, Poll, Waker};

/// One stream.
pub(super) struct Held {
    owner: Owner,
    /// Whether the peer has admitted it.
    is_open: bool,
    is_shut_down: bool,
    receiving: Receiving,
    /// Why it has ended, unless both halves were closed.
    error: Option<StreamError>,
    reader: Option<Waker>,
    writer: Option<Waker>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Owner {
    /// Nobody has accepted it yet.
    Backlog,
    Application,
    /// The application has shut it down and dropped it. What it wrote still goes out; the peer must not answer.
    Nobody,
}

/// What has become of the peer's half.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Receiving {
    Open,
    /// Closed by the peer, but not read to its end.
    Finished,
    /// Closed by the peer, and then the session ended before it could be seen whether all was read: how it ended says that.
    LastWords,
    /// Read to its clean end.
    Done,
}

impl Held {
    const fn new(owner: Owner, is_open: bool) -> Self {
        Self {
            owner,
            is_open,
            is_shut_down: false,
            receiving: Receiving::Open,
            error: None,
            reader: None,
            writer: None,
        }
    }
}

impl State {
    /// Opens a stream on a link's newest session; it is to be waited for.
    pub(super) fn open(
        &mut self,
        now: Instant,
        link: LinkId,
        service: &str,
        priority: Priority,
    ) -> Result<StreamKey, OpenError> {
        let Some(link) = self.links.get(&link) else { return Err(OpenError::NotOpened(mux::OpenError::Ending)) };
        if let Some(end) = link.end {
            return Err(OpenError::Session(end));
        }
        if link.is_closing || self.phase != Phase::Running {
            return Err(OpenError::NotOpened(mux::OpenError::Ending));
        }
        let opened = self.node.open(now, link.device, service, priority).map_err(|error| match error {
            CallError::Open(error) => OpenError::NotOpened(error),
            // No session is open any more, but the last one has not ended yet.
            CallError::UnauthenticatedSession | CallError::Stream(_) => OpenError::NotOpened(mux::OpenError::Ending),
        });
        let key = opened?;
        self.streams.insert(key, Held::new(Owner::Application, false));
        Ok(key)
    }

    /// Waits for the peer's answer to an OPEN.
    pub(super) fn poll_opened(&mut self, cx: &Context<'_>, key: StreamKey) -> Poll<Result<(), StreamError>> {
        let Some(stream) = self.streams.get_mut(&key) else { return Poll::Pending };
        match stream.error {
            Some(error) => Poll::Ready(Err(error)),
            None if stream.is_open => Poll::Ready(Ok(())),
            None => {
                wait(&mut stream.writer, cx);
                Poll::Pending
            }
        }
    }

    /// Whether an OPEN that was refused with `code` should be tried again: it crossed the end of a session that another one
    /// has taken the place of.
    pub(super) fn opens_again(&self, link: LinkId, refused: StreamKey, code: u32) -> bool {
        let link = self.links.get(&link).filter(|link| code == code::REFUSED && !link.is_closing);
        link.and_then(|link| self.node.session(link.device)).is_some_and(|newest| newest != refused.session)
    }

    pub(super) fn accepted(&mut self, now: Instant, key: StreamKey, service: String, priority: Priority) {
        self.streams.insert(key, Held::new(Owner::Backlog, true));
        let link = self.sessions.get(&key.session).and_then(|link| self.links.get_mut(link));
        match link.filter(|link| !link.is_closing) {
            Some(link) => {
                link.incoming.push_back(Incoming { key, service, priority });
                let changed = std::sync::Arc::clone(&link.changed);
                self.wake_all(&changed);
            }
            None => self.drop_stream(now, key, code::REFUSED),
        }
    }

    /// The next stream that the peer has opened; the end when none will come any more; `None` when one may.
    pub(super) fn accept_stream(&mut self, link: LinkId) -> Option<Result<Incoming, SessionEnd>> {
        let link = self.links.get_mut(&link)?;
        let Some(incoming) = link.incoming.pop_front() else { return link.end.map(Err) };
        if let Some(stream) = self.streams.get_mut(&incoming.key) {
            stream.owner = Owner::Application;
        }
        Some(Ok(incoming))
    }

    /// Lends the next bytes to `take`, at most `bytes_max` and not beyond a message's end; `None` at the clean end.
    pub(super) fn poll_read<R>(
        &mut self,
        now: Instant,
        cx: &Context<'_>,
        key: StreamKey,
        bytes_max: usize,
        take: impl FnOnce(Part<'_>) -> R,
    ) -> Poll<Result<Option<R>, StreamError>> {
        let read = self.node.read_with(now, key, bytes_max, take);
        self.note_read(key);
        let Some(stream) = self.streams.get_mut(&key) else { return Poll::Ready(Ok(None)) };
        match (read, stream.receiving, stream.error) {
            (Ok(Some(taken)), ..) => Poll::Ready(Ok(Some(taken))),
            (_, Receiving::Done, _) => Poll::Ready(Ok(None)),
            (.., Some(error)) => Poll::Ready(Err(error)),
            (.., None) => {
                wait(&mut stream.reader, cx);
                Poll::Pending
            }
        }
    }

    /// Writes as many bytes as there is room for, or waits for room.
    pub(super) fn poll_write(
        &mut self,
        now: Instant,
        cx: &Context<'_>,
        key: StreamKey,
        bytes: &[u8],
        end_of_message: bool,
    ) -> Poll<Result<usize, StreamError>> {
        let written = self.node.write(now, key, bytes, end_of_message);
        let Some(stream) = self.streams.get_mut(&key) else { return Poll::Ready(Err(StreamError::Finished)) };
        match written {
            Ok(count) if count > 0 || bytes.is_empty() => Poll::Ready(Ok(count)),
            Ok(_) | Err(CallError::Stream(mux::StreamError::Full)) => {
                wait(&mut stream.writer, cx);
                Poll::Pending
            }
            Err(_) => Poll::Ready(Err(stream.error.unwrap_or(StreamError::Finished))),
        }
    }

    /// Closes this half after what was written.
    pub(super) fn shut_down(&mut self, now: Instant, key: StreamKey) -> Result<(), StreamError> {
        let Some(stream) = self.streams.get_mut(&key).filter(|stream| !stream.is_shut_down) else { return Ok(()) };
        match (self.node.finish(now, key), stream.error) {
            (Ok(()), _) => {
                stream.is_shut_down = true;
                Ok(())
            }
            (Err(_), error) => Err(error.unwrap_or(StreamError::Finished)),
        }
    }

    /// The application has dropped its stream. As with TCP, what was written before an orderly end still arrives if nothing
    /// comes back that nobody would read.
    pub(super) fn let_go_stream(&mut self, now: Instant, key: StreamKey) {
        let has_unread = self.node.has_unread(key) == Some(true);
        let Some(stream) = self.streams.get_mut(&key) else { return };
        if stream.is_shut_down && !has_unread && stream.error.is_none() && stream.receiving == Receiving::Open {
            stream.owner = Owner::Nobody;
        } else {
            self.drop_stream(now, key, code::CANCELLED);
        }
    }

    /// Ends both halves at once; the application keeps what is left.
    pub(super) fn abandon_stream(&mut self, now: Instant, key: StreamKey, code: u32) {
        if self.node.reset(now, key, code).is_ok() {
            self.stream_failed(key, StreamError::Reset(code));
        }
    }

    /// Ends a stream at once, unless it has ended.
    pub(super) fn drop_stream(&mut self, now: Instant, key: StreamKey, code: u32) {
        let Some(stream) = self.streams.remove(&key) else { return };
        let has_ended = stream.is_shut_down && stream.receiving == Receiving::Done;
        if !has_ended && stream.error.is_none() {
            let _ = self.node.reset(now, key, code); // gone already: then there is nothing to end
        }
    }

    pub(super) fn opened(&mut self, key: StreamKey) {
        let Some(stream) = self.streams.get_mut(&key) else { return };
        stream.is_open = true;
        let writer = stream.writer.take();
        self.wake(writer);
    }

    pub(super) fn readable(&mut self, now: Instant, key: StreamKey) {
        let Some(stream) = self.streams.get_mut(&key) else { return };
        if stream.owner == Owner::Nobody {
            return self.drop_stream(now, key, code::CANCELLED);
        }
        let reader = stream.reader.take();
        self.wake(reader);
    }

    pub(super) fn writable(&mut self, key: StreamKey) {
        let writer = self.streams.get_mut(&key).and_then(|stream| stream.writer.take());
        self.wake(writer);
    }

    pub(super) fn finished(&mut self, key: StreamKey) {
        let Some(stream) = self.streams.get_mut(&key) else { return };
        if stream.owner == Owner::Nobody {
            self.streams.remove(&key);
            return;
        }
        stream.receiving = Receiving::Finished;
        let reader = stream.reader.take();
        self.note_read(key);
        self.wake(reader);
    }

    /// Notes that a reader has everything, so that no later end of the session can take it for cut off.
    fn note_read(&mut self, key: StreamKey) {
        let has_unread = self.node.has_unread(key);
        if let Some(stream) = self.streams.get_mut(&key)
            && stream.receiving == Receiving::Finished
        {
            stream.receiving = match has_unread {
                Some(true) => Receiving::Finished,
                Some(false) => Receiving::Done,
                None => Receiving::LastWords,
            };
        }
    }

    pub(super) fn streams_down(&mut self, session: SessionId, reason: SessionEnd) {
        // A session that drains ends once its streams are read, or in vain, by a timeout: but then not with a last word.
        let is_drained = matches!(reason, SessionEnd::Local(code) | SessionEnd::Peer(code) if code::drains(code));
        let keys: Vec<_> = self.streams.keys().filter(|key| key.session == session).copied().collect();
        for key in keys {
            if let Some(stream) = self.streams.get_mut(&key)
                && stream.receiving == Receiving::LastWords
                && is_drained
            {
                stream.receiving = Receiving::Done;
            }
            self.stream_failed(key, StreamError::Session(reason));
        }
    }

    pub(super) fn stream_failed(&mut self, key: StreamKey, error: StreamError) {
        let Some(stream) = self.streams.get_mut(&key) else { return };
        stream.error.get_or_insert(error);
        let (owner, reader, writer) = (stream.owner, stream.reader.take(), stream.writer.take());
        self.wake(reader);
        self.wake(writer);
        if owner == Owner::Backlog {
            let link = self.sessions.get(&key.session).and_then(|link| self.links.get_mut(link));
            if let Some(link) = link {
                link.incoming.retain(|incoming| incoming.key != key);
            }
        }
        if owner != Owner::Application {
            self.streams.remove(&key);
        }
    }
}
