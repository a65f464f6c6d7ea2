//! What the world tells besides its events: what becomes of a sending, and which fault stops it.

use super::{Flying, Kept, Mishap};
use crate::NodeIndex;

impl Kept {
    /// The packet that was recorded last does not arrive. `fault` is the place in the plan of the partition that took it.
    pub(crate) fn lost(&mut self, mishap: Mishap, fault: Option<usize>) {
        let fault = fault.and_then(|place| self.begun.get(&(place as u64)).copied());
        if let Some(happening) = self.last().and_then(|event| self.get_mut(event)) {
            (happening.mishap, happening.fault) = (Some(mishap), fault);
        }
    }

    /// A copy of the packet that was recorded last is on its way, and will arrive as `flying`.
    pub(crate) fn carried(&mut self, flying: Flying, mishap: Option<Mishap>) {
        let Some(event) = self.last() else { return };
        self.flying.entry(flying).or_default().push_back(event);
        if let Some(happening) = self.get_mut(event) {
            happening.mishap = happening.mishap.or(mishap);
        }
    }

    /// Something that has no event of its own does not get through.
    pub(crate) fn stopped(&mut self, mishap: Mishap, fault: Option<usize>) {
        let fault = fault.and_then(|place| self.begun.get(&(place as u64)).copied());
        self.stopped = Some((mishap, fault));
    }

    /// The node stands still, because of the fault that began last.
    pub(crate) fn paused(&mut self, node: NodeIndex) {
        self.member(node).gone = self.last_begun;
    }

    /// The node goes on.
    pub(crate) fn resumed(&mut self, node: NodeIndex) {
        self.member(node).gone = None;
    }

    /// The event that was recorded last fires a trigger.
    pub(crate) fn fires(&mut self) {
        self.trigger = self.last();
    }
}
