//! Whether the peer still lives (wire contract, 4, Keepalive), and how long a round trip takes.

use super::Limits;
use machine::{Duration, Instant};

/// A timeout that comes so late tells of a pause of this node, not of the peer.
const PAUSE_MIN: Duration = Duration::from_secs(1);

/// What the clock asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Wait,
    Ping,
    /// A PING as well: this node stood still, and so the peer gets more time.
    Forgive,
    Dead,
}

#[derive(Debug)]
pub(super) struct Keepalive {
    after: Duration,
    dead_after: Duration,
    heard: Instant,
    /// In this silence a PING was asked for, and this is when it must have been answered.
    judge_at: Option<Instant>,
    /// The grace of this silence is spent.
    graced: bool,
    ping: Option<Ping>,
    token: u64,
    round_trip: Option<Duration>,
}

/// The one PING that may be unanswered.
#[derive(Debug)]
struct Ping {
    token: u64,
    sent: Option<Instant>,
}

impl Keepalive {
    pub(super) fn new(now: Instant, limits: &Limits) -> Self {
        Self {
            after: limits.keepalive_after,
            dead_after: limits.dead_after,
            heard: now,
            judge_at: None,
            graced: false,
            ping: None,
            token: 0,
            round_trip: None,
        }
    }

    /// A record came.
    pub(super) fn heard(&mut self, now: Instant) {
        self.heard = now;
        self.judge_at = None;
        self.graced = false;
    }

    pub(super) fn deadline(&self) -> Instant {
        self.judge_at.unwrap_or(self.heard + self.after)
    }

    pub(super) fn handle_timeout(&mut self, now: Instant) -> Verdict {
        if now < self.deadline() {
            return Verdict::Wait;
        }
        let grace = self.dead_after.saturating_sub(self.after).max(Duration::from_millis(1));
        match self.judge_at {
            None => self.judge_at = Some((now + grace).max(self.heard + self.dead_after)),
            Some(judge_at) if !self.graced && now.saturating_since(judge_at) >= PAUSE_MIN => {
                self.graced = true;
                self.judge_at = Some(now + grace);
                return Verdict::Forgive;
            }
            Some(_) => return Verdict::Dead,
        }
        Verdict::Ping
    }

    /// Asks for a PING; false when one is not answered yet, and another would tell nothing more.
    pub(super) fn ask(&mut self) -> bool {
        if self.ping.is_some() {
            return false;
        }
        self.token = self.token.wrapping_add(1);
        self.ping = Some(Ping { token: self.token, sent: None });
        true
    }

    /// What the PING that was asked for says.
    pub(super) const fn token(&self) -> u64 {
        self.token
    }

    /// The PING is sent now.
    pub(super) fn sent(&mut self, now: Instant) {
        if let Some(ping) = &mut self.ping {
            ping.sent = Some(now);
        }
    }

    /// A PONG came; false when nothing asked for it.
    pub(super) fn answered(&mut self, now: Instant, token: u64) -> bool {
        let Some(Ping { token: asked, sent: Some(sent) }) = self.ping else { return false };
        if token != asked {
            return false;
        }
        self.ping = None;
        let round_trip = now.saturating_since(sent);
        self.round_trip = Some(self.round_trip.map_or(round_trip, |least| least.min(round_trip)));
        true
    }

    /// The shortest round trip seen: one that waited behind bulk would let windows grow without need.
    pub(super) fn round_trip(&self) -> Option<Duration> {
        self.round_trip
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(secs: u64) -> Instant {
        Instant::ZERO + Duration::from_secs(secs)
    }

    #[test]
    fn silence_is_asked_about_after_15_s_and_death_after_45() {
        let mut keepalive = Keepalive::new(at(0), &Limits::default());
        assert_eq!(keepalive.handle_timeout(at(14)), Verdict::Wait);
        assert_eq!(keepalive.handle_timeout(at(15)), Verdict::Ping);
        assert_eq!(keepalive.deadline(), at(45));
        assert_eq!(keepalive.handle_timeout(at(44)), Verdict::Wait);
        assert_eq!(keepalive.handle_timeout(at(45)), Verdict::Dead);
    }

    #[test]
    fn a_node_that_slept_asks_before_it_judges() {
        let mut keepalive = Keepalive::new(at(0), &Limits::default());
        assert_eq!(keepalive.handle_timeout(at(500)), Verdict::Ping);
        assert_eq!(keepalive.deadline(), at(530));
        assert_eq!(keepalive.handle_timeout(at(600)), Verdict::Forgive);
        assert_eq!(keepalive.handle_timeout(at(700)), Verdict::Dead);
    }
}
