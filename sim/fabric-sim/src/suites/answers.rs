//! Whether every PING is answered, and ahead of all that is less urgent (wire contract, 4: PONG, and "Order").

use std::collections::VecDeque;

/// The PINGs that one side has got and has not answered.
#[derive(Debug, Default)]
pub(super) struct Answers {
    owed: VecDeque<u64>,
}

impl Answers {
    /// A PING came.
    pub(super) fn asked(&mut self, token: u64) {
        self.owed.push_back(token);
    }

    /// A PONG was sent: control frames are one queue, and so it is the answer to the oldest PING.
    pub(super) fn answered(&mut self, token: u64) -> Result<(), String> {
        match self.owed.pop_front() {
            Some(asked) if asked == token => Ok(()),
            Some(asked) => Err(format!("the PING {asked:#x} is answered by the PONG {token:#x}")),
            None => Err(format!("the PONG {token:#x} answers no PING")),
        }
    }

    /// DATA or the CLOSE of a stream was sent.
    pub(super) fn sent(&self, stream: u32) -> Result<(), String> {
        let Some(token) = self.owed.front() else { return Ok(()) };
        Err(format!("stream {stream} goes ahead of the answer to the PING {token:#x}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ping_that_is_answered_before_data_holds() {
        let mut answers = Answers::default();
        answers.sent(1).unwrap();
        answers.asked(7);
        answers.asked(8);
        answers.answered(7).unwrap();
        answers.answered(8).unwrap();
        answers.sent(1).unwrap();
    }

    #[test]
    fn a_ping_without_its_answer_is_caught() {
        let mut answers = Answers::default();
        answers.asked(7);
        assert!(answers.sent(1).unwrap_err().contains("stream 1 goes ahead of the answer to the PING 0x7"));
        assert!(answers.answered(9).unwrap_err().contains("is answered by the PONG 0x9"));
        assert!(answers.answered(9).unwrap_err().contains("answers no PING"));
    }
}
