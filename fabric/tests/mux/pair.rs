//! Two muxes, the records between them, and one clock.

use crate::ledger::Ledger;
use fabric::mux::{Admission, Ended, Event, Limits, Mux, Priority, Reject, Role, StreamId};
use machine::{Duration, Instant};
use std::collections::VecDeque;

/// One side: a mux, what is on its way to it, and what its application heard.
pub(crate) struct Side {
    pub(crate) mux: Mux,
    pub(crate) events: Vec<Event>,
    pub(crate) denied: Vec<&'static str>,
    /// The most that one record may hold.
    pub(crate) room: usize,
    pub(crate) ledger: Ledger,
    inbox: VecDeque<(Instant, Vec<u8>)>,
    pub(crate) rejected: Option<Reject>,
}

pub(crate) struct Pair {
    pub(crate) a: Side,
    pub(crate) b: Side,
    pub(crate) now: Instant,
    /// From one side to the other.
    pub(crate) delay: Duration,
}

impl Side {
    fn new(role: Role, limits: &Limits) -> Self {
        let mux = Mux::new(Instant::ZERO, role, limits);
        let (events, inbox) = (Vec::new(), VecDeque::new());
        Self { mux, events, denied: vec!["admin"], room: 65_519, ledger: Ledger::new(), inbox, rejected: None }
    }

    /// Sends one record, if there is something to send.
    fn send(&mut self, now: Instant, to: &mut Self, delay: Duration) -> bool {
        let mut room = vec![0; self.room];
        let length = self.mux.fill(now, &mut room);
        room.truncate(length);
        if length > 0 {
            self.ledger.sends(&room);
            to.inbox.push_back((now + delay, room));
        }
        self.hear();
        length > 0
    }

    fn receive_due(&mut self, now: Instant) {
        while self.inbox.front().is_some_and(|(at, _)| *at <= now) {
            let Some((_, record)) = self.inbox.pop_front() else { return };
            self.ledger.hears(&record);
            let denied = &self.denied;
            let mut admit = |service: &str| if denied.contains(&service) { Admission::Deny } else { Admission::Admit };
            if let Err(reject) = self.mux.receive(now, &record, &mut admit) {
                self.rejected.get_or_insert(reject);
            }
        }
        self.hear();
    }

    fn hear(&mut self) {
        while let Some(event) = self.mux.poll() {
            self.events.push(event);
        }
    }

    pub(crate) fn write(&mut self, stream: StreamId, bytes: &[u8]) -> usize {
        self.mux.write(stream, bytes, false).unwrap()
    }

    /// Writes a whole message, which must fit.
    pub(crate) fn send_message(&mut self, stream: StreamId, bytes: &[u8]) {
        assert_eq!(self.mux.write(stream, bytes, true), Ok(bytes.len()));
    }

    /// Reads all that there is, of whole and unfinished messages.
    pub(crate) fn read_all(&mut self, now: Instant, stream: StreamId) -> Vec<u8> {
        let mut bytes = Vec::new();
        while let Ok(Some(chunk)) = self.mux.read(now, stream, usize::MAX) {
            bytes.extend_from_slice(&chunk.bytes);
        }
        bytes
    }

    /// Reads the messages that are whole.
    pub(crate) fn messages(&mut self, now: Instant, stream: StreamId) -> Vec<Vec<u8>> {
        let mut messages = Vec::new();
        let mut message = Vec::new();
        while let Ok(Some(chunk)) = self.mux.read(now, stream, 1000) {
            message.extend_from_slice(&chunk.bytes);
            if chunk.end_of_message {
                messages.push(std::mem::take(&mut message));
            }
        }
        messages
    }

    pub(crate) fn ended(&self) -> Option<Ended> {
        self.events.iter().find_map(|event| if let Event::Ended { reason } = event { Some(*reason) } else { None })
    }

    pub(crate) fn heard(&self, event: &Event) -> bool {
        self.events.contains(event)
    }
}

impl Pair {
    pub(crate) fn new() -> Self {
        Self::with(&Limits::default())
    }

    pub(crate) fn with(limits: &Limits) -> Self {
        let (a, b) = (Side::new(Role::Initiator, limits), Side::new(Role::Responder, limits));
        Self { a, b, now: Instant::ZERO, delay: Duration::from_millis(10) }
    }

    /// Opens a stream from a to b, and waits until both have it.
    pub(crate) fn open(&mut self, service: &str, priority: u8) -> StreamId {
        let stream = self.a.mux.open(self.now, service, Priority::new(priority).unwrap()).unwrap();
        self.run();
        assert!(self.a.heard(&Event::Opened { stream }));
        stream
    }

    /// Sends what both sides have, without waiting for it.
    pub(crate) fn exchange(&mut self) -> bool {
        let (now, delay) = (self.now, self.delay);
        let mut sent = false;
        while self.a.send(now, &mut self.b, delay) {
            sent = true;
        }
        while self.b.send(now, &mut self.a, delay) {
            sent = true;
        }
        sent
    }

    /// Carries records until both sides have nothing more to say. Time passes only as records take it.
    pub(crate) fn run(&mut self) {
        loop {
            self.exchange();
            let Some(next) = self.next_arrival() else { return };
            self.now = self.now.max(next);
            self.a.receive_due(self.now);
            self.b.receive_due(self.now);
        }
    }

    /// Lets time pass, with all that happens in it.
    pub(crate) fn pass(&mut self, span: Duration) {
        let end = self.now + span;
        loop {
            self.exchange();
            let timeouts = [self.a.mux.next_timeout(), self.b.mux.next_timeout(), self.next_arrival()];
            let next = timeouts.into_iter().flatten().min().unwrap_or(end);
            if next > end {
                self.now = end;
                return;
            }
            if next == end && timeouts == [None, None, None] {
                self.now = end;
                return;
            }
            self.now = self.now.max(next);
            self.a.receive_due(self.now);
            self.b.receive_due(self.now);
            self.a.mux.handle_timeout(self.now);
            self.b.mux.handle_timeout(self.now);
            self.a.hear();
            self.b.hear();
        }
    }

    fn next_arrival(&self) -> Option<Instant> {
        [&self.a, &self.b].into_iter().filter_map(|side| side.inbox.front()).map(|(at, _)| *at).min()
    }

    /// Loses everything that is under way from a to b, as no pipe does: a peer that has gone silent.
    pub(crate) fn silence(&mut self) {
        self.a.inbox.clear();
        self.b.inbox.clear();
    }
}
