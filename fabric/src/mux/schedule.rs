//! Whose turn it is: strict priority with a starvation budget, round-robin in a class (wire contract, 4). Knows streams by
//! id only; a stream is here while it has something that it may send.

use super::{Priority, StreamId};
use alloc::collections::VecDeque;
use alloc::vec::Vec;

/// So many frames of a class in a row while a lower one waits; then one of a lower class, so that bulk still moves.
const IN_A_ROW_MAX: u8 = 8;
const CLASSES: usize = 8;

#[derive(Debug, Default)]
pub(super) struct Schedule {
    classes: [VecDeque<StreamId>; CLASSES],
    /// Of each class, the frames since a lower one that waits was served. Higher ones between do not break the row, else
    /// two classes that take turns would starve a third.
    in_a_row: [u8; CLASSES],
    /// The class that was served last out of turn.
    last_lower: usize,
    /// Streams that wait for credit of the session.
    awaiting: Vec<StreamId>,
}

impl Schedule {
    /// Queues a stream behind the others of its class; it must not be queued yet.
    pub(super) fn push(&mut self, stream: StreamId, priority: Priority) {
        self.class(priority).push_back(stream);
    }

    /// Takes a stream out, wherever it waits.
    pub(super) fn remove(&mut self, stream: StreamId, priority: Priority) {
        let class = self.class(priority);
        class.retain(|queued| *queued != stream);
        self.awaiting.retain(|waits| *waits != stream);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.classes.iter().all(VecDeque::is_empty)
    }

    /// Whether streams of more than one class wait.
    pub(super) fn is_contended(&self) -> bool {
        self.classes.iter().filter(|class| !class.is_empty()).count() > 1
    }

    /// The class whose turn it is; its first stream is to be sent from.
    pub(super) fn turn(&self) -> Option<Priority> {
        let top = self.next_from(0)?;
        let class = match self.next_from(top + 1) {
            Some(lower) if self.in_a_row[top] >= IN_A_ROW_MAX => {
                self.next_from(self.last_lower.max(top) + 1).unwrap_or(lower)
            }
            _ => top,
        };
        Some(Priority(class as u8))
    }

    /// Whether a stream of a higher class waits.
    pub(super) fn has_above(&self, class: Priority) -> bool {
        self.next_from(0).is_some_and(|top| top < usize::from(class.level()))
    }

    /// Takes the first stream of a class.
    pub(super) fn pop(&mut self, priority: Priority) -> Option<StreamId> {
        self.class(priority).pop_front()
    }

    /// A frame of this class was sent.
    pub(super) fn served(&mut self, priority: Priority) {
        let class = usize::from(priority.level());
        if self.next_from(0).is_some_and(|top| top < class) {
            self.last_lower = class;
        }
        self.in_a_row[..class].fill(0);
        let lower_waits = self.next_from(class + 1).is_some();
        self.in_a_row[class] = if lower_waits { self.in_a_row[class].saturating_add(1) } else { 0 };
    }

    /// Keeps a stream aside until the session has credit again.
    pub(super) fn await_session(&mut self, stream: StreamId) {
        self.awaiting.push(stream);
    }

    /// The streams that waited for credit of the session.
    pub(super) fn take_awaiting(&mut self) -> Vec<StreamId> {
        core::mem::take(&mut self.awaiting)
    }

    /// Gives back what queues no longer need.
    pub(super) fn shrink(&mut self) {
        self.awaiting.shrink_to_fit();
        for class in &mut self.classes {
            class.shrink_to_fit();
        }
    }

    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }

    fn class(&mut self, priority: Priority) -> &mut VecDeque<StreamId> {
        &mut self.classes[usize::from(priority.level())]
    }

    fn next_from(&self, class: usize) -> Option<usize> {
        (class..CLASSES).find(|class| !self.classes[*class].is_empty())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn schedule(priorities: &[u8]) -> Schedule {
        let mut schedule = Schedule::default();
        for (index, level) in priorities.iter().enumerate() {
            schedule.push(StreamId(index as u32), Priority(*level));
        }
        schedule
    }

    /// Which classes go, when all streams have endless data.
    fn turns(schedule: &mut Schedule, count: usize) -> Vec<u8> {
        (0..count).map(|_| send(schedule).0).collect()
    }

    fn send(schedule: &mut Schedule) -> (u8, StreamId) {
        let class = schedule.turn().unwrap();
        let stream = schedule.pop(class).unwrap();
        schedule.push(stream, class);
        schedule.served(class);
        (class.level(), stream)
    }

    #[test]
    fn after_eight_in_a_row_one_lower_goes() {
        assert_eq!(turns(&mut schedule(&[2, 5]), 18), [2, 2, 2, 2, 2, 2, 2, 2, 5, 2, 2, 2, 2, 2, 2, 2, 2, 5]);
    }

    #[test]
    fn lower_classes_take_the_spared_turns_in_a_circle() {
        let all = turns(&mut schedule(&[0, 1, 2, 3, 4, 5, 6, 7]), 9 * 14);
        let lower: Vec<u8> = all.into_iter().filter(|class| *class != 0).collect();
        assert_eq!(lower, [1, 2, 3, 4, 5, 6, 7, 1, 2, 3, 4, 5, 6, 7]);
    }

    #[test]
    fn streams_of_a_class_take_turns() {
        let mut schedule = schedule(&[4, 4, 4]);
        let streams: Vec<u32> = (0..6).map(|_| send(&mut schedule).1.0).collect();
        assert_eq!(streams, [0, 1, 2, 0, 1, 2]);
    }

    #[test]
    fn two_classes_that_take_turns_do_not_starve_a_third() {
        let mut schedule = schedule(&[1, 7]);
        let mut waited = 0;
        for round in 0..100 {
            if round % 2 == 0 {
                schedule.push(StreamId(9), Priority(0)); // one urgent frame, every other turn
                assert_eq!(schedule.turn(), Some(Priority(0)));
                schedule.pop(Priority(0));
                schedule.served(Priority(0));
            }
            waited = if send(&mut schedule).0 == 7 { 0 } else { waited + 1 };
            assert!(waited <= 8);
        }
    }
}
