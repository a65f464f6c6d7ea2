//! Who does what with whom, and whether it can end as expected.

use super::names::{Names, is_name};
use super::nodes::methods;
use super::sites::{Sites, is_placed, placed};
use super::{required, value};
use crate::scenario::file::{File, WorkSection};
use crate::scenario::problem::Problems;
use crate::scenario::read::{At, did_you_mean};
use crate::scenario::resolved::{Act, Node, NodeId, Work};
use crate::scenario::source::Sources;
use crate::scenario::units::{Bytes, Nanos, Range};
use scenario_actor::{Call, Expect};

/// The wire contract allows each side of a session 128 streams.
pub(crate) const STREAMS_MAX: u32 = 128;
/// What a run can simulate in reasonable time.
pub(crate) const WORK_BYTES_MAX: u64 = 1 << 40;
/// A message is held in memory whole.
const MESSAGE_BYTES_MAX: u64 = 16 << 20;
/// What either service that answers calls takes.
pub(crate) const BODY_BYTES_MAX: usize = 64;
/// More pieces of work than this are a mistake.
pub(crate) const WORK_MAX: usize = 100_000;
pub(crate) const PRIORITY_DEFAULT: u32 = 3;
pub(crate) const MESSAGE_DEFAULT: Range<Bytes> = Range { min: Bytes(1 << 10), max: Bytes(16 << 10) };

/// What work rests on.
pub(super) struct Base<'a> {
    pub(super) names: &'a Names,
    pub(super) nodes: &'a [Node],
    pub(super) sites: &'a Sites,
    pub(super) acts: &'a [Act],
    pub(super) stop_at: Nanos,
    pub(super) sources: &'a Sources,
}

pub(super) fn resolve(file: &File, base: &Base<'_>, problems: &mut Problems) -> Vec<Work> {
    let mut all = Vec::new();
    for section in file.work.iter().flatten() {
        let place = base.sources.place(section.place.start());
        let streams = streams(section, problems);
        for work in one(section, base, problems).unwrap_or_default() {
            let work = Work { place: place.clone(), ..work };
            check_time(&work, section, base.nodes, base.stop_at, problems);
            check_outcome(&work, section, base, problems);
            all.extend(core::iter::repeat_n(work, streams));
        }
        if all.len() > WORK_MAX {
            problems.at(section.place.start(), format!("a scenario has at most {WORK_MAX} pieces of work"), "too many");
            return all;
        }
    }
    all
}

/// What is written, once for each node that is to do it.
fn one(section: &WorkSection, base: &Base<'_>, problems: &mut Problems) -> Option<Vec<Work>> {
    let stop_at = base.stop_at;
    let at = required(section.at.as_ref(), &section.place, "at = \"1s\"", problems);
    let from = required(section.from.as_ref(), &section.place, "from = \"phone\"", problems);
    let open = required(section.open.as_ref(), &section.place, "open = \"hub/echo\"", problems);
    if let Some(late) = at.filter(|at| at.value >= stop_at) {
        problems.at(late.span, "this work would never begin", format!("the run ends at {stop_at}"));
    }
    let (bytes, message, priority) = (size(section, problems), message(section, problems), priority(section, problems));
    let expect = expectation(section, problems);
    let (at, from, open) = (at?, from?, open?);
    let mut workers = base.names.side(from, problems);
    if let Some(hostile) = workers.iter().find(|worker| base.nodes[**worker as usize].hostile.is_some()) {
        let name = &base.nodes[*hostile as usize].name;
        problems.at(from.span, format!("`{name}` is hostile and does no work"), "a hostile node").fix("leave it out");
    }
    let targets = base.targets(open, &workers, problems)?;
    if let ([worker], [(to, _)]) = (workers.as_slice(), targets.as_slice())
        && worker == to
    {
        problems.at(from.span, "a node does not open its own services", "the same node as in `open`");
    }
    let call = call(section, targets.first().map_or("", |(_, service)| service), problems);
    let work = workers.drain(..).zip(targets).filter(|(from, (to, _))| from != to).map(|(from, (to, service))| {
        let expect = expect.unwrap_or(if call.is_some() { Expect::Answered } else { usual(&service) });
        let call = call.clone();
        Work { at: at.value, from, to, service, bytes, message, priority, expect, call, place: String::new() }
    });
    Some(work.collect())
}

impl Base<'_> {
    /// What each of `workers` opens. `None` when it is nothing, for one of them.
    fn targets(&self, open: &At<String>, workers: &[NodeId], problems: &mut Problems) -> Option<Vec<(NodeId, String)>> {
        if !is_placed(&open.value) {
            return Some(vec![target(open, self.names, problems)?; workers.len()]);
        }
        let own = |worker: &NodeId| {
            let site = self.nodes[*worker as usize].sites.as_deref();
            let site = site.and_then(|sites| if let [only] = sites { Some(self.sites.name(*only)) } else { None });
            target(&placed(open, site, problems)?, self.names, problems)
        };
        workers.iter().map(own).collect()
    }
}

/// What is called, if it is a call.
fn call(section: &WorkSection, service: &str, problems: &mut Problems) -> Option<Call> {
    let known = methods(service);
    let Some(method) = &section.call else {
        if let Some(lost) = &section.body {
            problems.at(lost.span, "only a call has a body", "there is no `call` here");
        }
        let says_how_it_ends = section.expect.as_ref().is_some_and(|expect| expect.value != "answered");
        if let Some(open) = section.open.as_ref().filter(|_| !known.is_empty() && !says_how_it_ends) {
            let problem = problems.at(open.span, format!("`{service}` is there to be called"), "no `call`");
            problem.fix(format!("add `call = \"{}\"`", known[0]));
        }
        return None;
    };
    let sends = [
        section.send.as_ref().map(|send| send.span),
        section.chunk.as_ref().map(|chunk| chunk.span),
        section.priority.as_ref().map(|priority| priority.span),
        section.streams.as_ref().map(|streams| streams.span),
    ];
    for span in sends.into_iter().flatten() {
        problems.at(span, "a call has its `body`, and shares a stream with others", "not for a call");
    }
    if known.is_empty() {
        problems.at(method.span, format!("`{service}` answers no calls"), "call `samgrd` or `bundlemgrd`");
    }
    if !is_name(&method.value) {
        problems.at(method.span, "a method's name is 1 to 64 letters, digits, `-` and `_`", "not a name");
        return None;
    }
    let body = section.body.as_ref().map(|body| body.value.clone()).unwrap_or_default();
    if let Some(long) = section.body.as_ref().filter(|body| body.value.len() > BODY_BYTES_MAX) {
        problems.at(long.span, format!("a request has at most {BODY_BYTES_MAX} bytes"), "too long");
    }
    Some(Call { method: method.value.clone(), body })
}

/// The node and the service of `hub/echo`.
fn target(open: &At<String>, names: &Names, problems: &mut Problems) -> Option<(NodeId, String)> {
    let Some((node, service)) = open.value.split_once('/') else {
        let problem = problems.at(open.span, "a node and its service are meant here", "no `/`");
        problem.fix(format!("write \"{}/echo\"", open.value));
        return None;
    };
    if !is_name(service) {
        problems.at(open.span, "a service's name is letters, digits, `-` and `_`", "not a name");
        return None;
    }
    Some((names.one(&At { value: node, span: open.span }, problems)?, service.to_owned()))
}

/// Into how many pieces of work, each with a stream of its own, the section is to be made.
fn streams(section: &WorkSection, problems: &mut Problems) -> usize {
    let streams = value(section.streams.as_ref(), 1);
    if let Some(written) = section.streams.as_ref().filter(|written| !(1..=STREAMS_MAX).contains(&written.value)) {
        problems.at(written.span, format!("a node opens from 1 to {STREAMS_MAX} streams"), "out of range");
    }
    streams.clamp(1, STREAMS_MAX) as usize
}

/// How work with a service ends well unless the file says.
pub(crate) fn usual(service: &str) -> Expect {
    match service {
        "echo" => Expect::Echoed,
        "unread" => Expect::Opened,
        _ => Expect::Delivered,
    }
}

fn expectation(section: &WorkSection, problems: &mut Problems) -> Option<Expect> {
    const NAMES: [&str; 6] = ["echoed", "delivered", "opened", "answered", "denied", "untrusted"];
    let written = section.expect.as_ref()?;
    match written.value.as_str() {
        "echoed" => Some(Expect::Echoed),
        "delivered" => Some(Expect::Delivered),
        "opened" => Some(Expect::Opened),
        "answered" => Some(Expect::Answered),
        "denied" => Some(Expect::Denied),
        "untrusted" => Some(Expect::Untrusted),
        other => {
            let problem = problems.at(written.span, format!("`{other}` is not an outcome"), "unknown");
            problem.fix(did_you_mean(other, NAMES.into_iter()));
            None
        }
    }
}

fn size(section: &WorkSection, problems: &mut Problems) -> Bytes {
    let size = value(section.send.as_ref(), Bytes(0));
    if let Some(huge) = section.send.as_ref().filter(|send| send.value.0 > WORK_BYTES_MAX) {
        problems.at(huge.span, "this is more than a run can send", "at most 1024GiB");
    }
    size
}

fn message(section: &WorkSection, problems: &mut Problems) -> Range<Bytes> {
    let Some(written) = &section.chunk else { return MESSAGE_DEFAULT };
    if written.value.max.0 == 0 || written.value.max.0 > MESSAGE_BYTES_MAX {
        problems.at(written.span, "a message has at most 16 MiB, and not all are empty", "out of range");
        return MESSAGE_DEFAULT;
    }
    written.value
}

fn priority(section: &WorkSection, problems: &mut Problems) -> u8 {
    let priority = value(section.priority.as_ref(), PRIORITY_DEFAULT);
    if let Some(written) = section.priority.as_ref().filter(|written| written.value > 7) {
        problems.at(written.span, "a priority is from 0 (first) to 7 (last)", "out of range");
    }
    priority.min(7) as u8
}

fn check_time(work: &Work, section: &WorkSection, nodes: &[Node], stop_at: Nanos, problems: &mut Problems) {
    let node = &nodes[work.from as usize];
    let begins = node.starts_at.0.saturating_add(work.at.0);
    if let Some(at) = section.at.as_ref().filter(|_| work.at < stop_at && begins >= stop_at.0) {
        let label = format!("`{}` starts at {}, the run ends at {stop_at}", node.name, node.starts_at);
        problems.at(at.span, "this work would never begin", label);
    }
}

/// What policy says must be what is expected: otherwise the file contradicts itself.
fn check_outcome(work: &Work, section: &WorkSection, base: &Base<'_>, problems: &mut Problems) {
    let Some(open) = &section.open else { return };
    let nodes = base.nodes;
    let (from, to) = (&nodes[work.from as usize], &nodes[work.to as usize]);
    let (from_name, to_name, service) = (&from.name, &to.name, &work.service);
    if !from.meets(to) {
        let message = format!("`{from_name}` and `{to_name}` share no site: neither hears of the other");
        problems
            .at(open.span, message, "cannot be opened")
            .fix("put them into one site, or give one of them both sites");
        return;
    }
    let trusts =
        |node: &Node, peer: NodeId| node.trusts.as_ref().is_none_or(|trusted| trusted.binary_search(&peer).is_ok());
    let span = section.expect.as_ref().map_or(open.span, |expect| expect.span);
    // Where trust changes on the way, only the run shows what it is.
    let both = [(work.from, work.to), (work.to, work.from)];
    let changes = base.acts.iter().any(|act| act.deed.peer().is_some_and(|peer| both.contains(&(act.on, peer))));
    if work.expect == Expect::Untrusted {
        if !changes && trusts(to, work.from) {
            problems.at(span, format!("`{to_name}` trusts `{from_name}`"), "so it will have a session");
        }
        return;
    }
    if !changes && (!trusts(from, work.to) || !trusts(to, work.from)) {
        let message = format!("no session joins `{from_name}` and `{to_name}`: one does not trust the other");
        problems.at(open.span, message, "cannot be opened").fix("add it to `trusts`");
        return;
    }
    let allows = |what: &str| {
        let rule = (work.from, what);
        to.allow.binary_search_by(|(peer, allowed)| (*peer, allowed.as_str()).cmp(&rule)).is_ok()
    };
    let allowed =
        allows(service) || work.call.as_ref().is_some_and(|call| allows(&format!("{service}/{}", call.method)));
    match (work.expect, allowed) {
        (Expect::Denied, true) => {
            let message = format!("`{to_name}` allows `{from_name}` to open `{service}`");
            problems.at(span, message, "so it will not be denied");
        }
        (Expect::Answered, true) if work.call.is_none() => {
            problems.at(span, "only a call is answered", "there is no `call` here");
        }
        (Expect::Echoed | Expect::Delivered | Expect::Opened, _) if work.call.is_some() => {
            problems.at(span, "a call is `answered` or `denied`", "not an end of a call");
        }
        (Expect::Answered, true)
            if !methods(service)
                .iter()
                .any(|known| Some(*known) == section.call.as_ref().map(|call| call.value.as_str())) =>
        {
            let problem = problems.at(span, format!("`{service}` has no such method"), "so it will not be answered");
            problem.fix(did_you_mean(
                &section.call.as_ref().map(|call| call.value.clone()).unwrap_or_default(),
                methods(service).iter().copied(),
            ));
        }
        (Expect::Opened, false) if to.hostile.is_some() => {} // it keeps no rules
        (Expect::Echoed | Expect::Delivered | Expect::Opened | Expect::Answered, false) => {
            let why = if to.serves.contains(service) { "does not allow" } else { "does not serve" };
            let message = match why {
                "does not serve" => format!("`{to_name}` does not serve `{service}`"),
                _ => format!("`{to_name}` does not allow `{from_name}` to open `{service}`"),
            };
            problems
                .at(open.span, message, "so it will be denied")
                .fix("mend `serves` and `allow`, or expect `denied`");
        }
        (Expect::Echoed | Expect::Delivered, true) if service == "unread" => {
            problems.at(span, "`unread` never reads what is sent", "expect `opened`");
        }
        (Expect::Echoed, true) if service != "echo" => {
            problems.at(span, format!("`{service}` does not echo"), "expect `delivered`");
        }
        (Expect::Delivered, true) if service == "echo" => {
            problems.at(span, "`echo` sends every message back", "expect `echoed`");
        }
        _ => {}
    }
}
