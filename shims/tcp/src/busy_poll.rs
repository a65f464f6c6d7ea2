//! When to look for an answer once more before the thread sleeps: to fall asleep and to be woken costs more than a quick
//! answer takes. Knows no sockets.

use std::time::Duration as StdDuration;

use machine::{Duration, Instant, PipeId};

use crate::clock::std_duration;

/// The kernel is asked about all sockets at least so often, however many answers are found by looking.
const ASK_EVERY: Duration = Duration::from_micros(500);

/// The most bytes that a question or an answer has which is worth looking for: who has more to do can as well sleep, and gets
/// more at once when woken.
const SMALL_BYTES: usize = 4_096;

/// Yielding costs more than an interrupt may: another thread has had its slice of the processor, of which the kernel gives a
/// millisecond or three. One that sleeps is let in sooner.
const SLICE: Duration = Duration::from_micros(500);
/// Nothing is looked for then, for so many times as long as that took: of all time, a thirtieth is lost so at most.
const PAUSE_FACTOR: u64 = 32;

/// Guesses by the last wait, as the kernel's adaptive polling of halted processors does: one that was short lets the next be
/// looked through, so that an idle thread looks at most once after its last answer.
#[derive(Debug)]
pub(crate) struct BusyPoll {
    /// How long to look; zero is never.
    limit: Duration,
    /// The pipe that received last, if that was small.
    received: Option<PipeId>,
    /// The same once it has sent as little: an answer, or what is to be answered.
    expects: Option<PipeId>,
    was_short: bool,
    /// When the kernel was last asked about all sockets.
    asked: Instant,
    paused_until: Instant,
}

impl BusyPoll {
    pub(crate) const fn new(limit: Duration) -> Self {
        Self {
            limit,
            received: None,
            expects: None,
            was_short: false,
            asked: Instant::ZERO,
            paused_until: Instant::ZERO,
        }
    }

    pub(crate) fn received(&mut self, pipe: PipeId, bytes: usize) {
        self.received = (bytes <= SMALL_BYTES).then_some(pipe);
        self.expects = None;
    }

    pub(crate) fn sent(&mut self, pipe: PipeId, bytes: usize) {
        self.received = self.received.filter(|received| *received == pipe && bytes <= SMALL_BYTES);
        self.expects = self.received;
    }

    /// The pipe to look at, and until when, if the driver can sleep for `patience` from now.
    pub(crate) fn begin(&self, now: Instant, patience: Option<StdDuration>) -> Option<(PipeId, Instant)> {
        let may_look = self.was_short && now >= self.paused_until && now.saturating_since(self.asked) < ASK_EVERY;
        let is_in_time = patience.is_none_or(|patience| std_duration(self.limit) < patience);
        self.expects.filter(|_| may_look && is_in_time).map(|pipe| (pipe, now + self.limit))
    }

    /// It was looked until `now`, and something was found or `until` was reached.
    pub(crate) fn looked(&mut self, until: Instant, now: Instant) {
        let lost = now.saturating_since(until);
        if lost >= SLICE {
            self.paused_until = now + lost.saturating_mul(PAUSE_FACTOR);
        }
    }

    /// The kernel was asked about all sockets; with nothing else to do, it took from `began` to `now`.
    pub(crate) fn waited(&mut self, began: Instant, now: Instant) {
        self.asked = now;
        self.was_short = now.saturating_since(began) < self.limit;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: Duration = Duration::from_micros(20);
    const PIPE: PipeId = PipeId::opened(0);

    fn at(micros: u64) -> Instant {
        Instant::from_nanos(micros * 1_000)
    }

    /// After a short wait, and with an answer due.
    fn expecting(limit: Duration) -> BusyPoll {
        let mut poll = BusyPoll::new(limit);
        poll.received(PIPE, SMALL_BYTES);
        poll.sent(PIPE, SMALL_BYTES);
        poll.waited(at(0), at(5));
        poll
    }

    #[test]
    fn an_answer_that_is_due_is_looked_for() {
        assert_eq!(expecting(LIMIT).begin(at(10), None), Some((PIPE, at(30))));
        assert_eq!(expecting(LIMIT).begin(at(10), Some(StdDuration::from_micros(21))), Some((PIPE, at(30))));
    }

    #[test]
    fn nothing_is_looked_for_without_a_limit_past_a_deadline_or_after_a_long_wait() {
        assert_eq!(expecting(Duration::ZERO).begin(at(10), None), None);
        assert_eq!(expecting(LIMIT).begin(at(10), Some(StdDuration::from_micros(20))), None);
        let mut poll = expecting(LIMIT);
        poll.waited(at(10), at(30));
        assert_eq!(poll.begin(at(40), None), None);
    }

    #[test]
    fn nothing_is_looked_for_on_a_pipe_that_did_not_both_receive_and_send() {
        let mut poll = expecting(LIMIT);
        poll.received(PIPE, 1);
        assert_eq!(poll.begin(at(10), None), None, "it owes the answer");
        poll.sent(PipeId::opened(1), 1);
        assert_eq!(poll.begin(at(10), None), None, "another has sent");
    }

    #[test]
    fn a_transfer_is_not_looked_for() {
        let expects = |received, sent: &[usize]| {
            let mut poll = expecting(LIMIT);
            poll.received(PIPE, received);
            for bytes in sent {
                poll.sent(PIPE, *bytes);
            }
            poll.begin(at(10), None).is_some()
        };
        assert!(expects(1, &[1, 1]));
        assert!(!expects(SMALL_BYTES + 1, &[1]), "the receiver of one, which returns credit");
        assert!(!expects(1, &[SMALL_BYTES + 1]), "its sender");
        assert!(!expects(1, &[SMALL_BYTES + 1, 1]), "which sends the rest");
    }

    #[test]
    fn nothing_is_looked_for_for_a_while_when_others_need_the_processor() {
        let mut poll = expecting(LIMIT);
        poll.looked(at(30), at(529));
        assert!(poll.begin(at(10), None).is_some());
        poll.looked(at(30), at(530));
        for (now, may_look) in [(540, false), (16_529, false), (16_530, true)] {
            poll.waited(at(now), at(now));
            assert_eq!(poll.begin(at(now), None).is_some(), may_look);
        }
    }

    #[test]
    fn other_sockets_are_asked_about_now_and_then() {
        let mut poll = expecting(LIMIT);
        let last = Instant::ZERO + Duration::from_micros(5) + ASK_EVERY;
        assert!(poll.begin(at(504), None).is_some());
        assert_eq!(poll.begin(last, None), None);
        poll.waited(last, last);
        assert!(poll.begin(last, None).is_some());
    }
}
