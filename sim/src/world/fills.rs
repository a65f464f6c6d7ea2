//! Which pipes a node's machine is to be asked to fill when it is drained next.

use crate::pipe::Side;

/// Pipes to be filled, by node.
#[derive(Debug)]
pub(super) struct Fills {
    by_node: Vec<Vec<(u32, Side)>>,
    /// Of all nodes: while there are none, which is mostly, no node's own are looked at.
    held: usize,
}

impl Fills {
    pub(super) fn new(nodes: usize) -> Self {
        Self { by_node: vec![Vec::new(); nodes], held: 0 }
    }

    pub(super) fn add(&mut self, node: u32, pipe: u32, side: Side) {
        self.by_node[node as usize].push((pipe, side));
        self.held += 1;
    }

    /// The one that was added last.
    #[inline]
    pub(super) fn take(&mut self, node: u32) -> Option<(u32, Side)> {
        if self.held == 0 {
            return None;
        }
        let last = self.by_node[node as usize].pop()?;
        self.held -= 1;
        Some(last)
    }

    pub(super) fn has(&self, node: u32) -> bool {
        !self.by_node[node as usize].is_empty()
    }

    pub(super) fn forget(&mut self, node: u32) {
        self.held -= self.by_node[node as usize].len();
        self.by_node[node as usize].clear();
    }
}
