//! The names of nodes, and what stands for several of them.

use super::pattern;
use super::sites::{Sites, Whereabouts};
use crate::scenario::file::{File, NodeSection};
use crate::scenario::problem::Problems;
use crate::scenario::read::{At, did_you_mean};
use crate::scenario::resolved::{NodeId, SiteId};
use std::collections::BTreeMap;

/// More nodes than this are a mistake of a digit.
pub(crate) const NODES_MAX: usize = 10_000;

/// Every node's name in order.
pub(super) struct Names {
    list: Vec<Member>,
}

/// A node, before more is known of it.
pub(super) struct Member {
    pub(super) name: String,
    /// The place of the table that describes it.
    pub(super) table: usize,
    /// See [`Node::sites`](crate::scenario::resolved::Node::sites).
    pub(super) sites: Option<Vec<SiteId>>,
}

impl Member {
    /// The one site that it is in.
    pub(super) fn site(&self) -> Option<SiteId> {
        self.sites.as_deref().and_then(|sites| if let [only] = sites { Some(*only) } else { None })
    }
}

/// Whether `text` can name a node, a service or a scenario.
pub(super) fn is_name(text: &str) -> bool {
    let is_letter = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    (1..=64).contains(&text.len()) && text.chars().all(is_letter)
}

impl Names {
    /// Expands every count. `None` when there is no node to speak of.
    pub(super) fn of(file: &File, sites: &Sites, problems: &mut Problems) -> Option<Self> {
        let mut all = BTreeMap::new();
        for (table, (name, section)) in file.nodes.iter().flat_map(|named| &named.0).enumerate() {
            if !is_name(&name.value) || name.value.len() > 56 {
                problems.at(name.span, "a node's name is 1 to 56 letters, digits, `-` and `_`", "not a name");
                continue;
            }
            let Some(whereabouts) = sites.whereabouts(section, problems) else { continue };
            if !is_count(section, problems) {
                continue;
            }
            let count = section.count.as_ref().map(|count| count.value);
            for (name_of_this, its_sites) in members(&name.value, count, &whereabouts, sites) {
                if all.len() >= NODES_MAX {
                    problems.at(name.span, format!("a scenario has at most {NODES_MAX} nodes"), "too many with these");
                    return None;
                }
                if !is_name(&name_of_this) {
                    problems.at(name.span, format!("`{name_of_this}` is too long for a name"), "at most 64 letters");
                    break;
                }
                if all.insert(name_of_this.clone(), (table, its_sites)).is_some() {
                    problems.at(name.span, format!("there are two nodes `{name_of_this}`"), "one comes from here");
                }
            }
        }
        if all.is_empty() {
            problems.at(file.place.start(), "a scenario needs a node", "no `[nodes.NAME]`").fix("add `[nodes.hub]`");
            return None;
        }
        let list: Vec<_> = all.into_iter().map(|(name, (table, sites))| Member { name, table, sites }).collect();
        let where_they_are: Vec<_> = list.iter().map(|member| member.sites.as_deref()).collect();
        sites.judge(file, &where_they_are, problems);
        Some(Self { list })
    }

    /// Every node with its id.
    pub(super) fn iter(&self) -> impl Iterator<Item = (NodeId, &Member)> {
        (0..).zip(&self.list)
    }

    /// Every node that `pattern` stands for; a problem when there is none.
    pub(super) fn matching(&self, pattern: &At<&str>, problems: &mut Problems) -> Vec<NodeId> {
        let found = pattern::matches(&self.list, |member| &member.name, pattern.value);
        if found.is_empty() {
            let (text, wants_fix) = (pattern.value, problems.want_fix());
            let problem = if text.contains('*') {
                problems.at(pattern.span, format!("`{text}` matches no node"), "no node has such a name")
            } else {
                problems.at(pattern.span, format!("there is no node `{text}`"), "not a node")
            };
            if wants_fix {
                problem.fix(did_you_mean(text, self.list.iter().map(|member| member.name.as_str())));
            }
        }
        found
    }

    /// Every node that a comma-separated list of patterns stands for.
    pub(super) fn side(&self, patterns: &At<String>, problems: &mut Problems) -> Vec<NodeId> {
        let each = patterns.value.split(',').map(|pattern| At { value: pattern.trim(), span: patterns.span });
        let mut all: Vec<_> = each.flat_map(|pattern| self.matching(&pattern, problems)).collect();
        all.sort_unstable();
        all.dedup();
        all
    }

    /// The one node that `name` stands for.
    pub(super) fn one(&self, name: &At<&str>, problems: &mut Problems) -> Option<NodeId> {
        let found = self.matching(name, problems);
        if found.len() > 1 {
            let label = format!("{} nodes match", found.len());
            problems.at(name.span, "one node is meant here", label).fix("write its whole name");
        }
        found.first().copied().filter(|_| found.len() == 1)
    }
}

/// Whether the table's count, if it has one, can be meant.
fn is_count(section: &NodeSection, problems: &mut Problems) -> bool {
    let Some(wrong) = section.count.as_ref().filter(|count| !(1..=NODES_MAX).contains(&(count.value as usize))) else {
        return true;
    };
    problems.at(wrong.span, format!("a count is from 1 to {NODES_MAX}"), "out of range");
    false
}

/// The nodes of a table: each one's name and sites. There may be more than anybody wants.
fn members<'a>(
    name: &'a str,
    count: Option<u32>,
    whereabouts: &'a Whereabouts,
    sites: &'a Sites,
) -> Box<dyn Iterator<Item = (String, Option<Vec<SiteId>>)> + 'a> {
    match whereabouts {
        Whereabouts::Together => Box::new(numbered(name, count).map(|name| (name, None))),
        Whereabouts::In(all) => Box::new(numbered(name, count).map(|name| (name, Some(all.clone())))),
        Whereabouts::Each(all) => Box::new(all.iter().flat_map(move |site| {
            numbered(&format!("{}-{name}", sites.name(*site)), count).map(|name| (name, Some(vec![*site])))
        })),
    }
}

/// `phone`, or `phone-1` to `phone-4` for a count of 4.
pub(super) fn numbered(name: &str, count: Option<u32>) -> impl Iterator<Item = String> + use<> {
    let name = name.to_owned();
    (1..=count.unwrap_or(1)).map(move |number| if count.is_some() { format!("{name}-{number}") } else { name.clone() })
}
