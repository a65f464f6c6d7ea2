//! What this side costs the peer: an honest side stays within the peer's budget, whatever its application does.
//!
//! The peer's count is not known here, only about: it is the same arithmetic over what this side sends and hears. So the
//! thresholds leave room, most of it for `WINDOW_UPDATE`, which cannot wait.

use super::control::Control;
use super::{Mux, Phase, StreamId};
use crate::probe::Probe;
use machine::{Duration, Instant};

/// Below this, RST of the application's wait.
const RESET_MIN: u32 = 768;
/// Below this, and one more for each open stream, which can still be refused or reset, none is opened.
const OPEN_MIN: u32 = 640;
/// Below this, credit is returned in halves of a window, not in quarters.
const FRUGAL_MIN: u32 = 640;
/// RST that wait are looked at again so often.
const PACE: Duration = Duration::from_millis(125);

impl Mux {
    /// Whether one more stream can be opened: no RST waits that would have to go ahead, and there is budget.
    pub(super) fn can_afford_open(&mut self, now: Instant) -> bool {
        self.release_paced(now);
        let needed = OPEN_MIN as usize + self.streams.own.live;
        !self.control.has_paced() && self.own_budget.left(now) as usize > needed
    }

    /// Whether credit is to be returned in fewer frames.
    pub(super) fn is_frugal(&mut self, now: Instant) -> bool {
        self.own_budget.left(now) < FRUGAL_MIN
    }

    /// Queues the application's RST, now or when there is budget.
    pub(super) fn push_rst(&mut self, stream: StreamId, code: u32) {
        let is_reply = !self.streams.is_own(stream);
        let rst = Control::Rst { stream, code, is_reply };
        if self.control.has_paced() || self.own_budget.left_at_least() < RESET_MIN {
            self.probes.hit(Probe::RstPaced);
            return self.control.pace(rst);
        }
        self.own_budget.charge();
        self.control.push(rst);
    }

    /// Queues the RST that waited, as many as there is budget for.
    pub(super) fn release_paced(&mut self, now: Instant) {
        while self.control.has_paced() && self.own_budget.left(now) >= RESET_MIN {
            self.own_budget.charge();
            self.control.release_paced();
        }
        self.paced_until = self.control.has_paced().then(|| now + PACE);
    }

    /// Queues all RST that waited: the session ends, and they go before it.
    pub(super) fn release_all_paced(&mut self) {
        while self.control.has_paced() {
            self.control.release_paced();
        }
    }

    /// When RST that wait are due to be looked at again.
    pub(super) fn pace_timeout(&self) -> Option<Instant> {
        self.paced_until.filter(|_| !matches!(self.phase, Phase::Ended))
    }
}
