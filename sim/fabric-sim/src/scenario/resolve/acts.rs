//! What people do about trust: which one thing, at which nodes, with whom.

use super::names::Names;
use super::required;
use crate::scenario::file::{ActSection, File};
use crate::scenario::problem::Problems;
use crate::scenario::read::{At, did_you_mean};
use crate::scenario::resolved::{Act, Deed, Node, NodeId};
use crate::scenario::units::Nanos;
use fabric::trust::Label;
use scenario_actor::Answer;

/// More acts than this are a mistake.
pub(crate) const ACTS_MAX: usize = 10_000;

/// The keys of which an act has one.
const DEEDS: &str = "`pair`, `trust`, `revoke`, `rotate_key` or `leave`";

pub(super) fn resolve(file: &File, names: &Names, nodes: &[Node], stop_at: Nanos, problems: &mut Problems) -> Vec<Act> {
    let mut all = Vec::new();
    for section in file.acts.iter().flatten() {
        let at = required(section.at.as_ref(), &section.place, "at = \"1s\"", problems);
        let on = required(section.on.as_ref(), &section.place, "on = \"hub\"", problems);
        if let Some(late) = at.filter(|at| at.value >= stop_at) {
            problems.at(late.span, "this act would never be done", format!("the run ends at {stop_at}"));
        }
        let on = on.map(|on| (on, names.side(on, problems)));
        let (Some(deed), Some(at), Some((written, people))) = (deed(section, names, problems), at, on) else {
            continue;
        };
        if let [only] = people[..]
            && deed.peer() == Some(only)
        {
            problems.at(written.span, "a node has no trust in itself", "the same node twice");
        }
        for on in people.into_iter().filter(|on| deed.peer() != Some(*on)) {
            if nodes[on as usize].hostile.is_some() {
                let name = &nodes[on as usize].name;
                problems.at(written.span, format!("`{name}` is hostile: nobody is beside it"), "a hostile node");
            }
            all.push(Act { at: at.value, on, deed });
        }
        if all.len() > ACTS_MAX {
            problems.at(section.place.start(), format!("a scenario has at most {ACTS_MAX} acts"), "too many");
            return all;
        }
    }
    all
}

/// The one thing that is done.
fn deed(section: &ActSection, names: &Names, problems: &mut Problems) -> Option<Deed> {
    let answer = answer(section.answer.as_ref(), problems);
    if let Some(lost) = section.answer.as_ref().filter(|_| !section.place.has("pair")) {
        problems.at(lost.span, "only digits are answered", "there is no `pair` here");
    }
    for key in [&section.rotate_key, &section.leave].into_iter().flatten().filter(|key| !key.value) {
        problems.at(key.span, "this act does nothing", "leave the whole act out");
    }
    let keys = ["pair", "trust", "revoke", "rotate_key", "leave"];
    let there: Vec<_> = keys.into_iter().filter(|key| section.place.has(key)).collect();
    let [_] = there[..] else {
        let message = format!("an act is one of {DEEDS}");
        let label = if there.is_empty() { "this one is none" } else { "this one is several" };
        problems.at(section.place.start(), message, label);
        return None;
    };
    if let Some(peer) = &section.pair {
        return Some(Deed::Pair(one(peer, names, problems)?, answer));
    }
    if let Some(peer) = &section.trust {
        return Some(Deed::Trust(one(peer, names, problems)?));
    }
    if let Some(peer) = &section.revoke {
        return Some(Deed::Revoke(one(peer, names, problems)?));
    }
    if section.rotate_key.is_some() { Some(Deed::RotateKey) } else { section.leave.as_ref().map(|_| Deed::Leave) }
}

/// A node whose name can be a label: under that it is stored.
fn one(name: &At<String>, names: &Names, problems: &mut Problems) -> Option<NodeId> {
    let node = names.one(&At { value: name.value.as_str(), span: name.span }, problems)?;
    if name.value.parse::<Label>().is_err() {
        let problem = problems.at(
            name.span,
            "the name of a node that is trusted is its label: at most 32 of `a-z`, `0-9` and `-`, not all hex digits",
            "cannot be a label",
        );
        problem.fix("give the node another name");
        return None;
    }
    Some(node)
}

fn answer(written: Option<&At<String>>, problems: &mut Problems) -> Answer {
    let Some(written) = written else { return Answer::Yes };
    match written.value.as_str() {
        "yes" => Answer::Yes,
        "no" => Answer::No,
        "nothing" => Answer::Nothing,
        other => {
            let problem = problems.at(written.span, format!("`{other}` is not an answer"), "unknown");
            problem.fix(did_you_mean(other, ["yes", "no", "nothing"].into_iter()));
            Answer::Yes
        }
    }
}
