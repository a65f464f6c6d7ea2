//! Where the text of a scenario comes from: bounded, regular files and the arguments of the command line.

use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};

/// With every node spelled out, as by `shrink`, the largest scenario fits; a longer file is another one.
const FILE_BYTES_MAX: u64 = 8 << 20;

/// A piece of one source.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Span {
    source: u32,
    start: u32,
    end: u32,
}

/// One text that spans point into.
#[derive(Clone, Debug)]
pub(crate) struct Source {
    /// A path, or the argument that the text is.
    pub(crate) name: String,
    pub(crate) text: String,
    /// Where its lines end.
    ends: Vec<u32>,
    /// Later ranks override earlier ones: an included file comes before the file that includes it.
    rank: u32,
}

/// Every text of one scenario.
#[derive(Clone, Debug, Default)]
pub(crate) struct Sources {
    list: Vec<Source>,
    ranked: u32,
}

impl Span {
    /// The same source, with a range of its bytes.
    pub(crate) fn at(self, range: &core::ops::Range<usize>) -> Self {
        Self { source: self.source, start: range.start as u32, end: range.end as u32 }
    }

    pub(crate) fn range(self) -> core::ops::Range<usize> {
        self.start as usize..self.end as usize
    }
}

impl Sources {
    /// Adds a text and gives the span of all of it.
    pub(crate) fn add(&mut self, name: String, text: String) -> Span {
        let span = Span { source: self.list.len() as u32, start: 0, end: text.len() as u32 };
        let ends = text.match_indices('\n').map(|(at, _)| at as u32).collect();
        self.list.push(Source { name, text, ends, rank: u32::MAX });
        span
    }

    /// Gives the source of `span` the next rank: what it says overrides what was ranked before.
    pub(crate) fn rank(&mut self, span: Span) {
        self.list[span.source as usize].rank = self.ranked;
        self.ranked += 1;
    }

    pub(crate) fn of(&self, span: Span) -> &Source {
        &self.list[span.source as usize]
    }

    /// `file.toml:12`: where `span` begins.
    pub(crate) fn place(&self, span: Span) -> String {
        let source = self.of(span);
        format!("{}:{}", source.name, source.ends.partition_point(|end| *end < span.start) + 1)
    }

    /// Sorts by what overrides what.
    pub(crate) fn order(&self, span: Span) -> (u32, u32) {
        (self.of(span).rank, span.start)
    }

    pub(crate) const fn len(&self) -> usize {
        self.list.len()
    }
}

/// Why a file is not a text that can be parsed: what to say, and how to mend it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Unreadable {
    pub(crate) message: String,
    pub(crate) fix: String,
}

/// Reads a scenario file. Never blocks: what is not a regular file is not opened.
pub(crate) fn read(path: &Path) -> Result<String, Unreadable> {
    let refuse = |why: String, fix: String| Unreadable { message: format!("`{}` {why}", path.display()), fix };
    let meta = fs::metadata(path).map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound => refuse("does not exist".into(), suggestion(path)),
        _ => refuse(format!("cannot be read: {error}"), "check its path and permissions".into()),
    })?;
    if meta.is_dir() {
        let fix = format!("name a file in it; `fabric-sim list {}` shows them", path.display());
        return Err(refuse("is a directory".into(), fix));
    }
    if !meta.is_file() {
        return Err(refuse("is not a regular file".into(), "copy its contents to a file".into()));
    }
    let too_long =
        || refuse("is longer than 8 MiB".into(), "split it by `include`, or check that it is the right file".into());
    if meta.len() > FILE_BYTES_MAX {
        return Err(too_long());
    }
    let mut bytes = Vec::new();
    File::open(path)
        .and_then(|file| file.take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes))
        .map_err(|error| refuse(format!("cannot be read: {error}"), "check its permissions".into()))?;
    if bytes.len() as u64 > FILE_BYTES_MAX {
        return Err(too_long());
    }
    text(bytes).map_err(|(why, fix)| refuse(why, fix))
}

fn text(bytes: Vec<u8>) -> Result<String, (String, String)> {
    let text = String::from_utf8(bytes).map_err(|error| {
        let before = &error.as_bytes()[..error.utf8_error().valid_up_to()];
        let line = before.split(|byte| *byte == b'\n').count();
        let column = before.iter().rev().take_while(|byte| **byte != b'\n').count() + 1;
        let bad = error.as_bytes()[before.len()];
        (format!("is not UTF-8: byte 0x{bad:02x} at line {line}, column {column}"), "save it as UTF-8".to_owned())
    })?;
    if text.trim().is_empty() {
        return Err(("is empty".into(), "`fabric-sim new NAME` writes a scenario to start from".into()));
    }
    Ok(text)
}

/// What the user may have meant by a path that does not exist.
fn suggestion(path: &Path) -> String {
    let with_extension = path.with_extension("toml");
    let in_folder = path.file_name().map(|name| PathBuf::from("scenarios").join(name).with_extension("toml"));
    let candidates = [Some(with_extension), in_folder];
    match candidates.into_iter().flatten().find(|candidate| candidate.is_file()) {
        Some(found) => format!("did you mean `{}`?", found.display()),
        None => "`fabric-sim list` shows the scenarios there are; `fabric-sim new NAME` writes one".into(),
    }
}
