//! All pipes of one driver: their ids, their limits, whose turn is next, and when dials are given up.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::io;
use std::net::SocketAddr;

use machine::{Instant, PipeEnd, PipeId};
use mio::event::Event;
use mio::net::TcpStream;
use mio::{Registry, Token};

use crate::config::{Config, Counters};
use crate::pipe::{Pipe, Tuning, end_of_dial};

#[derive(Debug)]
pub(crate) struct Pipes {
    registry: Registry,
    tuning: Tuning,
    open: BTreeMap<PipeId, Pipe>,
    /// Those with something to do, each once; and leftovers of some that have ended.
    queue: VecDeque<PipeId>,
    dials: BTreeSet<(Instant, PipeId)>,
    /// How many were accepted so far.
    accepted: u64,
    accepted_open: usize,
    accepted_max: usize,
    opened_max: usize,
    accepts_refused: u64,
    dials_refused: u64,
}

impl Pipes {
    pub(crate) fn new(config: &Config, registry: Registry) -> Self {
        Self {
            registry,
            tuning: Tuning::new(config),
            open: BTreeMap::new(),
            queue: VecDeque::new(),
            dials: BTreeSet::new(),
            accepted: 0,
            accepted_open: 0,
            accepted_max: config.accepted_max,
            opened_max: config.opened_max,
            accepts_refused: 0,
            dials_refused: 0,
        }
    }

    pub(crate) fn open(&mut self, now: Instant, id: PipeId, to: SocketAddr) -> Result<(), PipeEnd> {
        assert!(id.is_opened(), "odd ids are the driver's");
        assert!(!self.open.contains_key(&id), "no id is used again");
        if self.open.len() - self.accepted_open >= self.opened_max {
            self.dials_refused += 1;
            return Err(PipeEnd::Refused);
        }
        let deadline = now + self.tuning.patience;
        let dialled = Pipe::dial(to, deadline, &self.tuning).and_then(|pipe| self.insert(id, pipe));
        if let Err(error) = dialled {
            self.dials_refused += 1;
            return Err(end_of_dial(&error));
        }
        self.dials.insert((deadline, id));
        Ok(())
    }

    /// Takes an accepted connection under a new id, or resets it.
    pub(crate) fn accept(&mut self, socket: TcpStream) -> Option<PipeId> {
        // Tuned before it is judged: dropped untuned, it would end like one that has finished.
        let pipe = Pipe::accepted(socket, &self.tuning);
        let id = PipeId::accepted(self.accepted);
        let has_place = self.accepted_open < self.accepted_max;
        if !has_place || pipe.and_then(|pipe| self.insert(id, pipe)).is_err() {
            self.accepts_refused += 1;
            return None;
        }
        self.accepted += 1;
        self.accepted_open += 1;
        Some(id)
    }

    pub(crate) fn get_mut(&mut self, id: PipeId) -> Option<&mut Pipe> {
        self.open.get_mut(&id)
    }

    /// Closes the socket: a reset, unless both halves have ended.
    pub(crate) fn remove(&mut self, id: PipeId) {
        let Some(pipe) = self.open.remove(&id) else { return };
        if let Some(deadline) = pipe.dial_deadline {
            self.dials.remove(&(deadline, id));
        }
        self.accepted_open -= usize::from(!id.is_opened());
    }

    /// Asks whether a dialled pipe is connected by now.
    pub(crate) fn is_answered(&mut self, id: PipeId) -> Result<bool, PipeEnd> {
        let Some(pipe) = self.open.get_mut(&id) else { return Ok(false) };
        let Some(deadline) = pipe.dial_deadline else { return Ok(false) };
        let is_answered = pipe.is_answered()?;
        if is_answered {
            self.dials.remove(&(deadline, id));
        }
        Ok(is_answered)
    }

    pub(crate) fn want_fill(&mut self, id: PipeId) {
        if let Some(pipe) = self.open.get_mut(&id) {
            pipe.want_fill();
            self.queue_if_busy(id);
        }
    }

    pub(crate) fn finish(&mut self, id: PipeId) {
        if let Some(pipe) = self.open.get_mut(&id) {
            pipe.finish();
            self.queue_if_busy(id);
        }
    }

    pub(crate) fn on_ready(&mut self, event: &Event) {
        let id = id_of(event.token());
        if let Some(pipe) = self.open.get_mut(&id) {
            pipe.on_ready(event);
            push(&mut self.queue, id, pipe);
        }
    }

    /// How many visits are due.
    pub(crate) fn queued(&self) -> usize {
        self.queue.len()
    }

    /// Takes the next pipe to visit off the queue.
    pub(crate) fn next(&mut self) -> Option<PipeId> {
        let id = self.queue.pop_front()?;
        if let Some(pipe) = self.open.get_mut(&id) {
            pipe.queued = false;
        }
        Some(id)
    }

    /// Puts a visited pipe last in the queue if there is more to do.
    pub(crate) fn queue_if_busy(&mut self, id: PipeId) {
        if let Some(pipe) = self.open.get_mut(&id)
            && pipe.has_work()
        {
            push(&mut self.queue, id, pipe);
        }
    }

    pub(crate) fn next_timeout(&self) -> Option<Instant> {
        self.dials.first().map(|(deadline, _)| *deadline)
    }

    /// The next dial that was not answered in time.
    pub(crate) fn expired(&self, now: Instant) -> Option<PipeId> {
        self.dials.first().filter(|(deadline, _)| *deadline <= now).map(|(_, id)| *id)
    }

    pub(crate) fn count(&self, counters: &mut Counters) {
        counters.accepts_refused = self.accepts_refused;
        counters.dials_refused = self.dials_refused;
    }

    fn insert(&mut self, id: PipeId, mut pipe: Pipe) -> io::Result<()> {
        pipe.register(&self.registry, token_of(id))?;
        self.open.insert(id, pipe);
        Ok(())
    }
}

fn push(queue: &mut VecDeque<PipeId>, id: PipeId, pipe: &mut Pipe) {
    if !pipe.queued {
        pipe.queued = true;
        queue.push_back(id);
    }
}

/// Ids double as tokens. The driver's own tokens are odd ones that no run accepts enough pipes to reach.
fn token_of(id: PipeId) -> Token {
    Token(id.as_u64() as usize)
}

fn id_of(token: Token) -> PipeId {
    let index = token.0 as u64 / 2;
    if token.0.is_multiple_of(2) { PipeId::opened(index) } else { PipeId::accepted(index) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_and_ids_are_one() {
        for id in [PipeId::opened(0), PipeId::accepted(0), PipeId::opened(7), PipeId::accepted(1 << 30)] {
            assert_eq!(id_of(token_of(id)), id);
        }
    }
}
