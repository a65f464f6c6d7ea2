//! Network segments: which there are, and on which of them the nodes of a table are.

use super::names::{NODES_MAX, is_name};
use super::pattern;
use crate::scenario::file::{File, NodeSection};
use crate::scenario::problem::Problems;
use crate::scenario::read::{At, did_you_mean};
use crate::scenario::resolved::SiteId;
use crate::scenario::source::Span;
use std::collections::BTreeMap;

/// Stands for the name of a node's site in what is written of nodes that are in one site each.
const SITE: &str = "{site}";
/// Each announce reaches everybody on its network, and all may be under way at once: more pairs of nodes that hear each
/// other than this do not fit into memory.
const PAIRS_MAX: u64 = 10_000_000;

/// Every site, in the order of names.
pub(super) struct Sites {
    /// Each with the place of its table's name in the file.
    list: Vec<(String, Span)>,
}

/// Where the nodes of a table are.
pub(super) enum Whereabouts {
    /// All on one network with all others: there are no sites.
    Together,
    /// Each in all of these.
    In(Vec<SiteId>),
    /// As many in each of these.
    Each(Vec<SiteId>),
}

impl Sites {
    pub(super) fn of(file: &File, problems: &mut Problems) -> Self {
        let mut all = BTreeMap::new();
        for (name, section) in file.sites.iter().flat_map(|named| &named.0) {
            if !is_name(&name.value) {
                problems.at(name.span, "a site's name is 1 to 64 letters, digits, `-` and `_`", "not a name");
                continue;
            }
            let count = section.count.as_ref();
            if let Some(wrong) = count.filter(|count| !(1..=NODES_MAX).contains(&(count.value as usize))) {
                problems.at(wrong.span, format!("a count is from 1 to {NODES_MAX}"), "out of range");
                continue;
            }
            for member in super::names::numbered(&name.value, count.map(|count| count.value)) {
                if all.len() >= NODES_MAX {
                    problems.at(name.span, format!("a scenario has at most {NODES_MAX} sites"), "too many with these");
                    break;
                }
                if all.insert(member.clone(), name.span).is_some() {
                    problems.at(name.span, format!("there are two sites `{member}`"), "one comes from here");
                }
            }
        }
        Self { list: all.into_iter().collect() }
    }

    pub(super) fn name(&self, site: SiteId) -> &str {
        &self.list[site as usize].0
    }

    pub(super) fn into_names(self) -> Vec<String> {
        self.list.into_iter().map(|(name, _)| name).collect()
    }

    /// Where the table says that its nodes are; `None` when that is no place.
    pub(super) fn whereabouts(&self, section: &NodeSection, problems: &mut Problems) -> Option<Whereabouts> {
        match (&section.sites, &section.each_site) {
            (None, None) if self.list.is_empty() => Some(Whereabouts::Together),
            (None, None) => {
                let message = "it is not said in which site this node is";
                let problem = problems.at(section.place.start(), message, "in this table");
                problem.fix(format!("add `sites = [\"{}\"]`, or `each_site = \"*\"` for one in each", self.name(0)));
                None
            }
            (Some(patterns), None) => {
                // What is wrong with one must not hide what is wrong with the next.
                let each: Vec<_> = patterns.iter().map(|pattern| self.matching(pattern, problems)).collect();
                let mut all = each.into_iter().collect::<Option<Vec<_>>>()?.concat();
                all.sort_unstable();
                all.dedup();
                Some(Whereabouts::In(all))
            }
            (None, Some(pattern)) => self.matching(pattern, problems).map(Whereabouts::Each),
            (Some(_), Some(each)) => {
                let problem = problems.at(each.span, "a node has `sites` or `each_site`", "not both");
                problem.fix("leave one of them out");
                None
            }
        }
    }

    fn matching(&self, pattern: &At<String>, problems: &mut Problems) -> Option<Vec<SiteId>> {
        let found = pattern::matches(&self.list, |(name, _)| name, &pattern.value);
        if !found.is_empty() {
            return Some(found);
        }
        let text = &pattern.value;
        if self.list.is_empty() {
            let problem = problems.at(pattern.span, format!("there is no site `{text}`"), "this file has no sites");
            problem.fix(format!("add `[sites.{}]`", if is_name(text) { text } else { "home" }));
        } else {
            let (message, label) = if text.contains('*') {
                (format!("`{text}` matches no site"), "no site has such a name")
            } else {
                (format!("there is no site `{text}`"), "not a site")
            };
            let known = self.list.iter().map(|(name, _)| name.as_str());
            problems.at(pattern.span, message, label).fix(did_you_mean(text, known));
        }
        None
    }

    /// Refuses sites in which nobody hears anybody, and networks in which too many do.
    pub(super) fn judge(&self, file: &File, nodes: &[Option<&[SiteId]>], problems: &mut Problems) {
        let mut members = vec![0_u64; self.list.len()];
        for site in nodes.iter().copied().flatten().flatten() {
            members[*site as usize] += 1;
        }
        for ((name, span), members) in self.list.iter().zip(&members).filter(|(_, members)| **members < 2) {
            let (message, fix) = match members {
                0 => (format!("no node is in the site `{name}`"), "put nodes into it: `sites = [\"NAME\"]`"),
                _ => (format!("only one node is in the site `{name}`"), "put another node into it, or none"),
            };
            problems.at(*span, message, "nobody there hears an announce").fix(fix);
        }
        let together = nodes.iter().filter(|sites| sites.is_none()).count() as u64;
        let pairs: u64 = members.iter().chain([&together]).map(|members| members * members).sum();
        if pairs > PAIRS_MAX {
            let message =
                format!("{pairs} announces would be under way at once: all nodes of a network hear each other");
            let at = file.nodes.iter().flat_map(|named| &named.0).map(|(name, _)| name.span).next();
            let problem = problems.at(at.unwrap_or(file.place.start()), message, format!("at most {PAIRS_MAX}"));
            problem.fix("divide them into `[sites]`");
        }
    }
}

/// Whether what is written means another thing in each site.
pub(super) fn is_placed(text: &str) -> bool {
    text.contains(SITE)
}

/// `text` with the name of `site` where that is meant; a problem when the node that it is about has no one site.
pub(super) fn placed(text: &At<String>, site: Option<&str>, problems: &mut Problems) -> Option<At<String>> {
    if !is_placed(&text.value) {
        return Some(text.clone());
    }
    let Some(site) = site else {
        let message = format!("`{SITE}` is the site of a node that is in one, and this one is in none or in several");
        problems.at(text.span, message, "no one site").fix("write the site's name, or use `each_site`");
        return None;
    };
    Some(At { value: text.value.replace(SITE, site), span: text.span })
}
