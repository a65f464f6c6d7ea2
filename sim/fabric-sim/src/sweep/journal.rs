//! What a sweep has finished, on disk at once: a line is appended for each run and never changed.
//!
//! Each line begins with the checksum of the rest and ends with its newline: one that a kill or a full disk cut short is not
//! believed, and its seed is run again. One process at a time holds the file.

use super::files::Header;
use super::line::Line;
use core::marker::PhantomData;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, BufRead, BufReader, Seek, SeekFrom, Write};
use std::path::Path;

/// The first line: what the others belong to.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct First {
    #[serde(flatten)]
    header: Header,
    /// A digest of the program: another one may come to other results under the same version.
    program: String,
}

impl First {
    fn admits(&self, other: &Self) -> bool {
        self.program == other.program && self.header.is_of_one_sweep_with(&other.header)
    }
}

/// An open journal of entries of one kind.
#[derive(Debug)]
pub(crate) struct Journal<T = Line> {
    file: File,
    entries: PhantomData<fn(T)>,
}

impl<T: Serialize + DeserializeOwned> Journal<T> {
    /// Opens or starts the journal at `path` for results of `program`; gives what it holds. The error is for people.
    pub(crate) fn open(path: &Path, header: &Header, program: &str) -> Result<(Self, Vec<T>), String> {
        let shown = path.display();
        let file = OpenOptions::new().read(true).append(true).create(true).open(path);
        let mut file = file.map_err(|error| format!("`{shown}` cannot be opened: {error}"))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(format!("another sweep writes to `{shown}`")),
            Err(TryLockError::Error(error)) => return Err(format!("`{shown}` cannot be locked: {error}")),
        }
        let unreadable = |error: io::Error| format!("`{shown}` cannot be read: {error}");
        let first = First { header: header.clone(), program: program.to_owned() };
        let lines = load(&mut file, &first).map_err(unreadable)?;
        let lines = lines
            .ok_or_else(|| format!("`{shown}` is of another scenario, build, suite or world; choose another --out"))?;
        Ok((Self { file, entries: PhantomData }, lines))
    }

    /// Appends a line, in one write.
    pub(crate) fn append(&mut self, line: &T) -> io::Result<()> {
        self.file.write_all(sealed(line)?.as_bytes())
    }
}

/// Reads what is there, and makes it end in a whole line. `None` when it belongs to something else.
fn load<T: DeserializeOwned>(file: &mut File, first: &First) -> io::Result<Option<Vec<T>>> {
    let mut whole = Vec::new();
    let (mut is_first, mut ends_well) = (true, true);
    file.seek(SeekFrom::Start(0))?;
    for text in BufReader::new(&mut *file).split(b'\n') {
        let text = text?;
        let Some(json) = opened(&text) else { continue };
        if is_first && !serde_json::from_str::<First>(json).is_ok_and(|found| found.admits(first)) {
            return Ok(None);
        }
        if !is_first {
            whole.extend(serde_json::from_str::<T>(json).ok());
        }
        is_first = false;
    }
    let length = file.seek(SeekFrom::End(0))?;
    if length > 0 {
        let mut last = [0];
        file.seek(SeekFrom::End(-1))?;
        io::Read::read_exact(file, &mut last)?;
        ends_well = last == *b"\n";
    }
    if !ends_well {
        file.write_all(b"\n")?;
    }
    if is_first {
        file.write_all(sealed(first)?.as_bytes())?;
    }
    Ok(Some(whole))
}

fn sealed(value: &impl Serialize) -> io::Result<String> {
    let json = serde_json::to_string(value)?;
    Ok(format!("{:016x} {json}\n", ::sim::digest(json.as_bytes())))
}

/// The text of a line that is whole.
fn opened(line: &[u8]) -> Option<&str> {
    let (sum, json) = core::str::from_utf8(line).ok()?.split_once(' ')?;
    (u64::from_str_radix(sum, 16) == Ok(::sim::digest(json.as_bytes()))).then_some(json)
}

/// A digest of the program that runs.
pub(crate) fn program() -> io::Result<String> {
    Ok(format!("{:016x}", ::sim::digest(&std::fs::read(std::env::current_exe()?)?)))
}

#[cfg(test)]
mod tests {
    use super::super::line::Verdict;
    use super::super::shard::{Shard, Shards};
    use super::*;
    use std::collections::BTreeMap;
    use std::path::PathBuf;

    fn line(seed: u64) -> Line {
        let (mode, verdict, trace_hash) = ("plain".into(), Verdict::Pass, "00".into());
        Line {
            mode,
            seed,
            verdict,
            events: 1,
            virtual_ns: 1,
            trace_hash,
            probes: vec![],
            failures: vec![],
            drawn: BTreeMap::new(),
        }
    }

    fn header(hash: &str) -> Header {
        Header {
            schema: 1,
            scenario: "s".into(),
            scenario_hash: hash.into(),
            path: "s.toml".into(),
            overrides: Vec::new(),
            build: "b".into(),
            suite: "model".into(),
            world: "sim".into(),
            sometimes: Vec::new(),
            shards: Shards::one(Shard::WHOLE),
        }
    }

    fn fresh(name: &str) -> PathBuf {
        let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../target/tmp").join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        let _ = std::fs::remove_file(&path);
        path
    }

    fn seeds(path: &Path) -> Vec<u64> {
        Journal::open(path, &header("1"), "p").unwrap().1.iter().map(|line: &Line| line.seed).collect()
    }

    #[test]
    fn a_journal_cut_anywhere_gives_every_whole_line_and_takes_more() {
        let path = fresh("cut.journal");
        let (mut journal, none) = Journal::<Line>::open(&path, &header("1"), "p").unwrap();
        assert!(none.is_empty());
        (0..3).for_each(|seed| journal.append(&line(seed)).unwrap());
        drop(journal);
        let whole = std::fs::read(&path).unwrap();
        let ends: Vec<_> = (0..whole.len()).filter(|at| whole[*at] == b'\n').map(|at| at + 1).collect();
        for cut in 0..=whole.len() {
            std::fs::write(&path, &whole[..cut]).unwrap();
            let kept = ends.iter().filter(|end| **end <= cut).count().saturating_sub(1);
            // A line that lacks nothing but its newline is whole by its checksum.
            let lacks_newline = ends.iter().skip(1).filter(|end| **end == cut + 1).count();
            assert_eq!(seeds(&path).len(), kept + lacks_newline, "cut at {cut}");
            Journal::open(&path, &header("1"), "p").unwrap().0.append(&line(9)).unwrap();
            assert_eq!(seeds(&path).last(), Some(&9), "cut at {cut}");
        }
    }

    #[test]
    fn a_line_that_was_changed_is_not_believed() {
        let path = fresh("changed.journal");
        let (mut journal, _) = Journal::<Line>::open(&path, &header("1"), "p").unwrap();
        (0..3).for_each(|seed| journal.append(&line(seed)).unwrap());
        drop(journal);
        let text = std::fs::read_to_string(&path).unwrap();
        std::fs::write(&path, text.replace("\"seed\":1,", "\"seed\":7,")).unwrap();
        assert_eq!(seeds(&path), [0, 2]);
    }

    #[test]
    fn another_scenario_and_another_process_are_refused() {
        let path = fresh("other.journal");
        let held = Journal::<Line>::open(&path, &header("1"), "p").unwrap();
        let open = |header: &Header, program| Journal::<Line>::open(&path, header, program).map(drop);
        assert!(open(&header("1"), "p").unwrap_err().contains("another sweep writes"));
        drop(held);
        assert!(open(&header("2"), "p").unwrap_err().contains("another scenario"));
        assert!(open(&header("1"), "q").unwrap_err().contains("another scenario"));
        let elsewhere = Header { path: "there/s.toml".into(), ..header("1") };
        assert_eq!(open(&elsewhere, "p"), Ok(()), "where the scenario is found does not count");
    }
}
