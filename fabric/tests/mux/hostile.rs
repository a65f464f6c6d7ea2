//! A peer that says anything, in any order, to a mux whose application is busy: it must end in a reject or in nothing, never
//! in a panic, and owe no more than it may.

use crate::wire::*;
use fabric::mux::{Admission, Limits, Mux, Priority, Role, StreamId};
use machine::{Duration, Instant};
use proptest::prelude::*;

#[derive(Clone, Debug)]
enum Act {
    /// Anything at all: mostly the end.
    Hear(Vec<u8>),
    /// The next stream of the peer's, with this credit and service.
    PeerOpens(u32, String),
    /// A frame of this kind on a stream that is or was, with this number or so many bytes.
    PeerSays(u8, usize, u32),
    Open,
    Write(usize, usize, bool),
    Read(usize, usize),
    Finish(usize),
    Reset(usize),
    SetPriority(usize, u8),
    Fill(usize),
    Pass(u64),
    Ping,
    Close(u32),
    PipeEnded,
}

fn any_frame() -> impl Strategy<Value = Vec<u8>> {
    let stream = || 0..14u32;
    let number = prop_oneof![0..3u32, 0..100_000u32, any::<u32>()];
    prop_oneof![
        6 => (stream(), number.clone(), "[a-z]{0,3}").prop_map(|(stream, credit, name)| open_with(stream, credit, &name)),
        4 => stream().prop_map(open_ack),
        6 => (stream(), 0..2u8, 0..3000usize).prop_map(|(stream, flags, length)| frame(3, flags, stream, &vec![9; length])),
        4 => (stream(), number).prop_map(|(stream, delta)| window_update(stream, delta)),
        2 => stream().prop_map(rst),
        1 => any::<u64>().prop_map(ping),
        1 => (0..5u64).prop_map(pong),
        3 => (stream(), 0..6u32).prop_map(|(stream, code)| close(stream, code)),
        1 => proptest::collection::vec(any::<u8>(), 0..20),
    ]
}

fn act() -> impl Strategy<Value = Act> {
    let stream = || 0..8usize;
    prop_oneof![
        1 => any_frame().prop_map(Act::Hear),
        6 => (prop_oneof![0..50_000u32, 0..1u32 << 31], "[a-z]{0,3}").prop_map(|(credit, name)| Act::PeerOpens(credit, name)),
        20 => (prop_oneof![1 => 2..=8u8, 4 => 3..=5u8], stream(), 1..4000u32)
            .prop_map(|(kind, stream, number)| Act::PeerSays(kind, stream, number)),
        3 => Just(Act::Open),
        4 => (stream(), 0..5000usize, any::<bool>()).prop_map(|(stream, length, end)| Act::Write(stream, length, end)),
        6 => (stream(), 0..5000usize).prop_map(|(stream, bytes_max)| Act::Read(stream, bytes_max)),
        2 => stream().prop_map(Act::Finish),
        2 => stream().prop_map(Act::Reset),
        1 => (stream(), 0..8u8).prop_map(|(stream, priority)| Act::SetPriority(stream, priority)),
        8 => (0..2000usize).prop_map(Act::Fill),
        2 => (0..2000u64).prop_map(Act::Pass),
        1 => Just(Act::Ping),
        1 => (0..6u32).prop_map(Act::Close),
    ]
}

struct World {
    mux: Mux,
    now: Instant,
    streams: Vec<StreamId>,
    next_of_peer: u32,
}

impl World {
    fn peer_says(&mut self, kind: u8, stream: usize, number: u32) {
        let Some(stream) = self.streams.iter().rev().nth(stream).map(|stream| stream.as_u32()) else { return };
        let record = match kind {
            2 => open_ack(stream),
            3 => data(stream, &vec![2; number as usize]),
            4 => window_update(stream, number),
            5 => rst(stream),
            6 => ping(u64::from(number)),
            7 => pong(u64::from(number % 3)),
            _ => close(stream, number % 2),
        };
        self.act(Act::Hear(record));
    }

    fn act(&mut self, act: Act) {
        match act {
            Act::Hear(record) => {
                let _ = self.mux.receive(self.now, &record, &mut |name| {
                    if name.starts_with('a') { Admission::Deny } else { Admission::Admit }
                });
            }
            Act::PeerOpens(credit, name) => {
                self.next_of_peer += 2;
                self.act(Act::Hear(open_with(self.next_of_peer, credit, &name)));
            }
            Act::PeerSays(kind, stream, number) => self.peer_says(kind, stream, number),
            Act::Open => {
                self.streams.extend(self.mux.open(self.now, "echo", Priority::NORMAL));
            }
            Act::Fill(room) => {
                let mut room = vec![0; room];
                let length = self.mux.fill(self.now, &mut room);
                frames(&room[..length]);
            }
            Act::Pass(millis) => {
                self.now = self.now + Duration::from_millis(millis);
                self.mux.handle_timeout(self.now);
            }
            Act::Ping => self.mux.ping(self.now),
            Act::Close(code) => self.mux.close(self.now, code),
            Act::PipeEnded => self.mux.pipe_ended(),
            act => self.act_on_stream(&act),
        }
        while let Some(event) = self.mux.poll() {
            if let fabric::mux::Event::Accepted { stream, .. } = event {
                self.streams.push(stream);
            }
        }
    }

    fn act_on_stream(&mut self, act: &Act) {
        let pick = |index: usize| self.streams.iter().rev().nth(index).copied();
        match *act {
            Act::Write(stream, length, end_of_message) => {
                if let Some(stream) = pick(stream) {
                    let _ = self.mux.write(stream, &vec![1; length], end_of_message);
                }
            }
            Act::Read(stream, bytes_max) => {
                if let Some(stream) = pick(stream) {
                    let _ = self.mux.read(self.now, stream, bytes_max);
                }
            }
            Act::Finish(stream) => {
                let _ = pick(stream).map(|stream| self.mux.finish(stream));
            }
            Act::Reset(stream) => {
                let _ = pick(stream).map(|stream| self.mux.reset(stream, 7));
            }
            Act::SetPriority(stream, priority) => {
                if let (Some(stream), Some(priority)) = (pick(stream), Priority::new(priority)) {
                    let _ = self.mux.set_priority(stream, priority);
                }
            }
            _ => {}
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1000, ..ProptestConfig::default() })]

    #[test]
    fn nothing_that_a_peer_says_is_worse_than_a_reject(
        acts in proptest::collection::vec(act(), 1..150),
        is_initiator in any::<bool>(),
        tiny in any::<bool>(),
    ) {
        let role = if is_initiator { Role::Initiator } else { Role::Responder };
        let limits = if tiny { Limits { streams_max: 2, send_buffer_bytes: 0, data_bytes_max: 0, ..Limits::default() } } else { Limits::default() };
        let (mux, next_of_peer) = (Mux::new(Instant::ZERO, role, &limits), u32::from(!is_initiator));
        let mut world = World { mux, now: Instant::ZERO, streams: Vec::new(), next_of_peer };
        for act in acts {
            world.act(act);
        }
        world.act(Act::PipeEnded);
        for _ in 0..10 {
            world.act(Act::Fill(65_519));
        }
        prop_assert!(!world.mux.wants_fill());
        prop_assert_eq!(world.mux.next_timeout(), None);
    }
}
