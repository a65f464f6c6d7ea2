//! A node's process as its parent sees it: started, stopped, killed, heard line by line. It never outlives its handle.

use mio::unix::pipe::Receiver;
use mio::{Interest, Registry, Token};
use rustix::process::{Pid, Signal, kill_process};
use std::io::{self, ErrorKind, Read, Write};
use std::process::{Command, ExitStatus, Stdio};

/// No line that a node writes is longer.
const LINE_BYTES_MAX: usize = 1 << 20;

pub(super) struct Child {
    process: std::process::Child,
    out: Receiver,
    line: Vec<u8>,
    is_over: bool,
}

impl Child {
    /// Starts `command`, and writes `input` to it; what it tells makes `token` ready.
    pub(super) fn start(command: &mut Command, input: &[u8], registry: &Registry, token: Token) -> io::Result<Self> {
        let mut process = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let (stdin, stdout) = (process.stdin.take(), process.stdout.take());
        let (Some(mut stdin), Some(stdout)) = (stdin, stdout) else {
            return Err(io::Error::other("a child has no standard input or output"));
        };
        let mut child = Self { process, out: Receiver::from(stdout), line: Vec::new(), is_over: false };
        child.out.set_nonblocking(true)?;
        registry.register(&mut child.out, token, Interest::READABLE)?;
        stdin.write_all(input)?;
        Ok(child)
    }

    /// The whole lines that it has written since the last time, without their ends.
    pub(super) fn listen(&mut self) -> io::Result<Vec<Vec<u8>>> {
        let (mut lines, mut buffer) = (Vec::new(), [0; 16 * 1024]);
        loop {
            match self.out.read(&mut buffer) {
                Ok(0) => {
                    self.is_over = true;
                    return Ok(lines);
                }
                Ok(read) => self.take(&buffer[..read], &mut lines)?,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(lines),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }

    fn take(&mut self, mut bytes: &[u8], lines: &mut Vec<Vec<u8>>) -> io::Result<()> {
        while let Some(end) = bytes.iter().position(|byte| *byte == b'\n') {
            self.line.extend_from_slice(&bytes[..end]);
            lines.push(core::mem::take(&mut self.line));
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

    /// Kills it at once. What it wrote before counts.
    pub(super) fn kill(mut self) -> io::Result<Vec<Vec<u8>>> {
        self.process.kill()?;
        self.process.wait()?;
        self.listen()
    }

    /// How it ended, after it has.
    pub(super) fn status(mut self) -> io::Result<ExitStatus> {
        self.process.wait()
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
