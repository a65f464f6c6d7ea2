//! `replay` of what a virtual machine recorded on its serial line: its node again, in this process, call by call.

use crate::worlds::catch;
use fabric::Config;
use fabric::suite::RealSuite;
use guest_contract::record::{Call, Recording};
use guest_contract::{LINE_BYTES_MAX, Line};
use node_log::{Replayed, Stopped};
use scenario_actor::Actor;
use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::sync::Arc;

/// What every guest says first.
const BEGIN: &[u8] = b"{\"booted\":";

/// The file, if it is a guest's serial log.
pub(super) fn open(path: &Path) -> Option<impl BufRead + use<>> {
    let mut log = BufReader::new(File::open(path).ok()?);
    let is_log = log.fill_buf().is_ok_and(|begin| begin.starts_with(BEGIN));
    is_log.then_some(log)
}

/// Makes all calls again, and compares what they give.
pub(super) fn replay(mut log: impl BufRead) -> Result<Replayed, Stopped> {
    let mut replay = Replay {
        actor: None,
        room: Vec::new(),
        began: 0,
        done: Replayed { calls: 0, compared: 0, nanos: 0, is_full: false, is_cut: false },
    };
    for number in 1.. {
        let mut text = Vec::new();
        let read = log.by_ref().take(LINE_BYTES_MAX as u64 + 1).read_until(b'\n', &mut text);
        let unreadable = |why: String| Stopped::Unreadable { line: number, why };
        read.map_err(|error| unreadable(error.to_string()))?;
        if text.last() != Some(&b'\n') {
            replay.done.is_cut = !text.is_empty();
            break;
        }
        match serde_json::from_slice(&text) {
            Ok(Line::Recording(_)) if replay.actor.is_some() => return Err(unreadable("a second recording".into())),
            Ok(Line::Recording(recording)) => replay.boot(&recording).map_err(unreadable)?,
            Ok(Line::Call(call)) => replay.call(&call, number)?,
            Ok(_) => {}
            // The machine was killed in the middle of a line.
            Err(_) if log.fill_buf().is_ok_and(<[u8]>::is_empty) => replay.done.is_cut = true,
            Err(error) => return Err(unreadable(error.to_string())),
        }
    }
    if replay.actor.is_none() {
        return Err(Stopped::Unreadable { line: 1, why: "nothing was recorded here: run with --record".into() });
    }
    Ok(replay.done)
}

struct Replay {
    actor: Option<Actor>,
    room: Vec<u8>,
    began: u64,
    done: Replayed,
}

impl Replay {
    fn boot(&mut self, recording: &Recording) -> Result<(), String> {
        if recording.record != Recording::VERSION {
            return Err(format!(
                "a record of version {}, and this program reads {}",
                recording.record,
                Recording::VERSION
            ));
        }
        let boot = || Actor::new(&recording.boot(), recording.part.clone(), Arc::new(RealSuite), Config::default());
        self.actor = Some(catch(boot).map_err(|panic| format!("the node does not boot: {panic}"))?);
        self.began = recording.now;
        Ok(())
    }

    fn call(&mut self, call: &Call, line: u64) -> Result<(), Stopped> {
        let Self { actor, room, .. } = self;
        let Some(actor) = actor else {
            return Err(Stopped::Unreadable { line, why: "a call before the recording's begin".into() });
        };
        let differs = |now: String| Stopped::Differs { line, call: name(call), now };
        let again = catch(|| call.again(actor, room)).map_err(|panic| differs(format!("a panic: {panic}")))?;
        if again != *call {
            return Err(differs(name(&again)));
        }
        self.done.calls += 1;
        match call {
            Call::Handle { now, .. } => self.done.nanos = self.done.nanos.max(now.saturating_sub(self.began)),
            Call::Poll { .. } | Call::Fill { .. } => self.done.compared += 1,
        }
        Ok(())
    }
}

/// The call without the bytes that it was given.
fn name(call: &Call) -> String {
    format!("{call:?}").chars().take(100).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use guest_contract::record::Recorded;
    use machine::{Input, Instant, Machine, Output};
    use scenario_actor::{Bytes32, Directory, Part, Peer};
    use std::cell::RefCell;

    fn part() -> Part {
        let peers = Directory::new(vec![Peer { name: "hub".into(), device: Bytes32([7; 32]) }]);
        Part {
            name: "hub".into(),
            device_seed: Bytes32([1; 32]),
            noise_secret: Bytes32([2; 32]),
            port: 7_000,
            peers,
            trusts: None,
            serves: vec!["echo".into()],
            allow: Vec::new(),
            work: Vec::new(),
            acts: Vec::new(),
            leavers: Vec::new(),
            marks: Vec::new(),
        }
    }

    /// The serial log of a node that announces itself for a minute.
    fn log() -> Vec<String> {
        let boot = machine::Boot { seed: [3; 32], ..machine::Boot::default() };
        let lines = RefCell::new(vec![
            Line::Booted { incarnation: 0, heap_bytes: 1 },
            Line::Recording(Box::new(Recording::new(&boot, &part()))),
        ]);
        let actor = Actor::new(&boot, part(), Arc::new(RealSuite), Config::default());
        let mut node = Recorded::new(actor, Some(|call| lines.borrow_mut().push(Line::Call(call))));
        let mut now = Instant::ZERO;
        loop {
            let mut stored = Vec::new();
            while let Some(output) = node.poll() {
                if let Output::Store { key, .. } = output {
                    stored.push(key.to_owned());
                }
            }
            for key in &stored {
                node.handle(now, Input::Stored { key, result: Ok(()) });
            }
            match node.next_timeout().filter(|at| at.as_nanos() < 60_000_000_000) {
                Some(at) if stored.is_empty() => {
                    now = at;
                    node.handle(now, Input::Timeout);
                }
                None if stored.is_empty() => break,
                _ => {}
            }
        }
        lines.borrow().iter().map(|line| serde_json::to_string(line).unwrap() + "\n").collect()
    }

    #[test]
    fn what_was_recorded_comes_again_and_what_was_changed_is_found() {
        let log = log();
        let whole = log.concat();
        let done = replay(whole.as_bytes()).unwrap();
        assert_eq!(done.calls, log.len() as u64 - 2);
        assert!(done.compared > 10 && !done.is_cut, "{done:?}");

        let cut = &whole[..whole.len() - 5];
        assert!(replay(cut.as_bytes()).unwrap().is_cut);
        assert!(replay(log[..1].concat().as_bytes()).is_err(), "nothing was recorded");

        let at = log.iter().rposition(|line| line.contains("\"gave\":") && !line.contains("\"gave\":0}")).unwrap();
        let mut changed = log.clone();
        changed[at] = "{\"call\":{\"poll\":{\"gave\":1}}}\n".into();
        let stopped = replay(changed.concat().as_bytes()).unwrap_err();
        assert!(matches!(stopped, Stopped::Differs { line, .. } if line == at as u64 + 1), "{stopped}");
    }
}
