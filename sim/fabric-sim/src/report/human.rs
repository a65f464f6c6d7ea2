//! The summary that a person reads: what ran, what went wrong on purpose, what held, and what to do next.

use super::layout::{columns, hang};
use super::story::{Moment, moments};
use super::{Head, Told};
use crate::cli::Exit;
use crate::oracles::{self, Kind, Outcome, Verdict, count, grouped};
use crate::scenario::Scenario;
use crate::scenario::units::Bytes;
use crate::terminal::{Paint, Terminal};
use crate::worlds::World;
use crate::worlds::sim::Run;
use ::sim::{NodeIndex, Record};

/// More lines of a timeline are not a summary; the first and the last say most.
const TIMELINE_FIRST: usize = 14;
const TIMELINE_LAST: usize = 8;
/// The last events before a failure.
const TAIL_SHOWN: usize = 12;

/// `200 nodes in 10 sites`.
fn nodes_and_sites(scenario: &Scenario) -> String {
    let nodes = count(scenario.nodes.len() as u64, "node");
    match scenario.sites.len() as u64 {
        0 => nodes,
        sites => format!("{nodes} in {}", count(sites, "site")),
    }
}

/// What is said before the run.
pub(crate) fn head(head: &Head, terminal: &Terminal) -> String {
    let scenario = &head.scenario;
    let name = terminal.paint(Paint::Bold, &scenario.name);
    let hash = terminal.paint(Paint::Dim, &head.hash);
    let facts = [
        nodes_and_sites(scenario),
        count(scenario.work.len() as u64, "piece") + " of work",
        count(scenario.faults.len() as u64, "planned fault"),
        match head.world {
            World::Sim => format!("{} of virtual time", scenario.stop_at),
            World::Stack => format!("{} of virtual time, on simulated Ethernet", scenario.stop_at),
            World::Tcp | World::Qemu => format!("at most {} of real time", scenario.stop_at),
        },
    ];
    let text = format!(
        "scenario  {name}  {hash}\nseed      {}\nbuild     {}\nplan      {}",
        terminal.paint(Paint::Bold, &head.seed.to_string()),
        head.build,
        hang("", 10, &facts.join(", "), terminal.width()),
    );
    if head.told.is_empty() {
        return text;
    }
    let drawn: Vec<_> = head.told.iter().map(|(key, value)| format!("{key} {value}")).collect();
    format!("{text}\n{}", hang("drawn     ", 10, &drawn.join(", "), terminal.width()))
}

/// What is said after it.
pub(crate) fn summary(head: &Head, run: &Run, exit: Exit, told: &Told, terminal: &Terminal) -> String {
    let mut parts = vec![String::new(), verdict_line(head.world, run, exit, told.wall, terminal)];
    parts.extend(section("what happened", what_happened(run), terminal));
    parts.extend(section("what went wrong on purpose", faults(run, terminal), terminal));
    parts.extend(section("what was checked", checks(&run.verdicts, terminal), terminal));
    parts.extend(section("how it went", timeline(head, run, terminal), terminal));
    parts.extend(section("how it came to this", told.why.clone(), terminal));
    if run.failed() && told.why.is_empty() {
        parts.extend(section("the last events", tail(head, &run.tail, terminal), terminal));
    }
    if exit != Exit::Held {
        parts.push(String::new());
        parts.push(next_steps(head, exit, terminal));
    }
    parts.join("\n")
}

fn section(title: &str, lines: Vec<String>, terminal: &Terminal) -> Vec<String> {
    if lines.is_empty() {
        return lines;
    }
    let mut all = vec![String::new(), terminal.paint(Paint::Bold, title)];
    all.extend(lines);
    all
}

fn verdict_line(place: World, run: &Run, exit: Exit, wall_ms: u64, terminal: &Terminal) -> String {
    let (paint, word, why) = match exit {
        Exit::Held => (Paint::Good, "PASSED", "every check that could be judged held".to_owned()),
        Exit::Nothing => (Paint::Warn, "NOTHING RAN", "no node reported anything, so nothing could fail".to_owned()),
        Exit::Nondeterminism => (Paint::Bad, "NONDETERMINISTIC", "a second run came out differently".to_owned()),
        _ => (Paint::Bad, "FAILED", first_failure(&run.verdicts)),
    };
    let (whole, millis) = (wall_ms / 1_000, wall_ms % 1_000);
    let ended = seconds(run.ended.as_nanos());
    let facts = match place {
        World::Sim | World::Stack => format!(
            "{ended} virtual in {whole}.{millis:03}s, {}, trace {:016x}",
            count(run.events, "event"),
            run.trace_hash
        ),
        World::Tcp => format!("{ended} over real sockets, {} relayed", count(run.events, "packet")),
        World::Qemu => format!("{ended} between virtual machines, {} relayed", count(run.events, "frame")),
    };
    let verdict = hang(&format!("{}  ", terminal.paint(paint, word)), word.len() + 2, &why, terminal.width());
    format!("{verdict}\n{}", hang("", 0, &facts, terminal.width()))
}

fn first_failure(verdicts: &[Verdict]) -> String {
    let failure = |verdict: &Verdict| match &verdict.outcome {
        Outcome::Failed(how) => Some(format!("{}: {how}", verdict.name)),
        _ => None,
    };
    verdicts.iter().find_map(failure).unwrap_or_default()
}

/// `12.345s`: enough for a person.
pub(crate) fn seconds(nanos: u64) -> String {
    format!("{}.{:03}s", nanos / 1_000_000_000, nanos % 1_000_000_000 / 1_000_000)
}

fn what_happened(run: &Run) -> Vec<String> {
    let totals = &run.totals;
    if totals.observations == 0 {
        return Vec::new();
    }
    vec![
        format!(
            "  sessions  {} up, {} down (each end counts its own)",
            grouped(totals.sessions_up),
            grouped(totals.sessions_down)
        ),
        format!(
            "  streams   {} opened, {} failed and tried again",
            grouped(totals.tries),
            grouped(totals.tries_failed)
        ),
        format!("  messages  {}, {} delivered", grouped(totals.messages), size(totals.bytes)),
    ]
}

/// `1.4 MiB`, rounded down, or an exact `512B`.
fn size(bytes: u64) -> String {
    let unit = [(1_u64 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")].into_iter().find(|(unit, _)| bytes >= *unit);
    match unit {
        Some((unit, name)) if !bytes.is_multiple_of(unit) => {
            format!("{}.{} {name}", bytes / unit, bytes % unit * 10 / unit)
        }
        _ => Bytes(bytes).to_string(),
    }
}

fn faults(run: &Run, terminal: &Terminal) -> Vec<String> {
    let cells: Vec<_> = run.faults.iter().map(|(name, count)| ((*name).to_owned(), grouped(*count))).collect();
    columns(&cells, 2, terminal.width())
}

fn checks(verdicts: &[Verdict], terminal: &Terminal) -> Vec<String> {
    let title = |verdict: &Verdict| match verdict.by {
        Some(by) => format!("{} by {by}", verdict.name),
        None => verdict.name.clone(),
    };
    let names = verdicts.iter().map(|verdict| title(verdict).len()).max().unwrap_or_default();
    let line = |verdict: &Verdict| {
        let kind = match verdict.kind {
            Kind::Always => "always",
            Kind::Eventually => "eventually",
            Kind::Sometimes => "sometimes",
        };
        let (paint, word, detail) = match &verdict.outcome {
            Outcome::Held(detail) => (Paint::Good, "held", detail),
            Outcome::Failed(detail) => (Paint::Bad, "FAILED", detail),
            Outcome::NotJudged(detail) => (Paint::Warn, "not judged", detail),
        };
        let word = terminal.paint(paint, &format!("{word:10}"));
        let prefix = format!("  {word}  {kind:10}  {:names$}  ", title(verdict));
        let indent = 2 + 10 + 2 + 10 + 2 + names + 2;
        let line = hang(&prefix, indent, detail, terminal.width());
        let promise = matches!(verdict.outcome, Outcome::Failed(_)).then(|| oracles::promise(&verdict.name)).flatten();
        let Some(promise) = promise else { return line };
        let promise = hang(&" ".repeat(indent), indent, &format!("promised: {promise}"), terminal.width());
        format!("{line}\n{}", terminal.paint(Paint::Dim, &promise))
    };
    verdicts.iter().map(line).collect()
}

fn timeline(head: &Head, run: &Run, terminal: &Terminal) -> Vec<String> {
    let names = head.scenario.nodes.iter().map(|node| node.name.len()).max().unwrap_or_default();
    let line = |moment: &Moment| {
        let time = format!("{:>9}", seconds(moment.at.as_nanos()));
        let prefix = format!("  {}  {:names$}  ", terminal.paint(Paint::Dim, &time), moment.node);
        let text = hang(&prefix, 2 + 9 + 2 + names + 2, &moment.text, terminal.width());
        if moment.is_fault { terminal.paint(Paint::Warn, &text) } else { text }
    };
    let moments = moments(&head.scenario, run);
    if moments.len() <= TIMELINE_FIRST + TIMELINE_LAST {
        return moments.iter().map(line).collect();
    }
    let left_out = moments.len() - TIMELINE_FIRST - TIMELINE_LAST;
    let gap = terminal.paint(Paint::Dim, &format!("  {:>9}  {} more", "...", grouped(left_out as u64)));
    let first = moments[..TIMELINE_FIRST].iter().map(line);
    first.chain([gap]).chain(moments[moments.len() - TIMELINE_LAST..].iter().map(line)).collect()
}

fn tail(head: &Head, records: &[Record], terminal: &Terminal) -> Vec<String> {
    let nodes = &head.scenario.nodes;
    let name = |node: NodeIndex| nodes.get(node.as_usize()).map_or("", |node| node.name.as_str());
    let names = nodes.iter().map(|node| node.name.len()).max().unwrap_or(1);
    let shown = &records[records.len().saturating_sub(TAIL_SHOWN)..];
    let line = |record: &Record| {
        let time = terminal.paint(Paint::Dim, &format!("{:>9}", seconds(record.at.as_nanos())));
        let (node, peer) = (name(record.node), name(record.peer));
        let number = if record.number == 0 && peer.is_empty() { String::new() } else { format!("#{}", record.number) };
        let what = format!("  {time}  {node:names$}  {:13}  {peer:names$}  {number}", format!("{:?}", record.kind));
        what.trim_end().to_owned()
    };
    shown.iter().map(line).collect()
}

/// Lines to paste.
pub(crate) fn next_steps(head: &Head, exit: Exit, terminal: &Terminal) -> String {
    let command = head.command();
    let title = |text: &str| terminal.paint(Paint::Bold, text);
    match exit {
        Exit::Nothing => format!("{} give the scenario work: see `fabric-sim new --help`", title("next:")),
        _ if !head.world.is_simulated() => format!("{}  {command}", title("again:")),
        _ => {
            let line =
                |name: &str, command: String| format!("\n{}{}{command}", title(name), " ".repeat(12 - name.len()));
            let (why, shrink) = (line("why:", head.slice()), line("shrink:", head.shrink()));
            let again = if head.world == World::Sim { why + &shrink } else { String::new() };
            format!(
                "{}  {command}{again}{}",
                title("reproduce:"),
                line("trace:", format!("{command} --trace trace.jsonl"))
            )
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nemesis::Mode;
    use crate::worlds::SuiteKind;
    use crate::worlds::sim::script::{BENCH, play};
    use scenario_actor::Observation;
    use std::rc::Rc;

    fn report(width: usize, exit: Exit, run: &(Rc<crate::scenario::Scenario>, Run)) -> String {
        let (scenario, run) = run;
        let (hash, path) = ("0123456789abcdef".to_owned(), BENCH.to_owned());
        let scenario = Rc::clone(scenario);
        let (mode, suite) = (Mode::default(), SuiteKind::Real);
        let (told, overrides) = (Vec::new(), Vec::new());
        let known =
            Head { scenario, hash, path, seed: 1, build: "0.0.0", mode, suite, world: World::Sim, told, overrides };
        let terminal = Terminal::plain(width);
        let text = format!(
            "{}\n{}",
            head(&known, &terminal),
            summary(&known, run, exit, &Told { wall: 1_234, why: Vec::new() }, &terminal)
        );
        // Changes with every change of the simulator.
        text.replace(&format!("{:016x}", run.trace_hash), "TRACE").replace("cargo run --", "fabric-sim")
    }

    #[test]
    fn a_run_that_passes_reads_well() {
        insta::assert_snapshot!(report(100, Exit::Held, &play(BENCH, |_, _| {})));
    }

    #[test]
    fn a_run_that_fails_says_why_and_what_to_do_on_any_terminal() {
        let run = play(BENCH, |node, lines| {
            if node == "phone-1" {
                let reason = "the peer reset the connection before the handshake was done".into();
                lines[2] = (4, Some(Observation::SessionDown { peer: "hub".into(), reason }));
            }
        });
        for width in [100, 50] {
            let text = report(width, Exit::Failed, &run);
            insta::with_settings!({ snapshot_suffix => width.to_string() }, { insta::assert_snapshot!("failed", text) });
        }
    }

    #[test]
    fn a_long_timeline_shows_its_ends() {
        let run = play(BENCH, |node, lines| {
            if node == "hub" {
                lines.extend(
                    (0..100).map(|_| (6, Some(Observation::SessionDown { peer: "other".into(), reason: "no".into() }))),
                );
            }
        });
        let text = report(100, Exit::Held, &run);
        assert!(text.contains("...  82 more") && text.lines().count() < 70, "{text}");
    }
}
