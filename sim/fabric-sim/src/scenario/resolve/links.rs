//! Which direction between which nodes behaves how.

use super::names::Names;
use super::{small, value};
use crate::scenario::file::{File, LinkSection};
use crate::scenario::problem::Problems;
use crate::scenario::read::At;
use crate::scenario::resolved::{Link, Node, NodeId};
use crate::scenario::source::Sources;
use std::collections::BTreeMap;

/// More single directions than this belong in `links.default`.
const DIRECTIONS_MAX: usize = 1_000_000;
/// A shorter one could not carry the headers of anything.
pub(crate) const MTU_MIN: u32 = 64;

type Links = BTreeMap<(NodeId, NodeId), Link>;

pub(super) fn resolve(
    file: &File,
    names: &Names,
    nodes: &[Node],
    sources: &Sources,
    problems: &mut Problems,
) -> (Link, Links) {
    let mut entries: Vec<_> = file.links.iter().flat_map(|named| &named.0).collect();
    entries.sort_by_key(|(name, _)| sources.order(name.span));
    let default = entries.iter().find(|(name, _)| name.value == "default");
    let link = default.map_or_else(Link::default, |(_, section)| overlay(Link::default(), section, problems));
    let mut links = Links::new();
    for (name, section) in entries.iter().filter(|(name, _)| name.value != "default") {
        // Checked once, before it is laid on what each direction has.
        overlay(link, section, problems);
        for direction in directions(name, names, nodes, problems) {
            let so_far = links.get(&direction).copied().unwrap_or(link);
            links.insert(direction, overlay(so_far, section, &mut Problems::default()));
            if links.len() > DIRECTIONS_MAX {
                let problem = problems.at(name.span, "this stands for too many pairs of nodes", "more than a million");
                problem.fix("put it in `links.default`");
                return (link, links);
            }
        }
    }
    (link, links)
}

/// Every direction that `a <-> b` or `a -> b` stands for, between nodes that talk.
pub(super) fn directions<'a>(
    name: &At<String>,
    names: &Names,
    nodes: &'a [Node],
    problems: &mut Problems,
) -> impl Iterator<Item = (NodeId, NodeId)> + use<'a> {
    let both = name.value.split_once("<->");
    let Some((from, to)) = both.or_else(|| name.value.split_once("->")) else {
        let problem = problems.at(name.span, format!("`{}` is not a link", name.value), "no arrow");
        problem.fix("write \"a <-> b\" for both directions, \"a -> b\" for one, or `default`");
        return pairs(Vec::new(), Vec::new(), false, nodes);
    };
    let side = |text: &str| At { value: text.trim().to_owned(), span: name.span };
    let (from, to) = (names.side(&side(from), problems), names.side(&side(to), problems));
    if let ([only], [same]) = (from.as_slice(), to.as_slice())
        && only == same
    {
        problems.at(name.span, "a link joins two nodes", "both ends are one node");
    }
    let meet = |a: &NodeId| to.iter().any(|b| nodes[*a as usize].meets(&nodes[*b as usize]));
    if !from.is_empty() && !to.is_empty() && !from.iter().any(meet) {
        problems.at(name.span, "no link joins these nodes: they share no site", "they never talk");
    }
    pairs(from, to, both.is_some(), nodes)
}

fn pairs(
    from: Vec<NodeId>,
    to: Vec<NodeId>,
    both: bool,
    nodes: &[Node],
) -> impl Iterator<Item = (NodeId, NodeId)> + use<'_> {
    let forward = from.into_iter().flat_map(move |a| to.clone().into_iter().map(move |b| (a, b)));
    let joined = forward.filter(|(a, b)| a != b && nodes[*a as usize].meets(&nodes[*b as usize]));
    joined.flat_map(move |(a, b)| [Some((a, b)), both.then_some((b, a))].into_iter().flatten())
}

/// `base` with what is written in its place.
pub(super) fn overlay(base: Link, written: &LinkSection, problems: &mut Problems) -> Link {
    let burst = written.burst.as_ref().map(|burst| {
        let (enter, leave) = (burst.enter.as_ref(), burst.leave.as_ref());
        if enter.is_none() || leave.is_none() {
            let problem = problems.at(burst.place.start(), "a burst needs `enter` and `leave`", "one is missing");
            problem.fix("write `burst = { enter = \"0.5%\", leave = \"20%\" }`");
        }
        let chance = |written: Option<&At<_>>| written.map(|chance| chance.value).unwrap_or_default();
        (chance(enter), chance(leave))
    });
    Link {
        delay: value(written.delay.as_ref(), base.delay),
        loss: value(written.loss.as_ref(), base.loss),
        burst: burst.or(base.burst),
        duplicate: value(written.duplicate.as_ref(), base.duplicate),
        reorder: value(written.reorder.as_ref(), base.reorder),
        corrupt: value(written.corrupt.as_ref(), base.corrupt),
        truncate: value(written.truncate.as_ref(), base.truncate),
        rate: written.rate.as_ref().map(|rate| rate.value).or(base.rate),
        queue: small(written.queue.as_ref(), 1, base.queue, problems),
        mtu: small(written.mtu.as_ref(), MTU_MIN, base.mtu, problems),
    }
}
