//! The names of nodes, and the patterns that stand for several.

use crate::scenario::file::{File, NodeSection};
use crate::scenario::problem::Problems;
use crate::scenario::read::{At, did_you_mean};
use crate::scenario::resolved::NodeId;
use std::collections::BTreeMap;

/// More nodes than this are a mistake of a digit.
const NODES_MAX: usize = 10_000;

/// Every node's name in order, each with the place of the table that describes it.
pub(super) struct Names {
    list: Vec<(String, usize)>,
}

/// Whether `text` can name a node, a service or a scenario.
pub(super) fn is_name(text: &str) -> bool {
    let is_letter = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    (1..=64).contains(&text.len()) && text.chars().all(is_letter)
}

impl Names {
    /// Expands every count. `None` when there is no node to speak of.
    pub(super) fn of(file: &File, problems: &mut Problems) -> Option<Self> {
        let mut all = BTreeMap::new();
        for (table, (name, section)) in file.nodes.iter().flat_map(|named| &named.0).enumerate() {
            if !is_name(&name.value) || name.value.len() > 56 {
                problems.at(name.span, "a node's name is 1 to 56 letters, digits, `-` and `_`", "not a name");
                continue;
            }
            for member in members(name, section, problems) {
                if all.len() >= NODES_MAX {
                    problems.at(name.span, format!("a scenario has at most {NODES_MAX} nodes"), "too many with these");
                    return None;
                }
                if all.insert(member.clone(), table).is_some() {
                    problems.at(name.span, format!("there are two nodes `{member}`"), "one comes from here");
                }
            }
        }
        if all.is_empty() {
            problems.at(file.place.start(), "a scenario needs a node", "no `[nodes.NAME]`").fix("add `[nodes.hub]`");
            return None;
        }
        Some(Self { list: all.into_iter().collect() })
    }

    /// Every node: its id, its name, and the place of its table in the file.
    pub(super) fn iter(&self) -> impl Iterator<Item = (NodeId, &str, usize)> {
        (0..).zip(&self.list).map(|(id, (name, table))| (id, name.as_str(), *table))
    }

    pub(super) fn find(&self, name: &str) -> Option<NodeId> {
        self.list.binary_search_by(|(known, _)| known.as_str().cmp(name)).ok().map(|place| place as NodeId)
    }

    /// Every node that `pattern` stands for; a problem when there is none.
    pub(super) fn matching(&self, pattern: &At<&str>, problems: &mut Problems) -> Vec<NodeId> {
        let found = self.matches(pattern.value);
        if found.is_empty() {
            let text = pattern.value;
            let problem = if text.contains('*') {
                problems.at(pattern.span, format!("`{text}` matches no node"), "no node has such a name")
            } else {
                problems.at(pattern.span, format!("there is no node `{text}`"), "not a node")
            };
            problem.fix(did_you_mean(text, self.list.iter().map(|(name, _)| name.as_str())));
        }
        found
    }

    fn matches(&self, pattern: &str) -> Vec<NodeId> {
        if !pattern.contains('*') {
            return self.find(pattern).into_iter().collect();
        }
        let hits = (0..).zip(&self.list).filter(|(_, (name, _))| glob(pattern.as_bytes(), name.as_bytes()));
        hits.map(|(id, _)| id).collect()
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

fn members(name: &At<String>, section: &NodeSection, problems: &mut Problems) -> Vec<String> {
    let Some(count) = &section.count else { return vec![name.value.clone()] };
    if count.value == 0 || count.value as usize > NODES_MAX {
        problems.at(count.span, format!("a count is from 1 to {NODES_MAX}"), "out of range");
        return Vec::new();
    }
    (1..=count.value).map(|number| format!("{}-{number}", name.value)).collect()
}

/// Whether `pattern`, in which `*` stands for any letters, matches all of `name`.
fn glob(pattern: &[u8], name: &[u8]) -> bool {
    let (mut at, mut in_name) = (0, 0);
    // Where to go on when letters do not fit: after the last star, one letter further.
    let mut retry = None;
    while in_name < name.len() {
        match pattern.get(at) {
            Some(b'*') => {
                at += 1;
                retry = Some((at, in_name));
            }
            Some(letter) if *letter == name[in_name] => {
                at += 1;
                in_name += 1;
            }
            _ => {
                let Some((after_star, tried)) = retry else { return false };
                at = after_star;
                in_name = tried + 1;
                retry = Some((after_star, in_name));
            }
        }
    }
    pattern[at..].iter().all(|letter| *letter == b'*')
}

#[cfg(test)]
mod tests {
    use super::glob;

    #[test]
    fn a_star_stands_for_any_letters_and_for_none() {
        for (pattern, name) in
            [("*", "hub"), ("phone-*", "phone-"), ("*-1", "phone-1"), ("p*o*1", "phone-1"), ("a*b*b", "abb")]
        {
            assert!(glob(pattern.as_bytes(), name.as_bytes()), "{pattern} {name}");
        }
        for (pattern, name) in
            [("phone", "phone-1"), ("phone-*", "phon"), ("*-2", "phone-1"), ("", "a"), ("a*b", "abc")]
        {
            assert!(!glob(pattern.as_bytes(), name.as_bytes()), "{pattern} {name}");
        }
    }
}
