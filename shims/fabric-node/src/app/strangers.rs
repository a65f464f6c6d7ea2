//! Counts what strangers try, and tells it now and then: a flood of them must not become a flood of lines.

use crate::event::Event;
use fabric::SessionEnd;
use fabric::identity::DeviceId;
use machine::{Addr, Duration, Instant};

const TOLD_EVERY: Duration = Duration::from_secs(1);

#[derive(Debug, Default)]
pub(super) struct Strangers {
    count: u64,
    last: Option<(Addr, Option<DeviceId>, SessionEnd)>,
    next_at: Instant,
}

impl Strangers {
    pub(super) fn count(&mut self, addr: Addr, device: Option<DeviceId>, reason: SessionEnd) {
        self.count += 1;
        self.last = Some((addr, device, reason));
    }

    pub(super) fn next_timeout(&self) -> Option<Instant> {
        self.last.is_some().then_some(self.next_at)
    }

    /// What there is to tell, if it is time.
    pub(super) fn due(&mut self, now: Instant) -> Option<Event> {
        let (addr, device, reason) = self.last.take_if(|_| self.next_at <= now)?;
        self.next_at = now + TOLD_EVERY;
        Some(Event::StrangersRefused {
            count: std::mem::take(&mut self.count),
            last_addr: addr.to_string(),
            last_device: device.map(|device| device.to_string()),
            last_reason: reason.to_string(),
        })
    }
}
