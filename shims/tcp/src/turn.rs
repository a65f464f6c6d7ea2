//! One turn of the event loop: drain, wait, hand in what is ready, each kind bounded.

use std::io::{self, ErrorKind};
use std::ops::ControlFlow;
use std::thread;
use std::time::Duration as StdDuration;

use machine::{Input, Instant, Machine, Output, PipeEnd, PipeId};

use crate::clock::std_duration;
use crate::datagrams::Source;
use crate::driver::{DATAGRAMS, Driver, GROUP, LISTENER, WAKER};
use crate::pipe::{Pipe, Received};

/// A machine that answers every answer at once would else keep a turn from ending.
const OUTPUTS_PER_TURN: u32 = 4_096;
/// Of each of the two sockets.
const DATAGRAMS_PER_TURN: u32 = 64;
const ACCEPTS_PER_TURN: u32 = 16;
const COMMANDS_PER_TURN: u32 = 64;

pub(crate) struct Turn<'a, M: Machine, F> {
    driver: &'a mut Driver<M>,
    on_event: F,
    /// How many more outputs this turn takes from the machine. None once the application has broken off: draining late is
    /// legal, and nothing that was received is lost.
    outputs: u32,
    has_broken: bool,
}

impl<'a, M: Machine, F: FnMut(&mut M, M::Event) -> ControlFlow<()>> Turn<'a, M, F> {
    pub(crate) fn new(driver: &'a mut Driver<M>, on_event: F) -> Self {
        Self { driver, on_event, outputs: OUTPUTS_PER_TURN, has_broken: false }
    }

    pub(crate) fn run(mut self, max_wait: Option<StdDuration>) -> io::Result<ControlFlow<()>> {
        self.driver.outputs_left = false;
        self.drain();
        self.wait(max_wait)?;
        Ok(self.work())
    }

    /// As [`Turn::run`], for who waits elsewhere: collects the kernel's edges if there are any, and never waits.
    #[cfg(feature = "tokio")]
    pub(crate) fn run_ready(mut self, has_edges: bool) -> io::Result<ControlFlow<()>> {
        self.driver.outputs_left = false;
        self.drain();
        if has_edges || self.driver.edges_left {
            self.collect(Some(StdDuration::ZERO))?;
        }
        Ok(self.work())
    }

    /// Hands in what is ready.
    fn work(&mut self) -> ControlFlow<()> {
        self.commands();
        self.datagrams(Source::Own);
        self.datagrams(Source::Group);
        self.accept();
        self.pipes();
        self.timers();
        let is_over = self.has_broken || self.driver.inbox.is_stopped();
        if is_over { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }

    /// Does what the machine wants, until it wants no more.
    fn drain(&mut self) {
        let driver = &mut *self.driver;
        while self.outputs > 0 {
            let Some(output) = driver.machine.poll() else { return };
            self.outputs -= 1;
            match output {
                Output::Datagram { to, bytes } => driver.datagrams.send(to, bytes),
                Output::FillPipe { pipe } => driver.pipes.want_fill(pipe),
                Output::FinishPipe { pipe } => driver.pipes.finish(pipe),
                Output::ClosePipe { pipe } => driver.pipes.remove(pipe),
                Output::OpenPipe { pipe, to } => {
                    let now = driver.clock.now();
                    if let Err(reason) = driver.pipes.open(now, pipe, to.into()) {
                        driver.machine.handle(now, Input::PipeClosed { pipe, reason });
                    }
                }
                Output::Store { key, bytes } => {
                    let result = driver.store.put(key, bytes);
                    let key = key.to_owned();
                    driver.machine.handle(driver.clock.now(), Input::Stored { key: &key, result });
                }
                Output::Event(event) => {
                    if (self.on_event)(&mut driver.machine, event).is_break() {
                        self.has_broken = true;
                        self.outputs = 0;
                    }
                }
            }
        }
        driver.outputs_left = true;
    }

    fn input(&mut self, input: Input<'_, M::Command>) {
        self.driver.machine.handle(self.driver.clock.now(), input);
        self.drain();
    }

    /// Collects the kernel's edges; waits for one if nothing else is to do.
    fn wait(&mut self, max_wait: Option<StdDuration>) -> io::Result<()> {
        if !self.driver.has_work() && self.look(max_wait) {
            return Ok(());
        }
        let now = self.driver.clock.now();
        let timeout = if self.driver.has_work() { Some(StdDuration::ZERO) } else { self.patience(now, max_wait) };
        self.collect(timeout)
    }

    /// Collects the kernel's edges; waits so long for one.
    fn collect(&mut self, timeout: Option<StdDuration>) -> io::Result<()> {
        let Driver { poll, events, edges_left, listener, datagrams, pipes, busy_poll, clock, .. } = &mut *self.driver;
        *edges_left = true;
        let collected = poll.poll(events, timeout);
        busy_poll.asked(clock.now());
        match collected {
            Err(error) if error.kind() == ErrorKind::Interrupted => return Ok(()), // by a signal: the turn ends early
            waited => waited?,
        }
        let mut count = 0;
        for event in &*events {
            count += 1;
            match event.token() {
                LISTENER => listener.on_ready(),
                DATAGRAMS => datagrams.on_ready(Source::Own),
                GROUP => datagrams.on_ready(Source::Group),
                WAKER => {} // commands are looked for in every turn
                _ => pipes.on_ready(event),
            }
        }
        *edges_left = count == events.capacity();
        Ok(())
    }

    /// Looks for an answer that is due, and lets other threads run meanwhile. Returns whether something came.
    fn look(&mut self, max_wait: Option<StdDuration>) -> bool {
        let now = self.driver.clock.now();
        let patience = self.patience(now, max_wait);
        let Some((pipe, until)) = self.driver.busy_poll.begin(now, patience) else { return false };
        while self.driver.pipes.get_mut(pipe).is_some_and(Pipe::look_again) {
            thread::yield_now();
            let has_received = self.visit(pipe);
            let now = self.driver.clock.now();
            if has_received || now >= until {
                self.driver.busy_poll.looked(until, now, has_received);
                return has_received;
            }
        }
        false
    }

    /// How long the machine, the dials, a pause of the listener and the caller can wait.
    fn patience(&self, now: Instant, max_wait: Option<StdDuration>) -> Option<StdDuration> {
        let driver = &*self.driver;
        let until = driver.next_timeout().map(|deadline| std_duration(deadline.saturating_since(now)));
        until.into_iter().chain(max_wait).min()
    }

    fn commands(&mut self) {
        self.driver.commands_left = false;
        for _ in 0..COMMANDS_PER_TURN {
            let Some(command) = self.driver.inbox.next() else { return };
            self.input(Input::Command(command));
        }
        self.driver.commands_left = true;
    }

    fn datagrams(&mut self, source: Source) {
        for _ in 0..DATAGRAMS_PER_TURN {
            let Driver { datagrams, machine, buffer, clock, .. } = &mut *self.driver;
            let Some((from, length)) = datagrams.receive(source, buffer) else { return };
            machine.handle(clock.now(), Input::Datagram { from, bytes: &buffer[..length] });
            self.drain();
        }
    }

    fn accept(&mut self) {
        for _ in 0..ACCEPTS_PER_TURN {
            let Some((socket, from)) = self.driver.listener.accept(self.driver.clock) else { return };
            if let Some(pipe) = self.driver.pipes.accept(socket) {
                self.input(Input::PipeAccepted { pipe, from: from.into() });
            }
        }
    }

    /// Gives every pipe that has something to do one visit.
    fn pipes(&mut self) {
        for _ in 0..self.driver.pipes.queued() {
            let Some(pipe) = self.driver.pipes.next() else { return };
            self.visit(pipe);
        }
    }

    /// Returns whether something was received.
    fn visit(&mut self, pipe: PipeId) -> bool {
        if !self.is_connected(pipe) {
            return false;
        }
        let has_received = self.receive(pipe);
        self.send(pipe);
        if self.step(pipe, |state, _, _| state.is_over()) == Some(true) {
            self.close(pipe, PipeEnd::Finished);
        }
        self.driver.pipes.queue_if_busy(pipe);
        has_received
    }

    fn is_connected(&mut self, pipe: PipeId) -> bool {
        let pipes = &mut self.driver.pipes;
        if pipes.get_mut(pipe).is_some_and(|state| state.dial_deadline.is_none()) {
            return true;
        }
        match pipes.is_answered(pipe) {
            Ok(true) => {
                self.input(Input::PipeOpened { pipe });
                true
            }
            Ok(false) => false,
            Err(reason) => {
                self.close(pipe, reason);
                false
            }
        }
    }

    /// Reads once: one pipe's flood waits while the others have their visit.
    fn receive(&mut self, pipe: PipeId) -> bool {
        match self.step(pipe, |state, buffer, _| state.receive(buffer)) {
            Some(Received::Bytes(length)) => {
                let Driver { machine, buffer, clock, busy_poll, .. } = &mut *self.driver;
                busy_poll.received(pipe, length);
                machine.handle(clock.now(), Input::PipeBytes { pipe, bytes: &buffer[..length] });
                self.drain();
                true
            }
            Some(Received::Finished) => {
                self.input(Input::PipeFinished { pipe });
                true
            }
            Some(Received::Nothing) | None => false,
        }
    }

    fn send(&mut self, pipe: PipeId) {
        let filled = self.step(pipe, |state, buffer, machine| state.send(buffer, &mut |room| machine.fill(pipe, room)));
        if let Some(Some(bytes)) = filled {
            self.driver.busy_poll.sent(pipe, bytes);
            self.drain();
        }
    }

    /// Does `work` on a pipe that is still there, and closes the pipe if it fails.
    fn step<T>(
        &mut self,
        pipe: PipeId,
        work: impl FnOnce(&mut Pipe, &mut [u8], &mut M) -> Result<T, PipeEnd>,
    ) -> Option<T> {
        let Driver { pipes, buffer, machine, .. } = &mut *self.driver;
        match work(pipes.get_mut(pipe)?, buffer, machine) {
            Ok(done) => Some(done),
            Err(reason) => {
                self.close(pipe, reason);
                None
            }
        }
    }

    fn close(&mut self, pipe: PipeId, reason: PipeEnd) {
        self.driver.pipes.remove(pipe);
        self.input(Input::PipeClosed { pipe, reason });
    }

    /// After all that was ready: a machine that was held up does not time out on what has arrived meanwhile.
    fn timers(&mut self) {
        let now = self.driver.clock.now();
        while let Some(pipe) = self.driver.pipes.expired(now) {
            self.close(pipe, PipeEnd::TimedOut);
        }
        if self.driver.machine.next_timeout().is_some_and(|deadline| deadline <= now) {
            self.input(Input::Timeout);
        }
    }
}
