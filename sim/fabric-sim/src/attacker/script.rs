//! A hostile peer that plays its table of offences, a session each, and checks how each is answered.

use super::frames::{Heard, close, heard, ping, rst, window_update};
use super::kinds::Conduct;
use super::peer::{Attack, Io, Victim};
use super::plays::{Answer, Cue, Play, plays};
use fabric::mux::{Reject, code};
use fabric::session::{Received, Session};
use machine::{Duration, Instant, PipeEnd, PipeId};
use std::collections::VecDeque;

/// Asked after a play that must be borne: who answers is alive.
const TOKEN: u64 = 0xBAD_C0DE;
/// What the session may be sent before anything is said about it (wire contract, 4).
const SESSION_CREDIT: u64 = 1024 * 1024;
/// What it is granted when that is used up, as far as a frame with a byte needs it.
const MORE_CREDIT: u32 = 64 * 1024;
const USED_UP: u64 = SESSION_CREDIT - 8;
/// Between sessions.
const PAUSE: Duration = Duration::from_millis(50);
/// A play whose cue does not come is tried again after so long; one that is not answered by then never will be.
const PATIENCE: Duration = Duration::from_secs(4);
/// After which it looks again for room for a whole record.
const ROOM_AGAIN: Duration = Duration::from_millis(1);

/// The session of a play.
struct Act {
    pipe: PipeId,
    session: Session,
    to_send: VecDeque<Vec<u8>>,
    stage: Stage,
    /// How much of the session's credit the victim has used.
    used: u64,
    /// When nothing more is to come of it.
    over_at: Instant,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Waiting,
    Playing,
    /// What comes now says nothing of any play.
    Over,
}

/// Plays to one victim, over and over.
pub(super) struct Script {
    plays: &'static [Play],
    next: usize,
    victim: Option<Victim>,
    act: Option<Act>,
}

impl Script {
    pub(super) const fn new(conduct: Conduct) -> Self {
        Self { plays: plays(conduct), next: 0, victim: None, act: None }
    }

    fn begin_act(&mut self, io: &mut Io) {
        let Some(victim) = self.victim else { return };
        let Some(session) = io.dial(victim) else { return };
        let pipe = io.open(victim.addr);
        let over_at = io.now + PATIENCE;
        self.act = Some(Act { pipe, session, to_send: VecDeque::new(), stage: Stage::Waiting, used: 0, over_at });
        io.wake_in(PATIENCE);
    }

    /// The play that is on; after the last, none: then this is a peer like any other, that refuses all.
    fn play(&self) -> Option<&'static Play> {
        self.plays.get(self.next)
    }

    fn begin_play(&mut self, stream: u32) {
        let (Some(play), Some(act)) = (self.play(), self.act.as_mut()) else { return };
        act.stage = Stage::Playing;
        act.to_send.extend((play.records)(stream));
        if matches!(play.answer, Answer::Bears | Answer::Resets(_) | Answer::SendsAway) {
            act.to_send.push_back(ping(TOKEN));
        }
    }

    fn hear(&mut self, io: &mut Io, heard: Heard) {
        let Some(act) = &mut self.act else { return };
        let cue = self.plays.get(self.next).map(|play| play.cue);
        match heard {
            Heard::Up if cue == Some(Cue::SessionUp) && act.stage == Stage::Waiting => self.begin_play(0),
            Heard::Ping if cue == Some(Cue::Admitted) && act.stage == Stage::Waiting => self.begin_play(0),
            Heard::Open(stream) if cue == Some(Cue::Opened) && act.stage == Stage::Waiting => self.begin_play(stream),
            Heard::Open(stream) if cue.is_none() => act.to_send.push_back(rst(stream, Reject::ServiceDenied.code())),
            Heard::Data(bytes) if act.stage == Stage::Playing => self.take_data(io, bytes),
            Heard::Rst(code) if act.stage == Stage::Playing => self.take_rst(io, code),
            Heard::Pong(TOKEN) if act.stage == Stage::Playing => self.end_play(io, Answer::Bears),
            Heard::End(code) if act.stage == Stage::Playing => self.end_session(io, code),
            _ => {}
        }
    }

    /// When all credit is used there is more, and the victim must use that too.
    fn take_data(&mut self, io: &mut Io, bytes: u64) {
        if self.play().is_none_or(|play| play.answer != Answer::UsesAll) {
            return;
        }
        let Some(act) = &mut self.act else { return };
        let was_used_up = act.used >= USED_UP;
        act.used += bytes;
        if was_used_up {
            self.end_play(io, Answer::UsesAll);
        } else if act.used >= USED_UP {
            act.to_send.push_back(window_update(0, MORE_CREDIT));
        }
    }

    /// A reset is an answer only where one is due: streams that a play leaves behind may be reset.
    fn take_rst(&mut self, io: &mut Io, code: u32) {
        if self.play().is_some_and(|play| matches!(play.answer, Answer::Resets(_))) {
            self.end_play(io, Answer::Resets(code));
        }
    }

    fn end_session(&mut self, io: &mut Io, code: u32) {
        match Reject::from_code(code) {
            Some(reject) => self.end_play(io, Answer::Ends(reject)),
            None if code == code::NOT_TRUSTED => self.end_play(io, Answer::SendsAway),
            None => self.end_act(io), // by no fault of the play's: it is tried again
        }
    }

    /// The victim has answered.
    fn end_play(&mut self, io: &mut Io, answer: Answer) {
        let Some(play) = self.play() else { return };
        if answer != play.answer {
            io.complain(format!("{}: answered by {}, not {}", play.name, name(answer), name(play.answer)));
        }
        self.next += 1;
        io.is_through |= self.next == self.plays.len();
        match (&mut self.act, answer) {
            (_, Answer::Ends(_) | Answer::SendsAway) | (None, _) => self.end_act(io),
            // After the last play it stays, so that whoever wants something of it is refused.
            (Some(_), _) if self.next == self.plays.len() => {}
            (Some(act), _) => {
                act.stage = Stage::Over;
                act.to_send.push_back(close(0, 0));
            }
        }
    }

    fn end_act(&mut self, io: &mut Io) {
        if let Some(act) = self.act.take() {
            io.close(act.pipe);
        }
        io.wake_in(PAUSE);
    }
}

fn name(answer: Answer) -> String {
    let (what, code) = match answer {
        Answer::Ends(reject) => ("", reject.code()),
        Answer::SendsAway => ("", code::NOT_TRUSTED),
        Answer::Resets(code) => ("a stream's ", code),
        Answer::Bears | Answer::UsesAll => return "nothing".to_owned(),
    };
    format!("{what}{}", fabric::CodeName(code))
}

impl Attack for Script {
    fn found(&mut self, io: &mut Io, victim: Victim) {
        if self.victim.is_none() {
            self.victim = Some(victim);
            self.begin_act(io);
        }
    }

    fn woken(&mut self, io: &mut Io) {
        match &self.act {
            None => self.begin_act(io),
            Some(act) if io.now < act.over_at => {
                io.want_fill(act.pipe);
                io.wake_in(act.over_at.saturating_since(io.now));
            }
            Some(_) if self.play().is_some() => self.end_act(io),
            Some(_) => {}
        }
    }

    fn received(&mut self, io: &mut Io, pipe: PipeId, mut bytes: &[u8]) {
        loop {
            let Some(act) = self.act.as_mut().filter(|act| act.pipe == pipe) else { return };
            let heard = match act.session.receive(io.now, &mut bytes) {
                Ok(Some(Received::Record(record))) => heard(record),
                Ok(Some(Received::Established(_))) => vec![Heard::Up],
                Ok(None) => break,
                Err(_) => return self.end_act(io),
            };
            for heard in heard {
                self.hear(io, heard);
            }
        }
        io.want_fill(pipe);
    }

    fn fill(&mut self, io: &mut Io, pipe: PipeId, room: &mut [u8]) -> usize {
        let Some(act) = self.act.as_mut().filter(|act| act.pipe == pipe) else { return 0 };
        let to_send = &mut act.to_send;
        act.session.fill(room, &mut |space| {
            let Some(record) = to_send.front() else { return 0 };
            if record.len() > space.len() {
                io.wake_in(ROOM_AGAIN);
                return 0;
            }
            let length = record.len();
            space[..length].copy_from_slice(record);
            to_send.pop_front();
            length
        })
    }

    fn closed(&mut self, io: &mut Io, pipe: PipeId, _: PipeEnd) {
        if self.act.as_ref().is_some_and(|act| act.pipe == pipe) {
            self.act = None;
            io.wake_in(PAUSE);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use fabric::session::Limits;

    const OFFENCE: &[Play] = &[Play {
        name: "an offence",
        cue: Cue::SessionUp,
        records: |_| Vec::new(),
        answer: Answer::Ends(Reject::Flood),
    }];
    const EXCESS: &[Play] =
        &[Play { name: "an excess", cue: Cue::SessionUp, records: |_| Vec::new(), answer: Answer::Resets(7) }];

    /// What the peer makes of this answer to the one play that it has on.
    fn complaint(plays: &'static [Play], answer: Heard) -> Option<String> {
        let mut io = Io::testing();
        let (pipe, session) = (PipeId::opened(0), Session::accept(io.now, &io.local, [0; 32], &Limits::default()));
        let over_at = io.now + PATIENCE;
        let act = Act { pipe, session, to_send: VecDeque::new(), stage: Stage::Playing, used: 0, over_at };
        let mut script = Script { plays, next: 0, victim: None, act: Some(act) };
        script.hear(&mut io, answer);
        assert!(io.is_through);
        io.complaint
    }

    #[test]
    fn an_offence_that_is_answered_by_another_code_or_borne_is_complained_of() {
        assert_eq!(complaint(OFFENCE, Heard::End(Reject::Flood.code())), None);
        let wrong = complaint(OFFENCE, Heard::End(Reject::FrameInvalid.code())).unwrap();
        assert_eq!(wrong, "an offence: answered by mux.reject.frame_invalid, not mux.reject.flood");
        assert!(complaint(OFFENCE, Heard::Pong(TOKEN)).unwrap().contains("answered by nothing"));
    }

    #[test]
    fn a_stream_that_should_be_reset_and_is_not_or_for_another_reason_is_complained_of() {
        assert_eq!(complaint(EXCESS, Heard::Rst(7)), None);
        let wrong = complaint(EXCESS, Heard::Rst(3)).unwrap();
        assert_eq!(wrong, "an excess: answered by a stream's refused, not a stream's cancelled");
        assert!(complaint(EXCESS, Heard::Pong(TOKEN)).unwrap().contains("answered by nothing"));
    }
}
