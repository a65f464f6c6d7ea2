//! Random honest applications on both sides, against a model so plain that it is obviously right: of each half of each
//! stream, the messages that were written. Whatever crosses whatever, the model must be met.

use crate::pair::{Pair, Side};
use fabric::mux::{Ended, Event, Limits, OpenError, Priority, StreamId, code};
use machine::Duration;
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};

#[derive(Clone, Debug)]
enum Op {
    Open { side: bool, priority: u8 },
    Write { side: bool, stream: usize, length: usize, end_of_message: bool },
    Read { side: bool, stream: usize, bytes_max: usize },
    Finish { side: bool, stream: usize },
    Reset { side: bool, stream: usize },
    SetPriority { side: bool, stream: usize, priority: u8 },
    Exchange,
    Pass { millis: u64 },
}

fn ops() -> impl Strategy<Value = Vec<Op>> {
    let side = any::<bool>;
    let stream = || 0..12usize;
    let length = prop_oneof![0..20usize, 0..3000usize, 0..40_000usize];
    let op = prop_oneof![
        2 => (side(), 0..8u8).prop_map(|(side, priority)| Op::Open { side, priority }),
        8 => (side(), stream(), length, any::<bool>())
            .prop_map(|(side, stream, length, end_of_message)| Op::Write { side, stream, length, end_of_message }),
        6 => (side(), stream(), prop_oneof![1..10usize, 1..100_000usize])
            .prop_map(|(side, stream, bytes_max)| Op::Read { side, stream, bytes_max }),
        1 => (side(), stream()).prop_map(|(side, stream)| Op::Finish { side, stream }),
        1 => (side(), stream()).prop_map(|(side, stream)| Op::Reset { side, stream }),
        1 => (side(), stream(), 0..8u8).prop_map(|(side, stream, priority)| Op::SetPriority { side, stream, priority }),
        4 => Just(Op::Exchange),
        4 => (0..30u64).prop_map(|millis| Op::Pass { millis }),
    ];
    proptest::collection::vec(op, 1..300)
}

fn limits() -> impl Strategy<Value = Limits> {
    let large = Limits::default();
    let tiny = Limits {
        streams_max: 3,
        stream_window: 1,
        stream_window_max: 5000,
        session_window_max: 1,
        data_bytes_max: 7,
        send_buffer_bytes: 100,
        ..large
    };
    prop_oneof![
        Just(large),
        Just(tiny),
        Just(Limits { streams_max: 3, ..large }),
        Just(Limits { data_bytes_max: 1, ..large }),
        Just(Limits { session_window_max: 0, ..large }),
    ]
}

/// One half of a stream: what one side wrote and the other read.
#[derive(Default)]
struct Half {
    /// Bytes and ends of messages, in order.
    written: Vec<u8>,
    ends: BTreeSet<(usize, usize)>,
    read: usize,
    ends_read: usize,
    finished: bool,
}

#[derive(Default)]
struct Model {
    /// By stream and writing side; false is a.
    halves: BTreeMap<(StreamId, bool), Half>,
    streams: Vec<StreamId>,
    reset: BTreeSet<StreamId>,
    /// So that every byte tells where it belongs.
    next_byte: u8,
}

struct World {
    pair: Pair,
    model: Model,
}

impl World {
    fn new(limits: &Limits, room: usize) -> Self {
        let mut pair = Pair::with(limits);
        (pair.a.room, pair.b.room) = (room, room);
        Self { pair, model: Model::default() }
    }

    fn side(&mut self, side: bool) -> &mut Side {
        if side { &mut self.pair.b } else { &mut self.pair.a }
    }

    fn pick(&self, stream: usize) -> Option<StreamId> {
        let count = self.model.streams.len();
        // The newest streams, where most happens.
        (count > 0).then(|| self.model.streams[count - 1 - stream % count])
    }

    fn act(&mut self, op: &Op) {
        match *op {
            Op::Open { side, priority } => self.open(side, priority),
            Op::Write { side, stream, length, end_of_message } => {
                if let Some(stream) = self.pick(stream) {
                    self.write(side, stream, length, end_of_message);
                }
            }
            Op::Read { side, stream, bytes_max } => {
                if let Some(stream) = self.pick(stream) {
                    self.read(side, stream, bytes_max);
                }
            }
            Op::Finish { side, stream } => {
                if let Some(stream) = self.pick(stream) {
                    self.finish(side, stream);
                }
            }
            Op::Reset { side, stream } => {
                if let Some(stream) = self.pick(stream)
                    && self.side(side).mux.reset(stream, code::CANCELLED).is_ok()
                {
                    self.model.reset.insert(stream);
                }
            }
            Op::SetPriority { side, stream, priority } => {
                if let Some(stream) = self.pick(stream) {
                    let _ = self.side(side).mux.set_priority(stream, Priority::new(priority).unwrap());
                }
            }
            Op::Exchange => {
                self.pair.exchange();
            }
            Op::Pass { millis } => self.pair.pass(Duration::from_millis(millis)),
        }
        assert_eq!((self.pair.a.rejected, self.pair.b.rejected), (None, None));
    }

    fn open(&mut self, side: bool, priority: u8) {
        let now = self.pair.now;
        match self.side(side).mux.open(now, "echo", Priority::new(priority).unwrap()) {
            Ok(stream) => self.model.streams.push(stream),
            Err(error) => assert_eq!(error, OpenError::TooMany),
        }
    }

    fn write(&mut self, side: bool, stream: StreamId, length: usize, end_of_message: bool) {
        let first = self.model.next_byte;
        let bytes: Vec<u8> = (0..length).map(|index| first.wrapping_add(index as u8)).collect();
        let Ok(taken) = self.side(side).mux.write(stream, &bytes, end_of_message) else { return };
        self.model.next_byte = first.wrapping_add(taken as u8).wrapping_mul(31);
        let half = self.model.halves.entry((stream, side)).or_default();
        assert!(!half.finished);
        half.written.extend(&bytes[..taken]);
        if end_of_message && taken == length {
            half.ends.insert((half.written.len(), half.ends.len()));
        }
    }

    /// Reads once; whether there was something.
    fn read(&mut self, side: bool, stream: StreamId, bytes_max: usize) -> bool {
        let now = self.pair.now;
        let Ok(Some(chunk)) = self.side(side).mux.read(now, stream, bytes_max) else { return false };
        assert!(chunk.bytes.len() <= bytes_max && (!chunk.bytes.is_empty() || chunk.end_of_message));
        let half = self.model.halves.get_mut(&(stream, !side)).expect("somebody wrote it");
        let end = half.read + chunk.bytes.len();
        assert_eq!(chunk.bytes, half.written[half.read..end], "the bytes that were written, in order");
        half.read = end;
        let next_end = half.ends.iter().nth(half.ends_read).map(|(end, _)| *end);
        if chunk.end_of_message {
            assert_eq!(next_end, Some(end), "a message ends where it was ended");
            half.ends_read += 1;
        } else {
            assert!(next_end.is_none_or(|next| next >= end), "no end is passed over");
        }
        true
    }

    fn finish(&mut self, side: bool, stream: StreamId) {
        if self.side(side).mux.finish(stream).is_ok() {
            self.model.halves.entry((stream, side)).or_default().finished = true;
        }
    }

    /// One side or both begin to end the session, whatever is under way.
    fn drain(&mut self, by_a: bool, by_b: bool) {
        let now = self.pair.now;
        for (side, closes) in [(false, by_a), (true, by_b)] {
            if closes {
                self.side(side).mux.close(now, code::GOING_AWAY);
            }
        }
    }

    /// Both sides finish and read until nothing comes any more.
    fn settle(&mut self) {
        for stream in self.model.streams.clone() {
            self.finish(false, stream);
            self.finish(true, stream);
        }
        for _ in 0..100_000 {
            self.pair.run();
            let mut moved = false;
            for stream in self.model.streams.clone() {
                for side in [false, true] {
                    while self.read(side, stream, 50_000) {
                        moved = true;
                    }
                    // A stream that was accepted after its opener had finished.
                    self.finish(side, stream);
                }
            }
            if !moved && !self.pair.exchange() {
                break;
            }
        }
    }

    /// What was refused because the session ends, or before its OPEN left, is nobody's loss.
    fn note_refused(&mut self) {
        for event in self.pair.a.events.iter().chain(&self.pair.b.events) {
            if let Event::Reset { stream, code: code::REFUSED } = event {
                self.model.reset.insert(*stream);
            }
        }
    }

    fn check_end(&mut self, (by_a, by_b): (bool, bool)) {
        assert_eq!((self.pair.a.rejected, self.pair.b.rejected), (None, None));
        for ((stream, writer), half) in &self.model.halves {
            if !self.model.reset.contains(stream) {
                assert_eq!(half.read, half.written.len(), "all of {stream:?} from {writer} was read");
                assert_eq!(half.ends_read, half.ends.len(), "and every message of it ended");
            }
        }
        for stream in &self.model.streams {
            for side in [&self.pair.a, &self.pair.b] {
                let finished =
                    side.events.iter().filter(|event| **event == Event::Finished { stream: *stream }).count();
                let reset =
                    side.events.iter().any(|event| matches!(event, Event::Reset { stream: s, .. } if s == stream));
                let was_reset = self.model.reset.contains(stream);
                assert!(finished <= 1 && (finished == 1 || reset || was_reset), "{stream:?} ended");
                assert!(!reset || was_reset, "{stream:?} was reset by nobody");
            }
        }
        for side in [&self.pair.a, &self.pair.b] {
            let (session, streams) = side.ledger.unused();
            let is_returned = session >= (1 << 20) * 3 / 4 || side.ended().is_some();
            assert!(is_returned && streams == 0, "credit came back: {session}, {streams}");
        }
        let reason = |closed, peer_closed| match (closed, peer_closed) {
            (true, _) => Some(Ended::Local(code::GOING_AWAY)),
            (false, true) => Some(Ended::Peer(code::GOING_AWAY)),
            (false, false) => None,
        };
        assert_eq!(self.pair.a.ended(), reason(by_a, by_b));
        assert_eq!(self.pair.b.ended(), reason(by_b, by_a));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    #[test]
    fn honest_sides_get_what_was_written(
        ops in ops(),
        limits in limits(),
        room in prop_oneof![Just(256usize), Just(65_519)],
        closing in any::<(bool, bool)>(),
    ) {
        let mut world = World::new(&limits, room);
        for op in &ops {
            world.act(op);
        }
        world.drain(closing.0, closing.1);
        world.settle();
        world.note_refused();
        world.check_end(closing);
    }
}
