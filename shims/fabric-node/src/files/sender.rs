//! Writes a message, and perhaps a file as the message after it, as fast as the stream has room.

use bytes::Bytes;
use fabric::{CallError, StreamKey};
use machine::Instant;
use node_log::Recorded;
use std::fs::File;
use std::io::{self, Read};

/// Read and handed over at a time.
const CHUNK_BYTES: u64 = 64 * 1024;

/// What is still to be sent.
#[derive(Debug)]
pub(super) struct Sender {
    /// What the stream had no room for, and whether a message ends with it.
    pending: Option<(Bytes, bool)>,
    content: Option<Content>,
    pub(super) content_sent: u64,
}

#[derive(Debug)]
struct Content {
    file: File,
    left: u64,
}

/// Why it cannot go on.
#[derive(Debug)]
pub(super) enum SendError {
    /// The stream is over.
    Stream(CallError),
    /// The file cannot be read, or has become shorter.
    File(io::Error),
}

impl Sender {
    pub(super) fn message(bytes: Vec<u8>) -> Self {
        Self { pending: Some((bytes.into(), true)), content: None, content_sent: 0 }
    }

    /// And then the first `size` bytes of `file`.
    pub(super) fn and_content(self, file: File, size: u64) -> Self {
        Self { content: Some(Content { file, left: size }), ..self }
    }

    /// Sends what there is room for; whether that was all.
    pub(super) fn advance(&mut self, now: Instant, node: &mut Recorded, stream: StreamKey) -> Result<bool, SendError> {
        loop {
            if !self.flush(now, node, stream).map_err(SendError::Stream)? {
                return Ok(false);
            }
            let Some(content) = &mut self.content else { return Ok(true) };
            let chunk = content.next().map_err(SendError::File)?;
            self.content_sent += chunk.len() as u64;
            let is_last = content.left == 0;
            if is_last {
                self.content = None;
            }
            self.pending = Some((chunk, is_last));
        }
    }

    fn flush(&mut self, now: Instant, node: &mut Recorded, stream: StreamKey) -> Result<bool, CallError> {
        if let Some((bytes, ends)) = &mut self.pending {
            let taken = write(now, node, stream, bytes, *ends)?;
            let Some(taken) = taken else { return Ok(false) };
            if taken < bytes.len() {
                *bytes = bytes.slice(taken..);
                return Ok(false);
            }
            self.pending = None;
        }
        Ok(true)
    }
}

/// Hands over what there is room for; `None` when not even an empty message has room.
pub(crate) fn write(
    now: Instant,
    node: &mut Recorded,
    stream: StreamKey,
    bytes: &Bytes,
    ends: bool,
) -> Result<Option<usize>, CallError> {
    match node.write_shared(now, stream, bytes, ends) {
        Err(CallError::Stream(fabric::mux::StreamError::Full)) => Ok(None),
        taken => taken.map(Some),
    }
}

impl Content {
    fn next(&mut self) -> io::Result<Bytes> {
        let mut chunk = vec![0; self.left.min(CHUNK_BYTES) as usize];
        self.file.read_exact(&mut chunk)?;
        self.left -= chunk.len() as u64;
        Ok(chunk.into())
    }
}
