//! One side's books of one session, kept from the frames that pass its ciphers: its credit (wire contract, 4, "Credit"), and
//! what [`answers`](super::answers), [`growth`](super::growth) and [`turns`](super::turns) judge.

use super::answers::Answers;
use super::frames::{Frame, decode};
use super::growth::{Growth, SESSION_WINDOW};
use super::turns::Turns;
use std::collections::{BTreeMap, BTreeSet};

/// What a DATA frame costs beyond its payload.
const HEADER: u64 = 8;
/// Windows end here.
const WINDOW_MAX: u64 = (1 << 31) - 1;

/// Credit given in one direction, and how much of it was used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Account {
    granted: u64,
    used: u64,
}

impl Account {
    fn unused(self) -> u64 {
        self.granted.saturating_sub(self.used)
    }
}

/// One direction: the session's account and those of its streams.
#[derive(Debug)]
struct Direction {
    session: Account,
    streams: BTreeMap<u32, Account>,
}

impl Direction {
    fn new() -> Self {
        Self { session: Account { granted: SESSION_WINDOW, used: 0 }, streams: BTreeMap::new() }
    }

    fn grant(&mut self, stream: u32, credit: u32) {
        match stream {
            0 => self.session.granted += u64::from(credit),
            stream => self.streams.entry(stream).or_default().granted += u64::from(credit),
        }
    }

    /// Whether at least one byte could be sent.
    fn can_send(&self, stream: u32) -> bool {
        let of_stream = self.streams.get(&stream).is_some_and(|account| account.unused() > HEADER);
        of_stream && self.session.unused() > HEADER
    }

    fn spend(&mut self, stream: u32, bytes: u32) {
        let cost = u64::from(bytes) + HEADER;
        self.session.used += cost;
        self.streams.entry(stream).or_default().used += cost;
    }
}

/// One side of one session.
#[derive(Debug)]
pub(super) struct Books {
    /// What this side may send and has sent.
    sending: Direction,
    /// What this side has allowed and got.
    receiving: Direction,
    /// Streams whose incoming half is over: what comes in for them is dropped.
    ended: BTreeSet<u32>,
    turns: Turns,
    answers: Answers,
    growth: Growth,
}

/// Which promise a record breaks, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    Credit(String),
    Starved(String),
    Unanswered(String),
}

impl From<&str> for Fault {
    fn from(how: &str) -> Self {
        Self::Credit(how.to_owned())
    }
}

impl From<String> for Fault {
    fn from(how: String) -> Self {
        Self::Credit(how)
    }
}

impl Books {
    pub(super) fn new() -> Self {
        Self {
            sending: Direction::new(),
            receiving: Direction::new(),
            ended: BTreeSet::new(),
            turns: Turns::default(),
            answers: Answers::default(),
            growth: Growth::new(),
        }
    }

    /// This side has sealed a record.
    pub(super) fn sealed(&mut self, record: &[u8]) -> Result<(), Fault> {
        for frame in decode(record) {
            match frame.ok_or("a sealed record holds no frames of the contract")? {
                Frame::Open { stream, credit, priority } => {
                    self.turns.opened(stream, priority);
                    self.growth.opens(stream, credit);
                    self.receiving.grant(stream, credit);
                    self.judge_grants(stream)?;
                }
                Frame::OpenAck { stream, credit } => {
                    self.growth.opens(stream, credit);
                    self.receiving.grant(stream, credit);
                    self.judge_grants(stream)?;
                }
                Frame::WindowUpdate { stream, delta } => {
                    if !self.ended.contains(&stream) {
                        self.receiving.grant(stream, delta);
                    }
                    if stream == 0 {
                        self.growth.grants(self.receiving.session.unused());
                    }
                    self.judge_grants(stream)?;
                }
                Frame::Data { stream, bytes, ends_message } => {
                    self.sending.spend(stream, bytes);
                    self.judge_sent(stream)?;
                    self.growth.judge()?;
                    self.answers.sent(stream).map_err(Fault::Unanswered)?;
                    let sending = &self.sending;
                    let has_credit = |stream| sending.can_send(stream);
                    self.turns.sent(stream, ends_message, has_credit).map_err(Fault::Starved)?;
                }
                Frame::Reset { stream } => self.reset(stream),
                Frame::Close { stream } => {
                    self.turns.ended(stream);
                    self.answers.sent(stream).map_err(Fault::Unanswered)?;
                }
                Frame::Pong { token } => self.answers.answered(token).map_err(Fault::Unanswered)?,
                Frame::Ping { .. } | Frame::SessionClose { .. } => {}
            }
        }
        Ok(())
    }

    /// This side has opened a record of the peer's. The code with which that ends the session, if it does.
    pub(super) fn opened(&mut self, record: &[u8]) -> Option<u32> {
        let mut code = None;
        for frame in decode(record) {
            match frame {
                Some(Frame::Open { stream, credit, priority }) => {
                    self.turns.opened(stream, priority);
                    self.sending.grant(stream, credit);
                }
                Some(Frame::OpenAck { stream, credit }) => self.sending.grant(stream, credit),
                Some(Frame::WindowUpdate { stream, delta }) => self.sending.grant(stream, delta),
                Some(Frame::Data { stream, bytes, .. }) => {
                    self.receiving.spend(stream, bytes);
                    self.growth.takes(stream, u64::from(bytes) + HEADER);
                    if self.ended.contains(&stream) {
                        self.receiving.streams.remove(&stream);
                    }
                }
                Some(Frame::Reset { stream }) => self.reset(stream),
                Some(Frame::Close { stream }) => self.end(stream),
                Some(Frame::Ping { token }) => self.answers.asked(token),
                Some(Frame::SessionClose { code: given }) => code = code.or(Some(given)),
                Some(Frame::Pong { .. }) | None => {}
            }
        }
        code
    }

    fn reset(&mut self, stream: u32) {
        self.turns.ended(stream);
        self.growth.resets(stream);
        self.end(stream);
    }

    fn end(&mut self, stream: u32) {
        self.ended.insert(stream);
        self.receiving.streams.remove(&stream);
    }

    fn judge_sent(&self, stream: u32) -> Result<(), String> {
        let of_stream = self.sending.streams.get(&stream).copied().unwrap_or_default();
        for (whose, account) in [("the session", self.sending.session), ("the stream", of_stream)] {
            if account.used > account.granted {
                let Account { granted, used } = account;
                return Err(format!("stream {stream}: {used} bytes sent of {granted} that {whose} was granted"));
            }
        }
        Ok(())
    }

    fn judge_grants(&self, stream: u32) -> Result<(), String> {
        let session = self.receiving.session.unused();
        let streams: u64 = self.receiving.streams.values().map(|account| account.unused()).sum();
        if streams > session {
            return Err(format!("stream {stream}: streams may send {streams} bytes, the session only {session}"));
        }
        if session > WINDOW_MAX {
            return Err(format!("the session's window is {session}"));
        }
        Ok(())
    }

    /// At the end of a run: with no stream left to send on, all but what waits for half of it to be due has come back
    /// (a quarter, unless small frames make updates dear).
    pub(super) fn conclude(&mut self) -> Result<(), String> {
        self.growth.judge()?;
        let unused = self.receiving.session.unused();
        if self.receiving.streams.is_empty() && unused < SESSION_WINDOW / 2 {
            return Err(format!("{unused} bytes of session credit are left although no stream is open"));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(kind: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
        let mut bytes = vec![kind, 0];
        bytes.extend((payload.len() as u16).to_be_bytes());
        bytes.extend(stream.to_be_bytes());
        bytes.extend(payload);
        bytes
    }

    fn number(kind: u8, stream: u32, value: u32) -> Vec<u8> {
        frame(kind, stream, &value.to_be_bytes())
    }

    /// A side that has opened stream 1 and been granted 1,000 bytes on it.
    fn opener() -> Books {
        let mut books = Books::new();
        books.sealed(&number(1, 1, 4_096)).unwrap();
        books.opened(&number(2, 1, 1_000));
        books
    }

    #[test]
    fn a_sender_that_ignores_the_streams_credit_is_caught() {
        let mut books = opener();
        books.sealed(&frame(3, 1, &[0; 992])).unwrap();
        let Err(Fault::Credit(error)) = books.sealed(&frame(3, 1, &[])) else { panic!("not caught") };
        assert!(error.contains("1008 bytes sent of 1000 that the stream was granted"), "{error}");
        books = opener();
        books.opened(&number(4, 1, 8));
        books.sealed(&frame(3, 1, &[0; 992])).unwrap();
        books.sealed(&frame(3, 1, &[])).unwrap();
    }

    #[test]
    fn a_sender_that_ignores_the_sessions_credit_is_caught() {
        let mut books = opener();
        books.opened(&number(4, 1, 2_000_000));
        let full = frame(3, 1, &vec![0; 32_768]);
        let sent = (0..40).take_while(|_| books.sealed(&full).is_ok()).count();
        assert_eq!(sent, 31, "31 frames of 32,776 bytes fit in 1 MiB");
    }

    #[test]
    fn a_receiver_that_promises_streams_more_than_the_session_has_is_caught() {
        let mut books = Books::new();
        books.sealed(&number(2, 2, 1024 * 1024)).unwrap();
        let Err(Fault::Credit(error)) = books.sealed(&number(2, 4, 1)) else { panic!("not caught") };
        assert!(error.contains("the session only"), "{error}");
    }

    #[test]
    fn credit_that_never_comes_back_is_caught() {
        let mut books = opener();
        for _ in 0..17 {
            books.opened(&frame(3, 1, &vec![0; 32_000]));
        }
        books.conclude().unwrap();
        books.opened(&frame(8, 1, &[0; 4]));
        assert!(books.conclude().unwrap_err().contains("session credit are left"));
        books.sealed(&number(4, 0, 300_000)).unwrap();
        books.conclude().unwrap();
    }

    #[test]
    fn what_is_no_frame_is_caught() {
        assert!(Books::new().sealed(&[9; 8]).is_err());
    }
}
