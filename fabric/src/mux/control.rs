//! The control frames that wait: one first-in first-out queue, ahead of all DATA (wire contract, 4, Order).

use super::{Priority, StreamId};
use alloc::boxed::Box;
use alloc::collections::VecDeque;

/// A frame to be. What a `WINDOW_UPDATE` grants is decided when it is sent, so that one says it all.
#[derive(Debug)]
pub(super) enum Control {
    Open { stream: StreamId, priority: Priority, credit: u32, service: Box<str> },
    OpenAck { stream: StreamId, credit: u32 },
    WindowUpdate { stream: StreamId },
    Rst { stream: StreamId, code: u32, is_reply: bool },
    Ping,
    Pong { token: u64 },
    SessionWindowUpdate,
    SessionClose { code: u32 },
}

impl Control {
    /// Whether the peer made us send it: what an honest peer has a bounded number of.
    const fn is_reply(&self) -> bool {
        matches!(self, Self::OpenAck { .. } | Self::Pong { .. } | Self::Rst { is_reply: true, .. })
    }

    const fn stream(&self) -> Option<StreamId> {
        match self {
            Self::Open { stream, .. }
            | Self::OpenAck { stream, .. }
            | Self::WindowUpdate { stream }
            | Self::Rst { stream, .. } => Some(*stream),
            _ => None,
        }
    }
}

/// Bounded by what fills it: one `WINDOW_UPDATE` and one OPEN, `OPEN_ACK` or RST a stream, one PING, the replies owed.
#[derive(Debug, Default)]
pub(super) struct ControlQueue {
    queue: VecDeque<Control>,
    replies: usize,
    session_update_queued: bool,
    /// RST that wait until the peer's budget for this side can bear them.
    paced: VecDeque<Control>,
}

impl ControlQueue {
    pub(super) fn push(&mut self, control: Control) {
        self.replies += usize::from(control.is_reply());
        self.queue.push_back(control);
    }

    /// Queues the session's `WINDOW_UPDATE`, unless it is.
    pub(super) fn push_session_update(&mut self) {
        if !core::mem::replace(&mut self.session_update_queued, true) {
            self.push(Control::SessionWindowUpdate);
        }
    }

    /// Keeps a RST back.
    pub(super) fn pace(&mut self, control: Control) {
        self.paced.push_back(control);
    }

    pub(super) fn has_paced(&self) -> bool {
        !self.paced.is_empty()
    }

    /// Queues the next RST that was kept back.
    pub(super) fn release_paced(&mut self) {
        if let Some(control) = self.paced.pop_front() {
            self.push(control);
        }
    }

    pub(super) fn front(&self) -> Option<&Control> {
        self.queue.front()
    }

    pub(super) fn pop(&mut self) {
        let Some(control) = self.queue.pop_front() else { return };
        self.replies -= usize::from(control.is_reply());
        if matches!(control, Control::SessionWindowUpdate) {
            self.session_update_queued = false;
        }
    }

    /// Drops all that is queued for a stream that has ended; says whether its OPEN was among it, and so never sent.
    pub(super) fn forget(&mut self, stream: StreamId) -> bool {
        let mut unopened = false;
        self.queue.retain(|control| {
            let keep = control.stream() != Some(stream);
            unopened |= !keep && matches!(control, Control::Open { .. });
            self.replies -= usize::from(!keep && control.is_reply());
            keep
        });
        self.paced.retain(|control| control.stream() != Some(stream));
        unopened
    }

    /// The replies that the peer has not got yet.
    pub(super) fn replies(&self) -> usize {
        self.replies
    }

    pub(super) fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }

    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }

    /// Gives back what the queue does not need.
    pub(super) fn shrink(&mut self) {
        self.queue.shrink_to_fit();
        self.paced.shrink_to_fit();
    }
}
