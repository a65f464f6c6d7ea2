//! The service `echo`: what comes in goes back, messages as messages.

use crate::files::write;
use bytes::Bytes;
use fabric::call::Streams;
use fabric::{CallError, StreamKey};
use machine::Instant;
use node_log::Recorded;

/// Bytes read at a time, and all that is held.
const READ_BYTES: usize = 64 * 1024;

/// One stream.
#[derive(Debug, Default)]
pub(super) struct Echo {
    /// What the stream had no room for, and whether a message ends with it.
    pending: Option<(Bytes, bool)>,
    peer_finished: bool,
}

impl Echo {
    pub(super) const fn peer_finished(&mut self) {
        self.peer_finished = true;
    }

    /// Sends back what it can; whether nothing is left to do. An error means that the stream is gone.
    pub(super) fn advance(&mut self, now: Instant, node: &mut Recorded, stream: StreamKey) -> Result<bool, CallError> {
        loop {
            if let Some((bytes, ends)) = &mut self.pending {
                let Some(taken) = write(now, node, stream, bytes, *ends)? else { return Ok(false) };
                if taken < bytes.len() {
                    *bytes = bytes.slice(taken..);
                    return Ok(false);
                }
                self.pending = None;
            }
            let Some(chunk) = node.read(now, stream, READ_BYTES)? else { break };
            self.pending = Some((chunk.bytes, chunk.end_of_message));
        }
        if self.peer_finished {
            node.finish(now, stream)?;
        }
        Ok(self.peer_finished)
    }
}
