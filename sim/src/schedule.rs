//! The event queue: what happens next. Knows no node and no packet.
//!
//! Order is by time, then by source, then by the source's own count, as in Shadow: an event that one node adds does not
//! change the order of two others. A timing wheel of two levels does the work; [`Heap`] says the same slowly, and is what
//! the wheel is tested against.

use crate::Time;
use core::cmp::Reverse;
use std::collections::BinaryHeap;

/// A slot of the fine level spans 2^14 ns, about 16 us.
const FINE_SHIFT: u32 = 14;
/// A slot of the coarse level spans the whole fine level: 2^24 ns, about 17 ms; all of it about 17 s.
const COARSE_SHIFT: u32 = FINE_SHIFT + SLOT_BITS;
const SLOT_BITS: u32 = 10;
const SLOTS: usize = 1 << SLOT_BITS;
const NIL: u32 = u32::MAX;

/// Ties at one time are broken by the source, then by how many events that source had scheduled before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Order(u64);

impl Order {
    /// No event's.
    pub(crate) const NEVER: Self = Self(u64::MAX);

    /// The `count`-th event of `source`. At most 2^24 sources and 2^40 events of each.
    #[inline]
    pub fn new(source: u32, count: u64) -> Self {
        assert!(source < 1 << 24 && count < 1 << 40, "an order has 24 bits for its source and 40 for its count");
        Self((u64::from(source) << 40) | count)
    }

    /// This place, after which it is the source's next one.
    #[inline]
    pub(crate) fn take(&mut self) -> Self {
        let order = *self;
        self.0 = self.0.wrapping_add(1);
        assert!(self.0 << 24 != 0, "a source schedules less than 2^40 events");
        order
    }
}

/// One event in the queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Scheduled<T> {
    /// When it happens.
    pub at: Time,
    /// Its place among the events of that time; unique in a run.
    pub order: Order,
    /// What happens.
    pub what: T,
}

impl<T> Scheduled<T> {
    #[inline]
    fn key(&self) -> (u64, u64) {
        (self.at.as_nanos(), self.order.0)
    }
}

impl<T: Eq> PartialOrd for Scheduled<T> {
    fn partial_cmp(&self, other: &Self) -> Option<core::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl<T: Eq> Ord for Scheduled<T> {
    #[inline]
    fn cmp(&self, other: &Self) -> core::cmp::Ordering {
        self.key().cmp(&other.key())
    }
}

/// What both queues can do.
pub trait Queue<T> {
    /// Adds an event. Its time must not be before that of the last one popped.
    fn push(&mut self, event: Scheduled<T>);
    /// Takes the first event whose time is `until` or earlier.
    fn pop(&mut self, until: Time) -> Option<Scheduled<T>>;
}

/// The reference: a binary heap.
#[derive(Debug)]
pub struct Heap<T>(BinaryHeap<Reverse<Scheduled<T>>>);

impl<T: Eq> Default for Heap<T> {
    fn default() -> Self {
        Self(BinaryHeap::new())
    }
}

impl<T: Eq> Queue<T> for Heap<T> {
    #[inline]
    fn push(&mut self, event: Scheduled<T>) {
        self.0.push(Reverse(event));
    }

    #[inline]
    fn pop(&mut self, until: Time) -> Option<Scheduled<T>> {
        if self.0.peek()?.0.at > until {
            return None;
        }
        self.0.pop().map(|Reverse(event)| event)
    }
}

/// 1024 lists of entries, with a bit for each that is not empty, and a bit for each 64 of those.
#[derive(Debug)]
struct Level {
    heads: Box<[u32; SLOTS]>,
    occupied: [u64; WORDS],
    words: u16,
}

const WORDS: usize = SLOTS / 64;

impl Level {
    fn new() -> Self {
        Self { heads: Box::new([NIL; SLOTS]), occupied: [0; WORDS], words: 0 }
    }

    /// Empties a slot and returns its first entry.
    #[inline]
    fn take(&mut self, index: u64) -> u32 {
        let slot = (index as usize) % SLOTS;
        let word = &mut self.occupied[slot / 64];
        *word &= !(1 << (slot % 64));
        // Without a branch, which nothing could predict.
        self.words &= !(u16::from(*word == 0) << (slot / 64));
        core::mem::replace(&mut self.heads[slot], NIL)
    }

    /// Puts an entry first in a slot, and returns the one that was.
    #[inline]
    fn put(&mut self, index: u64, entry: u32) -> u32 {
        let slot = (index as usize) % SLOTS;
        self.occupied[slot / 64] |= 1 << (slot % 64);
        self.words |= 1 << (slot / 64);
        core::mem::replace(&mut self.heads[slot], entry)
    }

    /// The first occupied index after `index`, at most a turn of the wheel ahead.
    #[inline]
    fn next_after(&self, index: u64) -> Option<u64> {
        let start = (index as usize + 1) % SLOTS;
        let (word, bit) = (start / 64, start % 64);
        let here = self.occupied[word] >> bit;
        if here != 0 {
            return Some(index + 1 + u64::from(here.trailing_zeros()));
        }
        // Looked at last: it waits for the push before.
        if self.words == 0 {
            return None;
        }
        // The words after this one and around; this one comes last, for the slots before the start.
        let next = (word + 1 + self.words.rotate_right(word as u32 + 1).trailing_zeros() as usize) % WORDS;
        let slot = next * 64 + self.occupied[next].trailing_zeros() as usize;
        let ahead = (slot + SLOTS - start) % SLOTS;
        Some(index + 1 + ahead as u64)
    }
}

#[derive(Clone, Copy, Debug)]
struct Entry<T> {
    event: Scheduled<T>,
    next: u32,
}

/// The queue that runs use: constant time for what is near, whatever the number of events.
#[derive(Debug)]
pub struct Wheel<T> {
    fine: Level,
    coarse: Level,
    /// Further ahead than the coarse level reaches.
    far: BinaryHeap<Reverse<Scheduled<T>>>,
    /// The events of the slot under the cursor, the first last.
    ready: Vec<Scheduled<T>>,
    /// The fine index whose events are in `ready`.
    cursor: u64,
    entries: Vec<Entry<T>>,
    free: u32,
}

impl<T: Copy + Eq> Default for Wheel<T> {
    fn default() -> Self {
        Self {
            fine: Level::new(),
            coarse: Level::new(),
            far: BinaryHeap::new(),
            ready: Vec::new(),
            cursor: 0,
            entries: Vec::new(),
            free: NIL,
        }
    }
}

impl<T: Copy + Eq> Wheel<T> {
    #[inline]
    fn link(&mut self, at: Time, order: Order, what: T, coarse: bool, index: u64) {
        // In parts, not as a whole event: that would be put together in memory, and its reader would wait for it.
        if self.free == NIL {
            self.add_entry(at, order, what);
        }
        let place = self.free;
        let entry = &mut self.entries[place as usize];
        self.free = entry.next;
        let level = if coarse { &mut self.coarse } else { &mut self.fine };
        entry.next = level.put(index, place);
        entry.event = Scheduled { at, order, what };
    }

    /// Makes one more entry, free to be used.
    #[cold]
    fn add_entry(&mut self, at: Time, order: Order, what: T) {
        self.free = self.entries.len() as u32;
        self.entries.push(Entry { event: Scheduled { at, order, what }, next: NIL });
    }

    /// Unlinks an entry of a taken list: its event and its successor.
    #[inline]
    fn unlink(&mut self, at: u32) -> (Scheduled<T>, u32) {
        let Entry { event, next } = self.entries[at as usize];
        self.entries[at as usize].next = self.free;
        self.free = at;
        (event, next)
    }

    /// Adds an event that does not belong to a later slot of the fine level.
    #[inline(never)]
    fn push_elsewhere(&mut self, at: Time, order: Order, what: T) {
        let (index, event) = (at.as_nanos() >> FINE_SHIFT, Scheduled { at, order, what });
        if index <= self.cursor {
            let place = self.ready.partition_point(|other| other.key() > event.key());
            self.ready.insert(place, event);
        } else if (index >> SLOT_BITS) - (self.cursor >> SLOT_BITS) < SLOTS as u64 {
            self.link(at, order, what, true, index >> SLOT_BITS);
        } else {
            self.far.push(Reverse(event));
        }
    }

    /// Takes the first event of the next slot that has any. `ready` is empty.
    #[inline]
    fn pop_next(&mut self, until: Time) -> Option<Scheduled<T>> {
        match self.fine.next_after(self.cursor) {
            // Within a block, neither the coarse level nor what is far has anything to add.
            Some(slot) if slot >> SLOT_BITS == self.cursor >> SLOT_BITS => self.cursor = slot,
            _ => return if self.advance() { self.pop_ready(until) } else { None },
        }
        let first = self.fine.take(self.cursor);
        let (event, next) = self.unlink(first);
        if next == NIL && event.at <= until {
            return Some(event);
        }
        self.ready.push(event);
        self.load(next);
        self.pop_ready(until)
    }

    /// The event after the one that was popped last, where that is plain.
    #[inline]
    pub(crate) fn upcoming(&self) -> Option<&T> {
        self.ready.last().map(|event| &event.what)
    }

    #[inline]
    fn pop_ready(&mut self, until: Time) -> Option<Scheduled<T>> {
        if self.ready.last()?.at > until { None } else { self.ready.pop() }
    }

    /// Moves the cursor to the next fine slot that holds events, and those into `ready`. False when there are none.
    fn advance(&mut self) -> bool {
        loop {
            let fine = self.fine.next_after(self.cursor);
            let coarse = self.coarse.next_after(self.cursor >> SLOT_BITS);
            match (fine, coarse) {
                // A coarse slot may hold events that come before the fine ones of its span: unpack it first.
                (fine, Some(block)) if fine.is_none_or(|fine| fine >> SLOT_BITS >= block) => {
                    self.move_to((block << SLOT_BITS).max(self.cursor));
                    self.unpack(block);
                    if !self.ready.is_empty() {
                        self.load_cursor();
                        return true;
                    }
                    if self.fine.heads[(self.cursor as usize) % SLOTS] != NIL {
                        self.load_cursor();
                        return true;
                    }
                }
                (Some(fine), _) => {
                    self.move_to(fine);
                    self.load_cursor();
                    return true;
                }
                (None, _) => {
                    let Some(Reverse(first)) = self.far.peek() else { return false };
                    self.move_to(first.at.as_nanos() >> FINE_SHIFT);
                    if !self.ready.is_empty() {
                        return true;
                    }
                }
            }
        }
    }

    /// Takes the fine slot under the cursor into `ready`, in order.
    fn load_cursor(&mut self) {
        let first = self.fine.take(self.cursor);
        self.load(first);
    }

    /// Takes a list into `ready`, and puts all that is there in order.
    fn load(&mut self, mut at: u32) {
        while at != NIL {
            let (event, next) = self.unlink(at);
            self.ready.push(event);
            at = next;
        }
        match self.ready.len() {
            0 | 1 => {}
            _ => self.ready.sort_unstable_by_key(|event| Reverse(event.key())),
        }
    }

    /// Spreads a coarse slot over the fine level.
    fn unpack(&mut self, block: u64) {
        let mut at = self.coarse.take(block);
        while at != NIL {
            let (event, next) = self.unlink(at);
            self.push(event);
            at = next;
        }
    }

    /// Sets the cursor, and takes in what the coarse level now reaches.
    fn move_to(&mut self, cursor: u64) {
        let entered_block = cursor >> SLOT_BITS != self.cursor >> SLOT_BITS;
        self.cursor = cursor;
        while entered_block && let Some(Reverse(first)) = self.far.peek() {
            if (first.at.as_nanos() >> COARSE_SHIFT) - (cursor >> SLOT_BITS) >= SLOTS as u64 {
                return;
            }
            if let Some(Reverse(event)) = self.far.pop() {
                self.push(event);
            }
        }
    }
}

impl<T: Copy + Eq> Queue<T> for Wheel<T> {
    #[inline]
    fn push(&mut self, event: Scheduled<T>) {
        let Scheduled { at, order, what } = event;
        let index = at.as_nanos() >> FINE_SHIFT;
        if index > self.cursor && index - self.cursor < SLOTS as u64 {
            self.link(at, order, what, false, index);
        } else {
            self.push_elsewhere(at, order, what);
        }
    }

    #[inline]
    fn pop(&mut self, until: Time) -> Option<Scheduled<T>> {
        if self.ready.is_empty() { self.pop_next(until) } else { self.pop_ready(until) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[derive(Clone, Debug)]
    enum Step {
        /// Push so far ahead of the last event popped.
        Push(u64),
        Pop,
        /// Pop only what lies within so many nanoseconds of the last event popped.
        PopUntil(u64),
    }

    fn step() -> impl Strategy<Value = Step> {
        let ahead = prop_oneof![
            Just(0_u64),
            0_u64..1 << 15,
            0_u64..1 << 25,
            0_u64..1 << 36,
            0_u64..1 << 50,
            Just(1 << FINE_SHIFT),
            Just((1 << COARSE_SHIFT) - 1),
            Just(1 << (COARSE_SHIFT + SLOT_BITS)),
        ];
        prop_oneof![3 => ahead.clone().prop_map(Step::Push), 2 => Just(Step::Pop), 1 => ahead.prop_map(Step::PopUntil)]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2_000))]
        #[test]
        fn the_wheel_pops_what_the_heap_pops(steps in proptest::collection::vec(step(), 1..200)) {
            let (mut wheel, mut heap) = (Wheel::default(), Heap::default());
            let (mut now, mut count) = (0_u64, 0_u64);
            for step in steps {
                let until = match step {
                    Step::Push(ahead) => {
                        // Sources fall as counts rise, so that ties are common and not already in order.
                        let order = Order::new(7 - (count % 8) as u32, count);
                        let event = Scheduled { at: Time::from_nanos(now + ahead), order, what: count as u32 };
                        count += 1;
                        wheel.push(event);
                        heap.push(event);
                        continue;
                    }
                    Step::Pop => Time::MAX,
                    Step::PopUntil(ahead) => Time::from_nanos(now + ahead),
                };
                let popped = wheel.pop(until);
                prop_assert_eq!(popped, heap.pop(until));
                if let Some(event) = popped {
                    now = event.at.as_nanos();
                }
            }
            loop {
                let popped = wheel.pop(Time::MAX);
                prop_assert_eq!(popped, heap.pop(Time::MAX));
                if popped.is_none() {
                    break;
                }
            }
        }
    }

    #[test]
    fn an_event_at_the_end_of_time_is_kept_in_order() {
        let mut wheel = Wheel::default();
        for (count, at) in [(0, u64::MAX), (1, 5), (2, u64::MAX - 1)] {
            wheel.push(Scheduled { at: Time::from_nanos(at), order: Order::new(1, count), what: count });
        }
        let popped: Vec<u64> = std::iter::from_fn(|| wheel.pop(Time::MAX)).map(|event| event.what).collect();
        assert_eq!(popped, [1, 2, 0]);
    }
}
