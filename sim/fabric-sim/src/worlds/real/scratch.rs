//! Where nodes store: a directory that is gone after the run, whatever ends the run. A janitor, a process of its own that
//! no terminal signal reaches, waits for the end of its standard input and removes the directory.

use super::wall::pause;
use crate::cli::Exit;
use std::fs::DirBuilder;
use std::io::{self, BufRead, Read, Write};
use std::os::unix::fs::DirBuilderExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

/// What the names of these directories begin with: the janitor removes no other.
const PREFIX: &str = "fabric-sim-run-";
/// How long the janitor tries while dying nodes may still write.
const TRIES: u32 = 100;
const TRY_EVERY: Duration = Duration::from_millis(50);

/// An empty directory of one run.
pub(super) struct Scratch {
    path: PathBuf,
    janitor: Child,
    /// Its end is what the janitor waits for.
    open: Option<ChildStdin>,
}

impl Scratch {
    /// Starts the janitor before there is anything to remove.
    pub(super) fn new(program: &Path) -> io::Result<Self> {
        /// One process may run several scenarios.
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name = format!("{PREFIX}{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let path = std::env::temp_dir().join(name);
        let mut command = Command::new(program);
        command.arg("janitor-process").stdin(Stdio::piped()).stdout(Stdio::null()).process_group(0);
        let mut janitor = command.spawn()?;
        let mut open = janitor.stdin.take();
        if let Some(stdin) = &mut open {
            writeln!(stdin, "{}", path.display())?;
        }
        let scratch = Self { path, janitor, open };
        DirBuilder::new().mode(0o700).create(&scratch.path)?;
        Ok(scratch)
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// What of it has this name; whoever uses it makes it.
    pub(super) fn of(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        self.open = None;
        let _ = self.janitor.wait();
    }
}

/// The janitor's whole life.
pub(crate) fn janitor() -> Exit {
    let mut stdin = io::stdin().lock();
    let mut line = String::new();
    if Read::by_ref(&mut stdin).take(4096).read_line(&mut line).is_err() {
        return Exit::Internal;
    }
    let path = Path::new(line.trim_end_matches('\n'));
    let is_ours = path.file_name().and_then(|name| name.to_str()).is_some_and(|name| name.starts_with(PREFIX));
    if !is_ours {
        return Exit::Usage;
    }
    let _ = io::copy(&mut stdin, &mut io::sink());
    for _ in 0..TRIES {
        match std::fs::remove_dir_all(path) {
            Ok(()) => return Exit::Held,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Exit::Held,
            Err(_) => pause(TRY_EVERY),
        }
    }
    Exit::Internal
}
