//! What a sweep has to say: lines as failures come, a summary for people, and the same as JSON, `JUnit` or annotations.

use super::layout::{columns, hang};
use super::{command, in_world};
use crate::nemesis::Mode;
use crate::oracles::{self, count, grouped};
use crate::sweep::{Counts, Distinct, Header, Line, Missing, Tally};
use crate::terminal::{Paint, Terminal};
use crate::worlds::{SuiteKind, World};
use core::fmt::Write;
use serde_json::{Value, json};

/// What the reports of one sweep have in common.
pub(crate) struct About {
    pub(crate) header: Header,
    /// The shards that a merge does without.
    pub(crate) missing: Option<Missing>,
}

impl About {
    /// The probes that some run must have reached; of a part none, since what no run here has reached another shard may have.
    pub(crate) fn wanted(&self) -> &[String] {
        if self.header.shards.is_whole() { &self.header.sometimes } else { &[] }
    }

    /// The command that makes the run of `line` again.
    pub(crate) fn reproduce(&self, line: &Line) -> String {
        let Header { path, overrides, suite, world, .. } = &self.header;
        let suite = if *suite == SuiteKind::Real.to_string() { SuiteKind::Real } else { SuiteKind::Model };
        let world = if *world == World::Stack.to_string() { World::Stack } else { World::Sim };
        in_world(command(path, line.seed, Mode::named(&line.mode), suite, overrides), world)
    }
}

/// One failure, at once.
pub(crate) fn failure(line: &Line, terminal: &Terminal) -> String {
    let what = line.failures.first().map(|failure| {
        let place = if failure.place.is_empty() { String::new() } else { format!(" ({})", failure.place) };
        format!("{}{place}", failure.check)
    });
    let seed = format!("{} {}", line.mode, line.seed);
    format!("{}  seed {seed}  {}", terminal.paint(Paint::Bad, "FAILED"), what.unwrap_or_default())
}

/// The summary for people. `millis` is how long it took, where that is known.
pub(crate) fn summary(about: &About, tally: &Tally, millis: Option<u64>, terminal: &Terminal) -> String {
    let counts = tally.counts();
    let rate = |millis: u64| format!(" in {}.{}s", millis / 1_000, millis % 1_000 / 100);
    let took = millis.map(rate).unwrap_or_default();
    let mut parts = vec![format!("{} passed", grouped(counts.passed))];
    let others =
        [(counts.failed, "failed"), (counts.nondeterministic, "not deterministic"), (counts.nothing, "showed nothing")];
    parts.extend(
        others.iter().filter(|(number, _)| *number > 0).map(|(number, what)| format!("{} {what}", grouped(*number))),
    );
    let name = terminal.paint(Paint::Bold, &about.header.scenario);
    let mut text = format!("sweep     {name}  {}{took}: {}", count(counts.runs, "run"), parts.join(", "));
    let distinct = tally.distinct();
    if !distinct.is_empty() {
        let _ = write!(text, "\n\n{}", count(distinct.len() as u64, "distinct failure"));
    }
    for one in &distinct {
        let _ = write!(text, "\n{}", shown(about, one, terminal));
    }
    if let Some(missing) = &about.missing {
        let _ = write!(text, "\n\n{}  without shards {missing}", terminal.paint(Paint::Warn, "PARTIAL"));
    }
    text + &probes_shown(about, tally, terminal)
}

/// In how many runs each probe was reached; and what of it some run must have, and none has.
pub(crate) fn probes_shown(about: &About, tally: &Tally, terminal: &Terminal) -> String {
    let runs = tally.counts().runs;
    let (reached, never): (Vec<_>, Vec<_>) = tally.probes().into_iter().partition(|(_, runs)| *runs > 0);
    let mut text = String::new();
    if !reached.is_empty() {
        let cells: Vec<_> = reached.iter().map(|(name, runs)| ((*name).to_owned(), grouped(*runs))).collect();
        let title = format!("probes, and how many of {} reached them", count(runs, "run"));
        let _ = write!(text, "\n\n{}\n{}", terminal.paint(Paint::Bold, &title), lines(&cells, terminal));
        let never: Vec<_> = never.iter().map(|(name, _)| *name).collect();
        let _ = write!(text, "\n{}", hang("  never: ", 9, &never.join(", "), terminal.width()));
    }
    for name in tally.unreached(about.wanted()) {
        let missed = terminal.paint(Paint::Bad, "NEVER REACHED");
        let _ = write!(text, "\n\n{missed}  {name}: {}, and some run must reach it", count(runs, "run"));
    }
    text
}

fn lines(cells: &[(String, String)], terminal: &Terminal) -> String {
    columns(cells, 2, terminal.width()).join("\n")
}

fn shown(about: &About, one: &Distinct, terminal: &Terminal) -> String {
    let best = &one.best;
    let title = terminal.paint(Paint::Bad, &one.title());
    let runs = count(one.runs, "run");
    let head =
        format!("  {title}  {runs}, the shortest: {} seed {}, {}", best.mode, best.seed, count(best.events, "event"));
    let detail = best.failures.first().map(|failure| failure.detail.as_str()).unwrap_or_default();
    let promise =
        oracles::promise(&one.check).map(|promise| hang("    ", 4, &format!("promised: {promise}"), terminal.width()));
    let lines = [
        Some(head),
        Some(hang("    ", 4, detail, terminal.width())),
        promise.map(|promise| terminal.paint(Paint::Dim, &promise)),
        Some(format!("    {}  {}", terminal.paint(Paint::Bold, "reproduce:"), about.reproduce(best))),
    ];
    lines.into_iter().flatten().collect::<Vec<_>>().join("\n")
}

/// The summary as one JSON object; see `docs/sweep.md`.
pub(crate) fn json(about: &About, tally: &Tally, is_complete: bool) -> Value {
    let counts = tally.counts();
    let failures: Vec<_> = tally.distinct().iter().map(|one| distinct(about, one)).collect();
    let Header { schema, scenario, scenario_hash, build, suite, world, shards, .. } = &about.header;
    json!({
        "schema": schema,
        "scenario": scenario,
        "scenario_hash": scenario_hash,
        "build": build,
        "suite": suite,
        "world": world,
        "shards": shards,
        "complete": is_complete,
        "runs": counts.runs,
        "passed": counts.passed,
        "failed": counts.failed,
        "nondeterministic": counts.nondeterministic,
        "nothing_ran": counts.nothing,
        "failures": failures,
        "probes": probes(tally),
        "unreached": tally.unreached(about.wanted()),
    })
}

/// How many runs reached each probe.
pub(crate) fn probes(tally: &Tally) -> Value {
    tally.probes().into_iter().map(|(name, runs)| (name.to_owned(), Value::from(runs))).collect()
}

fn distinct(about: &About, one: &Distinct) -> Value {
    json!({
        "check": one.check,
        "place": one.place,
        "runs": one.runs,
        "mode": one.best.mode,
        "seed": one.best.seed,
        "events": one.best.events,
        "trace_hash": one.best.trace_hash,
        "detail": one.best.failures.first().map(|failure| failure.detail.as_str()),
        "drawn": one.best.drawn,
        "reproduce": about.reproduce(&one.best),
    })
}

/// `JUnit`'s XML: one test case for each distinct failure, and one for all runs that passed.
pub(crate) fn junit(about: &About, tally: &Tally) -> String {
    let (distinct, counts) = (tally.distinct(), tally.counts());
    let name = xml(&about.header.scenario);
    let unreached = tally.unreached(about.wanted());
    let failures = distinct.len() + unreached.len();
    let tests = failures + usize::from(counts.passed > 0);
    let mut text =
        format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites tests=\"{tests}\" failures=\"{failures}\">\n");
    let _ = writeln!(text, "  <testsuite name=\"{name}\" tests=\"{tests}\" failures=\"{failures}\">");
    if let Some(missing) = &about.missing {
        let _ = writeln!(text, "    <properties><property name=\"missing-shards\" value=\"{missing}\"/></properties>");
    }
    if counts.passed > 0 {
        let _ = writeln!(text, "    <testcase classname=\"{name}\" name=\"{} passed\"/>", count(counts.passed, "run"));
    }
    for one in &distinct {
        let _ = writeln!(text, "    <testcase classname=\"{name}\" name=\"{}\">", xml(&one.title()));
        let detail = one.best.failures.first().map(|failure| failure.detail.as_str()).unwrap_or_default();
        let body = format!("{}\nreproduce: {}", count(one.runs, "run"), about.reproduce(&one.best));
        let _ = writeln!(text, "      <failure message=\"{}\">{}</failure>", xml(detail), xml(&body));
        text.push_str("    </testcase>\n");
    }
    for probe in unreached {
        let _ = writeln!(text, "    <testcase classname=\"{name}\" name=\"sometimes {probe}\">");
        let _ = writeln!(text, "      <failure message=\"{}\"/>", xml(&never(&counts)));
        text.push_str("    </testcase>\n");
    }
    text.push_str("  </testsuite>\n</testsuites>\n");
    text
}

fn never(counts: &Counts) -> String {
    format!("reached in none of {}", count(counts.runs, "run"))
}

/// As text or an attribute's value. What XML cannot hold at all is replaced.
fn xml(text: &str) -> String {
    let mut escaped = String::new();
    for letter in text.chars() {
        match letter {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\n' | '\t' => escaped.push(letter),
            '\u{0}'..='\u{1f}' | '\u{fffe}' | '\u{ffff}' => escaped.push('\u{fffd}'),
            _ => escaped.push(letter),
        }
    }
    escaped
}

/// GitHub's workflow commands, one annotation for each distinct failure.
pub(crate) fn github(about: &About, tally: &Tally) -> String {
    let annotation = |one: &Distinct| {
        let detail = one.best.failures.first().map(|failure| failure.detail.as_str()).unwrap_or_default();
        let message = format!("{}: {detail}\nreproduce: {}", count(one.runs, "run"), about.reproduce(&one.best));
        format!("::error file={},title={}::{}\n", property(&about.header.path), property(&one.title()), data(&message))
    };
    let counts = tally.counts();
    let missed = |probe: &str| {
        let title = property(&format!("sometimes {probe}"));
        format!("::error file={},title={title}::{}\n", property(&about.header.path), never(&counts))
    };
    let partial = about.missing.as_ref().map(|missing| {
        let message = data(&format!("without shards {missing}"));
        format!("::warning file={},title=partial::{message}\n", property(&about.header.path))
    });
    let failures = tally.distinct().iter().map(annotation).collect::<String>();
    let unreached = tally.unreached(about.wanted()).into_iter().map(missed).collect::<String>();
    [partial.unwrap_or_default(), failures, unreached].concat()
}

fn data(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sweep::{Failure, Shard, Shards, Verdict};

    fn about() -> About {
        let header = Header {
            schema: 1,
            scenario: "bench".into(),
            scenario_hash: "00".into(),
            path: "a b.toml".into(),
            overrides: vec!["stop_at=5s".into()],
            build: "0".into(),
            suite: "model".into(),
            world: "sim".into(),
            sometimes: Vec::new(),
            shards: Shards::one(Shard::WHOLE),
        };
        About { header, missing: None }
    }

    fn tally() -> Tally {
        let line = |seed: u64, failures: Vec<Failure>| Line {
            mode: "swarm+rough".into(),
            seed,
            verdict: if failures.is_empty() { Verdict::Pass } else { Verdict::Fail },
            events: 1_000 + seed,
            virtual_ns: 5,
            trace_hash: "0f".into(),
            probes: vec!["kept-alive".into()],
            failures,
            drawn: std::collections::BTreeMap::new(),
        };
        let failure = Failure {
            check: "no-panic".into(),
            place: "src/mux/mod.rs:9".into(),
            detail: "a < \"b\" && 100%\u{7}\nnext".into(),
        };
        let mut tally = Tally::default();
        for line in [line(1, vec![]), line(2, vec![failure.clone()]), line(3, vec![failure])] {
            tally.add(line);
        }
        tally
    }

    #[test]
    fn junit_is_xml_with_one_case_for_each_distinct_failure() {
        let text = junit(&about(), &tally());
        let xml = roxmltree::Document::parse(&text).unwrap();
        let cases: Vec<_> = xml.descendants().filter(|node| node.has_tag_name("testcase")).collect();
        let suite = xml.descendants().find(|node| node.has_tag_name("testsuite")).unwrap();
        assert_eq!((suite.attribute("tests"), suite.attribute("failures")), (Some("2"), Some("1")));
        assert_eq!(cases.len(), 2);
        let failure = cases[1].children().find(|node| node.has_tag_name("failure")).unwrap();
        assert!(failure.attribute("message").unwrap().contains("a < \"b\" && 100%\u{fffd}"));
        assert!(failure.text().unwrap().contains("--seed 2 --swarm --nemesis rough --suite model --set stop_at=5s"));
    }

    #[test]
    fn annotations_are_one_line_each() {
        let text = github(&about(), &tally());
        assert_eq!(text.lines().count(), 1);
        assert!(text.starts_with("::error file=a b.toml,title=no-panic (src/mux/mod.rs%3A9)::2 runs"), "{text}");
        assert!(text.contains("100%25\u{7}%0Anext"), "{text}");
    }

    #[test]
    fn every_format_says_which_shards_are_missing() {
        let half = Shards::one(Shard { of: 2, rest: 0 });
        let part = About { missing: half.missing(), header: Header { shards: half, ..about().header } };
        assert_eq!(json(&part, &tally(), false)["shards"], json!(["1/2"]));
        let junit = junit(&part, &tally());
        let xml = roxmltree::Document::parse(&junit).unwrap();
        let property = xml.descendants().find(|node| node.has_tag_name("property")).unwrap();
        assert_eq!((property.attribute("name"), property.attribute("value")), (Some("missing-shards"), Some("2/2")));
        let github = github(&part, &tally());
        assert!(github.starts_with("::warning file=a b.toml,title=partial::without shards 2/2\n"), "{github}");
        let human = summary(&part, &tally(), None, &Terminal::plain(100));
        assert!(human.contains("PARTIAL  without shards 2/2"), "{human}");
    }

    #[test]
    fn a_summary_names_each_failure_once_with_a_line_to_paste() {
        let text =
            summary(&about(), &tally(), Some(1_234), &Terminal::plain(100)).replace("cargo run --", "fabric-sim");
        // What was never reached is nearly every probe there is.
        insta::assert_snapshot!(text.split_once("\n  never: ").unwrap().0);
    }
}
