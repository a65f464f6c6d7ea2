//! Moves the bytes of pipes: dialling, segments, acknowledgements, resets. No machine is called here except to fill.

use super::net::{Event, Net};
use crate::capture::{Carried, Course, PipePart};
use crate::causes::Mishap;
use crate::fate::Key;
use crate::ledger::{Address, Subject};
use crate::pipe::{
    ACCEPTOR, ACK, Answer, DIALLER, End, Phase, Pipe, RST, SYN, SYN_ACK, Segment, Side, Travel, lane,
    retransmission_after,
};
use crate::tap::Flow;
use crate::trace::{Kind, digest};
use crate::{NodeIndex, Time};
use machine::{Addr, Duration, Machine, PipeId};

/// The first wait for the answer to a dial (RFC 6298, 2.1); it doubles.
const DIAL_AGAIN: Duration = Duration::from_secs(1);

impl Net {
    /// A machine dials.
    pub(super) fn open_pipe(&mut self, node: u32, incarnation: u64, id: PipeId, to: Addr) {
        let target = self.find(to);
        self.record(
            Kind::OpenPipe,
            node,
            target.map_or(NodeIndex::NONE, |(peer, _)| NodeIndex(peer)),
            id.as_u64(),
            0,
            None,
        );
        // An address that nobody has: dialled all the same, and refused by whoever routes there.
        let (peer, port_matches) = target.unwrap_or((node, false));
        let dials = self.dials.entry((node, peer)).or_insert(0);
        let dial = *dials;
        *dials += 1;
        let key = self.links.key(self.roots.pipe, node, peer).number(dial);
        let answer = self.draw_answer(NodeIndex(node), NodeIndex(peer), dial, key);
        let pipe = self.pipes.insert(Pipe {
            serial: self.pipes_made,
            ends: [
                End::new(NodeIndex(node), incarnation, id),
                End::new(NodeIndex(peer), 0, PipeId::accepted(u64::MAX / 2 - 1)),
            ],
            dial,
            key,
            dialled_at: self.now,
            accepted: false,
            answer,
            port_matches,
            events: 0,
        }) as u32;
        self.trace.note(|causes| causes.pipe_opened(self.pipes_made, NodeIndex(node), id, NodeIndex(peer)));
        if answer != Answer::Usual {
            self.trace.note(|causes| causes.pipe_struck(self.pipes_made));
        }
        self.pipes_made += 1;
        let known = self.ends[node as usize].insert(id, (pipe, DIALLER));
        assert!(known.is_none(), "a machine opened a pipe under an id that it had used");
        self.dial(pipe);
    }

    fn draw_answer(&mut self, dialler: NodeIndex, acceptor: NodeIndex, dial: u64, key: Key) -> Answer {
        let silent = self.pipe_profile.silent.hits(key.draw(lane::SILENT));
        let refused = self.pipe_profile.refuse.hits(key.draw(lane::REFUSE));
        let what = |address| Subject { address, at: self.now, length: 0, digest: 0 };
        let silent = self.ledger.strike(what(Address::Silent { dialler, acceptor, dial }), silent);
        let refused = self.ledger.strike(what(Address::Refuse { dialler, acceptor, dial }), refused);
        match (silent, refused) {
            (true, _) => Answer::Silence,
            (false, true) => Answer::Refusal,
            (false, false) => Answer::Usual,
        }
    }

    /// Sends the dial, again and again; the caller reaps.
    pub(super) fn dial(&mut self, index: u32) {
        let pipe = &self.pipes[index as usize];
        let from = pipe.ends[DIALLER].node.0;
        let attempt = dial_attempt(self.now.since(pipe.dialled_at));
        let is_silent = pipe.answer == Answer::Silence;
        let delay = self.segment_delay(index, DIALLER, SYN, attempt, 0, 0);
        let delay = delay.and_then(|delay| if is_silent { Err(Mishap::Struck) } else { Ok(delay) });
        self.capture_part(index, DIALLER, PipePart::Dial, attempt, delay);
        match delay {
            Ok(delay) => self.pipe_event(from, index, delay, Event::DialArrives(index)),
            Err(_) => self.dial_again(index),
        }
    }

    /// Tells those who keep causes that the event that was recorded last ends this end.
    pub(super) fn note_closed(&self, index: u32, side: Side) {
        self.trace.note(|causes| causes.pipe_closed(self.pipes[index as usize].serial, side));
    }

    /// Waits for the next attempt, or for the end of all attempts.
    pub(super) fn dial_again(&mut self, index: u32) {
        let pipe = &self.pipes[index as usize];
        self.trace.note(|causes| causes.dial_lost(pipe.serial));
        let from = pipe.ends[DIALLER].node.0;
        let waited = self.now.since(pipe.dialled_at);
        // 1 s, then 2, then 4: attempts at 1, 3, 7 s after the first.
        let next = DIAL_AGAIN + waited.saturating_mul(2);
        let end = self.pipe_profile.patience;
        let wait = next.min(end.max(waited)).saturating_sub(waited);
        self.pipe_event(from, index, wait, Event::Dial(index));
    }

    /// Whether the dialler has waited as long as it will.
    pub(super) fn dial_is_over(&self, index: u32) -> bool {
        self.now.since(self.pipes[index as usize].dialled_at) >= self.pipe_profile.patience
    }

    /// Schedules an event that names a pipe.
    pub(super) fn pipe_event(&mut self, node: u32, pipe: u32, after: Duration, what: Event) {
        self.pipes[pipe as usize].events += 1;
        self.push_for(node, after, what);
    }

    /// Keeps a pipe while a step that may end it goes on.
    pub(super) fn hold(&mut self, index: u32) {
        self.pipes[index as usize].events += 1;
    }

    /// The step, or an event that names the pipe, is over.
    pub(super) fn release(&mut self, index: u32) {
        self.pipes[index as usize].events -= 1;
        self.reap(index);
    }

    /// Forgets a pipe that both ends have forgotten and no event names.
    pub(super) fn reap(&mut self, index: u32) {
        let pipe = &self.pipes[index as usize];
        if pipe.events == 0 && pipe.ends.iter().all(|end| end.phase == Phase::Closed) {
            self.pipes.remove(index as usize);
        }
    }

    /// Tells whoever keeps a capture of a part of a pipe.
    pub(super) fn capture_part(
        &mut self,
        index: u32,
        from: Side,
        part: PipePart<'_>,
        attempt: u32,
        delay: Result<Duration, Mishap>,
    ) {
        self.capture_course(index, from, part, attempt, delay.map_or_else(Course::lost, Course::through));
    }

    /// The same, of something that went otherwise.
    pub(super) fn capture_course(
        &mut self,
        index: u32,
        from: Side,
        part: PipePart<'_>,
        attempt: u32,
        course: Course<'_>,
    ) {
        let pipe = &self.pipes[index as usize];
        let (writer, reader) = (pipe.ends[from].node, pipe.ends[1 - from].node);
        let flow = Flow { pipe: pipe.serial, from: writer, to: reader, forward: from == DIALLER };
        self.captured(writer, reader, Carried::Pipe { flow, part, attempt }, course);
    }

    /// How long one sending of a segment takes, or what keeps it from arriving.
    pub(super) fn segment_delay(
        &mut self,
        index: u32,
        side: Side,
        number: u64,
        attempt: u32,
        length: u32,
        digest: u64,
    ) -> Result<Duration, Mishap> {
        let pipe = &self.pipes[index as usize];
        let (from, to) = (pipe.ends[side].node.0, pipe.ends[1 - side].node.0);
        let key = pipe.segment_key(side, number, attempt);
        let address = Address::Segment {
            dialler: pipe.ends[DIALLER].node,
            acceptor: pipe.ends[ACCEPTOR].node,
            dial: pipe.dial,
            forward: side == DIALLER,
            number,
            attempt,
        };
        let fate = self.links.profile(from, to).fate(key, length.max(1));
        let lost = fate.lost
            || fate.flipped_bit.is_some()
            || fate.truncated_to.is_some()
            || self.links.burst_takes(from, to, key);
        let mut delay = (!lost).then_some(fate.delay);
        if !self.ledger.is_idle() {
            delay = self.ledger.segment(Subject { address, at: self.now, length, digest }, delay);
        }
        if let Some(fault) = self.partitions.blocker(from, to) {
            self.counts.partitioned += 1;
            self.trace.note(|causes| causes.stopped(Mishap::Partitioned, Some(fault)));
            return Err(Mishap::Partitioned);
        }
        let queued = self.links.departs_after(from, to, self.now, length + 40).ok_or(Mishap::QueueFull);
        let delay = queued.and_then(|queued| Ok(queued + delay.ok_or(Mishap::Lost)?));
        if let Err(mishap) = delay {
            self.trace.note(|causes| causes.stopped(mishap, None));
        }
        delay
    }

    /// Whether the arrival of one sending of a segment resets the pipe.
    pub(super) fn resets(&mut self, travel: &Travel) -> bool {
        let pipe = &self.pipes[travel.pipe as usize];
        let (from, number, attempt) = (travel.from, travel.number, travel.attempt);
        let drawn = self.pipe_profile.reset.hits(pipe.segment_key(from, number, attempt).draw(lane::RESET));
        let [dialler, acceptor] = [DIALLER, ACCEPTOR].map(|side| pipe.ends[side].node);
        let address = Address::Reset { dialler, acceptor, dial: pipe.dial, forward: from == DIALLER, number, attempt };
        let (length, digest) = (travel.segment.bytes.len() as u32, travel.segment.digest);
        let strikes = self.ledger.strike(Subject { address, at: self.now, length, digest }, drawn);
        if strikes {
            self.trace.note(|causes| causes.pipe_struck(pipe.serial));
        }
        strikes
    }

    /// How long a segment waits before it is sent again.
    fn retransmission(&self, index: u32, side: Side, attempt: u32) -> Duration {
        let pipe = &self.pipes[index as usize];
        let profile = self.links.profile(pipe.ends[side].node.0, pipe.ends[1 - side].node.0);
        retransmission_after(profile.delay.typical(), attempt)
    }

    /// A machine has bytes for a pipe. Ids that have ended are ignored.
    pub(super) fn want_fill(&mut self, node: u32, id: PipeId) {
        let Some(&(pipe, side)) = self.ends[node as usize].get(&id) else { return };
        let end = &mut self.pipes[pipe as usize].ends[side];
        if !end.wants_fill && !end.fin_sent {
            end.wants_fill = true;
            self.fills.add(node, pipe, side);
        }
    }

    pub(super) fn finish_pipe(&mut self, node: u32, id: PipeId) {
        let Some(&(pipe, side)) = self.ends[node as usize].get(&id) else { return };
        self.record(Kind::FinishPipe, node, NodeIndex::NONE, id.as_u64(), 0, None);
        let end = &mut self.pipes[pipe as usize].ends[side];
        if !end.finishing {
            end.finishing = true;
            // The half ends after the next 0 that `fill` returns, whether or not the machine asked to be filled from.
            end.wants_fill = true;
            self.fills.add(node, pipe, side);
        }
    }

    pub(super) fn close_pipe(&mut self, node: u32, id: PipeId) {
        let Some((pipe, side)) = self.ends[node as usize].remove(&id) else { return };
        self.record(Kind::ClosePipe, node, NodeIndex::NONE, id.as_u64(), 0, None);
        let was_open = self.pipes[pipe as usize].accepted;
        self.note_closed(pipe, side);
        self.close_end(pipe, side);
        if was_open {
            self.send_reset(pipe, side);
        }
        self.reap(pipe);
    }

    /// The end knows nothing of the pipe any more.
    pub(super) fn close_end(&mut self, index: u32, side: Side) {
        let pipe = &mut self.pipes[index as usize];
        if !pipe.accepted {
            // Nobody is left who could accept it.
            pipe.ends[ACCEPTOR].phase = Phase::Closed;
        }
        let end = &mut pipe.ends[side];
        if !end.is_finished() {
            (end.unacked, end.fin_unacked) = (0, false);
        }
        end.phase = Phase::Closed;
        end.wants_fill = false;
        let (node, id) = (end.node.0, end.id);
        for (number, segment) in core::mem::take(&mut end.held) {
            self.lose_held(index, side, number, segment);
        }
        if self.ends[node as usize].get(&id) == Some(&(index, side)) {
            self.ends[node as usize].remove(&id);
        }
    }

    /// A segment that nobody will read: its writer sends it again, and so learns what has become of the pipe.
    fn lose_held(&mut self, index: u32, side: Side, number: u64, segment: Segment) {
        let travel = Travel { pipe: index, from: 1 - side, number, attempt: 0, first_sent: self.now, segment };
        let travel = self.travels.insert(travel) as u32;
        self.travel_lost(travel);
    }

    /// Which sending of a reset the next one is: each has an address of its own.
    fn next_reset(&mut self, index: u32, from: Side) -> u32 {
        let resets = &mut self.pipes[index as usize].ends[from].resets;
        *resets += 1;
        *resets - 1
    }

    /// Tells the other end that the pipe is gone. False when the news is lost.
    pub(super) fn send_reset(&mut self, index: u32, from: Side) -> bool {
        let node = self.pipes[index as usize].ends[from].node.0;
        let attempt = self.next_reset(index, from);
        let delay = self.segment_delay(index, from, RST, attempt, 0, 0);
        self.capture_part(index, from, PipePart::Reset, attempt, delay);
        if let Ok(delay) = delay {
            self.pipe_event(node, index, delay, Event::ResetArrives(index * 2 + (1 - from) as u32));
        }
        delay.is_ok()
    }

    /// Asks the machine of `node` for the bytes of one pipe, as many as there is room for, and sends them.
    pub(super) fn fill<M: Machine>(
        &mut self,
        node: u32,
        index: u32,
        side: Side,
        machine: &mut M,
        mut filled: impl FnMut(NodeIndex, &[u8]),
    ) {
        let mut room = core::mem::take(&mut self.room);
        while self.offer(node, index, side, &mut room) {
            let ends = &self.pipes[index as usize].ends;
            let (id, peer) = (ends[side].id, ends[1 - side].node);
            let length = machine.fill(id, &mut room);
            assert!(length <= room.len(), "a machine filled more than its room");
            let bytes = &room[..length];
            if length == 0 {
                self.filled_up(index, side);
                break;
            }
            self.record(Kind::Fill, node, peer, id.as_u64(), digest(bytes), Some(length));
            filled(peer, bytes);
            self.send_filled(index, side, bytes);
        }
        self.room = room;
    }

    /// Makes `room` as long as the pipe has room, or as is drawn. False when none is wanted or had.
    fn offer(&mut self, node: u32, index: u32, side: Side, room: &mut Vec<u8>) -> bool {
        let Some(pipe) = self.pipes.get_mut(index as usize) else { return false };
        let key = pipe.key.number(side as u64);
        let end = &mut pipe.ends[side];
        let free = self.pipe_profile.buffer.max(1).saturating_sub(end.in_flight);
        // The pipe that was to be filled may be gone, and another be in its place.
        if end.node.0 != node || end.phase != Phase::Open || !end.wants_fill || free == 0 {
            return false;
        }
        let max = u64::from(self.pipe_profile.room_max.max(1));
        let drawn = if max < 64 * 1024 { key.number(end.fills).within(lane::ROOM, 1, max) } else { max };
        end.fills += 1;
        room.resize(u64::from(free).min(drawn) as usize, 0);
        true
    }

    /// The machine has no more for now; if it is finishing, that was all.
    fn filled_up(&mut self, index: u32, side: Side) {
        let end = &mut self.pipes[index as usize].ends[side];
        end.wants_fill = false;
        if end.finishing && !end.fin_sent {
            end.fin_sent = true;
            self.send_segment(index, side, Segment { fin: true, ..Segment::default() });
        }
    }

    /// Cuts what was filled into segments and sends them.
    fn send_filled(&mut self, index: u32, side: Side, bytes: &[u8]) {
        let ends = &mut self.pipes[index as usize].ends;
        ends[side].in_flight += bytes.len() as u32;
        let mtu = self.links.profile(ends[side].node.0, ends[1 - side].node.0).mtu.saturating_sub(40);
        let segment = self.pipe_profile.segment.min(mtu).max(1) as usize;
        for bytes in bytes.chunks(segment) {
            self.send_segment(index, side, Segment { bytes: bytes.to_vec(), fin: false, digest: digest(bytes) });
        }
    }

    fn send_segment(&mut self, index: u32, from: Side, segment: Segment) {
        let end = &mut self.pipes[index as usize].ends[from];
        let number = end.next_send;
        end.next_send += 1;
        let serial = self.pipes[index as usize].serial;
        self.trace.note(|causes| causes.segment_written(serial, from, number));
        let travel = Travel { pipe: index, from, number, attempt: 0, first_sent: self.now, segment };
        let travel = self.travels.insert(travel) as u32;
        self.send_travel(travel);
    }

    /// Sends a segment, for the first time or again.
    pub(super) fn send_travel(&mut self, at: u32) {
        let Travel { pipe, from, number, attempt, segment, .. } = &self.travels[at as usize];
        let (pipe, from, number, attempt) = (*pipe, *from, *number, *attempt);
        let (length, digest) = (segment.bytes.len() as u32, segment.digest);
        let node = self.pipes[pipe as usize].ends[from].node.0;
        let delay = self.segment_delay(pipe, from, number, attempt, length, digest);
        self.capture_travel(at, delay);
        match delay {
            Ok(delay) => self.pipe_event(node, pipe, delay, Event::SegmentArrives(at)),
            Err(_) => self.travel_lost(at),
        }
    }

    /// [`Net::capture_part`] for a segment.
    fn capture_travel(&mut self, at: u32, delay: Result<Duration, Mishap>) {
        let Travel { pipe, from, number, attempt, .. } = self.travels[at as usize];
        let segment = core::mem::take(&mut self.travels[at as usize].segment);
        let part = PipePart::Segment { number, bytes: &segment.bytes, is_last: segment.fin };
        self.capture_part(pipe, from, part, attempt, delay);
        self.travels[at as usize].segment = segment;
    }

    /// The segment did not arrive: it will be sent again.
    pub(super) fn travel_lost(&mut self, at: u32) {
        let travel = &mut self.travels[at as usize];
        let (pipe, from, attempt) = (travel.pipe, travel.from, travel.attempt);
        travel.attempt += 1;
        let number = travel.number;
        let ends = &self.pipes[pipe as usize].ends;
        let (node, peer) = (ends[from].node.0, ends[1 - from].node);
        self.counts.segments_lost += 1;
        self.trace.note(|causes| causes.segment_losing(self.pipes[pipe as usize].serial, from, number));
        self.record(Kind::SegmentLost, node, peer, number, 0, None);
        let wait = self.retransmission(pipe, from, attempt);
        self.pipe_event(node, pipe, wait, Event::SendAgain(at));
    }

    /// Whether the sender has tried this segment for as long as it will.
    pub(super) fn travel_is_over(&self, first_sent: Time) -> bool {
        self.now.since(first_sent) >= self.pipe_profile.patience
    }

    /// Tells the writer what the reader at `side` has read, unless such news is already under way.
    pub(super) fn send_ack(&mut self, index: u32, side: Side) {
        let pipe = &mut self.pipes[index as usize];
        let end = &mut pipe.ends[side];
        if end.ack.is_some() || (end.unacked == 0 && !end.fin_unacked) {
            return;
        }
        end.ack = Some((core::mem::take(&mut end.unacked), core::mem::take(&mut end.fin_unacked)));
        end.acks += 1;
        let (node, count) = (end.node.0, end.acks);
        let delay = self.ack_delay(index, side, count);
        self.capture_part(index, side, PipePart::Ack, 0, Ok(delay));
        self.pipe_event(node, index, delay, Event::AckArrives(index * 2 + (1 - side) as u32));
    }

    /// A lost acknowledgement costs time only: a later one says the same.
    fn ack_delay(&mut self, index: u32, side: Side, count: u64) -> Duration {
        let pipe = &self.pipes[index as usize];
        let (from, to) = (pipe.ends[side].node.0, pipe.ends[1 - side].node.0);
        let key = pipe.segment_key(side, ACK, 0).number(count);
        let fate = self.links.profile(from, to).fate(key, 1);
        if fate.lost || self.partitions.block(from, to) {
            return fate.delay + self.retransmission(index, side, 0);
        }
        fate.delay
    }

    /// Gives the reader's news to the writer at `side`. False when there is none for it: a partition holds the news up
    /// until it is sent again, or an end is gone.
    pub(super) fn take_ack(&mut self, index: u32, side: Side) -> bool {
        let reader = 1 - side;
        let ends = &mut self.pipes[index as usize].ends;
        let (from, to) = (ends[reader].node.0, ends[side].node.0);
        let is_blocked = self.partitions.block(from, to);
        // An end that was aborted sends nothing again; one that finished still sees its last news through.
        let can_repeat = ends[reader].phase != Phase::Closed || ends[reader].both_finished();
        if ends[side].phase == Phase::Closed || (is_blocked && !can_repeat) {
            ends[reader].ack = None;
            return false;
        }
        if is_blocked {
            let wait = self.retransmission(index, reader, 0);
            self.pipe_event(from, index, wait, Event::AckArrives(index * 2 + side as u32));
            return false;
        }
        let Some((read, fin)) = ends[reader].ack.take() else { return false };
        let writer = &mut ends[side];
        writer.in_flight = writer.in_flight.saturating_sub(read);
        writer.fin_acked |= fin;
        if writer.wants_fill {
            self.fills.add(to, index, side);
        }
        true
    }

    /// Sends the answer to a dial.
    pub(super) fn answer(&mut self, index: u32) {
        let attempt = dial_attempt(self.now.since(self.pipes[index as usize].dialled_at));
        self.reply(index, SYN_ACK, PipePart::Answer, attempt, Event::AnswerArrives(index));
    }

    /// Sends the refusal of a dial.
    pub(super) fn refuse(&mut self, index: u32) {
        let attempt = self.next_reset(index, ACCEPTOR);
        self.reply(index, RST, PipePart::Reset, attempt, Event::RefusalArrives(index));
    }

    /// A lost reply is repeated when the dialler asks again.
    fn reply(&mut self, index: u32, number: u64, part: PipePart<'_>, attempt: u32, arrival: Event) {
        let node = self.pipes[index as usize].ends[ACCEPTOR].node.0;
        let delay = self.segment_delay(index, ACCEPTOR, number, attempt, 0, 0);
        self.capture_part(index, ACCEPTOR, part, attempt, delay);
        match delay {
            Ok(delay) => self.pipe_event(node, index, delay, arrival),
            Err(_) => self.dial_again(index),
        }
    }
}

/// Which attempt of a dial is under way so long after the first: they go out after 0, 1, 3, 7 s and so on.
fn dial_attempt(waited: Duration) -> u32 {
    (waited.as_nanos() / DIAL_AGAIN.as_nanos() + 1).ilog2()
}
