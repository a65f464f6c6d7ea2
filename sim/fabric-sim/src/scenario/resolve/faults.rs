//! The timeline: each entry becomes one planned fault for each node or pair that it strikes.

use super::links::{directions, overlay};
use super::names::Names;
use super::nodes::overlay_disk;
use crate::scenario::file::{DiskSection, FaultSection, File, LinkSection};
use crate::scenario::problem::Problems;
use crate::scenario::read::{At, Read};
use crate::scenario::resolved::{Begin, Fault, Link, Mark, Node, NodeId, What};
use crate::scenario::units::{Bytes, Nanos, Unit};
use scenario_actor::MarkKind;
use std::collections::BTreeMap;

/// More single faults than this are a mistake.
pub(crate) const FAULTS_MAX: usize = 100_000;
/// A flap that is faster would fill a run with nothing else.
const FLAP_MIN: Nanos = Nanos(1_000_000);

/// What faults change.
pub(super) struct Base<'a> {
    pub(super) names: &'a Names,
    pub(super) nodes: &'a [Node],
    pub(super) link: &'a Link,
    pub(super) links: &'a BTreeMap<(NodeId, NodeId), Link>,
    pub(super) stop_at: Nanos,
}

pub(super) fn resolve(file: &File, base: &Base<'_>, problems: &mut Problems) -> (Vec<Mark>, Vec<Fault>) {
    let (mut marks, mut faults) = (Vec::new(), Vec::new());
    let timeline = file.faults.iter().flat_map(|faults| faults.timeline.iter().flatten());
    for entry in timeline {
        let begin = begin(entry, base, &mut marks, problems);
        let struck = strike(entry, base, problems);
        let lasts = lasts(entry);
        faults.extend(struck.into_iter().filter_map(|what| Some(Fault { begin: begin?, lasts, what })));
        if faults.len() > FAULTS_MAX {
            problems.at(entry.place.start(), format!("a run has at most {FAULTS_MAX} faults"), "too many with these");
            break;
        }
    }
    (marks, faults)
}

fn begin(entry: &FaultSection, base: &Base<'_>, marks: &mut Vec<Mark>, problems: &mut Problems) -> Option<Begin> {
    match (&entry.at, &entry.when) {
        (Some(at), None) => {
            if at.value >= base.stop_at {
                let label = format!("the run ends at {}", base.stop_at);
                problems.at(at.span, "this fault would never begin", label);
            }
            Some(Begin::At(at.value))
        }
        (None, Some(when)) => mark(when, base.names, marks, problems).map(Begin::Mark),
        (Some(_), Some(when)) => {
            problems.at(when.span, "a fault begins by `at` or by `when`", "not by both");
            None
        }
        (None, None) => {
            let problem = problems.at(entry.place.start(), "it is not said when this fault begins", "in this entry");
            problem.fix("add `at = \"5s\"` or `when = \"phone sent 1MiB\"`");
            None
        }
    }
}

/// The mark that `phone-2 sent 300KiB` stands for; equal ones are one.
fn mark(when: &At<String>, names: &Names, marks: &mut Vec<Mark>, problems: &mut Problems) -> Option<u32> {
    let words: Vec<_> = when.value.split_whitespace().collect();
    let kind = |verb: &str| match verb {
        "sent" => Some(MarkKind::Sent),
        "received" => Some(MarkKind::Received),
        _ => None,
    };
    let &[name, verb, size] = words.as_slice() else { return not_a_trigger(when, problems) };
    let (Some(kind), Ok(bytes)) = (kind(verb), Bytes::parse(size)) else { return not_a_trigger(when, problems) };
    if bytes == Bytes(0) {
        return not_a_trigger(when, problems);
    }
    let node = names.one(&At { value: name, span: when.span }, problems)?;
    let mark = Mark { node, kind, bytes };
    let place = marks.iter().position(|known| *known == mark).unwrap_or_else(|| {
        marks.push(mark);
        marks.len() - 1
    });
    Some(place as u32)
}

fn not_a_trigger<T>(when: &At<String>, problems: &mut Problems) -> Option<T> {
    let problem = problems.at(when.span, "a trigger is a node, `sent` or `received`, and a size", "not understood");
    problem.fix("write, for example, \"phone-1 sent 300KiB\" or \"hub received 1MiB\"");
    None
}

/// For `restart` that is how long the node is down.
fn lasts(entry: &FaultSection) -> Option<Nanos> {
    entry.down.as_ref().or(entry.lasts.as_ref()).map(|span| span.value)
}

/// The kinds of fault, each with the keys that belong to it besides `at`, `when` and itself.
const KINDS: [(&str, &[&str]); 10] = [
    ("partition", &["for"]),
    ("one_way", &["for"]),
    ("flap", &["for", "every"]),
    ("restart", &["down"]),
    ("crash", &["for"]),
    ("pause", &["for"]),
    ("clock_jump", &["by"]),
    ("clock_rate", &["by", "for"]),
    ("link", &["becomes", "for"]),
    ("disk", &["becomes", "for"]),
];
const RESET: &str = "reset";

/// Every key of an entry that is there, with the place of its value, as they are written.
fn present(entry: &FaultSection) -> Vec<(&'static str, crate::scenario::source::Span)> {
    let sides =
        [("partition", &entry.partition), ("one_way", &entry.one_way), ("flap", &entry.flap), (RESET, &entry.reset)];
    let texts = [
        ("restart", &entry.restart),
        ("crash", &entry.crash),
        ("pause", &entry.pause),
        ("clock_jump", &entry.clock_jump),
        ("clock_rate", &entry.clock_rate),
        ("link", &entry.link),
        ("disk", &entry.disk),
        ("by", &entry.by),
    ];
    let times = [("for", &entry.lasts), ("every", &entry.every), ("down", &entry.down)];
    let sides = sides.into_iter().filter_map(|(key, value)| Some((key, value.as_ref()?.span)));
    let texts = texts.into_iter().filter_map(|(key, value)| Some((key, value.as_ref()?.span)));
    let times = times.into_iter().filter_map(|(key, value)| Some((key, value.as_ref()?.span)));
    let becomes = entry.becomes.iter().map(|raw| ("becomes", raw.0.span));
    let mut all: Vec<_> = sides.chain(texts).chain(times).chain(becomes).collect();
    all.sort_by_key(|(_, span)| span.range().start);
    all
}

/// The kind that an entry names, if it names one and every other key belongs to it.
fn kind(entry: &FaultSection, problems: &mut Problems) -> Option<&'static str> {
    let names = || KINDS.iter().map(|(name, _)| *name).chain([RESET]);
    let present = present(entry);
    let mut kinds = present.iter().filter(|(key, _)| names().any(|name| name == *key));
    let Some((kind, _)) = kinds.next() else {
        let problem = problems.at(entry.place.start(), "it is not said what goes wrong", "in this entry");
        problem.fix(format!("add one of: {}", names().collect::<Vec<_>>().join(", ")));
        return None;
    };
    if let Some((second, span)) = kinds.next() {
        let problem = problems.at(*span, format!("one entry is one fault: `{kind}` or `{second}`"), "the second one");
        problem.fix("make two entries of it");
        return None;
    }
    let belongs = KINDS.iter().find(|(name, _)| name == kind).map_or(&[][..], |(_, keys)| keys);
    for (key, span) in present.iter().filter(|(key, _)| key != kind && !belongs.contains(key)) {
        let problem = problems.at(*span, format!("`{key}` does not belong to `{kind}`"), "has no meaning here");
        problem.fix(if belongs.is_empty() {
            "leave it out".into()
        } else {
            format!("it takes: {}", belongs.join(", "))
        });
    }
    for (name, example) in [
        ("down", "down = \"500ms\""),
        ("every", "every = \"1s\""),
        ("by", "by = ..."),
        ("becomes", "becomes = { ... }"),
    ] {
        if belongs.contains(&name) && !present.iter().any(|(key, _)| *key == name) {
            let problem = problems.at(entry.place.start(), format!("`{kind}` needs `{name}`"), "in this entry");
            problem.fix(format!("add `{example}`"));
        }
    }
    Some(kind)
}

fn strike(entry: &FaultSection, base: &Base<'_>, problems: &mut Problems) -> Vec<What> {
    match kind(entry, problems) {
        Some("partition") => partition(entry.partition.as_ref(), false, None, base, problems),
        Some("one_way") => partition(entry.one_way.as_ref(), true, None, base, problems),
        Some("flap") => partition(entry.flap.as_ref(), false, flap_period(entry, problems), base, problems),
        Some("restart") => each(entry.restart.as_ref(), base, problems, What::Restart),
        Some("crash") => each(entry.crash.as_ref(), base, problems, What::Crash),
        Some("pause") => each(entry.pause.as_ref(), base, problems, What::Pause),
        Some("clock_jump") => {
            let by = by(entry, problems).unwrap_or_default();
            each(entry.clock_jump.as_ref(), base, problems, |node| What::ClockJump(node, by))
        }
        Some("clock_rate") => {
            let by = by(entry, problems).unwrap_or_default();
            each(entry.clock_rate.as_ref(), base, problems, |node| What::ClockRate(node, by))
        }
        Some("link") => link(entry, base, problems),
        Some("disk") => disk(entry, base, problems),
        Some(_) => reset(entry, base, problems),
        None => Vec::new(),
    }
}

fn flap_period(entry: &FaultSection, problems: &mut Problems) -> Option<Nanos> {
    let every = entry.every.as_ref()?;
    if every.value < FLAP_MIN {
        problems.at(every.span, format!("a link flaps at most every {FLAP_MIN}"), "too often");
    }
    Some(every.value)
}

/// The nodes of both sides, which must differ.
fn sides(
    written: Option<&At<Vec<At<String>>>>,
    base: &Base<'_>,
    problems: &mut Problems,
) -> Option<(Vec<NodeId>, Vec<NodeId>)> {
    let written = written?;
    let [first, second] = written.value.as_slice() else {
        let problem = problems.at(written.span, "two sides are meant here", format!("{} here", written.value.len()));
        problem.fix("write [\"hub\", \"phone-*\"]; several names in one side are \"phone-1, phone-2\"");
        return None;
    };
    let (from, to) = (base.names.side(first, problems), base.names.side(second, problems));
    if let Some(both) = from.iter().find(|node| to.contains(node)) {
        let name = &base.nodes[*both as usize].name;
        problems.at(second.span, format!("`{name}` is on both sides"), "the second side");
    }
    Some((from, to))
}

fn partition(
    written: Option<&At<Vec<At<String>>>>,
    one_way: bool,
    flap: Option<Nanos>,
    base: &Base<'_>,
    problems: &mut Problems,
) -> Vec<What> {
    let both = sides(written, base, problems);
    both.map(|(from, to)| What::Partition { from, to, one_way, flap }).into_iter().collect()
}

fn reset(entry: &FaultSection, base: &Base<'_>, problems: &mut Problems) -> Vec<What> {
    let Some((from, to)) = sides(entry.reset.as_ref(), base, problems) else { return Vec::new() };
    from.iter().flat_map(|a| to.iter().map(move |b| What::Reset(*a, *b))).take(FAULTS_MAX + 1).collect()
}

fn each(
    pattern: Option<&At<String>>,
    base: &Base<'_>,
    problems: &mut Problems,
    what: impl Fn(NodeId) -> What,
) -> Vec<What> {
    pattern.map_or_else(Vec::new, |pattern| base.names.side(pattern, problems).into_iter().map(what).collect())
}

fn by<T: Unit>(entry: &FaultSection, problems: &mut Problems) -> Option<T> {
    let by = entry.by.as_ref()?;
    let wrong = match T::parse(&by.value) {
        Ok(value) => return Some(value),
        Err(wrong) => wrong,
    };
    problems.at(by.span, format!("expected {}", T::EXPECTED), wrong);
    None
}

fn link(entry: &FaultSection, base: &Base<'_>, problems: &mut Problems) -> Vec<What> {
    let (Some(link), Some(becomes)) = (&entry.link, &entry.becomes) else { return Vec::new() };
    let Some(section) = LinkSection::read(&becomes.0, problems) else { return Vec::new() };
    overlay(*base.link, &section, problems);
    let changed = |(from, to)| {
        let so_far = base.links.get(&(from, to)).unwrap_or(base.link);
        What::Link(from, to, overlay(*so_far, &section, &mut Problems::default()))
    };
    directions(link, base.names, base.nodes, problems).take(FAULTS_MAX + 1).map(changed).collect()
}

fn disk(entry: &FaultSection, base: &Base<'_>, problems: &mut Problems) -> Vec<What> {
    let (Some(_), Some(becomes)) = (&entry.disk, &entry.becomes) else { return Vec::new() };
    let Some(section) = DiskSection::read(&becomes.0, problems) else { return Vec::new() };
    each(entry.disk.as_ref(), base, problems, |node| {
        What::Disk(node, overlay_disk(base.nodes[node as usize].disk, &section))
    })
}
