//! A new file that appears whole or not at all, and never in place of another.
//!
//! It is written under a temporary name in the same directory, synced, and renamed where nothing is. What a killed process
//! leaves is such a temporary file; [`remove_leftovers`] takes them away.

use std::ffi::OsStr;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use rustix::fs::{CWD, RenameFlags, renameat_with};

/// Begins every temporary name, which then names the process and counts.
const TEMPORARY: &str = ".fabric-node-";

/// Tells the temporary files of one process apart.
static NEXT: AtomicU64 = AtomicU64::new(0);

/// A file under its temporary name. Dropping it takes it away.
#[derive(Debug)]
pub(crate) struct WholeFile {
    file: File,
    temporary: PathBuf,
    path: PathBuf,
}

impl WholeFile {
    /// Begins the file `path`, with `mode` less the process's mask. That it does not exist is judged when it is published.
    pub(crate) fn create(path: &Path, mode: u32) -> io::Result<Self> {
        let directory = directory_of(path);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let temporary = directory.join(format!("{TEMPORARY}{}-{number}", std::process::id()));
        let file = OpenOptions::new().write(true).create_new(true).mode(mode).open(&temporary)?;
        Ok(Self { file, temporary, path: path.to_owned() })
    }

    pub(crate) fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.file.write_all(bytes)
    }

    /// Gives the file its name once it is durable. [`io::ErrorKind::AlreadyExists`] when the name is taken.
    pub(crate) fn publish(self) -> io::Result<()> {
        self.file.sync_all()?;
        renameat_with(CWD, &self.temporary, CWD, &self.path, RenameFlags::NOREPLACE)?;
        File::open(directory_of(&self.path))?.sync_all()
    }
}

impl Drop for WholeFile {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.temporary); // published: there is none
    }
}

/// Takes away what a killed process left in `directory`. No other may be writing there.
pub(crate) fn remove_leftovers(directory: &Path) -> io::Result<()> {
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        if is_temporary(&entry.file_name()) && entry.file_type()?.is_file() {
            fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}

fn is_temporary(name: &OsStr) -> bool {
    name.as_encoded_bytes().starts_with(TEMPORARY.as_bytes())
}

fn directory_of(path: &Path) -> &Path {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scratch::Scratch;

    #[test]
    fn nothing_is_there_before_it_is_whole() {
        let scratch = Scratch::new();
        let path = scratch.path().join("file");
        let mut file = WholeFile::create(&path, 0o600).unwrap();
        file.write(b"half").unwrap();
        assert!(!path.exists());
        drop(file);
        assert_eq!(fs::read_dir(scratch.path()).unwrap().count(), 0, "what was not published is gone");
    }

    #[test]
    fn what_is_there_stays() {
        let scratch = Scratch::new();
        let path = scratch.path().join("file");
        for (content, published) in [(b"first", Ok(())), (b"later", Err(io::ErrorKind::AlreadyExists))] {
            let mut file = WholeFile::create(&path, 0o600).unwrap();
            file.write(content).unwrap();
            assert_eq!(file.publish().map_err(|error| error.kind()), published);
        }
        assert_eq!(fs::read(&path).unwrap(), b"first");
        assert_eq!(fs::read_dir(scratch.path()).unwrap().count(), 1);
    }

    #[test]
    fn leftovers_go_and_others_stay() {
        let scratch = Scratch::new();
        for name in [".fabric-node-7-0", "fabric-node-7-0", ".hidden"] {
            fs::write(scratch.path().join(name), b"").unwrap();
        }
        remove_leftovers(scratch.path()).unwrap();
        let mut left: Vec<_> = fs::read_dir(scratch.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        left.sort();
        assert_eq!(left, [".hidden", "fabric-node-7-0"]);
    }
}
