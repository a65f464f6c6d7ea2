//! Frames of an authenticated peer beside an application that goes on: the streams stay bounded, the end is told once and
//! is the last, and nothing is sent that the peer gave no credit for.

use crate::choices::Choices;
use crate::frames::{Ledger, WINDOW_UPDATE, decode, invent};
use fabric::mux::{Admission, Event, Limits, Mux, Priority, Role, StreamId};
use machine::{Duration, Instant};

/// A stream of either side's for every one that may be open, and as many that are closed and not read.
const STREAMS_MAX: usize = 4 * 128;

struct Side {
    mux: Mux,
    now: Instant,
    ledger: Ledger,
    streams: Vec<StreamId>,
    has_ended: bool,
}

impl Side {
    fn hear(&mut self, record: &[u8], is_planted: bool) {
        self.ledger.hear(record);
        let mut admit = |service: &str| if service == "admin" { Admission::Deny } else { Admission::Admit };
        let taken = self.mux.receive(self.now, record, &mut admit);
        // The planted bug: credit counts twice.
        let is_credit = decode(record).0.iter().all(|(kind, ..)| *kind == WINDOW_UPDATE);
        if is_planted && is_credit && taken.is_ok() {
            let _ = self.mux.receive(self.now, record, &mut admit);
        }
    }

    fn settle(&mut self, room_bytes: usize) {
        while let Some(event) = self.mux.poll() {
            assert!(!self.has_ended, "{event:?} after the end");
            match event {
                Event::Accepted { stream, .. } => self.streams.push(stream),
                Event::Ended { .. } => self.has_ended = true,
                _ => {}
            }
        }
        let mut room = vec![0; room_bytes];
        // A peer that does not take its bytes is for another day: all that there is goes out.
        loop {
            let count = self.mux.fill(self.now, &mut room);
            if count == 0 {
                break;
            }
            self.ledger.say(&room[..count]);
        }
        assert!(self.mux.streams() <= STREAMS_MAX, "{} streams", self.mux.streams());
    }

    fn act(&mut self, choices: &mut Choices<'_>) {
        let what = choices.u8() % 8;
        if what == 0 {
            let service = choices.pick(&["echo", "mute"]);
            self.streams.extend(self.mux.open(self.now, service, Priority::NORMAL));
        }
        let Some(stream) = self.streams.get(usize::from(choices.u8()) % self.streams.len().max(1)).copied() else {
            return;
        };
        // What cannot be done is refused: that is all that an application may rely on here.
        match what {
            1..=3 => drop(self.mux.write(stream, &vec![7; usize::from(choices.u16())], what == 1)),
            4 | 5 => drop(self.mux.read(self.now, stream, usize::from(choices.u16()))),
            6 => drop(self.mux.finish(stream)),
            _ => drop(self.mux.reset(stream, u32::from(choices.u8()))),
        }
    }
}

pub(crate) fn run(data: &[u8], is_planted: bool) {
    let mut choices = Choices(data);
    let role = choices.pick(&[Role::Responder, Role::Initiator]);
    let room_bytes = choices.pick(&[65_519, 1_000, 64]);
    let mux = Mux::new(Instant::ZERO, role, &Limits::default());
    let mut side = Side { mux, now: Instant::ZERO, ledger: Ledger::new(), streams: Vec::new(), has_ended: false };
    for _ in 0..256 {
        if choices.is_over() {
            break;
        }
        match choices.u8() % 8 {
            0..=3 => {
                let count = 1 + choices.u8() % 4;
                let record: Vec<u8> = (0..count).flat_map(|_| invent(&mut choices)).collect();
                side.hear(&record, is_planted);
            }
            4 => {
                let length = choices.u8();
                let record = choices.bytes(usize::from(length));
                side.hear(record, is_planted);
            }
            5 | 6 => side.act(&mut choices),
            _ => {
                side.now = side.now + Duration::from_millis(u64::from(choices.u16()));
                let now = side.now;
                side.mux.handle_timeout(now);
            }
        }
        side.settle(room_bytes);
    }
}
