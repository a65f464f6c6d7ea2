//! What calls need of a node. A node whose every call is written down is one too.

use crate::identity::DeviceId;
use crate::mux::{Chunk, Priority};
use crate::{CallError, Node, Policy, SessionId, StreamKey};
use machine::Instant;

/// The sessions and streams of a [`Node`], and what it allows. Each method is the node's of the same name.
pub trait Streams {
    /// [`Node::session`].
    fn session(&self, device: DeviceId) -> Option<SessionId>;
    /// [`Config::policy`](crate::Config::policy), as it is now.
    fn policy(&self) -> &Policy;
    /// [`Node::open`].
    fn open(
        &mut self,
        now: Instant,
        device: DeviceId,
        service: &str,
        priority: Priority,
    ) -> Result<StreamKey, CallError>;
    /// [`Node::write`].
    fn write(
        &mut self,
        now: Instant,
        stream: StreamKey,
        bytes: &[u8],
        end_of_message: bool,
    ) -> Result<usize, CallError>;
    /// [`Node::read`].
    fn read(&mut self, now: Instant, stream: StreamKey, bytes_max: usize) -> Result<Option<Chunk>, CallError>;
    /// [`Node::finish`].
    fn finish(&mut self, now: Instant, stream: StreamKey) -> Result<(), CallError>;
    /// [`Node::reset`].
    fn reset(&mut self, now: Instant, stream: StreamKey, code: u32) -> Result<(), CallError>;
}

impl Streams for Node {
    fn session(&self, device: DeviceId) -> Option<SessionId> {
        self.session(device)
    }

    fn policy(&self) -> &Policy {
        &self.config().policy
    }

    fn open(
        &mut self,
        now: Instant,
        device: DeviceId,
        service: &str,
        priority: Priority,
    ) -> Result<StreamKey, CallError> {
        self.open(now, device, service, priority)
    }

    fn write(
        &mut self,
        now: Instant,
        stream: StreamKey,
        bytes: &[u8],
        end_of_message: bool,
    ) -> Result<usize, CallError> {
        self.write(now, stream, bytes, end_of_message)
    }

    fn read(&mut self, now: Instant, stream: StreamKey, bytes_max: usize) -> Result<Option<Chunk>, CallError> {
        self.read(now, stream, bytes_max)
    }

    fn finish(&mut self, now: Instant, stream: StreamKey) -> Result<(), CallError> {
        self.finish(now, stream)
    }

    fn reset(&mut self, now: Instant, stream: StreamKey, code: u32) -> Result<(), CallError> {
        self.reset(now, stream, code)
    }
}
