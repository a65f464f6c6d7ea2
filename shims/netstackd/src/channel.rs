//! The bounded way between a client and the stack: one queue of messages each way, and a client's side of it that matches
//! replies to requests. Knows no socket.

use alloc::collections::VecDeque;
use alloc::vec::Vec;

use crate::message::{Answer, MESSAGE_BYTES_MAX, Reply, Request, Status};

/// Messages that wait in one direction.
const QUEUE_MESSAGES_MAX: usize = 8;

/// A bounded first-in first-out queue of messages, which keeps its buffers for the next ones.
#[derive(Debug, Default)]
pub struct Queue {
    waiting: VecDeque<Vec<u8>>,
    spare: Vec<Vec<u8>>,
}

impl Queue {
    /// Whether another message fits.
    pub fn has_room(&self) -> bool {
        self.waiting.len() < QUEUE_MESSAGES_MAX
    }

    /// Appends the message that `write` writes into an empty buffer; false, and nothing written, when the queue is full.
    pub fn push(&mut self, write: impl FnOnce(&mut Vec<u8>)) -> bool {
        if !self.has_room() {
            return false;
        }
        let mut message = self.spare.pop().unwrap_or_default();
        message.clear();
        write(&mut message);
        assert!(message.len() <= MESSAGE_BYTES_MAX, "payloads are bounded before they are sent");
        self.waiting.push_back(message);
        true
    }

    /// Gives the oldest message to `read`.
    pub fn pop<T>(&mut self, read: impl FnOnce(&[u8]) -> T) -> Option<T> {
        let message = self.waiting.pop_front()?;
        let result = read(&message);
        self.spare.push(message);
        Some(result)
    }
}

/// Both directions.
#[derive(Debug, Default)]
pub struct Channel {
    /// From the client to the stack.
    pub requests: Queue,
    /// From the stack to the client.
    pub replies: Queue,
}

/// The client's side: numbers requests, and takes only the reply to the request that waits.
#[derive(Debug, Default)]
pub struct Client {
    nonce: u64,
    ignored: u64,
    reply: Vec<u8>,
}

impl Client {
    /// Sends one request; [`Status::NoBuffers`] when the queue is full.
    pub fn send(&mut self, channel: &mut Channel, request: &Request<'_>) -> Result<(), Status> {
        let nonce = self.nonce + 1;
        if !channel.requests.push(|message| request.encode(nonce, message)) {
            return Err(Status::NoBuffers);
        }
        self.nonce = nonce;
        Ok(())
    }

    /// Takes the reply to the last request. Replies to anything else, and what is no reply, are counted and ignored;
    /// [`Status::WouldBlock`] when there is none.
    pub fn receive(&mut self, channel: &mut Channel) -> Result<Answer<'_>, Status> {
        loop {
            let (nonce, reply) = (self.nonce, &mut self.reply);
            let is_ours = channel.replies.pop(|message| {
                let is_ours = Reply::decode(message).is_ok_and(|reply| reply.nonce == nonce);
                if is_ours {
                    reply.clear();
                    reply.extend_from_slice(message);
                }
                is_ours
            });
            match is_ours {
                Some(true) => break,
                Some(false) => self.ignored += 1,
                None => return Err(Status::WouldBlock),
            }
        }
        Reply::decode(&self.reply)?.result
    }

    /// How many replies were not to the request that waited.
    pub const fn ignored(&self) -> u64 {
        self.ignored
    }
}
