//! What came of a run, for people ([`human`]) and for programs ([`json`]).

pub(crate) mod human;
pub(crate) mod json;
mod layout;
pub(crate) mod story;
pub(crate) mod sweep;

pub(crate) use human::seconds;
pub(crate) use layout::hang;

use crate::cli::{BUILD, RunArgs};
use crate::nemesis::{Drawn, Mode};
use crate::scenario::Scenario;
use crate::worlds::{SuiteKind, World};
use std::rc::Rc;

/// What is known before the run begins.
pub(crate) struct Head {
    pub(crate) scenario: Rc<Scenario>,
    pub(crate) hash: String,
    pub(crate) path: String,
    pub(crate) seed: u64,
    pub(crate) build: &'static str,
    pub(crate) mode: Mode,
    pub(crate) suite: SuiteKind,
    pub(crate) world: World,
    /// Every value that was drawn, by what it is for.
    pub(crate) told: Vec<(String, String)>,
    overrides: Vec<String>,
}

impl Head {
    /// `hash` is that of the scenario as it is written: what was drawn follows from it and the seed.
    pub(crate) fn new(args: &RunArgs, hash: String, drawn: &Drawn) -> Self {
        Self {
            scenario: Rc::clone(&drawn.scenario),
            hash,
            path: args.scenario.display().to_string(),
            seed: args.seed,
            build: BUILD,
            mode: args.mode(),
            suite: args.suite,
            world: args.world,
            told: drawn.told.clone(),
            overrides: args.overrides.clone(),
        }
    }

    /// The command that makes the same run again, to be pasted into a shell.
    pub(crate) fn command(&self) -> String {
        let command = command(&self.path, self.seed, self.mode, self.suite, &self.overrides);
        in_world(command, self.world)
    }

    /// The command that explains the run, if it fails.
    pub(crate) fn slice(&self) -> String {
        words("slice", &self.path, self.seed, self.mode, self.suite, &self.overrides)
    }

    /// The command that makes the run smaller, if it fails.
    pub(crate) fn shrink(&self) -> String {
        words("shrink", &self.path, self.seed, self.mode, self.suite, &self.overrides)
    }
}

/// What is told of a run for people only.
#[derive(Default)]
pub(crate) struct Told {
    /// How long it took, in milliseconds.
    pub(crate) wall: u64,
    /// How a failure came about, if that is known.
    pub(crate) why: Vec<String>,
}

/// The command that makes one run, to be pasted into a shell.
pub(crate) fn command(path: &str, seed: u64, mode: Mode, suite: SuiteKind, overrides: &[String]) -> String {
    words("run", path, seed, mode, suite, overrides)
}

/// The same command in a world.
fn in_world(command: String, world: World) -> String {
    if world == World::Sim { command } else { format!("{command} --world {world}") }
}

/// What a shell calls this program.
pub(crate) fn program() -> &'static str {
    // Whoever runs this by cargo may not have it on the path.
    match (std::env::var_os("CARGO"), cfg!(debug_assertions)) {
        (None, _) => "fabric-sim",
        (Some(_), true) => "cargo run --",
        (Some(_), false) => "cargo run --release --",
    }
}

fn words(verb: &str, path: &str, seed: u64, mode: Mode, suite: SuiteKind, overrides: &[String]) -> String {
    let mut words = vec![program().to_owned(), verb.to_owned(), quoted(path), format!("--seed {seed}")];
    words.extend(mode.arguments());
    words.extend((suite != SuiteKind::Real).then(|| format!("--suite {suite}")));
    words.extend(overrides.iter().map(|text| format!("--set {}", quoted(text))));
    words.join(" ")
}

/// As one word of a POSIX shell.
pub(crate) fn quoted(text: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_./=%:,+".contains(c);
    if !text.is_empty() && text.chars().all(is_plain) {
        return text.to_owned();
    }
    format!("'{}'", text.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::quoted;

    #[test]
    fn a_word_is_quoted_where_a_shell_would_take_it_apart() {
        assert_eq!(quoted("links.default.loss=5%"), "links.default.loss=5%");
        assert_eq!(quoted("a b"), "'a b'");
        assert_eq!(quoted("it's"), r"'it'\''s'");
        assert_eq!(quoted(""), "''");
    }
}
