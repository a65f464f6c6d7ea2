//! Who does not keep to the rules, and what victims are to feel of it.

use super::names::Names;
use super::required;
use super::sites::{Sites, placed};
use crate::attacker::{Conduct, TapKind};
use crate::oracles::{ATTACKS_FELT, EFFECTS};
use crate::scenario::file::{AttackerSection, File, NodeSection};
use crate::scenario::problem::Problems;
use crate::scenario::read::{At, did_you_mean};
use crate::scenario::resolved::{Attacker, Checks, Felt, Hostile, Node, NodeId};
use crate::scenario::units::Nanos;

/// Settles the men in the middle, and makes nodes hostile that are to be.
pub(super) fn resolve(
    file: &File,
    names: &Names,
    sites: &Sites,
    nodes: &mut [Node],
    stop_at: Nanos,
    problems: &mut Problems,
) -> Vec<Attacker> {
    let sections: Vec<_> = file.nodes.iter().flat_map(|named| &named.0).map(|(_, section)| section).collect();
    let is_hostile: Vec<_> = names.iter().map(|(_, member)| sections[member.table].hostile.is_some()).collect();
    for section in &sections {
        check_section(section, problems);
    }
    // What is wrong is said once for a table, not for each of its nodes.
    let mut is_wrong = vec![false; sections.len()];
    for (id, member) in names.iter() {
        let (before, mut ignored) = (problems.len(), Problems::ignored());
        let problems = if is_wrong[member.table] { &mut ignored } else { &mut *problems };
        let site = member.site().map(|site| sites.name(site));
        let attack = Attack { names, nodes, is_hostile: &is_hostile, by: &nodes[id as usize], site };
        let hostile = attack.resolve(sections[member.table], problems);
        is_wrong[member.table] |= problems.len() > before;
        nodes[id as usize].hostile = hostile;
    }
    let men = file.attackers.iter().flat_map(|named| &named.0);
    men.filter_map(|(name, section)| attacker(name, section, names, stop_at, problems)).collect()
}

fn check_section(section: &NodeSection, problems: &mut Problems) {
    match (&section.hostile, &section.attacks) {
        (None, Some(_)) => {
            let problem = problems.at(section.place.start(), "only a hostile node attacks", "not hostile");
            problem.fix("add `hostile = \"garbage\"`, or leave `attacks` out");
        }
        (Some(hostile), _) if section.serves.is_some() || section.allow.is_some() || section.trusts.is_some() => {
            problems.at(hostile.span, "a hostile node serves, allows and trusts nobody", "it keeps no rules");
        }
        _ => {}
    }
}

/// What one hostile node is up to.
struct Attack<'a> {
    names: &'a Names,
    nodes: &'a [Node],
    /// By node.
    is_hostile: &'a [bool],
    by: &'a Node,
    /// The one site that it is in.
    site: Option<&'a str>,
}

impl Attack<'_> {
    fn resolve(&self, section: &NodeSection, problems: &mut Problems) -> Option<Hostile> {
        let written = section.hostile.as_ref()?;
        let conduct = known("attack", written, &Conduct::ALL, problems)?;
        let meets = |victim: &NodeId| self.by.meets(&self.nodes[*victim as usize]);
        let honest = || (0..).zip(self.is_hostile).filter(|(_, hostile)| !**hostile).map(|(id, _)| id);
        let mut victims = match &section.attacks {
            Some(patterns) => self.named(patterns, problems),
            None => honest().filter(meets).collect(),
        };
        victims.sort_unstable();
        victims.dedup();
        if victims.is_empty() || victims.iter().any(|victim| self.is_hostile[*victim as usize]) {
            problems.at(written.span, "the victims of an attack are nodes that are not hostile", "there must be one");
            return None;
        }
        if let Some(stranger) = victims.iter().find(|victim| !meets(victim)) {
            let (me, stranger) = (&self.by.name, &self.nodes[*stranger as usize].name);
            let message = format!("`{me}` never hears of `{stranger}`: they share no site");
            problems.at(written.span, message, "finds its victims by their announces");
        }
        let needs_guise = conduct == Conduct::ForgedProof;
        let guise = honest().find(|id| needs_guise && !victims.contains(id));
        if needs_guise && guise.is_none() {
            let message = "nobody is left whom this node could pass for";
            let problem = problems.at(written.span, message, "all are its victims");
            problem.fix("name its victims: `attacks = [\"hub\"]`");
        }
        Some(Hostile { conduct, victims, guise })
    }

    fn named(&self, patterns: &[At<String>], problems: &mut Problems) -> Vec<NodeId> {
        let placed = patterns.iter().filter_map(|pattern| placed(pattern, self.site, problems)).collect::<Vec<_>>();
        placed.iter().flat_map(|pattern| self.names.side(pattern, problems)).collect()
    }
}

fn attacker(
    name: &At<String>,
    section: &AttackerSection,
    names: &Names,
    stop_at: Nanos,
    problems: &mut Problems,
) -> Option<Attacker> {
    let tap = required(section.tap.as_ref(), &section.place, "tap = \"replay\"", problems);
    let between = required(section.between.as_ref(), &section.place, "between = [\"hub\", \"phone\"]", problems);
    let from = section.at.as_ref().map_or(Nanos(0), |at| at.value);
    if let Some(late) = section.at.as_ref().filter(|at| at.value >= stop_at) {
        problems.at(late.span, "this attack would never begin", format!("the run ends at {stop_at}"));
    }
    let until = section.lasts.as_ref().map(|lasts| Nanos(from.0.saturating_add(lasts.value.0)));
    let tap = known("tap", tap?, &TapKind::ALL, problems)?;
    let between = sides(between?, names, problems)?;
    Some(Attacker { name: name.value.clone(), tap, between, from, until })
}

fn sides(written: &At<Vec<At<String>>>, names: &Names, problems: &mut Problems) -> Option<[Vec<NodeId>; 2]> {
    let [one, other] = written.value.as_slice() else {
        let problem = problems.at(written.span, "a link has two sides", format!("{} here", written.value.len()));
        problem.fix("write `[\"hub\", \"phone-*\"]`");
        return None;
    };
    let (one, other) = (names.side(one, problems), names.side(other, problems));
    if one.iter().any(|node| other.contains(node)) {
        problems.at(written.span, "a link joins two nodes", "one node is on both sides");
        return None;
    }
    Some([one, other])
}

fn known<T: Copy>(what: &str, word: &At<String>, all: &[(&str, T, &str)], problems: &mut Problems) -> Option<T> {
    let found = all.iter().find(|(name, ..)| *name == word.value);
    if found.is_none() {
        let problem = problems.at(word.span, format!("there is no {what} `{}`", word.value), "unknown");
        problem.fix(did_you_mean(&word.value, all.iter().map(|(name, ..)| *name)));
    }
    found.map(|(_, kind, _)| *kind)
}

/// An attack must be felt: by the end of the run, unless the file says sooner.
pub(super) fn checks(
    file: &File,
    names: &Names,
    attacked_until: Option<Nanos>,
    checks: &mut Checks,
    problems: &mut Problems,
) {
    for written in file.check.iter().flat_map(|check| &check.felt).flatten() {
        match attacked_until {
            Some(_) => checks.felt.extend(felt(written, names, problems)),
            None => {
                problems.at(written.span, "nobody attacks in this scenario", "nothing to feel");
            }
        }
    }
    let is_named = checks.eventually.iter().any(|(name, _)| *name == ATTACKS_FELT);
    if let Some(stop_at) = attacked_until.filter(|_| !is_named) {
        checks.eventually.push((ATTACKS_FELT, stop_at));
        checks.eventually.sort_by_key(|(name, by)| (*by, *name));
    }
}

/// `hub saw RecordInvalid`
fn felt(written: &At<String>, names: &Names, problems: &mut Problems) -> Option<Felt> {
    let Some((node, effect)) = written.value.split_once(" saw ") else {
        let problem = problems.at(written.span, "a node and what it saw are meant here", "no ` saw `");
        problem.fix("write \"hub saw RecordInvalid\"");
        return None;
    };
    let node = names.one(&At { value: node, span: written.span }, problems);
    let found = EFFECTS.iter().find(|known| **known == effect);
    if found.is_none() {
        let problem = problems.at(written.span, format!("`{effect}` is nothing that a node could see"), "unknown");
        problem.fix(did_you_mean(effect, EFFECTS.iter().copied()));
    }
    Some(Felt { node: node?, effect: found? })
}
