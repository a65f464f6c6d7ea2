//! See [`MessagesInOrder`].

use super::{Check, Outcome, Seen, count};
use crate::scenario::Scenario;
use scenario_actor::{Expect, Observation, WorkSeen};
use std::collections::BTreeMap;

/// Each try's messages arrive whole, once and in order, and all of them before its work is done.
///
/// A sender that restarts counts its tries anew, and messages of its earlier start may still be under way. So every start
/// of a try opens a sequence of its own, and each message must be the next of one of them.
#[derive(Default)]
pub(super) struct MessagesInOrder {
    /// By work and try.
    sequences: BTreeMap<(u32, u32), Vec<Sequence>>,
    /// By work: the latest try of its sender's present start.
    latest: BTreeMap<u32, u32>,
    messages: u64,
}

#[derive(Default)]
struct Sequence {
    next: u32,
    bytes: u64,
    /// In which start of the receiver it arrives: a stream does not outlive one.
    receiver: Option<u64>,
}

impl MessagesInOrder {
    fn received(&mut self, scenario: &Scenario, seen: &Seen) -> Result<(), String> {
        let Observation::Received { work, attempt, index, bytes, intact, .. } = &seen.what else { return Ok(()) };
        let me = scenario.node_name(seen.node);
        let which = format!("message {index} of work {work} try {attempt} at {me}");
        if !intact {
            return Err(format!("{which} is not what was sent"));
        }
        let Some(sequences) = self.sequences.get_mut(&(*work, *attempt)) else {
            return Err(format!("{which}: that try was never started"));
        };
        let expected: Vec<_> = sequences.iter().map(|sequence| sequence.next.to_string()).collect();
        let mine = |sequence: &&mut Sequence| {
            sequence.next == *index && sequence.receiver.is_none_or(|receiver| receiver == seen.incarnation)
        };
        let Some(sequence) = sequences.iter_mut().find(mine) else {
            return Err(format!("{which}: the next was to be {}", expected.join(" or ")));
        };
        sequence.next += 1;
        sequence.bytes += u64::from(*bytes);
        sequence.receiver = Some(seen.incarnation);
        self.messages += 1;
        Ok(())
    }

    /// All that was sent has arrived, and it was all that the scenario asks for.
    fn done(&self, scenario: &Scenario, id: u32, messages: u32, bytes: u64) -> Result<(), String> {
        let asked = scenario.work.get(id as usize).map_or(0, |work| work.bytes.0);
        if bytes != asked {
            return Err(format!("work {id} is done with {bytes} bytes of {asked}"));
        }
        let attempt = self.latest.get(&id).copied().unwrap_or_default();
        let sequences = self.sequences.get(&(id, attempt)).map(Vec::as_slice).unwrap_or_default();
        if sequences.iter().any(|sequence| sequence.next == messages && sequence.bytes == bytes) {
            return Ok(());
        }
        let most = sequences.iter().map(|sequence| sequence.next).max().unwrap_or_default();
        Err(format!("work {id} is done with {messages} messages, of which {most} arrived"))
    }
}

impl Check for MessagesInOrder {
    fn observe(&mut self, scenario: &Scenario, seen: &Seen) -> Result<(), String> {
        match &seen.what {
            Observation::Received { .. } => self.received(scenario, seen),
            Observation::Work { id, seen: WorkSeen::Started { attempt } } => {
                self.sequences.entry((*id, *attempt)).or_default().push(Sequence::default());
                self.latest.insert(*id, *attempt);
                Ok(())
            }
            Observation::Work {
                id,
                seen: WorkSeen::Done { as_expected: Expect::Echoed | Expect::Delivered, messages, bytes },
            } => self.done(scenario, *id, *messages, *bytes),
            _ => Ok(()),
        }
    }

    fn conclude(&self, _: &Scenario) -> Outcome {
        match self.messages {
            0 => Outcome::NotJudged("no service got a message".into()),
            messages => {
                let tries = self.sequences.values().flatten().filter(|sequence| sequence.next > 0).count();
                let noun = if tries == 1 { "try" } else { "tries" };
                Outcome::Held(format!("{} of {tries} {noun}", count(messages, "message")))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::*;
    use super::*;

    fn started() -> Bench {
        Bench::new(MessagesInOrder::default()).sees("phone-1", start(0, 0))
    }

    #[test]
    fn all_messages_in_order_and_then_done_holds() {
        let bench = started().sees("hub", message(0, 0, 0)).sees("hub", message(0, 0, 1));
        bench.sees("phone-1", done(0, Expect::Echoed, 2, 2 * MESSAGE)).holds();
    }

    #[test]
    fn a_gap_and_a_repetition_are_caught() {
        started().sees("hub", message(0, 0, 1)).breaks("the next was to be 0");
        started().sees("hub", message(0, 0, 0)).sees("hub", message(0, 0, 0)).breaks("the next was to be 1");
    }

    #[test]
    fn a_damaged_message_and_one_of_no_try_are_caught() {
        started().sees("hub", message(0, 0, 0).damaged()).breaks("not what was sent");
        started().sees("hub", message(0, 3, 0)).breaks("never started");
    }

    #[test]
    fn work_that_is_done_before_all_has_arrived_is_caught() {
        let bench = started().sees("hub", message(0, 0, 0));
        bench.sees("phone-1", done(0, Expect::Echoed, 2, 2 * MESSAGE)).breaks("of which 1 arrived");
        started().sees("phone-1", done(0, Expect::Echoed, 0, 0)).breaks("0 bytes of 2000");
    }

    #[test]
    fn a_sender_that_starts_anew_has_a_second_sequence_and_no_third() {
        let both = || {
            let bench = started().sees("hub", message(0, 0, 0)).sees_after_restart("phone-1", start(0, 0));
            bench.sees("hub", message(0, 0, 0)).sees("hub", message(0, 0, 1))
        };
        both().holds();
        both().sees("hub", message(0, 0, 0)).breaks("the next was to be");
    }

    #[test]
    fn a_stream_does_not_outlive_its_receiver() {
        let bench = started().sees("hub", message(0, 0, 0)).sees_after_restart("hub", message(0, 0, 1));
        bench.breaks("the next was to be 1");
    }
}
