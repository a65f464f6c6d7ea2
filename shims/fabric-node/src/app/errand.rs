//! One thing to be done with one peer: reach it, open a stream, do the job on it. Knows no other device.

use super::ping::Ping;
use crate::event::Event;
use crate::exit::{Exit, Failure};
use crate::files::client::{Get, Outcome, Put};
use crate::peer::Peer;
use fabric::call::{self, CallId, Calls, Request, RequestError, Status, Streams};
use fabric::mux::{Priority, Reject, code};
use fabric::{CallError, CodeName, Command, SessionEnd, SessionId, StreamKey};
use machine::{Duration, Instant};
use node_log::Recorded;

/// A node that lets everybody in knows a stranger only after it has refused it once.
const REFUSALS_MAX: u32 = 3;
/// Two that dial each other end one session; a stream that was caught on it is tried again on the other.
const ATTEMPTS_MAX: u32 = 4;
/// Progress is told so often at most.
const PROGRESS_EVERY: Duration = Duration::from_millis(100);

/// What is done on the stream.
#[derive(Debug)]
pub(crate) enum Job {
    Ping(Ping),
    Put(Put),
    Get(Get),
    Call(CallJob),
}

/// One call of a method.
#[derive(Debug)]
pub(crate) struct CallJob {
    method: String,
    body: Vec<u8>,
    within: Duration,
    reply_bytes_max: u32,
}

impl CallJob {
    /// To be answered within so long, with at most so many bytes.
    pub(crate) fn new(method: &str, body: &[u8], within: Duration, reply_bytes_max: u32) -> Self {
        Self { method: method.to_owned(), body: body.to_vec(), within, reply_bytes_max }
    }
}

/// Begins the job, and again when it was cut off before anything came of it.
type Make = Box<dyn Fn() -> Result<Job, Failure>>;

pub(crate) struct Errand {
    peer: Peer,
    service: String,
    make: Make,
    job: Job,
    state: State,
    patience: Duration,
    began: Instant,
    /// When the peer must be reached.
    deadline: Instant,
    attempts: u32,
    refusals: u32,
    /// Why the last dial came to nothing.
    last: Option<SessionEnd>,
    told_at: Instant,
}

enum State {
    Connecting,
    Running(StreamKey),
    Calling(CallId),
    Over(Result<(), Failure>),
}

impl Errand {
    /// The peer must be reached within `patience` of the start.
    pub(crate) fn new(
        peer: Peer,
        service: &str,
        patience: Duration,
        make: impl Fn() -> Result<Job, Failure> + 'static,
    ) -> Result<Self, Failure> {
        Ok(Self {
            peer,
            service: service.to_owned(),
            job: make()?,
            make: Box::new(make),
            state: State::Connecting,
            patience,
            began: Instant::ZERO,
            deadline: Instant::ZERO,
            attempts: 0,
            refusals: 0,
            last: None,
            told_at: Instant::ZERO,
        })
    }

    pub(super) fn start(&mut self, now: Instant, node: &mut Recorded) {
        (self.began, self.deadline) = (now, now + self.patience);
        let device = self.peer.device;
        node.command(now, Command::Trust(device));
        node.command(
            now,
            match self.peer.place {
                Some(place) => Command::ConnectTo(device, place.addr, place.noise_static),
                None => Command::Connect(device),
            },
        );
    }

    /// How it ended, if it has.
    pub(super) const fn result(&self) -> Option<&Result<(), Failure>> {
        match &self.state {
            State::Over(result) => Some(result),
            State::Connecting | State::Running(_) | State::Calling(_) => None,
        }
    }

    pub(super) fn next_timeout(&self) -> Option<Instant> {
        match (&self.state, &self.job) {
            (State::Connecting, _) => Some(self.deadline),
            (State::Running(_), Job::Ping(ping)) => ping.next_timeout(),
            (State::Running(_), Job::Put(_) | Job::Get(_) | Job::Call(_)) | (State::Calling(_) | State::Over(_), _) => {
                None
            }
        }
    }

    pub(super) fn is_on(&self, stream: StreamKey) -> bool {
        matches!(self.state, State::Running(running) if running == stream)
    }

    pub(super) fn fail(&mut self, failure: Failure) {
        if self.result().is_none() {
            self.state = State::Over(Err(failure));
        }
    }

    /// Opens the stream if the peer is there, and gives up if it was not for too long.
    pub(super) fn connect(&mut self, now: Instant, node: &mut Recorded, calls: &mut Calls) {
        if !matches!(self.state, State::Connecting) {
            return;
        }
        if let Job::Call(_) = self.job {
            return self.call(now, node, calls);
        }
        if let Ok(stream) = node.open(now, self.peer.device, &self.service, Priority::NORMAL) {
            self.state = State::Running(stream);
        } else if now >= self.deadline {
            self.fail(self.unreached());
        }
    }

    /// Calls if the peer is there, and gives up if it was not for too long.
    fn call(&mut self, now: Instant, node: &mut Recorded, calls: &mut Calls) {
        let Job::Call(CallJob { method, body, within, reply_bytes_max }) = &self.job else { return };
        let (device, service) = (self.peer.device, &*self.service);
        let request = Request { device, service, method, body, within: *within, reply_bytes_max: *reply_bytes_max };
        match calls.call(now, node, &request) {
            Ok(call) => self.state = State::Calling(call),
            Err(RequestError::InvalidMethod) => {
                let what = format!("`{method}` is no name of a method");
                self.fail(Failure::usage(what).help("it has 1 to 64 bytes, none of them a control character"));
            }
            Err(_) if now >= self.deadline => self.fail(self.unreached()),
            Err(_) => {}
        }
    }

    /// A call has ended.
    pub(super) fn called(
        &mut self,
        now: Instant,
        call: CallId,
        outcome: Result<Vec<u8>, call::Failure>,
        tell: &mut impl FnMut(Event),
    ) {
        if !matches!(self.state, State::Calling(calling) if calling == call) {
            return;
        }
        let device = self.peer.device;
        let failure = match outcome {
            Ok(reply) => {
                let hex = reply.iter().fold(String::new(), |hex, byte| hex + &format!("{byte:02x}"));
                let bytes = reply.len() as u64;
                let text =
                    String::from_utf8(reply).ok().filter(|text| !text.chars().any(|c| c.is_control() && c != '\n'));
                tell(Event::Answered { hex, text });
                let micros = now.saturating_since(self.began).as_nanos() / 1_000;
                tell(Event::Done { bytes, micros });
                self.state = State::Over(Ok(()));
                return;
            }
            // Nothing of it has left: two that dial each other end one session.
            Err(call::Failure::NotMade(_)) => return self.again(now),
            Err(call::Failure::Status(Status::Denied)) => {
                Failure::new(Exit::Refused, format!("{device} does not let this device call that method"))
                    .help("there, --allow it")
            }
            Err(call::Failure::ServiceDenied) => {
                Failure::new(Exit::Refused, format!("{device} denies `{}`", self.service))
                    .help("it does not serve it, or not to this device")
            }
            Err(failure @ call::Failure::Status(_)) => Failure::new(Exit::Refused, format!("{device}: {failure}")),
            Err(failure) => Failure::new(Exit::Refused, failure.to_string())
                .help("whether the call was done is not known: ask before you make it again"),
        };
        self.fail(failure);
    }

    fn unreached(&self) -> Failure {
        let device = self.peer.device;
        match self.last {
            Some(reason) => Failure::new(Exit::Unreached, format!("no session with {device}: {reason}")),
            None => Failure::new(Exit::Unreached, format!("{device} was not heard of"))
                .help("does it run, on the same network and group? else name it by ID@HOST:PORT#NOISE_STATIC"),
        }
    }

    /// The peer has admitted the stream.
    pub(super) const fn opened(&mut self, now: Instant) {
        if let Job::Ping(ping) = &mut self.job {
            ping.opened(now);
        }
    }

    /// A dial of the peer came to nothing.
    pub(super) fn session_failed(&mut self, own: &str, reason: SessionEnd) {
        self.last = Some(reason);
        self.refusals += u32::from(reason == SessionEnd::Peer(code::NOT_TRUSTED));
        if self.refusals >= REFUSALS_MAX {
            let what = format!("{} does not trust this device", self.peer.device);
            let help = format!("there, allow it what it needs: --allow {own}={}", self.service);
            self.fail(Failure::new(Exit::Refused, what).help(help));
        }
    }

    pub(super) fn session_down(&mut self, now: Instant, session: SessionId, reason: SessionEnd) {
        if !matches!(self.state, State::Running(stream) if stream.session == session) {
            return;
        }
        match reason {
            SessionEnd::Local(code::DUPLICATE) | SessionEnd::Peer(code::DUPLICATE) => self.again(now),
            _ => self.fail(Failure::new(Exit::Refused, format!("the session was lost: {reason}"))),
        }
    }

    pub(super) fn reset(&mut self, now: Instant, code: u32) {
        match code {
            code::REFUSED => self.again(now),
            _ if code == Reject::ServiceDenied.code() => {
                let what = format!("{} denies `{}`", self.peer.device, self.service);
                self.fail(Failure::new(Exit::Refused, what).help("it does not serve it, or not to this device"));
            }
            _ => self.fail(Failure::new(Exit::Refused, format!("the peer ended the stream: {}", CodeName(code)))),
        }
    }

    fn again(&mut self, now: Instant) {
        self.deadline = now + self.patience;
        self.attempts += 1;
        if self.attempts >= ATTEMPTS_MAX {
            return self.fail(Failure::new(Exit::Refused, "the peer refused the stream again and again"));
        }
        match (self.make)() {
            Ok(job) => (self.job, self.state) = (job, State::Connecting),
            Err(failure) => self.fail(failure),
        }
    }

    /// The peer has closed its half, and what it sent is read: what is not done by now never will be.
    pub(super) fn peer_finished(&mut self, now: Instant, node: &mut Recorded, tell: &mut impl FnMut(Event)) {
        self.advance(now, node, tell);
        self.fail(Failure::new(Exit::Refused, "the peer closed the stream too soon"));
    }

    pub(super) fn advance(&mut self, now: Instant, node: &mut Recorded, tell: &mut impl FnMut(Event)) {
        let State::Running(stream) = self.state else { return };
        // An error means that the stream is gone, which the node tells by an event of its own.
        let Ok(outcome) = self.job.advance(now, node, stream, tell) else { return };
        self.tell_progress(now, outcome.is_some(), tell);
        let Some(result) = outcome else { return };
        if result.is_ok() {
            let micros = now.saturating_since(self.began).as_nanos() / 1_000;
            tell(Event::Done { bytes: self.job.progress().map_or(0, |(bytes, _)| bytes), micros });
        } else {
            let _ = node.reset(now, stream, code::CANCELLED); // it may be over already
        }
        self.state = State::Over(result);
    }

    fn tell_progress(&mut self, now: Instant, is_over: bool, tell: &mut impl FnMut(Event)) {
        let is_due = is_over || now.saturating_since(self.told_at) >= PROGRESS_EVERY;
        if let Some((bytes, total)) = self.job.progress().filter(|_| is_due) {
            tell(Event::Progress { bytes, total });
            self.told_at = now;
        }
    }
}

impl Job {
    fn advance(
        &mut self,
        now: Instant,
        node: &mut Recorded,
        stream: StreamKey,
        tell: &mut impl FnMut(Event),
    ) -> Result<Outcome, CallError> {
        match self {
            Self::Ping(ping) => ping.advance(now, node, stream, tell),
            Self::Put(put) => put.advance(now, node, stream),
            Self::Get(get) => get.advance(now, node, stream),
            Self::Call(_) => Ok(None), // it has no stream of its own
        }
    }

    /// Bytes moved, of how many.
    fn progress(&self) -> Option<(u64, u64)> {
        match self {
            Self::Ping(_) | Self::Call(_) => None,
            Self::Put(put) => Some(put.progress()),
            Self::Get(get) => Some(get.progress()),
        }
    }
}
