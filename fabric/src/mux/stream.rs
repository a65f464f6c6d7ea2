//! One stream: the state table (wire contract, 4), its credit both ways and its buffers. Knows no other streams.

use super::buffer::{ReceiveBuffer, SendBuffer};
use super::credit::{STREAM_WINDOW_MIN, Share, Window};
use super::{Priority, Reject, StreamId};
use crate::probe::Probe;
use alloc::boxed::Box;
use machine::Instant;

/// A row of the state table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum State {
    /// Never opened: the id is above the highest seen.
    Idle,
    /// This side's OPEN is not answered yet.
    Opening,
    Open,
    /// This side has sent CLOSE.
    LocalClosed,
    /// The peer has sent CLOSE.
    RemoteClosed,
    Closed,
}

/// A column of the state table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    OpenAck,
    Data,
    WindowUpdate,
    Rst,
    Close,
}

impl Kind {
    /// What a side that gets it for a closed stream has reached.
    pub(super) const fn late_probe(self) -> Probe {
        match self {
            Self::OpenAck => Probe::LateOpenAck,
            Self::Data => Probe::LateData,
            Self::WindowUpdate => Probe::LateWindowUpdate,
            Self::Rst => Probe::LateRst,
            Self::Close => Probe::LateClose,
        }
    }
}

/// A cell of the state table that is no offence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// The stream is in this state now.
    To(State),
    Deliver,
    AddCredit,
    Ignore,
    /// As if it had not come, but its session credit is returned and the budget pays.
    Drop,
}

impl State {
    /// The state table.
    pub(super) fn on(self, kind: Kind) -> Result<Step, Reject> {
        Ok(match (self, kind) {
            (Self::Idle, _) => return Err(Reject::UnknownStreamFrame),
            (Self::Closed, _) => Step::Drop,
            (_, Kind::Rst) | (Self::LocalClosed, Kind::Close) => Step::To(Self::Closed),
            (Self::Opening, Kind::OpenAck) => Step::To(Self::Open),
            (Self::Open | Self::LocalClosed, Kind::Data) => Step::Deliver,
            (Self::Open | Self::RemoteClosed, Kind::WindowUpdate) => Step::AddCredit,
            (Self::LocalClosed, Kind::WindowUpdate) => Step::Ignore,
            (Self::Open, Kind::Close) => Step::To(Self::RemoteClosed),
            _ => return Err(Reject::InvalidStreamStateTransition),
        })
    }

    /// The state after this side's CLOSE.
    pub(super) fn on_local_close(self) -> Self {
        if self == Self::RemoteClosed { Self::Closed } else { Self::LocalClosed }
    }

    /// Whether the peer may send bytes, now or once it has answered.
    fn receives(self) -> bool {
        matches!(self, Self::Opening | Self::Open | Self::LocalClosed)
    }

    /// Whether `WINDOW_UPDATE` may be sent.
    pub(super) fn grants(self) -> bool {
        matches!(self, Self::Open | Self::LocalClosed)
    }

    fn sends(self) -> bool {
        matches!(self, Self::Open | Self::RemoteClosed)
    }
}

/// Where a stream stands in the schedule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// It has nothing that it may send.
    Out,
    /// It waits for its turn.
    Queued,
    /// It waits for credit of the session.
    AwaitsSession,
}

/// What a stream would send next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Next {
    Nothing,
    Close,
    Data { length: usize, end_of_message: bool },
    AwaitSession,
}

/// What the application was told, or waits to be told.
#[derive(Debug, Default)]
pub(super) struct Told {
    /// Readable was told, and no read has found nothing since.
    pub(super) readable: bool,
    /// A write was not taken whole.
    pub(super) wants_room: bool,
}

/// A stream that is open, or whose last bytes are not read yet.
#[derive(Debug)]
pub(super) struct Stream {
    pub(super) id: StreamId,
    pub(super) state: State,
    pub(super) priority: Priority,
    pub(super) place: Place,
    /// CLOSE follows when all is sent.
    pub(super) finishing: bool,
    /// A `WINDOW_UPDATE` is in the control queue.
    pub(super) update_queued: bool,
    pub(super) told: Told,
    pub(super) send_credit: u32,
    pub(super) window: Window,
    pub(super) outgoing: Option<Box<SendBuffer>>,
    pub(super) incoming: Option<Box<ReceiveBuffer>>,
}

impl Stream {
    pub(super) fn new(now: Instant, id: StreamId, state: State, priority: Priority, window: u32) -> Self {
        Self {
            id,
            state,
            priority,
            place: Place::Out,
            finishing: false,
            update_queued: false,
            told: Told::default(),
            send_credit: 0,
            window: Window::new(now, window),
            outgoing: None,
            incoming: None,
        }
    }

    /// What it has of the session's credit.
    pub(super) fn share(&self) -> Share {
        if self.state.receives() {
            Share { unused: self.window.unused(), promised: self.window.size() }
        } else {
            // Not less than what another stream may claim when this one is gone.
            Share { unused: 0, promised: self.window.unread().max(STREAM_WINDOW_MIN) }
        }
    }

    /// Whether it counts as open between the two sides.
    pub(super) fn is_live(&self) -> bool {
        self.state != State::Closed
    }

    pub(super) fn has_unread(&self) -> bool {
        self.incoming.is_some()
    }

    /// What it would send next, with so much credit of the session and room for so much payload.
    pub(super) fn next(&self, session_credit: u32, payload_max: usize) -> Next {
        if !self.state.sends() {
            return Next::Nothing;
        }
        let Some(outgoing) = &self.outgoing else {
            return if self.finishing { Next::Close } else { Next::Nothing };
        };
        let Some(own) = payload(outgoing, self.send_credit) else { return Next::Nothing };
        let Some(shared) = payload(outgoing, session_credit) else { return Next::AwaitSession };
        let (length, end_of_message) = outgoing.next_frame(own.min(shared).min(payload_max));
        Next::Data { length, end_of_message }
    }
}

/// How long a payload `credit` pays for; `None` when it pays for no frame.
fn payload(outgoing: &SendBuffer, credit: u32) -> Option<usize> {
    let payload = (credit as usize).checked_sub(super::frame::HEADER_BYTES)?;
    (payload > 0 || outgoing.frame_length() == 0).then_some(payload)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A device holds thousands of idle streams: 125 bytes an end, with the vector's slack.
    #[test]
    fn an_idle_stream_is_small() {
        assert!(size_of::<Stream>() <= 80, "{}", size_of::<Stream>());
    }
}
