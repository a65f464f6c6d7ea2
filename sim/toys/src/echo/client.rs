//! The asking side: dials, sends every request, finishes its half at once, and reads the echoes to the end.

use core::convert::Infallible;

use machine::{Boot, Destination, Duration, Input, Instant, PipeEnd, PipeId};

use super::{Config, Event, Frames, Ping, REQUESTS_MAX, Unsent};
use crate::outbox::{Action, Outbox};
use crate::wire;

const REDIAL_AFTER: Duration = Duration::from_millis(100);
const REDIAL_AFTER_MAX: Duration = Duration::from_millis(3_200);
/// A client that is not drained sends no pings beyond this many waiting outputs.
const OUTPUTS_MAX: usize = 256;

/// Sends requests until each is echoed.
#[derive(Debug)]
pub struct Client {
    config: Config,
    incarnation: u64,
    /// How many requests were echoed; the next echo is of this one.
    echoed: u32,
    /// How many pipes were opened.
    dials: u64,
    redial_after: Duration,
    link: Link,
    pings: Pings,
    pub(super) outbox: Outbox<Event>,
}

#[derive(Debug)]
enum Link {
    Down {
        redial: Instant,
    },
    Dialling {
        pipe: PipeId,
        deadline: Instant,
    },
    Up(Up),
    /// Every request is echoed and the pipe has ended.
    Over,
}

#[derive(Debug)]
struct Up {
    pipe: PipeId,
    /// The next request to encode.
    next: u32,
    unsent: Unsent,
    finished: bool,
    frames: Frames<8>,
    stalled: Instant,
}

#[derive(Debug)]
struct Pings {
    /// The number of the last one that was sent.
    sent: u32,
    /// The number of the last one that was answered.
    answered: u32,
    /// The first that leaves after the last echo; its pong, or a later one, ends the client's work.
    last: Option<u32>,
    /// When the next one leaves; `None` when the work is done.
    next: Option<Instant>,
}

impl Client {
    pub(super) fn new(boot: &Boot, config: Config) -> Self {
        assert!(config.requests > 0, "a client without requests has nothing to finish");
        assert!((1..=REQUESTS_MAX).contains(&config.window), "a larger window would be cut off by the server");
        let mut outbox = Outbox::default();
        outbox.event(Event::Started { client: config.client });
        let pings = Pings { sent: 0, answered: 0, last: None, next: Some(boot.now + config.ping_every) };
        let link = Link::Down { redial: boot.now };
        let incarnation = boot.incarnation;
        let mut client =
            Self { config, incarnation, echoed: 0, dials: 0, redial_after: REDIAL_AFTER, link, pings, outbox };
        client.dial(boot.now);
        client
    }

    pub(super) fn handle(&mut self, now: Instant, input: &Input<'_, Infallible>) {
        match *input {
            Input::Timeout => self.on_timeout(now),
            Input::Datagram { bytes, .. } => self.on_datagram(bytes),
            Input::PipeOpened { pipe } => self.on_opened(now, pipe),
            Input::PipeBytes { pipe, bytes } => self.on_bytes(now, pipe, bytes),
            Input::PipeClosed { pipe, reason } if self.pipe() == Some(pipe) => self.on_closed(now, reason),
            Input::PipeAccepted { pipe, .. } => self.outbox.push(Action::ClosePipe { pipe }), // nobody is served here
            Input::Command(_) | Input::Stored { .. } | Input::PipeFinished { .. } | Input::PipeClosed { .. } => {}
        }
    }

    pub(super) fn fill(&mut self, pipe: PipeId, room: &mut [u8]) -> usize {
        let window_end = self.config.requests.min(self.echoed + self.config.window);
        let Link::Up(up) = &mut self.link else { return 0 };
        if up.pipe != pipe {
            return 0;
        }
        let mut filled = 0;
        while filled < room.len() {
            if up.unsent.is_empty() && up.next < window_end {
                let body = wire::message(self.config.client, up.next, self.config.bytes_max);
                Frames::encode(&mut up.unsent.bytes, [], &body);
                up.next += 1;
            }
            if up.unsent.is_empty() {
                break;
            }
            filled += up.unsent.write(&mut room[filled..]);
        }
        if up.next == self.config.requests && up.unsent.is_empty() && !up.finished {
            up.finished = true;
            self.outbox.push(Action::FinishPipe { pipe });
        }
        filled
    }

    pub(super) fn next_timeout(&self) -> Option<Instant> {
        let link = match &self.link {
            Link::Down { redial } => Some(*redial),
            Link::Dialling { deadline, .. } => Some(*deadline),
            Link::Up(up) => Some(up.stalled),
            Link::Over => None,
        };
        [link, self.pings.next].into_iter().flatten().min()
    }

    fn pipe(&self) -> Option<PipeId> {
        match &self.link {
            Link::Dialling { pipe, .. } => Some(*pipe),
            Link::Up(up) => Some(up.pipe),
            Link::Down { .. } | Link::Over => None,
        }
    }

    fn dial(&mut self, now: Instant) {
        let pipe = PipeId::opened(self.dials);
        self.dials += 1;
        self.link = Link::Dialling { pipe, deadline: now + self.config.dial_timeout };
        self.outbox.push(Action::OpenPipe { pipe, to: self.config.server });
    }

    fn on_opened(&mut self, now: Instant, pipe: PipeId) {
        if !matches!(self.link, Link::Dialling { pipe: dialled, .. } if dialled == pipe) {
            return;
        }
        let stalled = now + self.config.stall_timeout;
        let (next, frames, unsent) = (self.echoed, Frames::default(), Unsent::default());
        self.link = Link::Up(Up { pipe, next, unsent, finished: false, frames, stalled });
        self.outbox.push(Action::FillPipe { pipe });
    }

    fn on_bytes(&mut self, now: Instant, pipe: PipeId, bytes: &[u8]) {
        let Link::Up(up) = &mut self.link else { return };
        if up.pipe != pipe {
            return;
        }
        up.stalled = now + self.config.stall_timeout;
        let (echoed, outbox, sent) = (&mut self.echoed, &mut self.outbox, up.next);
        let echoed_before = *echoed;
        up.frames.push(bytes, |counter, body| {
            if *echoed < sent {
                let (digest, counter) = (wire::digest(body), u64::from_be_bytes(counter));
                outbox.event(Event::Echoed { index: *echoed, digest, counter });
                *echoed += 1;
            }
        });
        if *echoed == echoed_before {
            return;
        }
        self.redial_after = REDIAL_AFTER;
        if *echoed < self.config.requests {
            outbox.push_once(Action::FillPipe { pipe });
        } else {
            self.pings.last = Some(self.pings.sent + 1);
            self.pings.next = Some(now);
        }
    }

    fn on_closed(&mut self, now: Instant, reason: PipeEnd) {
        let missing = self.config.requests - self.echoed;
        self.outbox.event(Event::Closed { reason, missing });
        if missing == 0 {
            self.link = Link::Over;
        } else {
            self.link = Link::Down { redial: now + self.redial_after };
            self.redial_after = self.redial_after.saturating_mul(2).min(REDIAL_AFTER_MAX);
        }
    }

    fn on_timeout(&mut self, now: Instant) {
        match &self.link {
            Link::Down { redial } if *redial <= now => self.dial(now),
            Link::Dialling { pipe, deadline: due } | Link::Up(Up { pipe, stalled: due, .. }) if *due <= now => {
                self.outbox.push(Action::ClosePipe { pipe: *pipe });
                self.on_closed(now, PipeEnd::TimedOut);
            }
            _ => {}
        }
        if self.pings.next.is_some_and(|next| next <= now) {
            self.ping(now);
        }
    }

    fn ping(&mut self, now: Instant) {
        self.pings.next = Some(now + self.config.ping_every);
        if self.outbox.len() >= OUTPUTS_MAX {
            return;
        }
        self.pings.sent += 1;
        let ping = Ping { incarnation: self.incarnation, number: self.pings.sent };
        self.outbox.event(Event::Pinged { number: ping.number });
        self.outbox.push(Action::Datagram { to: Destination::Addr(self.config.server), bytes: ping.encode() });
    }

    fn on_datagram(&mut self, bytes: &[u8]) {
        let Some((ping, counter)) = Ping::parse_pong(bytes) else { return };
        let is_expected = self.pings.answered < ping.number && ping.number <= self.pings.sent;
        if ping.incarnation != self.incarnation || !is_expected || self.pings.next.is_none() {
            return;
        }
        self.pings.answered = ping.number;
        self.outbox.event(Event::Ponged { number: ping.number, counter });
        if self.pings.last.is_some_and(|last| last <= ping.number) {
            self.pings.next = None;
            self.outbox.event(Event::Done { client: self.config.client });
        }
    }
}
