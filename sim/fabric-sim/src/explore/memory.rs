//! What a guided search keeps on disk, so that it goes on where it was stopped: the lines of its runs, and what each generation
//! has taught. Runs that are kept are named by their numbers alone: what they are follows from the generations before.

use super::GUIDED;
use crate::nemesis::Mode;
use crate::sweep::{Header, Journal, Line};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::io;
use std::path::Path;

const LINES: &str = "journal";
const LESSONS: &str = "lessons";

/// What a generation has taught, all of whose runs were made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Lesson {
    /// The number of its first run, and the one after its last.
    runs: (u64, u64),
    kept: Vec<News>,
}

/// What a run reached that none did before it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct News {
    pub(super) number: u64,
    pub(super) reached: Vec<u64>,
}

impl Lesson {
    pub(super) fn kept(&self) -> &[News] {
        &self.kept
    }
}

/// See the module. Without a directory it remembers nothing.
#[derive(Default)]
pub(crate) struct Memory {
    lines: BTreeMap<u64, Line>,
    lessons: BTreeMap<(u64, u64), Lesson>,
    journals: Option<(Journal, Journal<Lesson>)>,
}

impl Memory {
    /// What results of a search belong to: where it began and how it draws change each of its runs.
    pub(crate) fn header(header: &Header, mode: Mode, from: u64) -> Header {
        let hash = format!("{} {GUIDED} {mode} from {from}", header.scenario_hash);
        Header { scenario_hash: hash, ..header.clone() }
    }

    /// Opens or starts it. The error is for people.
    pub(crate) fn open(dir: &Path, header: &Header, program: &str) -> Result<Self, String> {
        let (lines_journal, lines) = Journal::open(&dir.join(LINES), header, program)?;
        let (lessons_journal, lessons) = Journal::<Lesson>::open(&dir.join(LESSONS), header, program)?;
        Ok(Self {
            lines: lines.into_iter().filter(|line: &Line| line.mode == GUIDED).map(|line| (line.seed, line)).collect(),
            lessons: lessons.into_iter().map(|lesson| (lesson.runs, lesson)).collect(),
            journals: Some((lines_journal, lessons_journal)),
        })
    }

    /// How many runs need not be made again.
    pub(crate) fn runs(&self) -> u64 {
        self.lessons.keys().map(|(from, until)| self.lines.range(*from..*until).count() as u64).sum()
    }

    /// What these runs, from the first number to just before the second, came to and taught, if all of them were made. Lines of a
    /// generation that was not finished are not told: what their runs reached is not known any more.
    pub(crate) fn of(&mut self, from: u64, until: u64) -> Option<(Lesson, Vec<Line>)> {
        let lesson = self.lessons.remove(&(from, until))?;
        Some((lesson, self.lines.range(from..until).map(|(_, line)| line.clone()).collect()))
    }

    /// Where lines go.
    pub(crate) fn journal(&mut self) -> Option<&mut Journal> {
        self.journals.as_mut().map(|(lines, _)| lines)
    }

    /// Keeps what a generation has taught that is whole.
    pub(crate) fn keep(&mut self, from: u64, until: u64, kept: Vec<News>) -> io::Result<()> {
        match &mut self.journals {
            Some((_, lessons)) => lessons.append(&Lesson { runs: (from, until), kept }),
            None => Ok(()),
        }
    }
}
