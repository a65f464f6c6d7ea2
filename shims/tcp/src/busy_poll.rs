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
/// After time that was lost by looking nothing is looked for, for so many times as long.
const PAUSE_FACTOR: u64 = 8;

/// A thread that looks in vain sleeps the next times, so that little of all its time goes by so. One that exchanges nothing
/// never looks.
#[derive(Debug)]
pub(crate) struct BusyPoll {
    /// How long to look; zero is never.
    limit: Duration,
    /// The pipe that received last, if that was small.
    received: Option<PipeId>,
    /// The same once it has sent as little: an answer, or what is to be answered.
    expects: Option<PipeId>,
    /// When the kernel was last asked about all sockets.
    asked: Instant,
    paused_until: Instant,
}

impl BusyPoll {
    pub(crate) const fn new(limit: Duration) -> Self {
        Self { limit, received: None, expects: None, asked: Instant::ZERO, paused_until: Instant::ZERO }
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
        let may_look = now >= self.paused_until && now.saturating_since(self.asked) < ASK_EVERY;
        let is_in_time = patience.is_none_or(|patience| std_duration(self.limit) < patience);
        let is_on = self.limit > Duration::ZERO;
        self.expects.filter(|_| is_on && may_look && is_in_time).map(|pipe| (pipe, now + self.limit))
    }

    /// Whether an answer is due on `pipe`.
    #[cfg(feature = "tokio")]
    pub(crate) fn expects(&self, pipe: PipeId) -> bool {
        self.expects == Some(pipe)
    }

    /// It was looked until `now`, and something was found or `until` was reached.
    pub(crate) fn looked(&mut self, until: Instant, now: Instant, has_found: bool) {
        let late = now.saturating_since(until);
        let lost = match has_found {
            true if late < SLICE => return,
            true => late,
            false => late + self.limit,
        };
        self.paused_until = now + lost.saturating_mul(PAUSE_FACTOR);
    }

    /// The kernel was asked about all sockets.
    pub(crate) fn asked(&mut self, now: Instant) {
        self.asked = now;
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

    /// With an answer due, and the kernel asked 5 us after the start.
    fn expecting(limit: Duration) -> BusyPoll {
        let mut poll = BusyPoll::new(limit);
        poll.received(PIPE, SMALL_BYTES);
        poll.sent(PIPE, SMALL_BYTES);
        poll.asked(at(5));
        poll
    }

    #[test]
    fn an_answer_that_is_due_is_looked_for() {
        assert_eq!(expecting(LIMIT).begin(at(10), None), Some((PIPE, at(30))));
        assert_eq!(expecting(LIMIT).begin(at(10), Some(StdDuration::from_micros(21))), Some((PIPE, at(30))));
    }

    #[test]
    fn nothing_is_looked_for_without_a_limit_or_past_a_deadline() {
        assert_eq!(expecting(Duration::ZERO).begin(at(10), None), None);
        assert_eq!(expecting(LIMIT).begin(at(10), Some(StdDuration::from_micros(20))), None);
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

    /// Whether it is looked at these times, with the kernel asked just before each.
    fn looks(poll: &mut BusyPoll, times: [u64; 2]) -> [bool; 2] {
        times.map(|now| {
            poll.asked(at(now));
            poll.begin(at(now), None).is_some()
        })
    }

    #[test]
    fn a_look_in_vain_is_followed_by_a_pause() {
        let mut poll = expecting(LIMIT);
        poll.looked(at(30), at(31), false);
        assert_eq!(looks(&mut poll, [31 + 21 * PAUSE_FACTOR - 1, 31 + 21 * PAUSE_FACTOR]), [false, true]);
    }

    #[test]
    fn so_is_one_that_gave_others_a_slice_of_the_processor() {
        let mut poll = expecting(LIMIT);
        poll.looked(at(30), at(529), true);
        assert!(poll.begin(at(10), None).is_some());
        poll.looked(at(30), at(530), true);
        assert_eq!(looks(&mut poll, [530 + 500 * PAUSE_FACTOR - 1, 530 + 500 * PAUSE_FACTOR]), [false, true]);
    }

    #[test]
    fn other_sockets_are_asked_about_now_and_then() {
        let mut poll = expecting(LIMIT);
        assert!(poll.begin(at(504), None).is_some());
        assert_eq!(poll.begin(at(505), None), None);
        poll.asked(at(505));
        assert!(poll.begin(at(505), None).is_some());
    }
}
