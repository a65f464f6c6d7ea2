//! Results of a sweep as a file: a header, then one JSON object a line, in the order of modes and seeds. A file is whole or
//! not there.

use super::line::Line;
use super::shard::{Shard, Shards};
use serde::{Deserialize, Serialize};
use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, BufWriter, Read, Write};
use std::path::Path;

/// The version of results and journals.
pub(crate) const SCHEMA: u32 = 1;
/// A longer line is not one of ours.
const LINE_BYTES_MAX: u64 = 1 << 20;

/// What all lines of one file belong to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Header {
    pub(crate) schema: u32,
    pub(crate) scenario: String,
    pub(crate) scenario_hash: String,
    /// Where the scenario was: for the commands that make its runs again.
    pub(crate) path: String,
    /// What was changed in it by `--set`.
    pub(crate) overrides: Vec<String>,
    pub(crate) build: String,
    pub(crate) suite: String,
    pub(crate) world: String,
    /// The probes that the scenario wants to see reached.
    pub(crate) sometimes: Vec<String>,
    /// What of the seeds the lines are.
    pub(crate) shards: Shards,
}

impl Header {
    /// Whether lines under both are of one sweep, whatever part of it, wherever the scenario was and whichever way its values
    /// were set: its hash covers what it says.
    pub(crate) fn is_of_one_sweep_with(&self, other: &Self) -> bool {
        let common = |header: &Self| Self {
            path: String::new(),
            overrides: Vec::new(),
            shards: Shards::one(Shard::WHOLE),
            ..header.clone()
        };
        common(self) == common(other)
    }
}

/// Writes to a temporary name first.
pub(crate) fn write(path: &Path, header: &Header, lines: &[Line]) -> io::Result<()> {
    let temporary = path.with_extension("jsonl.part");
    let mut file = BufWriter::new(File::create(&temporary)?);
    writeln!(file, "{}", serde_json::to_string(header)?)?;
    for line in lines {
        writeln!(file, "{}", serde_json::to_string(line)?)?;
    }
    file.into_inner().map_err(io::IntoInnerError::into_error)?.sync_data()?;
    fs::rename(&temporary, path)
}

/// Reads a file of results. The error is for people.
pub(crate) fn read(path: &Path) -> Result<(Header, Vec<Line>), String> {
    let shown = path.display();
    if !fs::metadata(path).map_err(|error| format!("`{shown}` cannot be read: {error}"))?.is_file() {
        return Err(format!("`{shown}` is not a regular file"));
    }
    let file = File::open(path).map_err(|error| format!("`{shown}` cannot be read: {error}"))?;
    let mut file = BufReader::new(file);
    let mut number = 0;
    let mut next = || -> Result<Option<String>, String> {
        let mut text = String::new();
        number += 1;
        let read = (&mut file).take(LINE_BYTES_MAX).read_line(&mut text);
        let read = read.map_err(|error| format!("`{shown}` line {number} cannot be read: {error}"))?;
        if read > 0 && !text.ends_with('\n') {
            return Err(format!("`{shown}` line {number} is cut short or longer than 1 MiB"));
        }
        Ok((read > 0).then_some(text))
    };
    let header = next()?.ok_or_else(|| format!("`{shown}` is empty"))?;
    let header: Header = serde_json::from_str(&header)
        .map_err(|error| format!("`{shown}` does not begin like a sweep's results: {error}"))?;
    if header.schema != SCHEMA {
        return Err(format!("`{shown}` has schema {}; this program reads schema {SCHEMA}", header.schema));
    }
    let mut lines = Vec::new();
    while let Some(text) = next()? {
        let line = serde_json::from_str(&text);
        lines.push(line.map_err(|error| format!("`{shown}` line {}: {error}", lines.len() + 2))?);
    }
    Ok((header, lines))
}
