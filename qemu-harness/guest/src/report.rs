//! What the guest says: one line of JSON at a time, on the serial line.

use crate::arch::{Arch, Board};
use core::fmt::{self, Write};
use guest_contract::Line;

/// Says `line`, and returns once it is out.
pub(crate) fn say(line: &Line) {
    match serde_json::to_string(line) {
        Ok(text) => text.bytes().chain([b'\n']).for_each(Board::send),
        Err(_) => unreachable!("lines are plain data"),
    }
}

/// [`Line::Panicked`], without the heap, which may be what is broken.
pub(crate) fn panicked(message: impl fmt::Display) {
    urgently(format_args!("{{\"panicked\":{{\"message\":\"{}\"}}}}", Escaped(message)));
}

/// [`Line::Excepted`], likewise.
pub(crate) fn excepted(vector: u64, error: u64, address: u64, fault: u64) {
    urgently(format_args!(
        "{{\"excepted\":{{\"vector\":{vector},\"error\":{error},\"address\":{address},\"fault\":{fault}}}}}"
    ));
}

/// Whatever line is half out ends first.
fn urgently(line: fmt::Arguments<'_>) {
    // The serial line takes everything.
    let _ = writeln!(Serial, "\n{line}");
}

struct Serial;

impl Write for Serial {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        text.bytes().for_each(Board::send);
        Ok(())
    }
}

/// Text within a JSON string, near enough: quotes turn single, control characters are spaces.
struct Escaped<T>(T);

impl<T: fmt::Display> fmt::Display for Escaped<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(Escaping(f), "{}", self.0)
    }
}

struct Escaping<'a, 'b>(&'a mut fmt::Formatter<'b>);

impl Write for Escaping<'_, '_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        text.chars().try_for_each(|char| {
            self.0.write_char(match char {
                '"' => '\'',
                '\\' => '/',
                char if char.is_control() => ' ',
                char => char,
            })
        })
    }
}
