//! Where lines go: one file for each start, bounded, the last few kept.

use crate::line::Line;
use std::fmt;
use std::fs::{self, OpenOptions};
use std::io::{self, BufWriter, ErrorKind, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use zeroize::Zeroizing;

/// Logs of earlier starts that are kept, under the same name with `.1`, the last, and so on.
const KEPT: u32 = 2;
/// Kept free for the line that says that the log is full.
const LAST_LINE_BYTES: u64 = 16;

/// A log that is being written. What cannot be written ends it, and nothing else.
pub struct Log {
    out: Box<dyn Write + Send>,
    left: u64,
    state: State,
    mixed_with: Zeroizing<[u8; 32]>,
}

#[derive(Debug)]
enum State {
    Recording,
    Full,
    Failed(io::Error),
}

impl Log {
    /// Begins the log `path` of at most `bytes_max` bytes, for its owner only. A file that was there becomes `path.1`, and
    /// so on.
    pub fn create(path: &Path, bytes_max: u64) -> io::Result<Self> {
        if path.symlink_metadata().is_ok_and(|metadata| !metadata.is_file()) {
            return Err(io::Error::new(ErrorKind::AlreadyExists, "it is no log of an earlier start"));
        }
        for older in (0..=KEPT).rev() {
            match older {
                KEPT => remove(&numbered(path, KEPT))?,
                _ => rename(&numbered(path, older), &numbered(path, older + 1))?,
            }
        }
        let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
        let mut key = Zeroizing::new([0; 32]);
        getrandom::fill(&mut key[..]).map_err(io::Error::other)?;
        Ok(Self::to(BufWriter::with_capacity(1 << 16, file), bytes_max, *key))
    }

    /// Writes at most `bytes_max` bytes to `out`. `mixed_with` is chance that nobody else has: ephemeral keys come from it.
    pub fn to(out: impl Write + Send + 'static, bytes_max: u64, mixed_with: [u8; 32]) -> Self {
        Self {
            out: Box::new(out),
            left: bytes_max.saturating_sub(LAST_LINE_BYTES),
            state: State::Recording,
            mixed_with: Zeroizing::new(mixed_with),
        }
    }

    pub(crate) fn mixed_with(&self) -> Zeroizing<[u8; 32]> {
        self.mixed_with.clone()
    }

    /// Why no more is recorded, if so.
    pub fn ended(&self) -> Option<String> {
        match &self.state {
            State::Recording => None,
            State::Full => Some("the log is as long as it may be".into()),
            State::Failed(error) => Some(format!("the log cannot be written: {error}")),
        }
    }

    pub(crate) fn write(&mut self, line: &Line) {
        if !matches!(self.state, State::Recording) {
            return;
        }
        if let Err(error) = self.try_write(line) {
            self.state = State::Failed(error);
        }
    }

    fn try_write(&mut self, line: &Line) -> io::Result<()> {
        let mut bytes = serde_json::to_vec(line)?;
        bytes.push(b'\n');
        if let Some(left) = self.left.checked_sub(bytes.len() as u64) {
            self.left = left;
            return self.out.write_all(&bytes);
        }
        self.state = State::Full;
        serde_json::to_writer(&mut self.out, &Line::Full {})?;
        self.out.write_all(b"\n")?;
        self.out.flush()
    }

    /// Hands over what is buffered: after a crash all that led to it is there.
    pub(crate) fn flush(&mut self) {
        if let (State::Recording, Err(error)) = (&self.state, self.out.flush()) {
            self.state = State::Failed(error);
        }
    }
}

impl fmt::Debug for Log {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Log").field("left", &self.left).field("state", &self.state).finish_non_exhaustive()
    }
}

fn numbered(path: &Path, number: u32) -> PathBuf {
    if number == 0 {
        return path.to_owned();
    }
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".{number}"));
    name.into()
}

fn rename(from: &Path, to: &Path) -> io::Result<()> {
    absent_is_fine(fs::rename(from, to))
}

fn remove(path: &Path) -> io::Result<()> {
    absent_is_fine(fs::remove_file(path))
}

fn absent_is_fine(done: io::Result<()>) -> io::Result<()> {
    match done {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        done => done,
    }
}
