//! Whether every class gets its turn, and every stream of a class (wire contract, 4, "Order"), judged from the DATA frames of
//! one direction.
//!
//! A stream in the middle of a message, with credit to go on, has something to send: the application finishes its messages.

use std::collections::BTreeMap;

/// Eight frames of each higher class may go first, and other streams take turns with it. A buffer that the application
/// fills again only between two records costs it some turns; this many are no accident.
const PASSED_OVER_MAX: u32 = 256;
/// Each other stream of its class may go first once; this many turns of each, or as few as this in all, are no accident.
const ROUNDS_MAX: u32 = 8;
const PASSED_OVER_BY_EQUALS_MAX: u32 = 64;

/// How many frames have gone before a stream that waits.
#[derive(Debug, Default)]
struct PassedOver {
    by_higher: u32,
    by_equals: u32,
}

/// The streams of one direction that are in the middle of a message.
#[derive(Debug, Default)]
pub(super) struct Turns {
    /// By stream: its class, known from OPEN.
    classes: BTreeMap<u32, u8>,
    /// By stream in the middle of a message.
    passed_over: BTreeMap<u32, PassedOver>,
}

impl Turns {
    pub(super) fn opened(&mut self, stream: u32, class: u8) {
        self.classes.insert(stream, class);
    }

    pub(super) fn ended(&mut self, stream: u32) {
        self.classes.remove(&stream);
        self.passed_over.remove(&stream);
    }

    /// A DATA frame was sent; `has_credit` says whether a stream could have sent one instead.
    pub(super) fn sent(
        &mut self,
        stream: u32,
        ends_message: bool,
        has_credit: impl Fn(u32) -> bool,
    ) -> Result<(), String> {
        let Some(class) = self.classes.get(&stream).copied() else { return Ok(()) };
        self.passed_over.remove(&stream);
        let equals = self.classes.values().filter(|other| **other == class).count() as u32;
        for (waiting, passed_over) in &mut self.passed_over {
            let Some(theirs) = self.classes.get(waiting).copied().filter(|theirs| *theirs >= class) else { continue };
            if !has_credit(*waiting) {
                *passed_over = PassedOver::default();
                continue;
            }
            let (count, most, whose) = if theirs == class {
                let most = PASSED_OVER_BY_EQUALS_MAX.max(ROUNDS_MAX * equals);
                (&mut passed_over.by_equals, most, "its own class")
            } else {
                (&mut passed_over.by_higher, PASSED_OVER_MAX, "higher classes")
            };
            *count += 1;
            if *count > most {
                return Err(format!("stream {waiting} starves: {count} frames of {whose} went first"));
            }
        }
        if !ends_message {
            self.passed_over.insert(stream, PassedOver::default());
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Stream 1 is urgent, stream 3 is bulk in the middle of a message.
    fn contended() -> Turns {
        let mut turns = Turns::default();
        turns.opened(1, 0);
        turns.opened(3, 7);
        turns.sent(3, false, |_| true).unwrap();
        turns
    }

    #[test]
    fn a_class_that_is_never_served_starves() {
        let mut turns = contended();
        let sent = (0..1_000).take_while(|_| turns.sent(1, false, |_| true).is_ok()).count();
        assert_eq!(sent, PASSED_OVER_MAX as usize);
    }

    #[test]
    fn a_class_that_gets_its_turns_does_not_and_nor_does_one_without_credit_or_message() {
        let mut turns = contended();
        for frame in 0..10_000 {
            turns.sent(1, false, |_| true).unwrap();
            if frame % 8 == 0 {
                turns.sent(3, false, |_| true).unwrap();
            }
        }
        (0..1_000).for_each(|_| turns.sent(1, false, |_| false).unwrap());
        turns.sent(3, true, |_| true).unwrap();
        (0..1_000).for_each(|_| turns.sent(1, false, |_| true).unwrap());
    }

    #[test]
    fn a_stream_that_others_of_its_class_never_let_go_starves() {
        let mut turns = contended();
        turns.opened(5, 7);
        turns.sent(5, false, |_| true).unwrap();
        let sent = (0..1_000).take_while(|_| turns.sent(3, false, |_| true).is_ok()).count();
        assert_eq!(sent, PASSED_OVER_BY_EQUALS_MAX as usize);
        for _ in 0..1_000 {
            turns.sent(5, false, |_| true).unwrap();
            turns.sent(3, false, |_| true).unwrap();
        }
    }

    #[test]
    fn the_higher_class_is_never_said_to_starve() {
        let mut turns = contended();
        turns.sent(1, false, |_| true).unwrap();
        (0..1_000).for_each(|_| turns.sent(3, false, |_| true).unwrap());
    }
}
