//! A directory whose files are given and taken by name.

use super::wire::{Name, Status};
use crate::whole_file::{WholeFile, remove_leftovers};
use rustix::fs::{Mode, OFlags, open};
use rustix::io::Errno;
use std::fs::{File, TryLockError};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Transfers at a time: each has a file open.
const TRANSFERS_MAX: usize = 64;

/// The directory. No other process serves it at the same time.
#[derive(Debug)]
pub(crate) struct Shelf {
    directory: PathBuf,
    file_bytes_max: u64,
    /// Counts transfers by the copies that they hold.
    places: Arc<()>,
    _locked: File,
}

/// The right to one transfer, as long as it lives.
#[derive(Debug)]
pub(super) struct Place(#[expect(dead_code, reason = "it is counted, not read")] Arc<()>);

impl Shelf {
    pub(crate) fn open(directory: &Path, file_bytes_max: u64) -> io::Result<Self> {
        let locked = File::open(directory)?;
        if !locked.metadata()?.is_dir() {
            return Err(ErrorKind::NotADirectory.into());
        }
        match locked.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(io::Error::other("another fabric-node serves it")),
            Err(TryLockError::Error(error)) => return Err(error),
        }
        remove_leftovers(directory)?;
        Ok(Self { directory: directory.to_owned(), file_bytes_max, places: Arc::default(), _locked: locked })
    }

    fn place(&self) -> Result<Place, Status> {
        if Arc::strong_count(&self.places) > TRANSFERS_MAX { Err(Status::Busy) } else { Ok(Place(self.places.clone())) }
    }

    /// A file to be sent, and its size.
    pub(super) fn take(&self, name: &Name) -> Result<(Place, File, u64), Status> {
        let place = self.place()?;
        let file = open_regular(&self.directory.join(name.as_ref())).map_err(|error| match error.kind() {
            ErrorKind::NotFound => Status::NotFound,
            _ => Status::Failed,
        })?;
        let size = file.metadata().map_err(|_| Status::Failed)?.len();
        Ok((place, file, size))
    }

    /// A file to be received. Whether the name is free is asked now, to be polite, and decided at its end.
    pub(super) fn begin(&self, name: &Name, size: u64) -> Result<(Place, WholeFile), Status> {
        let place = self.place()?;
        if size > self.file_bytes_max {
            return Err(Status::TooLarge);
        }
        let path = self.directory.join(name.as_ref());
        if path.symlink_metadata().is_ok() {
            return Err(Status::Exists);
        }
        let file = WholeFile::create(&path, 0o666).map_err(|_| Status::Failed)?;
        Ok((place, file))
    }
}

/// Opens what is a regular file itself: a link may lead out of the directory, a FIFO would wait for a writer.
fn open_regular(path: &Path) -> io::Result<File> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let file = File::from(open(path, flags, Mode::empty()).map_err(|errno| match errno {
        Errno::LOOP => io::Error::from(ErrorKind::NotFound),
        errno => errno.into(),
    })?);
    if file.metadata()?.is_file() { Ok(file) } else { Err(ErrorKind::NotFound.into()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scratch::Scratch;
    use std::fs;
    use std::os::unix::fs::symlink;

    fn name(text: &str) -> Name {
        text.parse().unwrap()
    }

    #[test]
    fn only_regular_files_of_the_directory_are_given() {
        let scratch = Scratch::new();
        let served = scratch.path().join("served");
        fs::create_dir_all(served.join("directory")).unwrap();
        fs::write(scratch.path().join("secret"), b"secret").unwrap();
        fs::write(served.join("file"), b"12345").unwrap();
        symlink("../secret", served.join("link")).unwrap();
        let shelf = Shelf::open(&served, 10).unwrap();
        assert_eq!(shelf.take(&name("file")).unwrap().2, 5);
        for other in ["link", "directory", "missing"] {
            assert_eq!(shelf.take(&name(other)).unwrap_err(), Status::NotFound, "{other}");
        }
        assert_eq!(shelf.begin(&name("link"), 1).unwrap_err(), Status::Exists);
        assert_eq!(shelf.begin(&name("new"), 11).unwrap_err(), Status::TooLarge);
    }

    #[test]
    fn transfers_are_bounded() {
        let scratch = Scratch::new();
        let shelf = Shelf::open(scratch.path(), 10).unwrap();
        let mut held: Vec<_> = (0..TRANSFERS_MAX).map(|_| shelf.begin(&name("new"), 1).unwrap()).collect();
        assert_eq!(shelf.begin(&name("new"), 1).unwrap_err(), Status::Busy);
        held.pop();
        assert!(shelf.begin(&name("new"), 1).is_ok());
    }

    #[test]
    fn one_process_serves_a_directory() {
        let scratch = Scratch::new();
        let shelf = Shelf::open(scratch.path(), 10).unwrap();
        assert!(Shelf::open(scratch.path(), 10).unwrap_err().to_string().contains("another fabric-node"));
        drop(shelf);
        assert!(Shelf::open(scratch.path(), 10).is_ok());
    }
}
