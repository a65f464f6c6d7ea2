//! Takes things out of a resolved scenario, and mends all that names them.

use crate::scenario::Scenario;
use crate::scenario::resolved::{Begin, Deed, Fault, NodeId, SiteId, What};

/// Only the nodes at these places, in order; with the others go their links, their work, what people do at them or about them,
/// and the faults that strike them.
pub(super) fn keep_nodes(scenario: &mut Scenario, kept: &[NodeId]) {
    let new = |node: NodeId| kept.binary_search(&node).ok().map(|place| place as NodeId);
    scenario.nodes = kept.iter().map(|node| scenario.nodes[*node as usize].clone()).collect();
    for node in &mut scenario.nodes {
        node.allow = node.allow.iter().filter_map(|(peer, service)| Some((new(*peer)?, service.clone()))).collect();
        node.trusts = node.trusts.as_ref().map(|trusts| trusts.iter().filter_map(|peer| new(*peer)).collect());
    }
    close_sites(scenario);
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
    scenario.acts.retain_mut(|act| {
        let is_there = new(act.on).map(|on| act.on = on).is_some();
        is_there && mend_deed(&mut act.deed, new)
    });
    // A mark keeps its place, which faults know it by: that of a node that is gone waits for nobody.
    let waits: Vec<bool> = scenario.marks.iter().map(|mark| new(mark.node).is_some()).collect();
    scenario.marks.iter_mut().for_each(|mark| mark.node = new(mark.node).unwrap_or(0));
    scenario.faults.retain_mut(|fault| {
        !matches!(fault.begin, Begin::Mark(mark) if !waits[mark as usize]) && mend(&mut fault.what, new)
    });
}

/// Takes out the sites in which nobody is left to hear anybody.
fn close_sites(scenario: &mut Scenario) {
    let mut members = vec![0_u32; scenario.sites.len()];
    for site in scenario.nodes.iter().filter_map(|node| node.sites.as_ref()).flatten() {
        members[*site as usize] += 1;
    }
    let open: Vec<SiteId> = (0..).zip(&members).filter(|(_, members)| **members > 1).map(|(site, _)| site).collect();
    for sites in scenario.nodes.iter_mut().filter_map(|node| node.sites.as_mut()) {
        *sites = sites.iter().filter_map(|site| open.binary_search(site).ok()).map(|place| place as SiteId).collect();
    }
    scenario.sites = open.into_iter().map(|site| scenario.sites[site as usize].clone()).collect();
}

/// Gives the node that a deed is about its new place. False when it is gone.
fn mend_deed(deed: &mut Deed, new: impl Fn(NodeId) -> Option<NodeId>) -> bool {
    match deed {
        Deed::Pair(peer, _) | Deed::Trust(peer) | Deed::Revoke(peer) => new(*peer).map(|place| *peer = place).is_some(),
        Deed::RotateKey | Deed::Leave => true,
    }
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

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    #[test]
    fn sites_in_which_nobody_is_left_to_hear_anybody_go() {
        let mut scenario = crate::scenario::load(Path::new("../../scenarios/two-homes.toml"), &[]).unwrap();
        let names = ["courier", "home-1-hub", "home-2-hub", "home-2-phone-1"];
        let is_kept = |node: &NodeId| names.contains(&scenario.node_name(*node));
        let kept: Vec<_> = (0..scenario.nodes.len() as NodeId).filter(is_kept).collect();
        keep_nodes(&mut scenario, &kept);
        assert_eq!(scenario.sites, ["home-1", "home-2"]);
        let sites = |scenario: &Scenario| -> Vec<_> {
            scenario.nodes.iter().map(|node| node.sites.clone().expect("nodes are in sites")).collect()
        };
        assert_eq!(sites(&scenario), [vec![0, 1], vec![0], vec![1], vec![1]]);
        keep_nodes(&mut scenario, &[1, 2, 3]);
        assert_eq!(
            (scenario.sites.as_slice(), sites(&scenario)),
            (["home-2".to_owned()].as_slice(), vec![vec![], vec![0], vec![0]])
        );
        let written = crate::scenario::to_json(&scenario).to_string();
        assert_eq!(crate::scenario::from_json(&written).map(|read| read.hash()).ok(), Some(scenario.hash()));
    }

    #[test]
    fn what_people_do_at_nodes_that_are_gone_or_about_them_goes() {
        let mut scenario = crate::scenario::load(Path::new("../../scenarios/revocation.toml"), &[]).unwrap();
        let kept: Vec<_> = (0..3).filter(|node| scenario.node_name(*node) != "phone").collect();
        keep_nodes(&mut scenario, &kept);
        let acts: Vec<_> = scenario.acts.iter().map(|act| (scenario.node_name(act.on), act.deed)).collect();
        assert_eq!(acts, [("hub", Deed::Trust(1))]);
        assert_eq!(scenario.node_name(1), "tab");
    }
}
