//! A machine behind a driver that does all that the contract allows and nobody expects. Application events must not show it.

use machine::{Duration, Input, Instant, Machine, Output, PipeId};

/// How long outputs are held back at most when inputs stop coming.
const HOLD: Duration = Duration::from_millis(1);

/// What the driver is made to do. The default is nothing unusual.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Habits {
    /// Hand in a `Timeout` after each input, whatever the time.
    pub spurious_timeouts: bool,
    /// Drain only after this many inputs, or when none came for a millisecond; 0 and 1 drain at once.
    pub inputs_before_drain: u32,
    /// Cut received pipe bytes into pieces of at most this many; 0 leaves them.
    pub piece_bytes_max: usize,
    /// Offer at most this many bytes of room to `fill`; 0 offers all.
    pub room_bytes_max: usize,
}

impl Habits {
    /// Each habit alone, then all together.
    pub const ALL: [Self; 5] = [
        Self { spurious_timeouts: true, ..Self::NONE },
        Self { inputs_before_drain: 5, ..Self::NONE },
        Self { piece_bytes_max: 1, ..Self::NONE },
        Self { room_bytes_max: 1, ..Self::NONE },
        Self { spurious_timeouts: true, inputs_before_drain: 3, piece_bytes_max: 3, room_bytes_max: 2 },
    ];

    const NONE: Self = Self { spurious_timeouts: false, inputs_before_drain: 0, piece_bytes_max: 0, room_bytes_max: 0 };
}

/// A machine that is driven awkwardly.
#[derive(Debug)]
pub struct Awkward<M> {
    inner: M,
    habits: Habits,
    /// Inputs since the last drain.
    waiting: u32,
    /// When the outputs are let go; `None` while nothing is held.
    held_until: Option<Instant>,
}

impl<M: Machine> Awkward<M> {
    /// Drives `inner` with `habits`.
    pub fn new(inner: M, habits: Habits) -> Self {
        Self { inner, habits, waiting: 0, held_until: None }
    }

    fn give(&mut self, now: Instant, input: Input<'_, M::Command>) {
        self.inner.handle(now, input);
        if self.habits.spurious_timeouts {
            self.inner.handle(now, Input::Timeout);
        }
    }
}

impl<M: Machine> Machine for Awkward<M> {
    type Command = M::Command;
    type Event = M::Event;

    fn handle(&mut self, now: Instant, input: Input<'_, Self::Command>) {
        let is_due = matches!(input, Input::Timeout);
        match input {
            Input::PipeBytes { pipe, bytes } if self.habits.piece_bytes_max > 0 => {
                for bytes in bytes.chunks(self.habits.piece_bytes_max) {
                    self.give(now, Input::PipeBytes { pipe, bytes });
                }
            }
            input => self.give(now, input),
        }
        self.waiting += 1;
        let is_held = !is_due && self.waiting < self.habits.inputs_before_drain;
        self.held_until = is_held.then(|| self.held_until.unwrap_or(now + HOLD));
    }

    fn poll(&mut self) -> Option<Output<'_, Self::Event>> {
        if self.held_until.is_some() {
            return None;
        }
        self.waiting = 0;
        self.inner.poll()
    }

    fn fill(&mut self, pipe: PipeId, room: &mut [u8]) -> usize {
        let offered = match self.habits.room_bytes_max {
            0 => room.len(),
            most => most.min(room.len()),
        };
        self.inner.fill(pipe, &mut room[..offered])
    }

    fn next_timeout(&self) -> Option<Instant> {
        [self.held_until, self.inner.next_timeout()].into_iter().flatten().min()
    }
}
