//! The application: a machine that holds a fabric node, serves what it was told to serve, and does one errand if it has one.
//!
//! It knows no socket and no clock. Files are read and written where the bytes come and go; a disk that stalls stalls the
//! node with it.

mod echo;
mod errand;
mod guests;
mod pairing;
mod ping;
mod strangers;

pub(crate) use errand::{CallJob, Errand, Job};
pub(crate) use pairing::Pairing;
pub(crate) use ping::Ping;

use crate::event::Event as Told;
use crate::exit::{Exit, Failure};
use crate::files::server::{FileServer, Served};
use crate::files::shelf::Shelf;
use crate::identity::Identity;
use echo::Echo;
use fabric::call::{self, Audit, Calls, Methods, Verdict};
use fabric::discovery::Peer;
use fabric::identity::DeviceId;
use fabric::mux::code;
use fabric::services::samgrd::{self, Samgrd};
use fabric::{Command, Event, Node, SessionEnd, StreamKey};
use guests::Guests;
use machine::{Addr, Boot, Duration, Input, Instant, Machine, Output, PipeId, StoreFailed};
use node_log::{Log, Recorded, Settings};
use std::collections::{BTreeMap, VecDeque};
use strangers::Strangers;

pub(crate) const ECHO: &str = "echo";
pub(crate) const FILES: &str = "files";
pub(crate) const SAMGRD: &str = samgrd::SERVICE;

/// Streams get ten seconds to finish, and the last words a moment more (wire contract, 4).
const DRAIN: Duration = Duration::from_secs(12);

/// What it is for.
#[derive(Default)]
pub(crate) struct Purpose {
    pub(crate) shelf: Option<Shelf>,
    /// Whether everybody is trusted.
    pub(crate) welcomes_all: bool,
    /// Whether to tell of devices that are not trusted.
    pub(crate) tells_all: bool,
    pub(crate) errand: Option<Errand>,
    /// Whom to let in to pair.
    pub(crate) pairing: Option<Pairing>,
}

pub(crate) struct App {
    node: Recorded,
    calls: Calls,
    samgrd: Samgrd,
    purpose: Purpose,
    guests: Guests,
    strangers: Strangers,
    serving: BTreeMap<StreamKey, Serving>,
    told: VecDeque<Told>,
    end: End,
    /// That no more is recorded was told.
    is_log_over: bool,
}

enum Serving {
    Echo(Echo),
    Files(DeviceId, FileServer),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    NotYet,
    /// At the latest.
    By(Instant),
    /// Nothing is left to wait for: once the last words are sent, which they are before the next timeout.
    Last(Instant),
    Told,
}

impl App {
    pub(crate) fn new(
        boot: &Boot,
        identity: &Identity,
        settings: &Settings,
        mut purpose: Purpose,
        log: Option<Log>,
    ) -> Self {
        #[expect(clippy::expect_used, reason = "the services are two known names, and the port that of a listener")]
        let mut node = Recorded::new(boot, identity.device(), identity.noise(), settings, log)
            .expect("what the node announces is well-formed");
        if let Some(errand) = &mut purpose.errand {
            errand.start(boot.now, &mut node);
        }
        if let Some(pairing) = &purpose.pairing {
            pairing.start(boot.now, &mut node);
        }
        let (calls, samgrd) = served_calls(settings);
        Self {
            node,
            calls,
            samgrd,
            purpose,
            guests: Guests::default(),
            strangers: Strangers::default(),
            serving: BTreeMap::new(),
            told: VecDeque::new(),
            end: End::NotYet,
            is_log_over: false,
        }
    }

    pub(crate) fn node(&self) -> &Node {
        &self.node
    }

    /// How the errand or the pairing ended, if there was one and it has.
    pub(crate) fn result(&self) -> Option<&Result<(), Failure>> {
        let errand = self.purpose.errand.as_ref().and_then(Errand::result);
        errand.or_else(|| self.purpose.pairing.as_ref()?.result())
    }

    /// Acts on all that the node tells, and on all that has become due, until there is nothing more.
    fn settle(&mut self, now: Instant) {
        self.hear(now);
        self.calls.handle_timeout(now, &mut self.node);
        if let Some(errand) = &mut self.purpose.errand {
            let told = &mut self.told;
            errand.connect(now, &mut self.node, &mut self.calls);
            errand.advance(now, &mut self.node, &mut |event| told.push_back(event));
        }
        self.hear_calls(now);
        if self.result().is_some() {
            self.stop(now);
        }
        self.hear(now);
        self.told.extend(self.strangers.due(now));
        self.watch_log();
        if matches!(self.end, End::By(until) | End::Last(until) if until <= now) {
            self.end = End::Told;
            self.told.push_back(Told::Stopped);
        }
    }

    fn watch_log(&mut self) {
        if let Some(what) = self.node.log_ended().filter(|_| !self.is_log_over) {
            self.is_log_over = true;
            self.told.push_back(Told::Warning { what });
        }
    }

    fn hear(&mut self, now: Instant) {
        while let Some(event) = self.node.poll_event() {
            let Some(event) = self.calls.handle_event(now, &mut self.node, event) else { continue };
            if let Some(pairing) = &mut self.purpose.pairing {
                self.told.extend(pairing.hear(&mut self.node, &event));
            }
            self.on_event(now, event);
        }
    }

    /// Answers those who call, and hears what came of the errand's call.
    fn hear_calls(&mut self, now: Instant) {
        while let Some(event) = self.calls.poll() {
            match event {
                call::Event::Called { call, device, method, body, .. } => {
                    let may_open = |service: &str| self.node.config().policy.allows(device, service);
                    let answer = self.samgrd.answer(&method, &body, may_open);
                    // A caller that is gone gets no answer.
                    let _ = self.calls.reply(now, &mut self.node, call, answer.as_deref().map_err(|status| *status));
                }
                call::Event::Done { call, outcome } => {
                    if let Some(errand) = &mut self.purpose.errand {
                        let told = &mut self.told;
                        errand.called(now, call, outcome, &mut |event| told.push_back(event));
                    }
                }
                call::Event::Audited(audit) => self.told.push_back(told_of_call(audit)),
                call::Event::Abandoned { .. } => {}
            }
        }
    }

    fn stop(&mut self, now: Instant) {
        if self.end == End::NotYet {
            self.end = End::By(now + DRAIN);
            self.told.push_back(Told::Stopping);
            self.node.command(now, Command::ShutDown);
        }
    }

    fn on_event(&mut self, now: Instant, event: Event) {
        match event {
            Event::Discovered { device, services } => {
                if self.purpose.welcomes_all {
                    self.guests.welcome(now, &mut self.node, device);
                }
                self.tell_discovered(device, services.names().map(str::to_owned).collect());
            }
            Event::Lost { device } => {
                if self.is_told_of(device) {
                    self.told.push_back(Told::Lost { device: device.to_string() });
                }
                self.guests.gone(now, &mut self.node, device);
            }
            Event::SessionUp { device, .. } => self.told.push_back(Told::SessionUp { device: device.to_string() }),
            Event::SessionDown { session, device, reason } => {
                self.serving.retain(|stream, _| stream.session != session);
                if let Some(errand) = &mut self.purpose.errand {
                    errand.session_down(now, session, reason);
                }
                self.told.push_back(Told::SessionDown { device: device.to_string(), reason: reason.to_string() });
                self.guests.gone(now, &mut self.node, device);
            }
            Event::SessionFailed { device, addr, reason } => self.on_failed(now, device, addr, reason),
            Event::Accepted { stream, device, service, .. } => self.on_accepted(now, stream, device, service),
            Event::Opened { stream } => {
                if let Some(errand) = self.purpose.errand.as_mut().filter(|errand| errand.is_on(stream)) {
                    errand.opened(now);
                }
            }
            Event::Readable { stream } | Event::Writable { stream } => self.advance(now, stream),
            Event::Finished { stream } => self.on_finished(now, stream),
            Event::TrustStored { result } => self.on_trust_stored(result),
            // These are the pairing's.
            Event::PairingNumber { .. } | Event::Paired { .. } | Event::PairingFailed { .. } => {}
            Event::Reset { stream, code } => {
                self.serving.remove(&stream);
                if let Some(errand) = self.purpose.errand.as_mut().filter(|errand| errand.is_on(stream)) {
                    errand.reset(now, code);
                }
            }
        }
    }

    /// Each device that is heard anew is written, so only what fails is news.
    fn on_trust_stored(&mut self, result: Result<(), StoreFailed>) {
        if result.is_err() {
            let what = "the list of trusted devices cannot be stored: what has changed is lost with this process";
            self.told.push_back(Told::Warning { what: what.into() });
        }
    }

    /// Strangers are told of only where that was asked for: anybody can announce many.
    fn is_told_of(&self, device: DeviceId) -> bool {
        self.purpose.tells_all || self.node.trusts(device)
    }

    fn tell_discovered(&mut self, device: DeviceId, services: Vec<String>) {
        if self.is_told_of(device) {
            let candidates = self.node.discovery().peer(device).map(Peer::candidates);
            let addr = candidates.and_then(|candidates| Some(candidates.first()?.addr.to_string()));
            self.told.push_back(Told::Discovered { device: device.to_string(), addr, services });
        }
    }

    fn on_failed(&mut self, now: Instant, device: Option<DeviceId>, addr: Addr, reason: SessionEnd) {
        let Some(known) = device.filter(|device| self.node.trusts(*device)) else {
            // One that was let in only because it tried is not told as refused.
            let is_refused = reason == SessionEnd::Local(code::NOT_TRUSTED);
            match device.filter(|_| is_refused && self.purpose.welcomes_all) {
                Some(guest) => self.guests.welcome(now, &mut self.node, guest),
                None => self.strangers.count(addr, device, reason),
            }
            return;
        };
        if self.guests.gone(now, &mut self.node, known) {
            return; // whoever strolls in and out is no news
        }
        let own = self.node.device_id().to_string();
        if let Some(errand) = &mut self.purpose.errand {
            errand.session_failed(&own, reason);
        }
        let (device, addr, reason) = (known.to_string(), addr.to_string(), reason.to_string());
        self.told.push_back(Told::SessionFailed { device, addr, reason });
    }

    fn on_accepted(&mut self, now: Instant, stream: StreamKey, device: DeviceId, service: String) {
        let serving = match service.as_str() {
            FILES => Serving::Files(device, FileServer::new()),
            _ => Serving::Echo(Echo::default()), // the node lets nothing else in
        };
        self.serving.insert(stream, serving);
        self.told.push_back(Told::Accepted { device: device.to_string(), service });
        self.advance(now, stream);
    }

    fn on_finished(&mut self, now: Instant, stream: StreamKey) {
        match self.serving.get_mut(&stream) {
            Some(Serving::Echo(echo)) => echo.peer_finished(),
            Some(Serving::Files(_, files)) => files.peer_finished(),
            None => {}
        }
        self.advance(now, stream);
        if let Some(errand) = self.purpose.errand.as_mut().filter(|errand| errand.is_on(stream)) {
            let told = &mut self.told;
            errand.peer_finished(now, &mut self.node, &mut |event| told.push_back(event));
        }
    }

    /// Does what a served stream has to do. The errand's is looked after once all is heard.
    fn advance(&mut self, now: Instant, stream: StreamKey) {
        let Some(serving) = self.serving.get_mut(&stream) else { return };
        let is_over = match serving {
            Serving::Echo(echo) => echo.advance(now, &mut self.node, stream),
            Serving::Files(device, files) => {
                let is_over = match &self.purpose.shelf {
                    Some(directory) => files.advance(now, &mut self.node, stream, directory),
                    None => Ok(true), // not served, and so never accepted
                };
                self.told.extend(files.served().map(|served| told_of(*device, served)));
                is_over
            }
        };
        // Of a stream that is gone nothing more will be heard.
        if !matches!(is_over, Ok(false)) {
            self.serving.remove(&stream);
        }
    }
}

/// What answers calls, and what it tells of: all that is served.
fn served_calls(settings: &Settings) -> (Calls, Samgrd) {
    let (mut calls, mut samgrd) = (Calls::new(&call::Limits::default()), Samgrd::default());
    for service in &settings.services {
        let methods = if service == SAMGRD { samgrd::methods() } else { Methods::new() };
        if service == SAMGRD {
            calls.serve(service, methods.clone());
        }
        samgrd.register(service, &methods);
    }
    (calls, samgrd)
}

fn told_of_call(audit: Audit) -> Told {
    let verdict = match audit.verdict {
        Verdict::Allowed => "allowed",
        Verdict::Denied => "denied",
        Verdict::NoSuchMethod => "no such method",
        Verdict::TooLarge => "too large",
    };
    Told::Audited { device: audit.device.to_string(), service: audit.service, method: audit.method, verdict }
}

fn told_of(device: DeviceId, served: Served) -> Told {
    let Served { name, is_put, bytes, status } = served;
    Told::FileServed {
        device: device.to_string(),
        is_put,
        name: name.map(|name| name.to_string()),
        bytes,
        status: status.to_string(),
    }
}

impl Machine for App {
    type Command = Command;
    type Event = Told;

    fn handle(&mut self, now: Instant, input: Input<'_, Command>) {
        match input {
            Input::Command(Command::ShutDown) => {
                if let Some(errand) = &mut self.purpose.errand {
                    errand.fail(Failure::new(Exit::Interrupted, "interrupted"));
                }
                if let Some(pairing) = &mut self.purpose.pairing {
                    pairing.fail(Failure::new(Exit::Interrupted, "interrupted"));
                }
                self.stop(now);
            }
            input => self.node.handle(now, input),
        }
        self.settle(now);
    }

    fn poll(&mut self) -> Option<Output<'_, Told>> {
        if let Some(told) = self.told.pop_front() {
            return Some(Output::Event(told));
        }
        if matches!(self.end, End::By(_)) && self.node.is_quiet() {
            self.end = End::Last(self.node.now());
        }
        self.node.poll_output().map(Output::without_events)
    }

    fn fill(&mut self, pipe: PipeId, room: &mut [u8]) -> usize {
        let filled = self.node.fill(pipe, room);
        self.settle(self.node.now());
        filled
    }

    fn next_timeout(&self) -> Option<Instant> {
        let end = match self.end {
            End::By(until) | End::Last(until) => Some(until),
            End::NotYet | End::Told => None,
        };
        let errand = self.purpose.errand.as_ref().and_then(Errand::next_timeout);
        [self.node.next_timeout(), self.calls.next_timeout(), self.strangers.next_timeout(), errand, end]
            .into_iter()
            .flatten()
            .min()
    }
}

#[cfg(test)]
mod tests;
