//! Stored values: one file each, in one directory that one driver at a time uses.
//!
//! A value is written to a temporary file, synced, renamed over the old one, and the directory synced: at every moment the
//! old or the new value is there, whole. Names that begin with a dot are the driver's own; no key does. Whether a value is
//! what was once stored is the machine's to judge: disks rot.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, DirBuilder, DirEntry, File, OpenOptions, TryLockError};
use std::io::{self, ErrorKind, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use machine::StoreFailed;

use crate::config::Config;
use crate::error::Error;

/// The contract's longest key, in bytes.
const KEY_BYTES_MAX: usize = 64;
/// What is being written. What a crash leaves of it, the next start's own write replaces.
const TEMPORARY: &str = ".new";
/// The number of the next start, in decimal.
const INCARNATION: &str = ".incarnation";
/// The digits of the largest number, and a line end.
const INCARNATION_BYTES_MAX: usize = 21;

#[derive(Debug)]
pub(crate) struct Store {
    files: Arc<Files>,
    keys: BTreeSet<String>,
    values_max: usize,
    value_bytes_max: usize,
    pub(crate) failed: u64,
}

/// The files of a store, which stay locked as long as this lives.
#[derive(Debug)]
pub(crate) struct Files {
    path: PathBuf,
    directory: File,
}

impl Store {
    /// Opens the directory `config.storage`, which is this driver's alone from now on.
    pub(crate) fn open(config: &Config) -> Result<Self, Error> {
        let path = config.storage.clone();
        let directory = lock(&path).map_err(|source| Error::Storage { path: path.clone(), source })?;
        let (values_max, value_bytes_max) = (config.values_max, config.value_bytes_max);
        let files = Arc::new(Files { path, directory });
        Ok(Self { files, keys: BTreeSet::new(), values_max, value_bytes_max, failed: 0 })
    }

    /// Reads every value. Whatever is no regular file, or whose name is no key, is not ours and stays.
    pub(crate) fn load(&mut self) -> Result<BTreeMap<String, Vec<u8>>, Error> {
        let mut values = BTreeMap::new();
        for entry in fs::read_dir(&self.files.path).map_err(|source| self.fault(source))? {
            let entry = entry.map_err(|source| self.fault(source))?;
            let Some(key) = entry.file_name().to_str().filter(|name| is_key(name)).map(str::to_owned) else { continue };
            let path = entry.path();
            let value = read_value(&entry, self.value_bytes_max).map_err(|source| Error::Storage { path, source })?;
            let Some(value) = value else { continue };
            values.insert(key, value);
            if values.len() > self.values_max {
                return Err(self.fault(too_much("more values than the limit allows")));
            }
        }
        self.keys = values.keys().cloned().collect();
        Ok(values)
    }

    /// The number of this start, from 0. No other start ever gets it, whatever crashes.
    pub(crate) fn spend_incarnation(&mut self) -> Result<u64, Error> {
        let path = self.files.path.join(INCARNATION);
        let spent = read_incarnation(&path).and_then(|incarnation| {
            let next = incarnation.checked_add(1).ok_or_else(|| too_much("no further start can be counted"))?;
            self.files.replace(INCARNATION, format!("{next}\n").as_bytes())?;
            Ok(incarnation)
        });
        spent.map_err(|source| Error::Storage { path, source })
    }

    /// Makes `bytes` the durable value of `key` before it returns. When it fails the old value stands, unless the very last
    /// step failed: then a crash may leave either.
    pub(crate) fn put(&mut self, key: &str, bytes: &[u8]) -> Result<(), StoreFailed> {
        let is_stored = self.allows(key, bytes) && self.files.replace(key, bytes).is_ok();
        self.note(key, is_stored)
    }

    /// Whether the limits allow to write it.
    pub(crate) fn allows(&self, key: &str, bytes: &[u8]) -> bool {
        let has_room = self.keys.contains(key) || self.keys.len() < self.values_max;
        is_key(key) && has_room && bytes.len() <= self.value_bytes_max
    }

    /// Takes in how the write of a value has ended.
    pub(crate) fn note(&mut self, key: &str, is_stored: bool) -> Result<(), StoreFailed> {
        if !is_stored {
            self.failed += 1;
            return Err(StoreFailed);
        }
        if !self.keys.contains(key) {
            self.keys.insert(key.to_owned());
        }
        Ok(())
    }

    /// For a write from another thread, between [`Store::allows`] and [`Store::note`], and no other at that time.
    #[cfg(feature = "tokio")]
    pub(crate) fn files(&self) -> Arc<Files> {
        Arc::clone(&self.files)
    }

    fn fault(&self, source: io::Error) -> Error {
        Error::Storage { path: self.files.path.clone(), source }
    }
}

impl Files {
    /// Makes `bytes` the durable value of `name`.
    pub(crate) fn replace(&self, name: &str, bytes: &[u8]) -> io::Result<()> {
        let temporary = self.path.join(TEMPORARY);
        let replaced = write_synced(&temporary, bytes).and_then(|()| fs::rename(&temporary, self.path.join(name)));
        if let Err(error) = replaced {
            // A full disk gets its room back. If even this fails, the next write truncates the file.
            let _ = fs::remove_file(&temporary);
            return Err(error);
        }
        self.directory.sync_all()
    }
}

/// What [`machine::Output::Store`] allows, so that a key is a file name and nothing else.
fn is_key(key: &str) -> bool {
    let is_allowed = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.');
    (1..=KEY_BYTES_MAX).contains(&key.len()) && !key.starts_with('.') && key.bytes().all(is_allowed)
}

/// Makes the directory, for its owner only (values may be secret), and locks it.
fn lock(path: &Path) -> io::Result<File> {
    DirBuilder::new().recursive(true).mode(0o700).create(path)?;
    let directory = File::open(path)?;
    match directory.try_lock() {
        Ok(()) => Ok(directory),
        Err(TryLockError::WouldBlock) => Err(io::Error::new(ErrorKind::WouldBlock, "another driver uses it")),
        Err(TryLockError::Error(error)) => Err(error),
    }
}

fn write_synced(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

fn read_bounded(path: &Path, bytes_max: usize) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?.take(bytes_max as u64 + 1).read_to_end(&mut bytes)?;
    if bytes.len() > bytes_max { Err(too_much("longer than the limit allows")) } else { Ok(bytes) }
}

/// The value in a regular file; `None` for anything else.
fn read_value(entry: &DirEntry, bytes_max: usize) -> io::Result<Option<Vec<u8>>> {
    if entry.file_type()?.is_file() { read_bounded(&entry.path(), bytes_max).map(Some) } else { Ok(None) }
}

/// A missing file is the first start. A damaged one is an error: a number used twice may break what a protocol promises.
fn read_incarnation(path: &Path) -> io::Result<u64> {
    let bytes = match read_bounded(path, INCARNATION_BYTES_MAX) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(0),
        read => read?,
    };
    let digits = bytes.strip_suffix(b"\n").unwrap_or(&bytes);
    let number = str::from_utf8(digits).ok().and_then(|digits| digits.parse().ok());
    number.ok_or_else(|| io::Error::new(ErrorKind::InvalidData, "not the number of a start"))
}

fn too_much(what: &'static str) -> io::Error {
    io::Error::new(ErrorKind::InvalidData, what)
}
