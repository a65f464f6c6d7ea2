//! Asks the person who sits before the device whether two numbers are equal. That may take its time: the node goes on.

use fabric::Command;
use fabric::trust::Label;
use shim_tcp::Handle;
use std::io::{self, BufRead};
use std::thread;
use std::time::SystemTime;

/// No answer is longer.
const ANSWER_BYTES_MAX: u64 = 64;

/// Reads one line from stdin, and tells the node what it means.
pub(super) fn ask(node: Handle<Command>, label: Label, number: String) {
    thread::spawn(move || {
        let command = if is_yes(&number, io::stdin().lock()) {
            Command::ConfirmPairing(label, unix_seconds())
        } else {
            Command::LeavePairing
        };
        let _ = node.send(command); // a node that has ended needs no answer
    });
}

/// Only a yes is one: nobody there, or half a line, is none.
fn is_yes(number: &str, input: impl BufRead) -> bool {
    let mut answer = String::new();
    if input.take(ANSWER_BYTES_MAX).read_line(&mut answer).is_err() || !answer.ends_with('\n') {
        return false;
    }
    let answer: String = answer.chars().filter(|letter| !letter.is_whitespace()).collect();
    ["y", "yes"].iter().any(|yes| answer.eq_ignore_ascii_case(yes)) || answer == number
}

/// The time of day, as the trust store keeps it.
pub(super) fn unix_seconds() -> u64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

#[cfg(test)]
mod tests {
    use super::is_yes;

    #[test]
    fn only_a_yes_or_the_same_digits_are_a_yes() {
        for yes in ["yes\n", "y\n", "YES\r\n", " 012345 \n", "012 345\n"] {
            assert!(is_yes("012345", yes.as_bytes()), "{yes:?}");
        }
        for no in ["", "yes", "\n", "no\n", "12345\n", "012346\n", "yes!\n"] {
            assert!(!is_yes("012345", no.as_bytes()), "{no:?}");
        }
        assert!(!is_yes("012345", &[b'y'; 1_000][..]));
    }
}
