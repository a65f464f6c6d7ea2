//! The command line.

const USAGE: &str = "\
Plants protocol bugs in a copy of the sources and sees which of them the shipped scenarios find.

Usage: ci/mutants/run [--check] [--only NAME]... [--runs N] [--cpu SECONDS] [--jobs N] [--no-shrink]

  --check        only see that every mutant still fits the sources
  --only NAME    score this mutant only, and leave docs/mutants.md alone; may be repeated
  --runs N       runs for each mutant, where it is everywhere and where it is mixed with sound nodes (200)
  --cpu SECONDS  CPU-seconds for the same (10)
  --jobs N       mutants scored at a time (1)
  --no-shrink    do not make what was found smaller

Exit codes: 0 every mutant that should be found was, 1 one was not, 2 a mutant does not fit, or the suite fails without one";

/// What was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Args {
    pub(crate) check: bool,
    pub(crate) only: Vec<String>,
    /// Most runs for each mutant and way of planting it.
    pub(crate) runs: u32,
    /// Most CPU time for the same, in seconds.
    pub(crate) cpu: u64,
    pub(crate) jobs: u16,
    pub(crate) shrink: bool,
}

impl Args {
    /// The error is what to print.
    pub(crate) fn parse(mut words: impl Iterator<Item = String>) -> Result<Self, String> {
        let mut args = Self { check: false, only: Vec::new(), runs: 200, cpu: 10, jobs: 1, shrink: true };
        while let Some(word) = words.next() {
            match word.as_str() {
                "--check" => args.check = true,
                "--no-shrink" => args.shrink = false,
                "--only" => args.only.push(words.next().ok_or(USAGE)?),
                "--runs" => args.runs = number(&word, words.next())?,
                "--cpu" => args.cpu = number(&word, words.next())?,
                "--jobs" => args.jobs = number(&word, words.next())?,
                _ => return Err(USAGE.to_owned()),
            }
        }
        Ok(args)
    }
}

fn number<T: std::str::FromStr + PartialOrd + From<u8>>(option: &str, word: Option<String>) -> Result<T, String> {
    let number = word.and_then(|word| word.parse().ok()).filter(|number| *number >= T::from(1));
    number.ok_or_else(|| format!("{option} takes a number from 1 on\n\n{USAGE}"))
}
