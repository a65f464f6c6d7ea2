//! Runs commands one after the other, as a person at a terminal would.

use crate::page::Step;
use crate::shown::{Ids, fill, says};
use rustix::process::{Pid, Signal, kill_process};
use std::io::{BufRead, BufReader, Read, Write};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

/// Longer than any command of the book takes on a busy computer.
const PATIENCE: Duration = Duration::from_mins(5);

/// When a command is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ends {
    /// When it has done what it does.
    ByItself,
    /// By Ctrl-C, once it has printed what is shown.
    OnceShown,
    /// By Ctrl-C, when the next of its kind or another program is to run: it has a terminal of its own until then.
    Later,
}

/// Where the commands of a page are run.
#[derive(Debug)]
pub struct Shell<'a> {
    directory: PathBuf,
    /// Where programs are looked for first.
    programs: PathBuf,
    /// How a command begins, and how it begins when it is run.
    spellings: &'a [(&'a str, &'a str)],
    ends: fn(&str) -> Ends,
    ids: Ids,
    goes_on: Option<(Step, Running)>,
}

/// What a command has printed.
#[derive(Debug, Default)]
struct Printed {
    stdout: Vec<String>,
    stderr: Vec<String>,
}

impl Printed {
    /// Results, or what is said to people where there are none.
    fn lines(&self) -> Vec<&str> {
        let lines = if self.stdout.is_empty() { &self.stderr } else { &self.stdout };
        lines.iter().map(String::as_str).collect()
    }
}

impl<'a> Shell<'a> {
    /// Runs commands in `directory`. Programs are looked for in `programs` first; commands that begin like the first of a pair
    /// in `spellings` begin like the second instead; `ends` says when a command is over.
    pub fn new(
        directory: impl Into<PathBuf>,
        programs: impl Into<PathBuf>,
        spellings: &'a [(&'a str, &'a str)],
        ends: fn(&str) -> Ends,
    ) -> Self {
        let (directory, programs) = (directory.into(), programs.into());
        Self { directory, programs, spellings, ends, ids: Ids::new(), goes_on: None }
    }

    /// Runs a command.
    ///
    /// # Errors
    /// What came out otherwise than the page says.
    pub fn run(&mut self, step: &Step) -> Result<(), String> {
        let spelling = self.spellings.iter().find_map(|(long, short)| Some((step.command.strip_prefix(long)?, short)));
        let command = spelling.map_or_else(|| step.command.clone(), |(rest, short)| format!("{short}{rest}"));
        let command = fill(&command, &self.ids);
        let ends = (self.ends)(&command);
        let program = |command: &str| command.split(' ').next().map(str::to_owned);
        if self
            .goes_on
            .as_ref()
            .is_some_and(|(_, other)| ends == Ends::Later || program(&other.command) != program(&command))
        {
            self.end()?;
        }
        let mut running = Running::new(self, step, command, ends)?;
        if ends == Ends::ByItself {
            running.read(|_| false);
            return running.judge(step, &mut self.ids);
        }
        let mut shown = step.shown.clone();
        shown.push("...".to_owned());
        let ids = &mut self.ids;
        running.read(|printed| {
            let lines = printed.lines();
            !lines.is_empty() && says(&lines, &shown, step.do_numbers_vary, ids)
        });
        let step = Step { shown, ..step.clone() };
        if ends == Ends::Later && !running.is_over {
            self.goes_on = Some((step, running));
            return Ok(());
        }
        running.interrupt();
        running.read(|_| false);
        running.judge(&step, &mut self.ids)
    }

    /// Ends what goes on.
    ///
    /// # Errors
    /// Its end is not what the page says.
    pub fn end(&mut self) -> Result<(), String> {
        let Some((step, mut running)) = self.goes_on.take() else { return Ok(()) };
        running.interrupt();
        running.read(|_| false);
        running.judge(&step, &mut self.ids)
    }
}

/// A command on its way. It is killed when dropped.
#[derive(Debug)]
struct Running {
    command: String,
    child: Child,
    lines: Receiver<(bool, String)>,
    printed: Printed,
    is_over: bool,
}

impl Running {
    fn new(shell: &Shell<'_>, step: &Step, command: String, ends: Ends) -> Result<Self, String> {
        let exec = if ends == Ends::ByItself { "" } else { "exec " };
        let path = std::env::var("PATH").unwrap_or_default();
        let mut sh = Command::new("sh");
        sh.args(["-c", &format!("{exec}{command}")]).current_dir(&shell.directory);
        sh.env("PATH", format!("{}:{path}", shell.programs.display())).env("COLUMNS", "100").env_remove("CARGO");
        sh.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = sh.spawn().map_err(|error| format!("line {}: sh does not start: {error}", step.line))?;
        let (sender, lines) = channel();
        let stdin = step.answer.clone().and_then(|answer| Some((answer, child.stdin.take()?)));
        let stdin = Arc::new(Mutex::new(stdin));
        child.stdin = None;
        for (is_stdout, stream) in [(true, child.stdout.take().map(boxed)), (false, child.stderr.take().map(boxed))] {
            let (sender, stdin) = (sender.clone(), Arc::clone(&stdin));
            thread::spawn(move || stream.map(|stream| listen(is_stdout, stream, &sender, &stdin)));
        }
        Ok(Self { command, child, lines, printed: Printed::default(), is_over: false })
    }

    /// Reads on until `is_enough`, or to the end.
    fn read(&mut self, mut is_enough: impl FnMut(&Printed) -> bool) {
        let until = Instant::now() + PATIENCE;
        while !self.is_over && !is_enough(&self.printed) {
            match self.lines.recv_timeout(until.saturating_duration_since(Instant::now())) {
                Ok((true, line)) => self.printed.stdout.push(line),
                Ok((false, line)) => self.printed.stderr.push(line),
                Err(_) => self.is_over = true,
            }
        }
    }

    /// Not one that has printed its last line: it is ending, and has a code of its own to tell.
    fn interrupt(&self) {
        if self.is_over {
            return;
        }
        if let Some(pid) = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw) {
            let _ = kill_process(pid, Signal::INT);
        }
    }

    /// After its last line.
    fn judge(mut self, step: &Step, ids: &mut Ids) -> Result<(), String> {
        // Whoever has not closed its output by now has used up all patience.
        let is_closed = matches!(self.lines.try_recv(), Err(std::sync::mpsc::TryRecvError::Disconnected));
        if !is_closed {
            let _ = self.child.kill();
        }
        let status = self.child.wait().map_err(|error| error.to_string())?;
        let Printed { stdout, stderr } = &self.printed;
        let all = format!("{}\n{}", stdout.join("\n"), stderr.join("\n"));
        let place = format!("line {}: `{}`", step.line, self.command);
        if !is_closed {
            return Err(format!("{place} does not come to its end, and has printed\n{all}"));
        }
        if status.code() != Some(step.exit) {
            return Err(format!("{place} ends with {status}, not {}, and has printed\n{all}", step.exit));
        }
        if step.shown.is_empty() || says(&self.printed.lines(), &step.shown, step.do_numbers_vary, ids) {
            return Ok(());
        }
        Err(format!("{place} prints\n{all}\nand not\n{}", step.shown.join("\n")))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn boxed(stream: impl Read + Send + 'static) -> Box<dyn Read + Send> {
    Box::new(stream)
}

/// Hands on what a command prints, and answers it once when it asks.
fn listen(
    is_stdout: bool,
    stream: Box<dyn Read + Send>,
    sender: &Sender<(bool, String)>,
    stdin: &Mutex<Option<(String, impl Write)>>,
) {
    for line in BufReader::new(stream).lines().map_while(Result::ok) {
        let answer = if line.contains('?') { stdin.lock().ok().and_then(|mut stdin| stdin.take()) } else { None };
        if let Some((answer, mut stdin)) = answer {
            let _ = writeln!(stdin, "{answer}");
        }
        if sender.send((is_stdout, line)).is_err() {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What comes of one command that is over when `ends` says so.
    fn outcome(
        command: &str,
        shown: &[&str],
        exit: i32,
        answer: Option<&str>,
        ends: fn(&str) -> Ends,
    ) -> Result<(), String> {
        let shown = shown.iter().map(|line| (*line).to_owned()).collect();
        let step = Step { command: command.into(), shown, exit, answer: answer.map(str::to_owned), ..Step::default() };
        let mut shell = Shell::new(std::env::temp_dir(), "/nowhere", &[("twice ", "echo twice ")], ends);
        shell.run(&step).and_then(|()| shell.end())
    }

    #[test]
    fn another_exit_code_and_other_lines_are_seen() {
        let alone = |command: &str, shown: &[&str], exit| outcome(command, shown, exit, None, |_| Ends::ByItself);
        assert_eq!(alone("twice 2>&1; exit 3", &["twice"], 3), Ok(()));
        assert!(alone("exit 3", &[], 0).unwrap_err().contains("ends with exit status: 3, not 0"));
        assert!(alone("echo a", &["b"], 0).unwrap_err().contains("and not\nb"));
        // What is said to people counts where there are no results.
        assert_eq!(alone("echo a >&2", &["a"], 0), Ok(()));
        assert!(alone("echo a >&2; echo b", &["a"], 0).is_err());
    }

    #[test]
    fn what_asks_is_answered_once() {
        let ask = "echo 'really?'; read answer; echo $answer";
        assert_eq!(outcome(ask, &["really?", "yes"], 0, Some("yes"), |_| Ends::ByItself), Ok(()));
        assert_eq!(outcome(ask, &["really?", ""], 0, None, |_| Ends::ByItself), Ok(()));
    }

    #[test]
    fn what_goes_on_is_ended_in_order_and_judged_then() {
        let goes_on =
            |trap: &str| format!("sh -c 'trap \"{trap}\" INT; echo up; mkfifo /tmp/none.$$ && read x < /tmp/none.$$'");
        for ends in [(|_| Ends::Later) as fn(&str) -> Ends, |_| Ends::OnceShown] {
            assert_eq!(outcome(&goes_on("rm /tmp/none.$$; exit 0"), &["up"], 0, None, ends), Ok(()));
            let error = outcome(&goes_on("rm /tmp/none.$$; exit 5"), &["up"], 0, None, ends).unwrap_err();
            assert!(error.contains("exit status: 5"), "{error}");
            assert!(outcome("echo down", &["up"], 0, None, ends).unwrap_err().contains("and not"));
        }
    }
}
