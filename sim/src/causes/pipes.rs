//! What the events of pipes follow from: pipes are known to the world by serials, to machines by ids of their own.

use super::{Happening, Kept, Mishap};
use crate::NodeIndex;
use crate::pipe::{ACCEPTOR, DIALLER, Side};
use crate::trace::{Kind, Record};
use machine::PipeId;
use std::collections::BTreeMap;

/// One pipe.
#[derive(Debug)]
struct Story {
    ends: [NodeIndex; 2],
    opened: u64,
    accepted: Option<u64>,
    /// What ended each end: its node's wish or crash, a fault.
    closed: [Option<u64>; 2],
    /// Chance ended it.
    struck: bool,
    /// The last of its losses.
    loss: Option<u64>,
}

/// A segment: of which pipe, by which side, which.
type Segment = (u64, Side, u64);

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Pipes {
    stories: BTreeMap<u64, Story>,
    /// By node and its id.
    ends: BTreeMap<(u32, u64), (u64, Side)>,
    /// What wrote each segment that was not read yet, and its last loss.
    segments: BTreeMap<Segment, (u64, Option<u64>)>,
    /// The segment that is being read.
    reading: Option<(u64, Option<u64>)>,
    /// The segment that is about to be recorded as lost.
    losing: Option<Segment>,
}

impl Pipes {
    fn end(&self, record: &Record) -> Option<(&Story, Side)> {
        let (serial, side) = self.ends.get(&(record.node.0, record.number))?;
        Some((self.stories.get(serial)?, *side))
    }
}

impl Kept {
    /// The dial that was recorded last is of this pipe.
    pub(crate) fn pipe_opened(&mut self, serial: u64, dialler: NodeIndex, id: PipeId, acceptor: NodeIndex) {
        let Some(opened) = self.last() else { return };
        let (accepted, closed, struck, loss) = (None, [None; 2], false, None);
        let story = Story { ends: [dialler, acceptor], opened, accepted, closed, struck, loss };
        self.pipes.stories.insert(serial, story);
        self.pipes.ends.insert((dialler.0, id.as_u64()), (serial, DIALLER));
    }

    pub(crate) fn pipe_accepted(&mut self, serial: u64, acceptor: NodeIndex, id: PipeId) {
        self.pipes.ends.insert((acceptor.0, id.as_u64()), (serial, ACCEPTOR));
    }

    /// The end is gone, by what was recorded last.
    pub(crate) fn pipe_closed(&mut self, serial: u64, side: Side) {
        let last = self.last();
        if let Some(story) = self.pipes.stories.get_mut(&serial) {
            story.closed[side] = story.closed[side].or(last);
        }
    }

    /// The fault that began last resets the pipe.
    pub(crate) fn pipe_broken(&mut self, serial: u64) {
        let fault = self.last_begun;
        if let Some(story) = self.pipes.stories.get_mut(&serial) {
            story.closed = [fault; 2];
        }
    }

    /// Chance resets, refuses or silences the pipe.
    pub(crate) fn pipe_struck(&mut self, serial: u64) {
        if let Some(story) = self.pipes.stories.get_mut(&serial) {
            story.struck = true;
        }
    }

    /// A dial or its answer does not get through.
    pub(crate) fn dial_lost(&mut self, serial: u64) {
        let Some(story) = self.pipes.stories.get_mut(&serial) else { return };
        let (opened, acceptor, struck) = (story.opened, story.ends[ACCEPTOR], story.struck);
        story.loss = Some(opened);
        let (mishap, fault) = match self.stopped.take() {
            Some(stopped) => stopped,
            None if struck => (Mishap::Struck, None),
            None => (Mishap::Unheard, self.member(acceptor).gone),
        };
        if let Some(dial) = self.get_mut(opened) {
            (dial.mishap, dial.fault) = (Some(mishap), fault.or(dial.fault));
        }
    }

    /// What was recorded last is in this segment.
    pub(crate) fn segment_written(&mut self, serial: u64, side: Side, number: u64) {
        if let Some(event) = self.last() {
            self.pipes.segments.insert((serial, side, number), (event, None));
        }
    }

    /// The segment is about to be recorded as lost.
    pub(crate) fn segment_losing(&mut self, serial: u64, side: Side, number: u64) {
        self.pipes.losing = Some((serial, side, number));
    }

    /// The reader takes the segment that `side` wrote.
    pub(crate) fn segment_read(&mut self, serial: u64, side: Side, number: u64) {
        self.pipes.reading = self.pipes.segments.remove(&(serial, side, number));
    }

    pub(super) fn segment_lost(&mut self, happening: &mut Happening) {
        let Some(segment) = self.pipes.losing.take() else { return };
        let gone = self.member(happening.record.peer).gone;
        let (mishap, fault) = self.stopped.take().unwrap_or((Mishap::Unheard, gone));
        (happening.mishap, happening.fault) = (Some(mishap), fault);
        if let Some((written, loss)) = self.pipes.segments.get_mut(&segment) {
            happening.cause = Some(*written);
            *loss = Some(happening.event);
        }
        if let Some(story) = self.pipes.stories.get_mut(&segment.0) {
            story.loss = Some(happening.event);
        }
    }

    pub(super) fn pipe_output(&mut self, happening: &mut Happening) {
        let is_named = matches!(happening.record.kind, Kind::FinishPipe | Kind::ClosePipe);
        if let Some((story, side)) = self.pipes.end(&happening.record).filter(|_| is_named) {
            happening.record.peer = story.ends[1 - side];
        }
    }

    pub(super) fn pipe_input(&mut self, happening: &mut Happening) {
        let record = happening.record;
        if matches!(record.kind, Kind::PipeBytes | Kind::PipeFinished)
            && let Some((written, loss)) = self.pipes.reading
        {
            (happening.cause, happening.fault) = (Some(written), loss);
        }
        let is_pipe = matches!(
            record.kind,
            Kind::PipeOpened | Kind::PipeAccepted | Kind::PipeBytes | Kind::PipeFinished | Kind::PipeClosed
        );
        let Some((story, side)) = self.pipes.end(&record).filter(|_| is_pipe) else { return };
        let peer = story.ends[1 - side];
        happening.record.peer = peer;
        match record.kind {
            Kind::PipeOpened => happening.cause = story.accepted.or(Some(story.opened)),
            Kind::PipeAccepted => {
                happening.cause = Some(story.opened);
                let serial = self.pipes.ends.get(&(record.node.0, record.number)).map(|(serial, _)| *serial);
                if let Some(story) = serial.and_then(|serial| self.pipes.stories.get_mut(&serial)) {
                    story.accepted = Some(happening.event);
                }
            }
            Kind::PipeClosed => self.ended(happening, peer, side),
            _ => {}
        }
    }

    /// How a pipe came to its end, if it was not finished.
    fn ended(&mut self, happening: &mut Happening, peer: NodeIndex, side: Side) {
        let gone = self.members.get(&peer.0).and_then(|member| member.gone);
        let Some((story, _)) = self.pipes.end(&happening.record) else { return };
        match happening.text.as_deref() {
            Some("TimedOut") => (happening.cause, happening.fault) = (Some(story.opened), story.loss),
            Some("Reset" | "Refused") if story.struck => happening.mishap = Some(Mishap::Struck),
            Some("Reset" | "Refused") => happening.cause = story.closed[1 - side].or(gone).or(story.closed[side]),
            _ => {}
        }
    }
}
