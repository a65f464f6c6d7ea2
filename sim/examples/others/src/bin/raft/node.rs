//! A `raft::RawNode` as a machine: ticks are timeouts, messages are datagrams, and nothing leaves before the disk has what it
//! follows from.
//!
//! The crate draws election timeouts from the operating system's randomness, which no caller can replace. It does let its
//! caller set them: so they are set again, from the node's seed, after every call that may have drawn one.

use crate::disk::{Durable, sealed, unsealed};
use machine::{Addr, Boot, Destination, Duration, Input, Instant, Machine, Output, PipeId};
use protobuf::Message as _;
use raft::eraftpb::{Entry, Message};
use raft::storage::MemStorage;
use raft::{RawNode, StateRole};
use sim::fate::Key;
use std::collections::VecDeque;

const TICK: Duration = Duration::from_millis(100);
const ELECTION_TICKS: usize = 10;
const HEARTBEAT_TICKS: usize = 2;
/// An append carries about so much: it fits into a packet.
const MESSAGE_BYTES: u64 = 1_000;

/// A bug of the adapter, not of the crate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Plant {
    /// The vote is not written down.
    ForgetsVote,
    /// What must wait for the disk is sent at once.
    SendsEarly,
    /// Election timeouts stay as the crate draws them.
    OsRandom,
}

/// Who belongs to the group: the node with id `n` is in place `n - 1`.
pub(crate) type Group = std::rc::Rc<[Addr]>;

/// What the application learns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Event {
    /// An entry is in the log from now on; `after` is the term of the one before it.
    Appended { index: u64, term: u64, after: u64, digest: u64 },
    /// An entry is committed, in the term `by` or before it, and the state machine has it.
    Applied { index: u64, term: u64, by: u64, digest: u64, data: Vec<u8> },
}

pub(crate) struct Node {
    raw: RawNode<MemStorage>,
    group: Group,
    key: Key,
    plant: Option<Plant>,
    durable: Durable,
    /// The ready that the disk is working on, and what is sent once it is done.
    writing: Option<(u64, Vec<Message>)>,
    /// To be written.
    store: Option<Vec<u8>>,
    outbox: VecDeque<(Addr, Vec<u8>)>,
    /// The datagram that the driver is looking at.
    sent: Vec<u8>,
    events: VecDeque<Event>,
    tick_at: Instant,
}

impl Node {
    pub(crate) fn new(id: u64, group: Group, boot: &Boot, pre_vote: bool, plant: Option<Plant>) -> Self {
        let durable = Durable::read(&boot.stored);
        let voters: Vec<u64> = (1..=group.len() as u64).collect();
        let storage = MemStorage::new_with_conf_state((voters, vec![]));
        {
            let mut core = storage.wl();
            core.append(&durable.log).expect("the log begins with the first entry and has no gap");
            core.set_hardstate(durable.hard.clone());
        }
        let config = raft::Config {
            id,
            election_tick: ELECTION_TICKS,
            heartbeat_tick: HEARTBEAT_TICKS,
            max_size_per_msg: MESSAGE_BYTES,
            check_quorum: true,
            pre_vote,
            ..raft::Config::default()
        };
        let logger = slog::Logger::root(slog::Discard, slog::o!());
        let raw = RawNode::new(&config, storage, &logger).expect("the config is valid");
        let mut seed = [0; 8];
        seed.copy_from_slice(&boot.seed[..8]);
        let mut node = Self {
            raw,
            group,
            key: Key::root(u64::from_be_bytes(seed)),
            plant,
            durable,
            writing: None,
            store: None,
            outbox: VecDeque::new(),
            sent: Vec::new(),
            events: VecDeque::new(),
            tick_at: boot.now + TICK,
        };
        node.redraw();
        node.work();
        node
    }

    /// Its term, if it leads.
    pub(crate) fn leads(&self) -> Option<u64> {
        (self.raw.raft.state == StateRole::Leader).then_some(self.raw.raft.term)
    }

    /// The term of the entry at `index` in its log.
    pub(crate) fn term_at(&self, index: u64) -> Option<u64> {
        self.raw.raft.raft_log.term(index).ok()
    }

    /// The election timeout that its seed draws for this term: every election has another term.
    fn redraw(&mut self) {
        if self.plant != Some(Plant::OsRandom) {
            let (min, max) = (ELECTION_TICKS as u64, 2 * ELECTION_TICKS as u64 - 1);
            let ticks = self.key.number(self.raw.raft.term).within(0, min, max);
            self.raw.raft.set_randomized_election_timeout(ticks as usize);
        }
    }

    /// Does what the crate wants done, up to the next write.
    fn work(&mut self) {
        while self.writing.is_none() && self.raw.has_ready() {
            let mut ready = self.raw.ready();
            let now = ready.take_messages();
            self.post(now);
            self.apply(&ready.take_committed_entries());
            let mut later = ready.take_persisted_messages();
            if self.plant == Some(Plant::SendsEarly) {
                self.post(core::mem::take(&mut later));
            }
            let number = ready.number();
            let has_changed = ready.hs().is_some() || !ready.entries().is_empty();
            if let Some(hard) = ready.hs() {
                self.durable.hard = hard.clone();
                self.raw.store().wl().set_hardstate(hard.clone());
            }
            self.log(ready.entries());
            self.raw.advance_append_async(ready);
            self.raw.advance_apply();
            if has_changed {
                self.durable.generation += 1;
                self.writing = Some((number, later));
                self.write();
            } else {
                self.raw.on_persist_ready(number);
                self.post(later);
            }
        }
    }

    fn write(&mut self) {
        let mut durable = self.durable.clone();
        if self.plant == Some(Plant::ForgetsVote) {
            durable.hard.vote = 0;
        }
        self.store = Some(durable.bytes());
    }

    fn log(&mut self, entries: &[Entry]) {
        self.raw.store().wl().append(entries).expect("entries follow the log");
        self.durable.append(entries);
        for entry in entries {
            let after = self.raw.raft.raft_log.term(entry.index - 1).unwrap_or(0);
            let (index, term, digest) = (entry.index, entry.term, sim::digest(&entry.data));
            self.events.push_back(Event::Appended { index, term, after, digest });
        }
    }

    fn apply(&mut self, entries: &[Entry]) {
        for entry in entries {
            let (index, term, by, data) = (entry.index, entry.term, self.raw.raft.term, entry.data.to_vec());
            self.events.push_back(Event::Applied { index, term, by, digest: sim::digest(&data), data });
        }
    }

    fn post(&mut self, messages: Vec<Message>) {
        for message in messages {
            let Some(to) = self.group.get(message.to as usize - 1) else { continue };
            let bytes = message.write_to_bytes().expect("a message in memory can be written");
            self.outbox.push_back((*to, sealed(&bytes)));
        }
    }

    /// A message that is damaged, or that the crate refuses, is as good as lost.
    fn hear(&mut self, bytes: &[u8]) {
        if let Some(message) = unsealed(bytes).and_then(|bytes| Message::parse_from_bytes(bytes).ok()) {
            drop(self.raw.step(message));
        }
    }

    fn stored(&mut self, is_durable: bool) {
        if !is_durable {
            // What is in memory and not on the disk must not be acted on: the disk is asked again.
            self.write();
        } else if let Some((number, later)) = self.writing.take() {
            self.raw.on_persist_ready(number);
            self.post(later);
        }
    }
}

impl Machine for Node {
    /// What to propose.
    type Command = Vec<u8>;
    type Event = Event;

    fn handle(&mut self, now: Instant, input: Input<'_, Vec<u8>>) {
        match input {
            Input::Timeout if self.tick_at <= now => {
                self.raw.tick();
                self.tick_at = now + TICK;
            }
            // Without a leader a proposal is dropped: clients ask again.
            Input::Command(data) => drop(self.raw.propose(Vec::new(), data)),
            Input::Datagram { bytes, .. } => self.hear(bytes),
            Input::Stored { result, .. } => self.stored(result.is_ok()),
            _ => return,
        }
        self.redraw();
        self.work();
    }

    fn poll(&mut self) -> Option<Output<'_, Event>> {
        if let Some(event) = self.events.pop_front() {
            return Some(Output::Event(event));
        }
        if let Some(bytes) = self.store.take() {
            self.sent = bytes;
            return Some(Output::Store { key: self.durable.slot(), bytes: &self.sent });
        }
        let (to, bytes) = self.outbox.pop_front()?;
        self.sent = bytes;
        Some(Output::Datagram { to: Destination::Addr(to), bytes: &self.sent })
    }

    fn fill(&mut self, _: PipeId, _: &mut [u8]) -> usize {
        0
    }

    fn next_timeout(&self) -> Option<Instant> {
        Some(self.tick_at)
    }
}

/// What two runs are compared by: the crate's own types say nothing of themselves.
impl core::fmt::Debug for Node {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let raft = &self.raw.raft;
        f.debug_struct("Node")
            .field("role", &raft.state)
            .field("term", &raft.term)
            .field("vote", &raft.vote)
            .field("leader", &raft.leader_id)
            .field("last_index", &raft.raft_log.last_index())
            .field("committed", &raft.raft_log.committed)
            .field("applied", &raft.raft_log.applied)
            .field("election_elapsed", &raft.election_elapsed)
            .field("election_timeout", &raft.randomized_election_timeout())
            .field("writing", &self.writing.as_ref().map(|(number, _)| number))
            .finish_non_exhaustive()
    }
}
