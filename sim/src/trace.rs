//! What happened, as a rolling hash that is always on and as JSON lines on request.
//!
//! Each event is a [`Record`] of fixed size that holds a digest of all the bytes it carried. Equal hashes mean equal runs;
//! checkpoints of the hash let two runs be compared without keeping either.

use crate::causes::{Causes, Kept};
use crate::fate::fold;
use crate::{NodeIndex, Time};
use core::fmt;
use std::rc::Rc;
use xxhash_rust::xxh3::xxh3_64;

/// What a [`Record`] is about. The numbers are part of the trace hash: a kind keeps its own for ever.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Kind {
    /// A machine was made; `number` is its incarnation.
    Boot = 1,
    /// [`machine::Input::Timeout`].
    Timeout = 2,
    /// [`machine::Input::Command`].
    Command = 3,
    /// [`machine::Input::Datagram`]; `number` is the packet's in its direction.
    DatagramIn = 4,
    /// [`machine::Input::PipeOpened`]; `number` is the pipe's id in this and all further pipe records.
    PipeOpened = 5,
    /// [`machine::Input::PipeAccepted`].
    PipeAccepted = 6,
    /// [`machine::Input::PipeBytes`].
    PipeBytes = 7,
    /// [`machine::Input::PipeFinished`].
    PipeFinished = 8,
    /// [`machine::Input::PipeClosed`].
    PipeClosed = 9,
    /// [`machine::Input::Stored`].
    Stored = 10,
    /// [`machine::Output::Datagram`] to one node; `number` is the packet's in its direction.
    DatagramOut = 11,
    /// The copy of a group datagram for one node; `number` counts the sender's group datagrams.
    GroupOut = 12,
    /// [`machine::Output::OpenPipe`].
    OpenPipe = 13,
    /// Bytes taken by [`machine::Machine::fill`].
    Fill = 14,
    /// [`machine::Output::FinishPipe`].
    FinishPipe = 15,
    /// [`machine::Output::ClosePipe`].
    ClosePipe = 16,
    /// [`machine::Output::Store`]; `number` counts the node's writes.
    Store = 17,
    /// [`machine::Output::Event`].
    Event = 18,
    /// A datagram that goes nowhere: no node has the address, the peer is down or paused and full.
    Discarded = 19,
    /// A segment of a pipe was lost and will be sent again; `number` is the segment's.
    SegmentLost = 20,
    /// A planned fault begins; `number` is its place in the plan.
    FaultBegins = 21,
    /// A planned fault ends.
    FaultEnds = 22,
    /// A node lost its memory.
    Crash = 23,
    /// From here on the seed is another; `number` is it.
    Reseed = 24,
    /// A tap sent something of its own.
    Injected = 25,
}

impl Kind {
    /// All of them: the one with number `n` is in place `n - 1`.
    const ALL: [Self; 25] = [
        Self::Boot,
        Self::Timeout,
        Self::Command,
        Self::DatagramIn,
        Self::PipeOpened,
        Self::PipeAccepted,
        Self::PipeBytes,
        Self::PipeFinished,
        Self::PipeClosed,
        Self::Stored,
        Self::DatagramOut,
        Self::GroupOut,
        Self::OpenPipe,
        Self::Fill,
        Self::FinishPipe,
        Self::ClosePipe,
        Self::Store,
        Self::Event,
        Self::Discarded,
        Self::SegmentLost,
        Self::FaultBegins,
        Self::FaultEnds,
        Self::Crash,
        Self::Reseed,
        Self::Injected,
    ];
}

/// One event of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Record {
    /// When.
    pub at: Time,
    /// What.
    pub kind: Kind,
    /// Whose, or [`NodeIndex::NONE`] for the world's own.
    pub node: NodeIndex,
    /// The other node, or [`NodeIndex::NONE`].
    pub peer: NodeIndex,
    /// Counts what `kind` says.
    pub number: u64,
    /// Of the bytes it carried, or of the text of what it says.
    pub digest: u64,
}

/// A [`Record`] as it is mixed and kept: half a line of the cache.
#[derive(Clone, Copy, Debug)]
struct Packed {
    at: Time,
    /// Its kind, its node and the other node: 8, 28 and 28 bits from the highest on.
    who: u64,
    number: u64,
    digest: u64,
}

const NODE_BITS: u32 = 28;

impl Packed {
    /// Stands where no record is yet.
    const BLANK: Self = Self { at: Time::ZERO, who: (Kind::Boot as u64) << (2 * NODE_BITS), number: 0, digest: 0 };

    #[inline]
    fn new(record: Record) -> Self {
        let Record { at, kind, node, peer, number, digest } = record;
        let peer = u64::from(peer.0 & NodeIndex::NONE.0);
        let who = ((kind as u64) << (2 * NODE_BITS)) | (u64::from(node.0) << NODE_BITS) | peer;
        Self { at, who, number, digest }
    }

    fn unpacked(self) -> Record {
        let Self { at, who, number, digest } = self;
        let node = |shift: u32| NodeIndex((who >> shift) as u32 & NodeIndex::NONE.0);
        let kind = Kind::ALL[(who >> (2 * NODE_BITS)) as usize - 1];
        Record { at, kind, node: node(NODE_BITS), peer: node(0), number, digest }
    }

    #[inline]
    fn mix(&self, hash: u64) -> u64 {
        let hash = fold(hash ^ self.at.as_nanos(), self.who ^ 0xA076_1D64_78BD_642F);
        fold(hash ^ self.number ^ 0xE703_7ED1_A0B4_28DB, self.digest ^ 0x8EBC_6AF0_9C88_C6E3).wrapping_add(hash)
    }
}

/// The hash of a run up to some event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    /// How many events it covers.
    pub events: u64,
    /// When the last of them happened.
    pub at: Time,
    /// Of all of them, in order.
    pub hash: u64,
}

/// More checkpoints than this, and every second one is dropped.
const CHECKPOINTS_MAX: usize = 1024;
/// The first distance between checkpoints, in events.
const STRIDE_MIN: u64 = 64;
/// The last events of a run, kept to show where it ended.
const TAIL: usize = 32;

/// Where full traces go: one JSON object a line, without the line's end.
pub type Sink = Box<dyn FnMut(&str)>;

pub(crate) struct Trace {
    hash: u64,
    events: u64,
    checkpoints: Vec<Checkpoint>,
    /// One checkpoint every so many events.
    stride: u64,
    next_checkpoint: u64,
    /// The event after which there is more to do than to mix it in: the next one when there is a sink.
    next_look: u64,
    /// The last events; the `n`-th event of the run has place `n` modulo [`TAIL`].
    tail: [Packed; TAIL],
    names: Rc<[String]>,
    sink: Option<Sink>,
    causes: Option<Causes>,
}

impl Trace {
    /// Of nodes with these names.
    pub(crate) fn new(names: Rc<[String]>) -> Self {
        Self {
            hash: 0,
            events: 0,
            checkpoints: Vec::new(),
            stride: STRIDE_MIN,
            next_checkpoint: STRIDE_MIN,
            next_look: STRIDE_MIN,
            tail: [Packed::BLANK; TAIL],
            names,
            sink: None,
            causes: None,
        }
    }

    /// Every event from now on goes to `sink`.
    pub(crate) fn write_to(&mut self, sink: Sink) {
        self.sink = Some(sink);
        self.next_look = self.events + 1;
    }

    /// Every event from now on goes to `causes`.
    pub(crate) fn keep_causes(&mut self, causes: Causes) {
        self.causes = Some(causes);
        self.next_look = self.events + 1;
    }

    /// Tells those who keep causes something that is no event.
    #[inline]
    pub(crate) fn note(&self, note: impl FnOnce(&mut Kept)) {
        if let Some(causes) = &self.causes {
            note(&mut causes.kept());
        }
    }

    #[expect(clippy::inline_always, reason = "a record is put together where it is kept")]
    #[inline(always)]
    pub(crate) fn push(&mut self, record: Record, bytes: Option<usize>) {
        if self.mix_in(record) {
            self.look(record.at, &Detail { bytes, text: None });
        }
    }

    /// As `push`, for something that carries a text instead of bytes.
    pub(crate) fn push_text(&mut self, record: Record, text: &dyn fmt::Debug) {
        if self.mix_in(record) {
            self.look(record.at, &Detail { bytes: None, text: Some(text) });
        }
    }

    /// True when there is more to do about it.
    #[expect(clippy::inline_always, reason = "a record is put together where it is kept")]
    #[inline(always)]
    fn mix_in(&mut self, record: Record) -> bool {
        let packed = Packed::new(record);
        self.hash = packed.mix(self.hash);
        self.tail[self.events as usize % TAIL] = packed;
        // Nobody lives to see it overflow.
        self.events = self.events.wrapping_add(1);
        self.events == self.next_look
    }

    /// What is not done for every event without a sink.
    #[cold]
    fn look(&mut self, at: Time, detail: &Detail<'_>) {
        if self.events == self.next_checkpoint {
            self.checkpoint(at);
        }
        let is_followed = self.sink.is_some() || self.causes.is_some();
        self.next_look = if is_followed { self.events + 1 } else { self.next_checkpoint };
        if let Some(causes) = &self.causes {
            let record = self.tail[(self.events as usize - 1) % TAIL].unpacked();
            causes.kept().see(record, detail.bytes, detail.text.map(|text| format!("{text:?}")));
        }
        self.line(detail);
    }

    fn checkpoint(&mut self, at: Time) {
        self.checkpoints.push(Checkpoint { events: self.events, at, hash: self.hash });
        if self.checkpoints.len() > CHECKPOINTS_MAX {
            let mut keep = false;
            self.checkpoints.retain(|_| {
                keep = !keep;
                !keep
            });
            self.stride *= 2;
        }
        self.next_checkpoint = (self.events / self.stride + 1) * self.stride;
    }

    /// Writes the line of the record that was just pushed.
    fn line(&mut self, detail: &Detail<'_>) {
        let Some(sink) = &mut self.sink else { return };
        let record = self.tail[(self.events as usize - 1) % TAIL].unpacked();
        let name = |node: NodeIndex| self.names.get(node.0 as usize).map(String::as_str);
        let mut line = serde_json::Map::new();
        line.insert("event".into(), (self.events - 1).into());
        line.insert("at".into(), record.at.as_nanos().into());
        line.insert("kind".into(), format!("{:?}", record.kind).into());
        if let Some(node) = name(record.node) {
            line.insert("node".into(), node.into());
        }
        if let Some(peer) = name(record.peer) {
            line.insert("peer".into(), peer.into());
        }
        line.insert("number".into(), record.number.into());
        line.insert("digest".into(), format!("{:016x}", record.digest).into());
        if let Some(bytes) = detail.bytes {
            line.insert("bytes".into(), bytes.into());
        }
        if let Some(text) = &detail.text {
            line.insert("detail".into(), named(&format!("{text:?}"), &self.names).into());
        }
        sink(&serde_json::Value::Object(line).to_string());
    }

    pub(crate) const fn hash(&self) -> u64 {
        self.hash
    }

    pub(crate) const fn events(&self) -> u64 {
        self.events
    }

    pub(crate) fn checkpoints(&self) -> &[Checkpoint] {
        &self.checkpoints
    }

    /// The last events, the oldest first.
    pub(crate) fn tail(&self) -> Vec<Record> {
        let oldest = self.events.saturating_sub(TAIL as u64);
        (oldest..self.events).map(|event| self.tail[event as usize % TAIL].unpacked()).collect()
    }
}

/// What a line of the full trace says beyond its record.
struct Detail<'a> {
    bytes: Option<usize>,
    text: Option<&'a dyn fmt::Debug>,
}

impl fmt::Debug for Trace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Trace").field("events", &self.events).field("hash", &self.hash).finish_non_exhaustive()
    }
}

/// `text` with the names of nodes, as people know them, for their indexes.
fn named(text: &str, names: &[String]) -> String {
    let mut pieces = text.split("NodeIndex(");
    let mut told = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        let known =
            piece.split_once(')').and_then(|(index, rest)| Some((names.get(index.parse::<usize>().ok()?)?, rest)));
        match known {
            Some((name, rest)) => told.extend([&format!("{name:?}"), rest]),
            None => told.extend(["NodeIndex(", piece]),
        }
    }
    told
}

/// The digest of bytes that an event carries.
#[inline]
pub fn digest(bytes: &[u8]) -> u64 {
    xxh3_64(bytes)
}

/// The digest of what `value` says of itself: its `Debug` text must not depend on addresses or on random order.
pub(crate) fn digest_text(value: &dyn fmt::Debug) -> u64 {
    struct Hasher(xxhash_rust::xxh3::Xxh3Default);
    impl fmt::Write for Hasher {
        fn write_str(&mut self, text: &str) -> fmt::Result {
            self.0.update(text.as_bytes());
            Ok(())
        }
    }
    let mut hasher = Hasher(xxhash_rust::xxh3::Xxh3Default::new());
    // A `Debug` that fails part-way still fails the same way each time.
    let _ = fmt::Write::write_fmt(&mut hasher, format_args!("{value:?}"));
    hasher.0.digest()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(number: u64) -> Record {
        let at = Time::from_nanos(number);
        Record { at, kind: Kind::Event, node: NodeIndex(1), peer: NodeIndex::NONE, number, digest: 0 }
    }

    fn mix(record: Record, hash: u64) -> u64 {
        Packed::new(record).mix(hash)
    }

    #[test]
    fn every_field_reaches_the_hash() {
        let base = record(5);
        let others = [
            Record { at: Time::from_nanos(6), ..base },
            Record { kind: Kind::Boot, ..base },
            Record { node: NodeIndex(2), ..base },
            Record { peer: NodeIndex(0), ..base },
            Record { number: 6, ..base },
            Record { digest: 1, ..base },
        ];
        for other in others {
            assert_ne!(mix(base, 7), mix(other, 7), "{other:?}");
        }
        assert_ne!(mix(base, 7), mix(base, 8), "what came before counts");
    }

    #[test]
    fn a_packed_record_comes_back_as_it_was() {
        for (number, kind) in (1..).zip(Kind::ALL) {
            assert_eq!(kind as u8, number, "{kind:?}");
            let ends = [NodeIndex::NONE, NodeIndex(0), NodeIndex(0x0ABC_DEF0)];
            for (node, peer) in ends.into_iter().flat_map(|node| ends.map(|peer| (node, peer))) {
                let record = Record { kind, node, peer, digest: u64::MAX, ..record(9) };
                assert_eq!(Packed::new(record).unpacked(), record);
            }
        }
    }

    #[test]
    fn checkpoints_thin_out_and_stay_true() {
        let mut trace = Trace::new([].into());
        let mut again = Trace::new([].into());
        let mut hashes = vec![0];
        for number in 0..1_000_000 {
            trace.push(record(number), None);
            if number < 300_000 {
                again.push(record(number), None);
                hashes.push(again.hash());
            }
        }
        assert!(trace.checkpoints().len() <= CHECKPOINTS_MAX);
        assert!(trace.checkpoints().is_sorted_by_key(|checkpoint| checkpoint.events));
        let known = trace.checkpoints().iter().filter(|checkpoint| checkpoint.events <= 300_000);
        assert!(known.clone().count() > 100);
        for checkpoint in known {
            assert_eq!(checkpoint.hash, hashes[checkpoint.events as usize]);
        }
        let last: Vec<u64> = trace.tail().iter().map(|record| record.number).collect();
        assert_eq!(last, (1_000_000 - TAIL as u64..1_000_000).collect::<Vec<_>>());
    }
}
