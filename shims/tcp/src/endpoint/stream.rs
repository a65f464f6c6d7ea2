//! A stream as the application holds it: bytes by tokio's traits, messages by methods.

use super::error::StreamError;
use super::state::Shared;
use fabric::StreamKey;
use fabric::identity::DeviceId;
use fabric::mux::{Part, Priority, code};
use std::fmt;
use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::task::coop;

/// The most that one read of a message takes from the node at a time.
const PART_BYTES_MAX: usize = 64 * 1024;

/// One stream. See [`endpoint`](super) for how bytes and messages go together.
///
/// Dropped before both halves were closed, it is reset with [`code::CANCELLED`], so that the peer cannot take what it has for
/// all there is. One that was shut down still delivers what was written, unless the peer answers and nobody reads that.
pub struct Stream {
    shared: Arc<Shared>,
    key: StreamKey,
    device: DeviceId,
    service: String,
    priority: Priority,
    /// The beginning of a message whose reader was dropped before the end came.
    partial: Vec<u8>,
}

/// Polls once if the task's budget allows, as every source of readiness must on tokio: else a stream that always has something
/// would let no other task run.
fn cooperate<T>(cx: &mut Context<'_>, poll: impl FnOnce(&Context<'_>) -> Poll<T>) -> Poll<T> {
    let turn = ready!(coop::poll_proceed(cx));
    let result = poll(cx);
    if result.is_ready() {
        turn.made_progress();
    }
    result
}

/// Resets the stream of a message that is written in part, unless the rest follows.
struct Unfinished<'a>(Option<&'a Stream>);

impl Drop for Unfinished<'_> {
    fn drop(&mut self) {
        if let Some(stream) = self.0 {
            stream.reset(code::CANCELLED);
        }
    }
}

impl Stream {
    pub(super) fn new(
        shared: &Arc<Shared>,
        key: StreamKey,
        device: DeviceId,
        service: String,
        priority: Priority,
    ) -> Self {
        Self { shared: Arc::clone(shared), key, device, service, priority, partial: Vec::new() }
    }

    /// With whom it is, as proven.
    pub const fn device(&self) -> DeviceId {
        self.device
    }

    /// The service that it was opened to.
    pub fn service(&self) -> &str {
        &self.service
    }

    /// How urgent it was opened.
    pub const fn priority(&self) -> Priority {
        self.priority
    }

    /// Sends `message`, and that it ends there. Bytes that were written before and not [ended](Stream::end_message) are its
    /// beginning.
    ///
    /// Dropped before it began, it sends nothing; dropped amid the message, it resets the stream: a part is never taken for
    /// the whole. Where that will not do, write the bytes and then [end the message](Stream::end_message).
    pub async fn write_message(&mut self, message: &[u8]) -> Result<(), StreamError> {
        let mut rest = message;
        let mut unfinished = Unfinished(None);
        loop {
            let count = poll_fn(|cx| self.poll_send(cx, rest, true)).await?;
            if count == rest.len() {
                unfinished.0 = None;
                return Ok(());
            }
            rest = &rest[count..];
            unfinished.0 = Some(self);
        }
    }

    /// Ends the message that the bytes written so far belong to; without any it is the empty one.
    pub async fn end_message(&mut self) -> Result<(), StreamError> {
        poll_fn(|cx| self.poll_send(cx, &[], true)).await.map(drop)
    }

    /// Waits for the next message, of at most `bytes_max` bytes; `None` at the clean end. Bytes that were read before are
    /// not in it. Dropped before the end came, it loses nothing: the next read goes on.
    ///
    /// # Errors
    /// Past `bytes_max` the stream is reset, and the error is [`StreamError::MessageTooLarge`].
    pub async fn read_message(&mut self, bytes_max: usize) -> Result<Option<Vec<u8>>, StreamError> {
        loop {
            match poll_fn(|cx| self.poll_part(cx, bytes_max)).await? {
                Some((true, true)) => return Ok(Some(std::mem::take(&mut self.partial))),
                Some((true, false)) => {}
                Some((false, _)) => {
                    self.partial = Vec::new();
                    self.reset(code::MESSAGE_TOO_LARGE);
                    return Err(StreamError::MessageTooLarge);
                }
                None if self.partial.is_empty() => return Ok(None),
                None => return Err(StreamError::UnfinishedMessage),
            }
        }
    }

    /// Ends both halves at once: with a code of the application's from [`code::APPLICATION`] on, or one of [`code`].
    pub fn reset(&self, code: u32) {
        self.shared.with(|state, now| state.abandon_stream(now, self.key, code));
    }

    fn poll_send(&self, cx: &mut Context<'_>, bytes: &[u8], end_of_message: bool) -> Poll<Result<usize, StreamError>> {
        cooperate(cx, |cx| self.shared.with(|state, now| state.poll_write(now, cx, self.key, bytes, end_of_message)))
    }

    /// Adds what comes next to the beginning of a message; whether it fits, and whether the message ends there.
    fn poll_part(&mut self, cx: &mut Context<'_>, bytes_max: usize) -> Poll<Result<Option<(bool, bool)>, StreamError>> {
        let Self { shared, key, partial, .. } = self;
        let take = |part: Part<'_>| {
            let fits = partial.len() + part.bytes.len() <= bytes_max;
            if fits {
                partial.extend_from_slice(part.bytes);
            }
            (fits, part.end_of_message)
        };
        cooperate(cx, |cx| shared.with(|state, now| state.poll_read(now, cx, *key, PART_BYTES_MAX, take)))
    }

    /// Reads all that is there, as far as there is room for it.
    fn poll_receive(&self, cx: &Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<Result<(), StreamError>> {
        self.shared.with(|state, now| {
            let before = buffer.filled().len();
            while buffer.remaining() > 0 {
                let room = buffer.remaining();
                let read = state.poll_read(now, cx, self.key, room, |part| buffer.put_slice(part.bytes));
                let has_some = buffer.filled().len() > before;
                match read {
                    Poll::Ready(Ok(Some(()))) => {}
                    Poll::Ready(Ok(None)) => break,
                    Poll::Ready(Err(_)) | Poll::Pending if has_some => break,
                    Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                    Poll::Pending => return Poll::Pending,
                }
            }
            Poll::Ready(Ok(()))
        })
    }
}

impl AsyncRead for Stream {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if self.partial.is_empty() {
            return cooperate(cx, |cx| self.poll_receive(cx, buffer)).map_err(Into::into);
        }
        let count = self.partial.len().min(buffer.remaining());
        buffer.put_slice(&self.partial[..count]);
        self.partial.drain(..count);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Stream {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.poll_send(cx, bytes, false).map_err(Into::into)
    }

    /// What is written goes out without being asked to.
    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    /// Closes this half after what was written; it does not end a message.
    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(self.shared.with(|state, now| state.shut_down(now, self.key)).map_err(Into::into))
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        self.shared.with(|state, now| state.let_go_stream(now, self.key));
    }
}

impl fmt::Debug for Stream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stream")
            .field("device", &self.device)
            .field("service", &self.service)
            .field("key", &self.key)
            .finish_non_exhaustive()
    }
}
