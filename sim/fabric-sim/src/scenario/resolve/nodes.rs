//! What each node is: its clock, its storage, what it serves, whom it allows and trusts.

use super::names::{Member, Names, is_name};
use super::sites::{Sites, is_placed, placed};
use super::value;
use crate::scenario::file::{DiskSection, File, NodeSection};
use crate::scenario::problem::Problems;
use crate::scenario::read::{At, did_you_mean};
use crate::scenario::resolved::{Disk, Node, NodeId};
use crate::scenario::units::{Nanos, Skew};
use fabric::discovery::announce::SIGNED_SERVICES_MAX;
use fabric::services::{bundlemgrd, samgrd};
use std::collections::BTreeMap;

pub(super) fn resolve(file: &File, names: &Names, sites: &Sites, stop_at: Nanos, problems: &mut Problems) -> Vec<Node> {
    let sections: Vec<_> = file.nodes.iter().flat_map(|named| &named.0).map(|(_, section)| section).collect();
    for section in &sections {
        check_section(section, stop_at, problems);
    }
    // By table, and by site where that makes a difference. What is wrong in many sites is said once.
    let (mut kinds, mut is_wrong) = (BTreeMap::new(), vec![false; sections.len()]);
    let mut member = |(id, member): (NodeId, &Member)| {
        let Member { name, table, sites: its_sites } = member;
        let section = sections[*table];
        let site = if depends_on_site(section) { member.site() } else { None };
        let kind = kinds.entry((*table, site)).or_insert_with(|| {
            let (before, mut ignored) = (problems.len(), Problems::ignored());
            let problems = if is_wrong[*table] { &mut ignored } else { &mut *problems };
            let kind = kind(section, site.map(|site| sites.name(site)), names, problems);
            is_wrong[*table] |= problems.len() > before;
            kind
        });
        let mut node = Node { name: name.clone(), sites: its_sites.clone(), ..kind.clone() };
        node.allow.retain(|(peer, _)| *peer != id);
        node
    };
    names.iter().map(&mut member).collect()
}

fn depends_on_site(section: &NodeSection) -> bool {
    section.allow.iter().chain(&section.trusts).flatten().any(|pattern| is_placed(&pattern.value))
}

fn check_section(section: &NodeSection, stop_at: Nanos, problems: &mut Problems) {
    if let Some(late) = section.starts_at.as_ref().filter(|starts| starts.value >= stop_at) {
        problems.at(late.span, "this node would never start", format!("the run ends at {stop_at}"));
    }
    let serves = section.serves.as_deref().unwrap_or_default();
    for (place, service) in serves.iter().enumerate() {
        if !is_name(&service.value) {
            problems.at(service.span, "a service's name is 1 to 64 letters, digits, `-` and `_`", "not a name");
        } else if place == usize::from(SIGNED_SERVICES_MAX) {
            let message = format!("a node serves at most {SIGNED_SERVICES_MAX} services: no announce holds more");
            problems.at(service.span, message, "one too many");
        } else if serves[..place].iter().any(|other| other.value == service.value) {
            problems.at(service.span, format!("`{}` is there twice", service.value), "the second one");
        }
    }
}

/// What all nodes of one table have in common, in one site if it is said; they may allow themselves here.
fn kind(section: &NodeSection, site: Option<&str>, names: &Names, problems: &mut Problems) -> Node {
    let serves: Vec<String> = section.serves.iter().flatten().map(|service| service.value.clone()).collect();
    let rules = section.allow.iter().flatten().filter_map(|rule| placed(rule, site, problems)).collect::<Vec<_>>();
    let mut allow: Vec<_> = rules.iter().flat_map(|rule| permissions(rule, &serves, names, problems)).collect();
    allow.sort();
    allow.dedup();
    let trusts = section.trusts.as_ref().map(|patterns| {
        let patterns = patterns.iter().filter_map(|pattern| placed(pattern, site, problems)).collect::<Vec<_>>();
        let mut trusted: Vec<_> = patterns.iter().flat_map(|pattern| names.side(pattern, problems)).collect();
        trusted.sort_unstable();
        trusted.dedup();
        trusted
    });
    Node {
        name: String::new(),
        sites: None,
        starts_at: value(section.starts_at.as_ref(), Nanos(0)),
        clock_offset: value(section.clock_offset.as_ref(), Nanos(0)),
        clock_skew: value(section.clock_skew.as_ref(), Skew(0)),
        disk: section.disk.as_ref().map_or_else(Disk::default, |disk| overlay_disk(Disk::default(), disk)),
        serves,
        allow,
        trusts,
        hostile: None,
    }
}

/// `phone-*` for every service, `phone-*/files` for one, or `phone-*/samgrd/resolve` for one method.
fn permissions(rule: &At<String>, serves: &[String], names: &Names, problems: &mut Problems) -> Vec<(NodeId, String)> {
    let (pattern, service) = match rule.value.split_once('/') {
        Some((pattern, service)) => (pattern, Some(service)),
        None => (rule.value.as_str(), None),
    };
    let peers = names.matching(&At { value: pattern, span: rule.span }, problems);
    if let Some((service, method)) = service.and_then(|service| service.split_once('/')) {
        return method_permissions(rule, (service, method), serves, &peers, problems);
    }
    if let Some(unknown) = service.filter(|service| !serves.iter().any(|served| served == service)) {
        let problem = problems.at(rule.span, format!("this node does not serve `{unknown}`"), "cannot be allowed");
        problem.fix(did_you_mean(unknown, serves.iter().map(String::as_str)));
        return Vec::new();
    }
    let allowed = serves.iter().filter(|served| service.is_none_or(|service| service == *served));
    allowed.flat_map(|served| peers.iter().map(move |peer| (*peer, served.clone()))).collect()
}

fn method_permissions(
    rule: &At<String>,
    (service, method): (&str, &str),
    serves: &[String],
    peers: &[NodeId],
    problems: &mut Problems,
) -> Vec<(NodeId, String)> {
    let is_served = serves.iter().any(|served| served == service);
    let known = methods(service);
    if !is_served || !known.contains(&method) {
        let message = if is_served {
            format!("`{service}` has no method `{method}`")
        } else {
            format!("this node does not serve `{service}`")
        };
        let problem = problems.at(rule.span, message, "cannot be allowed");
        if !is_served {
            problem.fix(did_you_mean(service, serves.iter().map(String::as_str)));
        } else if known.is_empty() {
            problem.fix(format!("allow all of it: \"{}/{service}\"", rule.value.split('/').next().unwrap_or_default()));
        } else {
            problem.fix(did_you_mean(method, known.iter().copied()));
        }
        return Vec::new();
    }
    peers.iter().map(|peer| (*peer, format!("{service}/{method}"))).collect()
}

/// The methods of a service that answers calls; of all others none.
pub(super) fn methods(service: &str) -> &'static [&'static str] {
    match service {
        samgrd::SERVICE => &[samgrd::RESOLVE],
        bundlemgrd::SERVICE => &[bundlemgrd::QUERY],
        _ => &[],
    }
}

/// `base` with what is written in its place.
pub(super) fn overlay_disk(base: Disk, written: &DiskSection) -> Disk {
    Disk {
        delay: value(written.delay.as_ref(), base.delay),
        fail: value(written.fail.as_ref(), base.fail),
        torn: value(written.torn.as_ref(), base.torn),
        rot: value(written.rot.as_ref(), base.rot),
    }
}
