//! A node's process as its parent sees it: started, stopped, killed, heard. It never outlives its handle.

use super::node::{Spec, Told};
use mio::unix::pipe::Receiver;
use mio::{Interest, Registry, Token};
use rustix::process::{Pid, Signal, kill_process};
use std::io::{self, ErrorKind, Read, Write};
use std::path::Path;
use std::process::{Command, Stdio};

/// No line that a node writes is longer.
const LINE_BYTES_MAX: usize = 1 << 20;

pub(super) struct Child {
    process: std::process::Child,
    out: Receiver,
    line: Vec<u8>,
    is_over: bool,
}

impl Child {
    /// Starts `program` as a node; what it tells makes `token` ready.
    pub(super) fn start(program: &Path, spec: &Spec, registry: &Registry, token: Token) -> io::Result<Self> {
        let mut command = Command::new(program);
        command.arg("node-process").stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut process = command.spawn()?;
        let (stdin, stdout) = (process.stdin.take(), process.stdout.take());
        let (Some(mut stdin), Some(stdout)) = (stdin, stdout) else {
            return Err(io::Error::other("a child has no standard input or output"));
        };
        let mut child = Self { process, out: Receiver::from(stdout), line: Vec::new(), is_over: false };
        child.out.set_nonblocking(true)?;
        registry.register(&mut child.out, token, Interest::READABLE)?;
        let spec = serde_json::to_vec(spec)?;
        stdin.write_all(&spec)?;
        stdin.write_all(b"\n")?;
        Ok(child)
    }

    /// What it has told since the last time.
    pub(super) fn listen(&mut self) -> io::Result<Vec<Told>> {
        let (mut told, mut buffer) = (Vec::new(), [0; 16 * 1024]);
        loop {
            match self.out.read(&mut buffer) {
                Ok(0) => {
                    self.is_over = true;
                    return Ok(told);
                }
                Ok(read) => self.take(&buffer[..read], &mut told)?,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(told),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }

    fn take(&mut self, mut bytes: &[u8], told: &mut Vec<Told>) -> io::Result<()> {
        while let Some(end) = bytes.iter().position(|byte| *byte == b'\n') {
            self.line.extend_from_slice(&bytes[..end]);
            told.push(serde_json::from_slice(&self.line)?);
            self.line.clear();
            bytes = &bytes[end + 1..];
        }
        self.line.extend_from_slice(bytes);
        if self.line.len() > LINE_BYTES_MAX {
            return Err(io::Error::other("a node's line does not end"));
        }
        Ok(())
    }

    /// Whether it has ended by itself.
    pub(super) const fn is_over(&self) -> bool {
        self.is_over
    }

    /// Lets it stand still (`true`) or go on.
    pub(super) fn stand_still(&self, still: bool) -> io::Result<()> {
        let pid = Pid::from_raw(self.process.id().cast_signed()).ok_or(ErrorKind::NotFound)?;
        Ok(kill_process(pid, if still { Signal::STOP } else { Signal::CONT })?)
    }

    /// Kills it at once. What it told before counts.
    pub(super) fn kill(mut self) -> io::Result<Vec<Told>> {
        self.process.kill()?;
        self.process.wait()?;
        self.listen()
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
