//! Pipes between nodes, with TCP's meaning: what each end knows. The world moves the segments.

use crate::fate::{Chance, Key};
use crate::{NodeIndex, Time};
use machine::{Duration, PipeId};
use std::collections::BTreeMap;

/// How pipes behave, on top of the links they cross. The default is a roomy TCP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PipeProfile {
    /// Bytes under way or unread in one direction, at most.
    pub buffer: u32,
    /// Longest segment in bytes; the link's MTU cuts it further.
    pub segment: u32,
    /// The room that one `fill` is offered is drawn from 1 to this, bounded by the buffer.
    pub room_max: u32,
    /// A reader gets a segment in pieces of 1 to so many bytes; `None` for whole segments.
    pub chunk_max: Option<u32>,
    /// A dial is refused.
    pub refuse: Chance,
    /// A dial is never answered.
    pub silent: Chance,
    /// The pipe is reset, drawn for each segment that arrives.
    pub reset: Chance,
    /// How long a dial, or an unanswered segment, is tried before the pipe times out.
    pub patience: Duration,
}

impl Default for PipeProfile {
    fn default() -> Self {
        Self {
            buffer: 256 * 1024,
            segment: 1_460,
            room_max: 64 * 1024,
            chunk_max: None,
            refuse: Chance::NEVER,
            silent: Chance::NEVER,
            reset: Chance::NEVER,
            patience: Duration::from_secs(120),
        }
    }
}

/// The questions asked of a pipe's keys.
pub(crate) mod lane {
    pub(crate) const REFUSE: u64 = 16;
    pub(crate) const SILENT: u64 = 17;
    pub(crate) const RESET: u64 = 18;
    pub(crate) const ROOM: u64 = 19;
    pub(crate) const CHUNK: u64 = 20;
}

/// Connection set-up counts as segments of numbers that no data has.
pub(crate) const SYN: u64 = u64::MAX;
pub(crate) const SYN_ACK: u64 = u64::MAX - 1;
pub(crate) const ACK: u64 = u64::MAX - 2;
pub(crate) const RST: u64 = u64::MAX - 3;

/// Which end: 0 dialled, 1 accepted.
pub(crate) type Side = usize;
pub(crate) const DIALLER: Side = 0;
pub(crate) const ACCEPTOR: Side = 1;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// The dialler before its answer, the acceptor before the dial came.
    Connecting,
    Open,
    Closed,
}

#[expect(clippy::struct_excessive_bools, reason = "TCP's two halves end independently, each in two steps")]
#[derive(Debug)]
pub(crate) struct End {
    pub(crate) node: NodeIndex,
    /// Of the node when the end was made: another one has no such pipe.
    pub(crate) incarnation: u64,
    pub(crate) id: PipeId,
    pub(crate) phase: Phase,
    /// The machine has bytes: `FillPipe` came, and `fill` has not returned 0 since.
    pub(crate) wants_fill: bool,
    pub(crate) finishing: bool,
    pub(crate) fin_sent: bool,
    pub(crate) fin_acked: bool,
    pub(crate) fin_received: bool,
    /// Bytes sent that the peer has not read and reported.
    pub(crate) in_flight: u32,
    /// The number of the next segment to send.
    pub(crate) next_send: u64,
    /// The number of the next segment to read.
    pub(crate) next_read: u64,
    /// Segments that came before their turn, or that a paused node has not read.
    pub(crate) held: BTreeMap<u64, Segment>,
    /// Bytes, and perhaps the end, read since the last acknowledgement left.
    pub(crate) unacked: u32,
    pub(crate) fin_unacked: bool,
    /// What the acknowledgement that is under way says of the same.
    pub(crate) ack: Option<(u32, bool)>,
    /// Counts acknowledgements, offers of room and resets, for their draws.
    pub(crate) acks: u64,
    pub(crate) fills: u64,
    pub(crate) resets: u32,
}

impl End {
    pub(crate) fn new(node: NodeIndex, incarnation: u64, id: PipeId) -> Self {
        Self {
            node,
            incarnation,
            id,
            phase: Phase::Connecting,
            wants_fill: false,
            finishing: false,
            fin_sent: false,
            fin_acked: false,
            fin_received: false,
            in_flight: 0,
            next_send: 0,
            next_read: 0,
            held: BTreeMap::new(),
            unacked: 0,
            fin_unacked: false,
            ack: None,
            acks: 0,
            fills: 0,
            resets: 0,
        }
    }

    /// Both halves are finished and known to be.
    pub(crate) const fn is_finished(&self) -> bool {
        matches!(self.phase, Phase::Open) && self.both_finished()
    }

    /// Nothing was left to say in either direction, whether or not the end is still open.
    pub(crate) const fn both_finished(&self) -> bool {
        self.fin_acked && self.fin_received
    }
}

/// What chance makes of a pipe's dials.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    /// It leaves them to the acceptor.
    Usual,
    /// There is none.
    Silence,
    /// They are refused although somebody listens.
    Refusal,
}

#[derive(Debug)]
pub(crate) struct Pipe {
    /// Of the run; what taps know it by.
    pub(crate) serial: u64,
    pub(crate) ends: [End; 2],
    /// The how-manieth from this dialler to this acceptor.
    pub(crate) dial: u64,
    pub(crate) key: Key,
    pub(crate) dialled_at: Time,
    /// The acceptor has it.
    pub(crate) accepted: bool,
    pub(crate) answer: Answer,
    /// Whether the dialler's port is one that the acceptor listens on.
    pub(crate) port_matches: bool,
    /// Scheduled events that name this pipe: it is kept until there are none.
    pub(crate) events: u32,
}

impl Pipe {
    /// The key for one sending of one segment in the direction that `from` writes.
    #[inline]
    pub(crate) const fn segment_key(&self, from: Side, number: u64, attempt: u32) -> Key {
        self.key.number(from as u64).number(number).number(attempt as u64)
    }
}

/// Bytes of one direction on their way.
#[derive(Debug, Default)]
pub(crate) struct Segment {
    pub(crate) bytes: Vec<u8>,
    pub(crate) fin: bool,
    pub(crate) digest: u64,
}

/// A segment and where it is going.
#[derive(Debug)]
pub(crate) struct Travel {
    pub(crate) pipe: u32,
    pub(crate) from: Side,
    pub(crate) number: u64,
    pub(crate) attempt: u32,
    pub(crate) first_sent: Time,
    pub(crate) segment: Segment,
}

/// The wait before a segment is sent again: at least 200 ms and two round trips, doubling, at most a minute.
pub fn retransmission_after(one_way: Duration, attempt: u32) -> Duration {
    let base = one_way.saturating_mul(4).max(Duration::from_millis(200));
    base.saturating_mul(1 << attempt.min(10)).min(Duration::from_secs(60))
}
