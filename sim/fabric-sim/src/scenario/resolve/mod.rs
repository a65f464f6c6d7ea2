//! From what is written to what is meant: names to nodes, globs to lists, defaults filled in, contradictions refused.

mod acts;
mod attackers;
mod faults;
mod links;
mod names;
mod nodes;
mod pattern;
mod sites;
mod work;
mod worlds;

use super::file::{CheckSection, File};
use super::problem::Problems;
use super::read::{At, Place, did_you_mean};
use super::resolved::{Checks, Perturb, Pipes, Scenario};
use super::source::Sources;
use super::units::{Bytes, Nanos};
use crate::oracles;
use fabric::probe::Probe;
use names::Names;
use sites::Sites;
use std::collections::BTreeMap;
pub(crate) use work::{MESSAGE_DEFAULT, PRIORITY_DEFAULT, usual};
/// What a scenario can hold.
pub(crate) mod limits {
    pub(crate) use super::acts::ACTS_MAX;
    pub(crate) use super::faults::FAULTS_MAX;
    pub(crate) use super::links::MTU_MIN;
    pub(crate) use super::names::NODES_MAX;
    pub(crate) use super::work::{BODY_BYTES_MAX, STREAMS_MAX, WORK_BYTES_MAX, WORK_MAX};
}

pub(crate) use worlds::lacks;

/// Settles all of `file`. `None` when that left problems.
pub(crate) fn resolve(file: &File, sources: &Sources, problems: &mut Problems) -> Option<Scenario> {
    let before = problems.len();
    check_version(file, problems);
    let stop_at = required(file.stop_at.as_ref(), &file.place, "stop_at = \"60s\"", problems);
    let stop_at = stop_at.filter(|stop_at| stop_at.value > Nanos(0));
    let name = required(file.name.as_ref(), &file.place, "name = \"my-scenario\"", problems);
    if let Some(name) = name.filter(|name| !names::is_name(&name.value)) {
        problems.at(name.span, "a name is 1 to 64 letters, digits, `-` and `_`", "not a name");
    }
    if let Some(zero) = file.stop_at.as_ref().filter(|_| stop_at.is_none()) {
        problems.at(zero.span, "a run must last some time", "nothing would happen");
    }
    let sites = Sites::of(file, problems);
    let names = Names::of(file, &sites, problems)?;
    let stop_at = stop_at.map_or(Nanos(u64::MAX), |stop_at| stop_at.value);
    let mut nodes = nodes::resolve(file, &names, &sites, stop_at, problems);
    let attackers = attackers::resolve(file, &names, &sites, &mut nodes, stop_at, problems);
    let (link, links) = links::resolve(file, &names, &nodes, sources, problems);
    let acts = acts::resolve(file, &names, &nodes, stop_at, problems);
    let base = work::Base { names: &names, nodes: &nodes, sites: &sites, acts: &acts, stop_at, sources };
    let work = work::resolve(file, &base, problems);
    let base = faults::Base { names: &names, nodes: &nodes, link: &link, links: &links, stop_at };
    let (marks, faults) = faults::resolve(file, &base, problems);
    let has =
        Has { work: !work.is_empty(), acts: !acts.is_empty(), calls: work.iter().any(|work| work.call.is_some()) };
    let mut checks = checks(file.check.as_ref(), stop_at, has, problems);
    let is_attacked = !attackers.is_empty() || nodes.iter().any(|node| node.hostile.is_some());
    attackers::checks(file, &names, is_attacked.then_some(stop_at), &mut checks, problems);
    let scenario = Scenario {
        name: name.map(|name| name.value.clone()).unwrap_or_default(),
        stop_at,
        sites: sites.into_names(),
        nodes,
        link,
        links,
        pipes: pipes(file, problems),
        perturb: perturb(file),
        attackers,
        work,
        acts,
        marks,
        faults,
        checks,
        swarm: BTreeMap::new(),
        worlds: Vec::new(),
    };
    let worlds = worlds::resolve(file, &scenario, problems);
    let scenario = Scenario { worlds, ..scenario };
    (problems.len() == before).then_some(scenario)
}

fn check_version(file: &File, problems: &mut Problems) {
    let Some(schema) = required(file.schema.as_ref(), &file.place, "schema = 1", problems) else { return };
    if schema.value != 1 {
        problems
            .at(schema.span, "this version reads scenarios of schema 1", "another schema")
            .fix("write `schema = 1`");
    }
}

/// The value, or a problem that names it when it is not there; one that is wrong has its own.
fn required<'a, T>(
    value: Option<&'a At<T>>,
    table: &Place,
    example: &str,
    problems: &mut Problems,
) -> Option<&'a At<T>> {
    let key = example.split(' ').next().unwrap_or(example);
    if !table.has(key) {
        problems.at(table.start(), format!("`{key}` is missing"), "in this table").fix(format!("add `{example}`"));
    }
    value
}

/// A size that the simulator holds in 32 bits, at least `min`.
fn small(value: Option<&At<Bytes>>, min: u32, default: u32, problems: &mut Problems) -> u32 {
    let Some(size) = value else { return default };
    match u32::try_from(size.value.0) {
        Ok(bytes) if bytes >= min => bytes,
        _ => {
            problems.at(size.span, format!("this size is from {min} B to 4 GiB"), "out of range");
            default
        }
    }
}

fn value<T: Copy>(written: Option<&At<T>>, default: T) -> T {
    written.map_or(default, |written| written.value)
}

fn pipes(file: &File, problems: &mut Problems) -> Pipes {
    let default = Pipes::default();
    let Some(written) = &file.pipes else { return default };
    let chunk_max = written.chunk_max.as_ref().map(|chunk| small(Some(chunk), 1, 1, problems));
    Pipes {
        buffer: small(written.buffer.as_ref(), 1, default.buffer, problems),
        segment: small(written.segment.as_ref(), 1, default.segment, problems),
        room_max: small(written.room_max.as_ref(), 1, default.room_max, problems),
        chunk_max,
        refuse: value(written.refuse.as_ref(), default.refuse),
        silent: value(written.silent.as_ref(), default.silent),
        reset: value(written.reset.as_ref(), default.reset),
        patience: value(written.patience.as_ref(), default.patience),
    }
}

fn perturb(file: &File) -> Perturb {
    let Some(written) = &file.perturb else { return Perturb::default() };
    Perturb {
        spurious_timeout: value(written.spurious_timeout.as_ref(), Perturb::default().spurious_timeout),
        late_drain: value(written.late_drain.as_ref(), Perturb::default().late_drain),
    }
}

/// What a scenario has that some checks are about.
#[derive(Clone, Copy)]
struct Has {
    work: bool,
    acts: bool,
    calls: bool,
}

/// Without `[check]`, every promise is judged that is about something here, and that the work is done at the end.
fn checks(written: Option<&CheckSection>, stop_at: Nanos, has: Has, problems: &mut Problems) -> Checks {
    let is_about = |check: &&oracles::Known| match check.about {
        oracles::About::All => true,
        oracles::About::Acts => has.acts,
        oracles::About::Calls => has.calls,
    };
    let always_default = || oracles::ALWAYS.iter().filter(is_about).map(|check| check.name).collect();
    let Some(written) = written else {
        let eventually = if has.work { vec![(oracles::WORK_DONE, stop_at)] } else { Vec::new() };
        return Checks { always: always_default(), eventually, felt: Vec::new(), sometimes: Vec::new() };
    };
    let always = written.always.as_ref().map(|names| {
        let known = |name: &At<String>| known_check(name, oracles::ALWAYS, problems);
        unique(names.iter().filter_map(known).collect())
    });
    let mut eventually = Vec::new();
    for (name, by) in written.eventually.iter().flat_map(|named| &named.0) {
        if by.value > stop_at {
            let label = format!("the run ends at {stop_at}");
            problems.at(by.span, "this time is after `stop_at`", label).fix("choose an earlier time, or stop later");
        }
        eventually.extend(known_check(name, oracles::EVENTUALLY, problems).map(|name| (name, by.value)));
    }
    eventually.sort_by_key(|(name, by)| (*by, *name));
    let sometimes = sometimes(written, problems);
    Checks { always: always.unwrap_or_else(always_default), eventually, felt: Vec::new(), sometimes }
}

fn known_check(name: &At<String>, known: &[oracles::Known], problems: &mut Problems) -> Option<&'static str> {
    let found = known.iter().find(|check| check.name == name.value);
    if found.is_none() {
        let problem = problems.at(name.span, format!("there is no check `{}`", name.value), "unknown here");
        problem.fix(did_you_mean(&name.value, known.iter().map(|check| check.name)));
    }
    found.map(|check| check.name)
}

fn sometimes(written: &CheckSection, problems: &mut Problems) -> Vec<String> {
    let mut kept = Vec::new();
    for probe in written.sometimes.iter().flatten() {
        let labels = Probe::ALL.iter().map(|known| known.label());
        if labels.clone().any(|label| label == probe.value) {
            kept.push(probe.value.clone());
        } else {
            let problem = problems.at(probe.span, format!("there is no probe `{}`", probe.value), "unknown");
            problem.fix(did_you_mean(&probe.value, labels));
        }
    }
    unique(kept)
}

fn unique<T: PartialEq>(list: Vec<T>) -> Vec<T> {
    list.into_iter().fold(Vec::new(), |mut kept, item| {
        if !kept.contains(&item) {
            kept.push(item);
        }
        kept
    })
}
