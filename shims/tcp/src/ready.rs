//! A driver under an event loop that is not its own, which waits for the descriptor of its `poll`, and lets it take turns that
//! never wait.

use std::ops::ControlFlow;

use machine::{Instant, Machine, PipeId};

use crate::clock::std_duration;
use crate::driver::Driver;
use crate::error::Error;
use crate::pipe::Pipe;
use crate::turn::Turn;

impl<M: Machine> Driver<M> {
    /// A turn without a wait. `has_edges` says whether the descriptor was ready since the last such turn began.
    pub(crate) fn turn_ready(
        &mut self,
        has_edges: bool,
        on_event: impl FnMut(&mut M, M::Event) -> ControlFlow<()>,
    ) -> Result<ControlFlow<()>, Error> {
        Turn::new(self, on_event).run_ready(has_edges).map_err(Error::Wait)
    }

    /// Before a wait: the pipe on which an answer is due, and until when to look for it.
    pub(crate) fn expected(&self) -> Option<(PipeId, Instant)> {
        if self.has_work() {
            return None;
        }
        let now = self.clock.now();
        let patience = self.next_timeout().map(|deadline| std_duration(deadline.saturating_since(now)));
        self.busy_poll.begin(now, patience)
    }

    /// Has the next turn read from `pipe`, if something may come there.
    pub(crate) fn look_again(&mut self, pipe: PipeId) -> bool {
        let may_look = self.pipes.get_mut(pipe).is_some_and(Pipe::look_again);
        self.pipes.queue_if_busy(pipe);
        may_look
    }

    /// Whether looking is over: something has come, or it is time.
    pub(crate) fn has_looked(&mut self, pipe: PipeId, until: Instant) -> bool {
        let (now, has_found) = (self.clock.now(), !self.busy_poll.expects(pipe));
        let is_over = has_found || now >= until;
        if is_over {
            self.busy_poll.looked(until, now, has_found);
        }
        is_over
    }
}
