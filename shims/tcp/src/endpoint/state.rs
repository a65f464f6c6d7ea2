//! What the driver's task and the application's tasks share: the node, and who waits for what of it.

use super::error::StreamError;
use super::links::{Dial, Link, LinkId};
use super::streams::Held;
use fabric::identity::DeviceId;
use fabric::{Event, Node, SessionEnd, SessionId, StreamKey};
use machine::{Duration, Instant, Machine};
use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use tokio::sync::Notify;

use crate::clock::Clock;

/// Streams get ten seconds to finish, and the last words a moment more (wire contract, 3 and 4).
const DRAIN: Duration = Duration::from_secs(12);

/// How far the endpoint is from its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    Running,
    /// Sessions drain, until then at the latest.
    Stopping(Instant),
    /// The driver is gone.
    Over,
}

/// Somebody to wake once the state is not locked any more.
enum Wake {
    Task(Waker),
    Everybody(Arc<Notify>),
}

/// The node, and what the application has of it. Every bound is the node's: a link has a session, a stream has a place in
/// its session, or the application holds it.
pub(super) struct State {
    pub(super) node: Node,
    pub(super) phase: Phase,
    pub(super) links: BTreeMap<LinkId, Link>,
    pub(super) links_made: u64,
    /// The link that a new session with the device belongs to.
    pub(super) current: BTreeMap<DeviceId, LinkId>,
    /// Sessions that are up.
    pub(super) sessions: BTreeMap<SessionId, LinkId>,
    /// Links that nobody has accepted or asked for yet.
    pub(super) backlog: VecDeque<LinkId>,
    /// Devices that somebody waits for.
    pub(super) dials: BTreeMap<DeviceId, Dial>,
    pub(super) streams: BTreeMap<StreamKey, Held>,
    /// A link, a dial or the phase has changed.
    pub(super) changed: Arc<Notify>,
    wakes: Vec<Wake>,
    /// The driver's task, while it sleeps.
    driver: Option<Waker>,
    /// When the driver looks at the node again if nothing happens.
    driver_sleeps_until: Option<Instant>,
    /// There is something for the driver to do that it has not been given yet.
    is_driver_due: bool,
}

impl State {
    pub(super) fn new(node: Node) -> Self {
        Self {
            node,
            phase: Phase::Running,
            links: BTreeMap::new(),
            links_made: 0,
            current: BTreeMap::new(),
            sessions: BTreeMap::new(),
            backlog: VecDeque::new(),
            dials: BTreeMap::new(),
            streams: BTreeMap::new(),
            changed: Arc::default(),
            wakes: Vec::new(),
            driver: None,
            driver_sleeps_until: None,
            is_driver_due: false,
        }
    }

    pub(super) fn wake(&mut self, task: Option<Waker>) {
        self.wakes.extend(task.map(Wake::Task));
    }

    pub(super) fn wake_all(&mut self, waiting: &Arc<Notify>) {
        self.wakes.push(Wake::Everybody(Arc::clone(waiting)));
    }

    /// Begins to end in order.
    pub(super) fn stop(&mut self, now: Instant) {
        if self.phase != Phase::Running {
            return;
        }
        self.phase = Phase::Stopping(now + DRAIN);
        for link in std::mem::take(&mut self.backlog) {
            self.close_link(now, link);
        }
        self.node.shut_down(now);
        self.tell_driver();
        self.wake_all(&Arc::clone(&self.changed));
    }

    /// Whether the driver has nothing left to do.
    pub(super) fn is_stopped(&self) -> bool {
        match self.phase {
            Phase::Running => false,
            Phase::Stopping(until) => self.node.is_quiet() || self.node.now() >= until,
            Phase::Over => true,
        }
    }

    /// The driver is gone, and with it whatever had not ended.
    pub(super) fn over(&mut self) {
        self.phase = Phase::Over;
        let sessions: Vec<_> = self.sessions.keys().copied().collect();
        for session in sessions {
            self.session_down(session, SessionEnd::Truncated);
        }
        self.wake_all(&Arc::clone(&self.changed));
    }

    /// Takes in what the node tells.
    fn hear(&mut self) {
        while let Some(event) = self.node.poll_event() {
            let now = self.node.now();
            match event {
                Event::SessionUp { session, device, .. } => self.session_up(now, session, device),
                Event::SessionDown { session, reason, .. } => self.session_down(session, reason),
                Event::SessionFailed { device, reason, .. } => self.dial_failed(device, reason),
                Event::Accepted { stream, service, priority, .. } => self.accepted(now, stream, service, priority),
                Event::Opened { stream } => self.opened(stream),
                Event::Readable { stream } => self.readable(now, stream),
                Event::Writable { stream } => self.writable(stream),
                Event::Finished { stream } => self.finished(stream),
                Event::Reset { stream, code } => self.stream_failed(stream, StreamError::Reset(code)),
                // Who is there can be looked up in the node; what is stored, it tries again by itself; it does not pair.
                Event::Discovered { .. }
                | Event::Lost { .. }
                | Event::TrustStored { .. }
                | Event::PairingNumber { .. }
                | Event::Paired { .. }
                | Event::PairingFailed { .. } => {}
            }
        }
    }

    /// When the driver is to look again.
    pub(super) fn next_timeout(&mut self) -> Option<Instant> {
        let stopped = match self.phase {
            Phase::Stopping(until) => Some(until),
            Phase::Running | Phase::Over => None,
        };
        self.driver_sleeps_until = self.node.next_timeout().into_iter().chain(stopped).min();
        self.driver_sleeps_until
    }

    /// The driver has done all that the node wants.
    pub(super) fn driver_is_done(&mut self) {
        self.is_driver_due = false;
    }

    /// Has the driver do what the node wants.
    pub(super) fn tell_driver(&mut self) {
        self.is_driver_due = true;
        let driver = self.driver.take();
        self.wake(driver);
    }

    /// Tells the driver of what it does not know: something to be done with a pipe, or an earlier deadline.
    fn tell_driver_of_news(&mut self) {
        let known = self.driver_sleeps_until;
        let is_earlier = |next| known.is_none_or(|known| next < known);
        if self.node.wants_pipe() || self.node.next_timeout().is_some_and(is_earlier) {
            self.tell_driver();
        }
    }

    /// Waits until there is something for the driver to do.
    pub(super) fn poll_driver(&mut self, cx: &Context<'_>) -> Poll<()> {
        if self.is_driver_due {
            return Poll::Ready(());
        }
        wait(&mut self.driver, cx);
        Poll::Pending
    }
}

/// Has `slot` wake the task of `cx`, and nobody else.
pub(super) fn wait(slot: &mut Option<Waker>, cx: &Context<'_>) {
    match slot {
        Some(waker) => waker.clone_from(cx.waker()),
        None => *slot = Some(cx.waker().clone()),
    }
}

/// The state, as the driver has it.
#[derive(Clone)]
pub(super) struct Locked(Arc<Mutex<State>>);

impl Locked {
    pub(super) fn new(state: State) -> Self {
        Self(Arc::new(Mutex::new(state)))
    }

    /// A panic of the other side has left nothing half done that matters: the driver's own ends the endpoint.
    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Does `work`, takes in what the node tells of it, and wakes those who wait for that.
    pub(super) fn with<R>(&self, work: impl FnOnce(&mut State) -> R) -> R {
        let mut state = self.lock();
        let result = work(&mut state);
        state.hear();
        self.wake(state);
        result
    }

    /// Wakes whom `state` has to wake, while it is not locked: whoever is woken may come back here. Mostly it is one, so the
    /// list is not taken away whole, and none is made again.
    fn wake<'a>(&'a self, mut state: MutexGuard<'a, State>) {
        while let Some(wake) = state.wakes.pop() {
            let is_last = state.wakes.is_empty();
            drop(state);
            match wake {
                Wake::Task(task) => task.wake(),
                Wake::Everybody(waiting) => waiting.notify_waiters(),
            }
            if is_last {
                return;
            }
            state = self.lock();
        }
    }
}

/// The state, as the application's tasks have it.
pub(super) struct Shared {
    pub(super) state: Locked,
    pub(super) clock: Clock,
}

impl Shared {
    /// Does `work` at the present time, and lets the driver know if that gives it something to do.
    pub(super) fn with<R>(&self, work: impl FnOnce(&mut State, Instant) -> R) -> R {
        self.state.with(|state| {
            let result = work(state, self.clock.now()); // not before the lock: time never falls
            state.hear();
            state.tell_driver_of_news();
            result
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use fabric::identity::{DeviceKey, NoiseStatic};
    use fabric::session::Local;
    use fabric::suite::{RealSuite, Suite};
    use fabric::{Admitting, Config};
    use machine::Boot;

    impl State {
        /// Of a node that trusts nobody and wants nothing.
        pub(in crate::endpoint) fn of_nobody(boot: &Boot) -> Self {
            let noise = NoiseStatic::new([1; 32], RealSuite.noise_public(&[1; 32]));
            let local =
                Local { device: DeviceKey::from_seed(&[1; 32]), noise, features: 0, suite: Arc::new(RealSuite) };
            let config =
                Config { announce: fabric::Announcing::Off, admitting: Admitting::Pairing, ..Config::default() };
            Self::new(Node::new(boot, local, config).unwrap())
        }
    }

    #[test]
    fn a_driver_that_sleeps_is_told_of_an_earlier_deadline_and_of_no_later_one() {
        let boot = Boot { now: Instant::ZERO, incarnation: 0, seed: [1; 32], stored: BTreeMap::new() };
        let mut state = State::of_nobody(&boot);
        let cx = Context::from_waker(Waker::noop());
        assert_eq!(state.next_timeout(), None);
        for (is_due, seconds) in [(true, 1), (false, 2)] {
            assert!(state.poll_driver(&cx).is_pending());
            state.node.enter_pairing(Instant::ZERO + Duration::from_secs(seconds)).unwrap();
            state.tell_driver_of_news();
            assert_eq!(state.poll_driver(&cx).is_ready(), is_due);
            state.driver_is_done();
            assert!(state.next_timeout().is_some());
        }
    }
}
