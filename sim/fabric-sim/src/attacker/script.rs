//! A hostile peer that plays its table of offences, a session each, and checks how each is answered.

use super::frames::{Heard, close, heard, ping, rst};
use super::kinds::Conduct;
use super::peer::{Attack, Io, Victim};
use super::plays::{Cue, Play, plays};
use fabric::mux::Reject;
use fabric::session::{Received, Session};
use machine::{Duration, Instant, PipeEnd, PipeId};
use std::collections::VecDeque;

/// Asked after a play that must be borne: who answers is alive.
const TOKEN: u64 = 0xBAD_C0DE;
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
        self.act = Some(Act { pipe, session, to_send: VecDeque::new(), stage: Stage::Waiting, over_at });
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
        if play.answer.is_none() {
            act.to_send.push_back(ping(TOKEN));
        }
    }

    fn hear(&mut self, io: &mut Io, heard: Heard) {
        let Some(act) = &mut self.act else { return };
        let cue = self.plays.get(self.next).map(|play| play.cue);
        match heard {
            Heard::Up if cue == Some(Cue::SessionUp) && act.stage == Stage::Waiting => self.begin_play(0),
            Heard::Open(stream) if cue == Some(Cue::Opened) && act.stage == Stage::Waiting => self.begin_play(stream),
            Heard::Open(stream) if cue.is_none() => act.to_send.push_back(rst(stream, Reject::ServiceDenied.code())),
            Heard::Pong(TOKEN) if act.stage == Stage::Playing => self.end_play(io, None),
            Heard::End(code) if act.stage == Stage::Playing => self.end_play(io, Some(code)),
            _ => {}
        }
    }

    /// The victim has answered: by the code with which it ends the session, or by going on.
    fn end_play(&mut self, io: &mut Io, answer: Option<u32>) {
        let Some(play) = self.play() else { return };
        let right = play.answer.map(Reject::code);
        if answer != right {
            let name = |code: Option<u32>| code.map_or("nothing".to_owned(), |code| fabric::CodeName(code).to_string());
            io.complain(format!("{}: answered by {}, not {}", play.name, name(answer), name(right)));
        }
        self.next += 1;
        io.is_through |= self.next == self.plays.len();
        match (&mut self.act, answer) {
            // After the last play it stays, so that whoever wants something of it is refused.
            (Some(_), None) if self.next == self.plays.len() => {}
            (Some(act), None) => {
                act.stage = Stage::Over;
                act.to_send.push_back(close(0, 0));
            }
            _ => self.end_act(io),
        }
    }

    fn end_act(&mut self, io: &mut Io) {
        if let Some(act) = self.act.take() {
            io.close(act.pipe);
        }
        io.wake_in(PAUSE);
    }
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

    const OFFENCE: &[Play] =
        &[Play { name: "an offence", cue: Cue::SessionUp, records: |_| Vec::new(), answer: Some(Reject::Flood) }];

    /// What the peer makes of this answer to the one offence that it has on.
    fn complaint(answer: Heard) -> Option<String> {
        let mut io = Io::testing();
        let (pipe, session) = (PipeId::opened(0), Session::accept(io.now, &io.local, [0; 32], &Limits::default()));
        let over_at = io.now + PATIENCE;
        let act = Act { pipe, session, to_send: VecDeque::new(), stage: Stage::Playing, over_at };
        let mut script = Script { plays: OFFENCE, next: 0, victim: None, act: Some(act) };
        script.hear(&mut io, answer);
        assert!(io.is_through);
        io.complaint
    }

    #[test]
    fn an_offence_that_is_answered_by_another_code_or_borne_is_complained_of() {
        assert_eq!(complaint(Heard::End(Reject::Flood.code())), None);
        let wrong = complaint(Heard::End(Reject::FrameInvalid.code())).unwrap();
        assert_eq!(wrong, "an offence: answered by mux.reject.frame_invalid, not mux.reject.flood");
        assert!(complaint(Heard::Pong(TOKEN)).unwrap().contains("answered by nothing"));
    }
}
