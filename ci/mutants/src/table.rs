//! What is written of the scores: a line for each as it comes, and `docs/mutants.md`.

use crate::args::Args;
use crate::score::{Score, Way};
use crate::suite::Suite;
use std::fmt::Write as _;
use std::path::Path;

const HEAD: &str = "\
# Mutants

Would the scenarios notice? Each line below is a bug of a kind that protocols like this one have had, planted on purpose; the
shipped scenarios run until a check fails. `ci/mutants/run` makes this page; it takes some minutes.

A mutant is a file in `ci/mutants/mutants`: which exact text of the sources becomes which other. All of them are planted at once in
a copy of the sources, each behind a run-time switch, so that one build holds every mutant and the product none. A text that is no
longer there exactly once is an error that names mutant and file; `ci/mutants/run --check`, a part of `ci/test`, sees to that.

The switch belongs to the node that acts. So each mutant runs in two ways: at **all** nodes, and **mixed**, at the first node of
the scenario or at all but that one, beside sound nodes: a bug that both ends share may go unseen between them. (To link the mutant
as a second crate would show the same, and cost a build for each.) Hostile peers and men in the middle are always sound.

Scenarios run with the model suite in the order of their events, smallest first: seed 1 of each as it is, then under a `rough` and a
`hostile` nemesis where nobody attacks, then seed 2, and so on. *Runs* counts all of them up to the one that fails. Without a mutant
the same runs must hold, else there is no table. Regression seeds of a scenario run with it. Tests of the `fabric` crate do not
count.

*Shrunk* is what `fabric-sim shrink` leaves, within 5 seconds, of the run that took fewer. *Slice* says whether the slice of that,
what `fabric-sim` tells of how it came to the failure, has a step in which the planted text was run. CPU-seconds are those of the
computer that made this page, and what is shrunk within a time may differ a little; all else is the same each time.
";

/// A score in one line.
pub(crate) fn line(score: &Score) -> String {
    let way = |way: &Way| match &way.kill {
        Some(kill) => format!("{} in {} {} {} ({})", kill.check, kill.scenario, kill.mode, kill.seed, way.runs),
        None => format!("SURVIVED {}", way.runs),
    };
    let verdict = match (score.best(), &score.mutant.equivalent) {
        (Some(_), None) => "killed",
        (None, Some(_)) => "equivalent",
        (None, None) => "SURVIVED",
        (Some(_), Some(_)) => "NOT EQUIVALENT",
    };
    let detail = score.best().and_then(|way| way.kill.as_ref()).map(|kill| kill.detail.as_str()).unwrap_or_default();
    let shrunk = score.shrunk.as_ref().map_or_else(|| "-".to_owned(), |it| format!("{}, slice {}", it.size, it.slice));
    let (name, all, mixed) = (&score.mutant.name, way(&score.everywhere), way(&score.mixed));
    format!("{verdict} {name}: all: {all}; mixed: {mixed}; shrunk: {shrunk}\n    {detail}")
}

/// Writes the page.
pub(crate) fn write(path: &Path, suite: &Suite, args: &Args, scores: &[Score]) -> Result<(), String> {
    let mut page = HEAD.to_owned();
    let real = || scores.iter().filter(|score| score.mutant.equivalent.is_none());
    summary(&mut page, suite, args, scores);
    page.push_str("| mutant | what is wrong | at all nodes | mixed | shrunk to | slice |\n| --- | --- | --- | --- | --- | --- |\n");
    for score in real() {
        let (name, says) = (&score.mutant.name, &score.mutant.says);
        let (all, mixed) = (cell(&score.everywhere), cell(&score.mixed));
        let (shrunk, slice) = match &score.shrunk {
            Some(shrunk) => (shrunk.size.as_str(), if shrunk.slice { "yes" } else { "no" }),
            None => ("", ""),
        };
        let _ = writeln!(page, "| `{name}` | {says} | {all} | {mixed} | {shrunk} | {slice} |");
    }
    equivalents(&mut page, scores);
    crate::write(path, page)
}

/// What the lines of the table come to, against what was aimed at.
fn summary(page: &mut String, suite: &Suite, args: &Args, scores: &[Score]) {
    let real: Vec<_> = scores.iter().filter(|score| score.mutant.equivalent.is_none()).collect();
    let best: Vec<_> = real.iter().filter_map(|score| score.best()).collect();
    let mixed = real.iter().filter(|score| score.mixed.kill.is_some()).count();
    let shrunk: Vec<_> = real.iter().filter_map(|score| score.shrunk.as_ref()).collect();
    let (small, shown) =
        (shrunk.iter().filter(|it| it.faults <= 5).count(), shrunk.iter().filter(|it| it.slice).count());
    let _ = write!(
        page,
        "\n{} of {} mutants killed by {} scenarios within {} runs and {} CPU-seconds a way, {mixed} of them beside sound nodes too; \
         the aim is all. The median took {} runs (aim: under 200) and {} CPU-seconds (aim: under 10). Of {} that were shrunk, {small} \
         are left with at most 5 faults (aim: all), and the slice of {shown} shows the mutant.\n\n",
        best.len(),
        real.len(),
        suite.len(),
        args.runs,
        args.cpu,
        median(best.iter().map(|way| u64::from(way.runs))),
        seconds(median(best.iter().map(|way| way.cpu))),
        shrunk.len(),
    );
}

fn equivalents(page: &mut String, scores: &[Score]) {
    let mut equivalents = scores.iter().filter(|score| score.mutant.equivalent.is_some()).peekable();
    if equivalents.peek().is_none() {
        return;
    }
    page.push_str("\n## No run can tell\n\n| mutant | what is wrong | why nothing shows |\n| --- | --- | --- |\n");
    for score in equivalents {
        let (name, says) = (&score.mutant.name, &score.mutant.says);
        let _ = writeln!(page, "| `{name}` | {says} | {} |", score.mutant.equivalent.as_deref().unwrap_or_default());
    }
}

fn cell(way: &Way) -> String {
    let (runs, seconds) = (way.runs, seconds(way.cpu));
    match &way.kill {
        Some(kill) => {
            format!("`{}` in {} ({} {}), {runs} runs, {seconds} s", kill.check, kill.scenario, kill.mode, kill.seed)
        }
        None => format!("**survives** {runs} runs, {seconds} s"),
    }
}

fn median(numbers: impl Iterator<Item = u64>) -> u64 {
    let mut numbers: Vec<_> = numbers.collect();
    numbers.sort_unstable();
    numbers.get(numbers.len() / 2).copied().unwrap_or_default()
}

/// Microseconds as hundredths of seconds.
fn seconds(micros: u64) -> String {
    format!("{}.{:02}", micros / 1_000_000, micros % 1_000_000 / 10_000)
}
