//! Starts the program and reads the events that it tells.

use serde_json::Value;
use std::ffi::OsStr;
use std::fmt::Display;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::{Duration, Instant};

/// Longer than anything here takes on a busy computer.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// A directory of one test, with identities, and a discovery group that no other test uses.
#[derive(Debug)]
pub(crate) struct Place {
    directory: PathBuf,
    group: String,
}

impl Place {
    pub(crate) fn new(name: &str) -> Self {
        let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        let _ = fs::remove_dir_all(&directory);
        fs::create_dir_all(&directory).unwrap();
        // A port that is free now; what else is sent to it does not come to this group.
        let port = UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        Self { directory, group: format!("239.42.{}.{}:{port}", port >> 8, port & 255) }
    }

    pub(crate) fn path(&self, name: &str) -> String {
        self.directory.join(name).to_str().unwrap().to_owned()
    }

    /// Makes an identity, and gives its device id.
    pub(crate) fn device(&self, name: &str) -> String {
        let ran = finish(&["id", "new", &self.path(name), "--format", "json"]);
        assert_eq!(ran.code, Some(0), "{}", ran.stderr);
        ran.events[0]["device_id"].as_str().unwrap().to_owned()
    }

    /// The words of a command line, in which `@name` is a file of this place, for a node on the loopback interface.
    fn args(&self, line: &str) -> Vec<String> {
        let word = |word: &str| match word.split_once("=@") {
            Some((option, name)) => format!("{option}={}", self.path(name)),
            None => word.strip_prefix('@').map_or_else(|| word.to_owned(), |name| self.path(name)),
        };
        let mut args: Vec<_> = line.split_whitespace().map(word).collect();
        args.extend(["--format", "json", "--listen", "127.0.0.1:0"].map(str::to_owned));
        if !line.contains("--no-discovery") {
            args.extend(["--group".to_owned(), self.group.clone()]);
        }
        args
    }

    /// Starts a command that goes on, and waits until it listens.
    pub(crate) fn start(&self, line: &str) -> Running {
        Running::new(command(&self.args(line)))
    }

    /// The same, after the shell has done `before`.
    pub(crate) fn start_after(&self, before: &str, line: &str) -> Running {
        let mut command = Command::new("sh");
        let script = format!("{before}; exec \"$0\" \"$@\"");
        command.args(["-c", &script, env!("CARGO_BIN_EXE_fabric-node")]).args(self.args(line));
        Running::new(command)
    }

    pub(crate) fn group(&self) -> SocketAddr {
        self.group.parse().unwrap()
    }

    /// Runs a command to its end.
    pub(crate) fn finish(&self, line: &str) -> Ran {
        finish(&self.args(line))
    }
}

/// What a command left behind.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) code: Option<i32>,
    pub(crate) events: Vec<Value>,
    pub(crate) stderr: String,
}

impl Ran {
    /// The events of this name.
    pub(crate) fn told(&self, name: &str) -> Vec<&Value> {
        self.events.iter().filter(|event| event["event"] == name).collect()
    }

    /// It ended so, and said this.
    #[track_caller]
    pub(crate) fn assert(&self, code: i32, says: &str) {
        assert!(self.code == Some(code) && self.stderr.contains(says), "{code} and {says:?}: {self:#?}");
    }
}

fn command(args: &[impl AsRef<OsStr>]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_fabric-node"));
    command.args(args);
    command
}

pub(crate) fn finish(args: &[impl AsRef<OsStr>]) -> Ran {
    let output = command(args).stdin(Stdio::null()).output().unwrap();
    let stdout = String::from_utf8(output.stdout).unwrap();
    let events = stdout.lines().map(|line| serde_json::from_str(line).unwrap_or(Value::Null)).collect();
    Ran { code: output.status.code(), events, stderr: String::from_utf8(output.stderr).unwrap() }
}

/// Asks again and again, since nobody tells.
#[track_caller]
pub(crate) fn wait_until(mut is_so: impl FnMut() -> bool) {
    let until = Instant::now() + PATIENCE;
    while !is_so() {
        assert!(Instant::now() < until, "it never comes to that");
        thread::sleep(Duration::from_millis(5));
    }
}

/// A command that goes on. It is killed when dropped.
#[derive(Debug)]
pub(crate) struct Running {
    child: Child,
    stdin: Option<ChildStdin>,
    lines: Receiver<Value>,
    pub(crate) listening: Value,
}

impl Running {
    fn new(mut command: Command) -> Self {
        command.env("TMPDIR", env!("CARGO_TARGET_TMPDIR")); // what a killed one leaves there is no litter
        let command = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let (sender, lines) = channel::<Value>();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        thread::spawn(move || {
            for line in stdout.lines().map_while(Result::ok) {
                if sender.send(serde_json::from_str(&line).unwrap()).is_err() {
                    return;
                }
            }
        });
        let Ok(listening) = lines.recv_timeout(PATIENCE) else {
            let _ = child.kill();
            let mut stderr = String::new();
            let _ = child.stderr.take().unwrap().read_to_string(&mut stderr);
            panic!("{command:?} does not listen: {stderr}");
        };
        assert_eq!(listening["event"], "listening", "the first event");
        let stdin = child.stdin.take();
        Self { child, stdin, lines, listening }
    }

    /// A person types this line.
    pub(crate) fn say(&mut self, line: &str) {
        writeln!(self.stdin.as_mut().unwrap(), "{line}").unwrap();
    }

    /// The person is gone.
    pub(crate) fn say_nothing_more(&mut self) {
        self.stdin = None;
    }

    pub(crate) fn addr(&self) -> &str {
        self.listening["addr"].as_str().unwrap()
    }

    /// How it is named without discovery.
    pub(crate) fn peer(&self) -> String {
        self.peer_at(self.addr())
    }

    /// The same, where something else listens for it.
    pub(crate) fn peer_at(&self, addr: impl Display) -> String {
        let text = |name: &str| self.listening[name].as_str().unwrap();
        format!("{}@{addr}#{}", text("device_id"), text("noise_static"))
    }

    /// How many files and sockets it has open, of those with a number below `limit`: others it was born with.
    pub(crate) fn descriptors(&self, limit: usize) -> usize {
        let open = fs::read_dir(format!("/proc/{}/fd", self.child.id())).unwrap();
        let number = |entry: fs::DirEntry| entry.file_name().to_str().unwrap().parse::<usize>().unwrap();
        open.map_while(Result::ok).map(number).filter(|number| *number < limit).count()
    }

    /// KiB of memory in use.
    pub(crate) fn memory(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        line.trim().trim_end_matches(" kB").parse().unwrap()
    }

    /// Waits for the next event of this name.
    #[track_caller]
    pub(crate) fn wait_for(&self, name: &str) -> Value {
        self.wait_for_any(&[name], PATIENCE)
    }

    /// Waits so long for the next event of any of these names.
    #[track_caller]
    pub(crate) fn wait_for_any(&self, names: &[&str], patience: Duration) -> Value {
        let until = Instant::now() + patience;
        let mut seen = Vec::new();
        while let Ok(event) = self.lines.recv_timeout(until.saturating_duration_since(Instant::now())) {
            if names.iter().any(|name| event["event"] == *name) {
                return event;
            }
            seen.push(event);
        }
        panic!("none of {names:?} after {seen:#?}");
    }

    /// Sends a signal by its name.
    pub(crate) fn signal(&self, name: &str) {
        let sent = Command::new("kill").args(["-s", name, &self.child.id().to_string()]).status().unwrap();
        assert!(sent.success());
    }

    /// Waits for its end: the exit code, `None` if a signal ended it.
    #[track_caller]
    pub(crate) fn end(&mut self) -> Option<i32> {
        let mut status = None;
        wait_until(|| {
            status = self.child.try_wait().unwrap();
            status.is_some()
        });
        status.unwrap().code()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A node that echoes, and a device `phone` that it lets in.
#[derive(Debug)]
pub(crate) struct Hub {
    pub(crate) place: Place,
    pub(crate) running: Running,
}

impl Hub {
    pub(crate) fn new(name: &str) -> Self {
        let place = Place::new(name);
        place.device("hub");
        let phone = place.device("phone");
        let running = place.start(&format!("run --identity @hub --serve echo --allow {phone}=echo"));
        Self { place, running }
    }

    /// The honest device's round trip, all within this time of its start.
    #[track_caller]
    pub(crate) fn ping_within(&self, span: &str) {
        let line = format!("ping {} --identity @phone --count 1 --timeout {span} --no-discovery", self.running.peer());
        self.place.finish(&line).assert(0, "");
    }

    pub(crate) fn addr(&self) -> SocketAddr {
        self.running.addr().parse().unwrap()
    }

    /// How many files and sockets the node has open.
    pub(crate) fn descriptors(&self) -> usize {
        self.running.descriptors(usize::MAX)
    }
}
