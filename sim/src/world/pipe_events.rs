//! The events of pipes, and what machines are told of them. How segments travel is for `pipes`.

use super::World;
use super::net::Event;
use super::node::{State, Waiting};
use crate::NodeIndex;
use crate::capture::{Course, PipePart};
use crate::causes::Mishap;
use crate::pipe::{ACCEPTOR, Answer, DIALLER, Phase, Segment, lane};
use crate::tap::{Flow, Injection};
use crate::trace::{Kind, digest};
use crate::watch::Watch;
use core::fmt::Debug;
use machine::{Duration, Input, Machine, PipeEnd, PipeId};

impl<M> World<M>
where
    M: Machine,
    M::Event: Debug,
    M::Command: Debug,
{
    /// The events of pipes: each lets go of its pipe when it is done.
    pub(super) fn pipe_step(&mut self, event: Event, watch: &mut impl Watch<M>) {
        let (Event::Dial(pipe)
        | Event::DialArrives(pipe)
        | Event::AnswerArrives(pipe)
        | Event::RefusalArrives(pipe)
        | Event::AckArrives(pipe)
        | Event::ResetArrives(pipe)
        | Event::SegmentArrives(pipe)
        | Event::SendAgain(pipe)) = event
        else {
            return;
        };
        let index = match event {
            Event::AckArrives(_) | Event::ResetArrives(_) => pipe / 2,
            Event::SegmentArrives(_) | Event::SendAgain(_) => self.net.travels[pipe as usize].pipe,
            _ => pipe,
        };
        match event {
            Event::Dial(_) => self.dial_again(index, watch),
            Event::DialArrives(_) => self.dial_arrives(index, watch),
            Event::AnswerArrives(_) => self.answer_arrives(index, watch),
            Event::RefusalArrives(_) => self.close_pipe_end(index, DIALLER, PipeEnd::Refused, watch),
            Event::AckArrives(_) => self.ack_arrives(index, pipe as usize % 2, watch),
            Event::ResetArrives(_) => self.reset_arrives(index, pipe as usize % 2, watch),
            Event::SegmentArrives(travel) => self.segment_arrives(travel, watch),
            Event::SendAgain(travel) => self.send_again(travel, watch),
            _ => {}
        }
        self.net.release(index);
    }

    /// The end learns that its pipe is gone, unless it knows.
    pub(super) fn close_pipe_end(&mut self, index: u32, side: usize, reason: PipeEnd, watch: &mut impl Watch<M>) {
        let end = &self.net.pipes[index as usize].ends[side];
        if end.phase == Phase::Closed {
            return;
        }
        let (node, id) = (end.node.0, end.id);
        match reason {
            PipeEnd::Refused => self.net.counts.pipes_refused += 1,
            PipeEnd::TimedOut => self.net.counts.pipes_timed_out += 1,
            PipeEnd::Reset => self.net.counts.pipes_reset += 1,
            PipeEnd::Finished => {}
        }
        self.net.close_end(index, side);
        self.hand(node, Waiting::Closed(id, reason), watch);
    }

    pub(super) fn dial_again(&mut self, index: u32, watch: &mut impl Watch<M>) {
        if self.net.pipes[index as usize].ends[DIALLER].phase != Phase::Connecting {
            return;
        }
        if self.net.dial_is_over(index) {
            self.close_pipe_end(index, DIALLER, PipeEnd::TimedOut, watch);
        } else {
            self.net.dial(index);
        }
    }

    fn dial_arrives(&mut self, index: u32, watch: &mut impl Watch<M>) {
        let pipe = &self.net.pipes[index as usize];
        if pipe.ends[DIALLER].phase != Phase::Connecting {
            return;
        }
        let (dialler, acceptor) = (pipe.ends[DIALLER].node.0, pipe.ends[ACCEPTOR].node.0);
        let node = &self.nodes[acceptor as usize];
        if node.is_silent() {
            self.net.dial_again(index);
            return;
        }
        if pipe.accepted {
            match pipe.ends[ACCEPTOR].phase {
                // The acceptor has ended the pipe since, or is another start of its node.
                Phase::Closed => self.net.refuse(index),
                _ => self.net.answer(index),
            }
            return;
        }
        let refuses = !pipe.port_matches || node.state == State::Down;
        if refuses || pipe.answer == Answer::Refusal {
            self.net.refuse(index);
            return;
        }
        let node = &mut self.nodes[acceptor as usize];
        let id = PipeId::accepted(node.rest.accepted);
        node.rest.accepted += 1;
        let pipe = &mut self.net.pipes[index as usize];
        pipe.accepted = true;
        let end = &mut pipe.ends[ACCEPTOR];
        (end.id, end.incarnation, end.phase) = (id, node.rest.incarnation, Phase::Open);
        self.net.ends[acceptor as usize].insert(id, (index, ACCEPTOR));
        let serial = self.net.pipes[index as usize].serial;
        self.net.trace.note(|causes| causes.pipe_accepted(serial, NodeIndex(acceptor), id));
        let from = self.net.addr(dialler);
        self.net.answer(index);
        self.hand(acceptor, Waiting::Accepted(id, from), watch);
    }

    fn answer_arrives(&mut self, index: u32, watch: &mut impl Watch<M>) {
        let end = &mut self.net.pipes[index as usize].ends[DIALLER];
        match end.phase {
            Phase::Open => {}
            Phase::Closed => {
                self.net.send_reset(index, DIALLER);
            }
            Phase::Connecting => {
                end.phase = Phase::Open;
                let (node, id) = (end.node.0, end.id);
                if end.wants_fill {
                    self.net.fills.add(node, index, DIALLER);
                }
                self.hand(node, Waiting::Opened(id), watch);
                self.read(index, DIALLER, watch);
            }
        }
    }

    fn reset_arrives(&mut self, index: u32, side: usize, watch: &mut impl Watch<M>) {
        let end = &self.net.pipes[index as usize].ends[side];
        let reason = if end.phase == Phase::Connecting { PipeEnd::Refused } else { PipeEnd::Reset };
        self.close_pipe_end(index, side, reason, watch);
    }

    fn ack_arrives(&mut self, index: u32, side: usize, watch: &mut impl Watch<M>) {
        if !self.net.take_ack(index, side) {
            return;
        }
        let pipe = &self.net.pipes[index as usize];
        let (writer, finished) = (pipe.ends[side].node.0, pipe.ends[side].is_finished());
        // What was read while this acknowledgement travelled needs another.
        self.net.send_ack(index, 1 - side);
        if finished {
            self.close_pipe_end(index, side, PipeEnd::Finished, watch);
        } else if self.net.fills.has(writer) && self.nodes[writer as usize].state == State::Up {
            self.drain(writer, watch);
        }
    }

    fn send_again(&mut self, travel: u32, watch: &mut impl Watch<M>) {
        let (pipe, from, first_sent) = {
            let travel = &self.net.travels[travel as usize];
            (travel.pipe, travel.from, travel.first_sent)
        };
        if self.net.pipes[pipe as usize].ends[from].phase != Phase::Open {
            self.net.travels.remove(travel as usize);
        } else if self.net.travel_is_over(first_sent) {
            self.net.travels.remove(travel as usize);
            self.close_pipe_end(pipe, from, PipeEnd::TimedOut, watch);
        } else {
            self.net.send_travel(travel);
        }
    }

    fn segment_arrives(&mut self, travel: u32, watch: &mut impl Watch<M>) {
        let (index, from, number) = {
            let travel = &self.net.travels[travel as usize];
            (travel.pipe, travel.from, travel.number)
        };
        let side = 1 - from;
        let pipe = &self.net.pipes[index as usize];
        let reader = pipe.ends[side].node.0;
        if self.nodes[reader as usize].is_silent() {
            self.net.travel_lost(travel);
            return;
        }
        if self.net.pipes[index as usize].ends[side].phase == Phase::Closed {
            if self.net.send_reset(index, side) {
                self.net.travels.remove(travel as usize);
            } else {
                self.net.travel_lost(travel);
            }
            return;
        }
        let travel = self.net.travels.remove(travel as usize);
        if self.net.resets(&travel) {
            self.reset_both(index, watch);
            return;
        }
        self.net.pipes[index as usize].ends[side].held.insert(number, travel.segment);
        self.read(index, side, watch);
    }

    /// Something between the two ends resets the pipe.
    pub(super) fn reset_both(&mut self, index: u32, watch: &mut impl Watch<M>) {
        self.net.hold(index);
        for side in [DIALLER, ACCEPTOR] {
            let course = Course { mishap: Some(Mishap::Struck), ..Course::through(Duration::ZERO) };
            self.net.capture_course(index, side, PipePart::Reset, 0, course);
        }
        self.close_pipe_end(index, DIALLER, PipeEnd::Reset, watch);
        self.close_pipe_end(index, ACCEPTOR, PipeEnd::Reset, watch);
        self.net.release(index);
    }

    /// Hands over the segments whose turn has come, while the node at `side` reads.
    pub(super) fn read(&mut self, index: u32, side: usize, watch: &mut impl Watch<M>) {
        loop {
            let end = &mut self.net.pipes[index as usize].ends[side];
            if end.phase != Phase::Open || self.nodes[end.node.as_usize()].state != State::Up {
                break;
            }
            let Some(segment) = end.held.remove(&end.next_read) else { break };
            let number = end.next_read;
            end.next_read += 1;
            let serial = self.net.pipes[index as usize].serial;
            self.net.trace.note(|causes| causes.segment_read(serial, 1 - side, number));
            let end = &mut self.net.pipes[index as usize].ends[side];
            if segment.fin {
                end.fin_received = true;
                end.fin_unacked = true;
                let (node, pipe) = (end.node.0, end.id);
                self.net.record(Kind::PipeFinished, node, NodeIndex::NONE, pipe.as_u64(), 0, None);
                self.input(node, Input::PipeFinished { pipe }, watch);
            } else {
                end.unacked += segment.bytes.len() as u32;
                self.read_segment(index, side, number, &segment, watch);
            }
        }
        self.net.send_ack(index, side);
        if self.net.pipes[index as usize].ends[side].is_finished() {
            self.close_pipe_end(index, side, PipeEnd::Finished, watch);
        }
    }

    fn read_segment(&mut self, index: u32, side: usize, number: u64, segment: &Segment, watch: &mut impl Watch<M>) {
        let pipe = &self.net.pipes[index as usize];
        let (from, to) = (pipe.ends[1 - side].node, pipe.ends[side].node);
        if self.net.taps.contains_key(&(from.0, to.0)) {
            self.tapped_segment(index, side, &segment.bytes, watch);
            return;
        }
        let Some(chunk_max) = self.net.pipe_profile.chunk_max else {
            self.hand_bytes(index, side, &segment.bytes, Some(segment.digest), watch);
            return;
        };
        let key = pipe.segment_key(side, number, 0);
        let mut rest = segment.bytes.as_slice();
        for piece in 0.. {
            if rest.is_empty() {
                break;
            }
            let length = key.number(piece).within(lane::CHUNK, 1, u64::from(chunk_max.max(1))) as usize;
            let (chunk, after) = rest.split_at(length.min(rest.len()));
            self.hand_bytes(index, side, chunk, None, watch);
            rest = after;
        }
    }

    fn hand_bytes(&mut self, index: u32, side: usize, bytes: &[u8], known: Option<u64>, watch: &mut impl Watch<M>) {
        let Some(pipe) = self.net.pipes.get(index as usize) else { return };
        let end = &pipe.ends[side];
        if end.phase != Phase::Open {
            return;
        }
        let (node, id, peer) = (end.node.0, end.id, pipe.ends[1 - side].node);
        let digest = known.unwrap_or_else(|| digest(bytes));
        self.net.record(Kind::PipeBytes, node, peer, id.as_u64(), digest, Some(bytes.len()));
        self.input(node, Input::PipeBytes { pipe: id, bytes }, watch);
    }

    /// A tap reads a segment, and what it writes is read in its place.
    fn tapped_segment(&mut self, index: u32, side: usize, bytes: &[u8], watch: &mut impl Watch<M>) {
        let pipe = &self.net.pipes[index as usize];
        let (from, to) = (pipe.ends[1 - side].node, pipe.ends[side].node);
        let Some(tap) = self.net.taps.get(&(from.0, to.0)).copied() else { return };
        let flow = Flow { pipe: pipe.serial, from, to, forward: side == ACCEPTOR };
        let mut out = Vec::new();
        self.net.tap_list[tap].pipe_bytes(self.net.now, flow, bytes, &mut out);
        for injection in out {
            match injection {
                Injection::Datagram { from, to, bytes } => self.net.inject(from.0, to.0, &bytes),
                Injection::Reset { pipe } => {
                    if let Some(index) = self.pipe_of_serial(pipe) {
                        self.reset_both(index, watch);
                    }
                }
                Injection::Bytes { pipe, forward, bytes } => {
                    let Some(index) = self.pipe_of_serial(pipe).filter(|_| !bytes.is_empty()) else { continue };
                    let side = if forward { ACCEPTOR } else { DIALLER };
                    let course = Course { mishap: Some(Mishap::Struck), ..Course::through(Duration::ZERO) };
                    self.net.capture_course(index, 1 - side, PipePart::Injected(&bytes), 0, course);
                    let end = &self.net.pipes[index as usize].ends[side];
                    if self.nodes[end.node.as_usize()].state == State::Up {
                        self.hand_bytes(index, side, &bytes, None, watch);
                    }
                }
            }
        }
    }

    pub(super) fn pipe_of_serial(&self, serial: u64) -> Option<u32> {
        self.net.pipes.iter().find(|(_, pipe)| pipe.serial == serial).map(|(index, _)| index as u32)
    }
}
