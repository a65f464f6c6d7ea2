//! Takes things out of a resolved scenario, and mends all that names them.

use crate::scenario::Scenario;
use crate::scenario::resolved::{Begin, Fault, NodeId, What};

/// Only the nodes at these places, in order; with the others go their links, their work and the faults that strike them.
pub(super) fn keep_nodes(scenario: &mut Scenario, kept: &[NodeId]) {
    let new = |node: NodeId| kept.binary_search(&node).ok().map(|place| place as NodeId);
    scenario.nodes = kept.iter().map(|node| scenario.nodes[*node as usize].clone()).collect();
    for node in &mut scenario.nodes {
        node.allow = node.allow.iter().filter_map(|(peer, service)| Some((new(*peer)?, service.clone()))).collect();
        node.trusts = node.trusts.as_ref().map(|trusts| trusts.iter().filter_map(|peer| new(*peer)).collect());
    }
    for hostile in scenario.nodes.iter_mut().filter_map(|node| node.hostile.as_mut()) {
        hostile.victims = hostile.victims.iter().filter_map(|victim| new(*victim)).collect();
        hostile.guise = hostile.guise.and_then(new);
    }
    for attacker in &mut scenario.attackers {
        attacker.between = attacker.between.each_ref().map(|side| side.iter().filter_map(|node| new(*node)).collect());
    }
    scenario.attackers.retain(|attacker| attacker.between.iter().all(|side| !side.is_empty()));
    scenario.checks.felt.retain_mut(|felt| new(felt.node).map(|place| felt.node = place).is_some());
    let links = core::mem::take(&mut scenario.links);
    scenario.links = links.into_iter().filter_map(|((from, to), link)| Some(((new(from)?, new(to)?), link))).collect();
    scenario.work.retain_mut(|work| match (new(work.from), new(work.to)) {
        (Some(from), Some(to)) => {
            (work.from, work.to) = (from, to);
            true
        }
        _ => false,
    });
    // A mark keeps its place, which faults know it by: that of a node that is gone waits for nobody.
    let waits: Vec<bool> = scenario.marks.iter().map(|mark| new(mark.node).is_some()).collect();
    scenario.marks.iter_mut().for_each(|mark| mark.node = new(mark.node).unwrap_or(0));
    scenario.faults.retain_mut(|fault| {
        !matches!(fault.begin, Begin::Mark(mark) if !waits[mark as usize]) && mend(&mut fault.what, new)
    });
}

/// Gives the nodes of a fault their new places. False when nothing is left that it could strike.
fn mend(what: &mut What, new: impl Fn(NodeId) -> Option<NodeId>) -> bool {
    let one = |node: &mut NodeId| new(*node).map(|place| *node = place).is_some();
    match what {
        What::Partition { from, to, .. } => {
            for side in [&mut *from, &mut *to] {
                *side = side.iter().filter_map(|node| new(*node)).collect();
            }
            !from.is_empty() && !to.is_empty()
        }
        What::Restart(node)
        | What::Crash(node)
        | What::Pause(node)
        | What::ClockJump(node, _)
        | What::ClockRate(node, _)
        | What::Disk(node, _) => one(node),
        What::Link(from, to, _) | What::Reset(from, to) => one(from) && one(to),
    }
}

/// Halves the part of a side that is larger than one node: the first and the second half.
pub(super) fn smaller_sides(fault: &Fault) -> Vec<Fault> {
    let What::Partition { from, to, one_way, flap } = &fault.what else { return Vec::new() };
    let halves = |side: &[NodeId]| match side.len() {
        0 | 1 => Vec::new(),
        length => vec![side[..length / 2].to_vec(), side[length / 2..].to_vec()],
    };
    let partition = |from: Vec<NodeId>, to: Vec<NodeId>| Fault {
        what: What::Partition { from, to, one_way: *one_way, flap: *flap },
        ..fault.clone()
    };
    let of_from = halves(from).into_iter().map(|side| partition(side, to.clone()));
    let of_to = halves(to).into_iter().map(|side| partition(from.clone(), side));
    of_from.chain(of_to).collect()
}
