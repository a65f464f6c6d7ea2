//! What happened, in words.

use super::pick::{BROKEN, Note, Picked};
use super::view::View;
use crate::oracles::{count, grouped};
use crate::report::story;
use ::sim::Kind;
use ::sim::causes::{Happening, Mishap};

/// The text of a line that tells of `picked`, of which `it` is the first.
pub(super) fn text(view: &View<'_>, it: &Happening, picked: &Picked) -> String {
    let text = match picked.events.len() {
        1 => single(view, it),
        number => several(view, it, number as u64),
    };
    let got = match it.record.kind {
        Kind::PipeBytes => "pieces",
        _ => "datagrams",
    };
    match picked.note {
        Note::Nothing => text,
        Note::Breaks => text + BROKEN,
        Note::LastSent => text + ", its last",
        Note::LastGot { unanswered: 0 } => text + ", the last",
        Note::LastGot { unanswered: 1 } => text + ", the last, and answers nothing",
        Note::LastGot { unanswered } => {
            format!("{text}, the last of {} {got}, none of which it answers", grouped(unanswered))
        }
    }
}

fn single(view: &View<'_>, it: &Happening) -> String {
    let peer = view.name(it.record.peer);
    let bytes = count(it.bytes.unwrap_or_default() as u64, "byte");
    match it.record.kind {
        Kind::Boot if it.record.number == 0 => "starts".into(),
        Kind::Boot => "starts again, and remembers nothing but its storage".into(),
        Kind::Timeout => "a timer fires".into(),
        Kind::Command => "is given a command".into(),
        Kind::DatagramIn => format!("gets a datagram of {bytes} from {peer}"),
        Kind::PipeOpened => format!("its connection to {peer} is there"),
        Kind::PipeAccepted => format!("accepts a connection of {peer}"),
        Kind::PipeBytes => format!("gets {bytes} from {peer}"),
        Kind::PipeFinished => format!("{peer} has no more to say"),
        Kind::PipeClosed => ended(it, peer),
        Kind::Stored if it.record.number == 0 => "a write fails".into(),
        Kind::Stored => "a write is done".into(),
        Kind::DatagramOut if it.mishap.is_none() => format!("sends a datagram of {bytes} to {peer}"),
        Kind::GroupOut if it.mishap.is_none() => format!("sends a datagram of {bytes} to all, {peer} among them"),
        Kind::OpenPipe if it.mishap.is_none() => format!("dials {peer}"),
        Kind::DatagramOut | Kind::GroupOut | Kind::SegmentLost | Kind::Discarded | Kind::OpenPipe => {
            format!("{} {}", noun(it, peer, false), fate(it.mishap, false))
        }
        Kind::Fill => format!("writes {bytes} to {peer}"),
        Kind::FinishPipe => format!("has no more to say to {peer}"),
        Kind::ClosePipe => format!("aborts its connection with {peer}"),
        Kind::Store => format!("stores {bytes}"),
        Kind::Event => view.seen(it.event).map(|seen| story::text(view.scenario, seen)).unwrap_or_default(),
        Kind::FaultBegins => fault(view, it),
        Kind::FaultEnds => "a fault ends".into(),
        Kind::Crash => "loses its memory".into(),
        Kind::Reseed => "chance is drawn anew".into(),
        Kind::Injected => format!("whoever owns the link sends {bytes} to {peer}"),
    }
}

fn several(view: &View<'_>, it: &Happening, number: u64) -> String {
    let (peer, number) = (view.name(it.record.peer), grouped(number));
    match it.record.kind {
        Kind::PipeClosed => format!("{number} times: {}", ended(it, peer)),
        Kind::Event => format!("{number} times: {}", single(view, it)),
        Kind::Stored => format!("{number} writes fail"),
        _ => format!("{number} {} {}", noun(it, peer, true), fate(it.mishap, true)),
    }
}

fn ended(it: &Happening, peer: &str) -> String {
    let how = match it.text.as_deref() {
        Some("Reset") => "is reset",
        Some("Refused") => "is refused",
        Some("TimedOut") => "gets no answer any more",
        _ => "ends",
    };
    let chance = if it.mishap == Some(Mishap::Struck) { ", by chance" } else { "" };
    format!("its connection with {peer} {how}{chance}")
}

/// What comes to nothing.
fn noun(it: &Happening, peer: &str, is_plural: bool) -> String {
    let (one, many, way) = match it.record.kind {
        Kind::SegmentLost => ("a segment", "segments", "to"),
        Kind::OpenPipe => ("its dial", "dials", "of"),
        Kind::Discarded => ("a datagram", "datagrams", "from"),
        Kind::GroupOut => ("a datagram to all, for", "datagrams to all, for", ""),
        _ => ("a datagram", "datagrams", "to"),
    };
    let noun = if is_plural { many } else { one };
    if way.is_empty() { format!("{noun} {peer},") } else { format!("{noun} {way} {peer}") }
}

/// And how.
const fn fate(mishap: Option<Mishap>, is_plural: bool) -> &'static str {
    match (mishap, is_plural) {
        (Some(Mishap::Lost), false) => "is lost",
        (Some(Mishap::Lost), true) => "are lost",
        (Some(Mishap::Partitioned), false) => "does not get through: cut off",
        (Some(Mishap::Partitioned), true) => "do not get through: cut off",
        (Some(Mishap::QueueFull), false) => "is dropped: too many wait before it",
        (Some(Mishap::QueueFull), true) => "are dropped: too many wait before them",
        (Some(Mishap::TooLong), false) => "is dropped: longer than the link carries",
        (Some(Mishap::TooLong), true) => "are dropped: longer than the link carries",
        (Some(Mishap::Damaged), false) => "arrives damaged",
        (Some(Mishap::Damaged), true) => "arrive damaged",
        (Some(Mishap::Duplicated), false) => "arrives twice",
        (Some(Mishap::Duplicated), true) => "arrive twice",
        (Some(Mishap::Intercepted), false) => "is taken by the man in the middle",
        (Some(Mishap::Intercepted), true) => "are taken by the man in the middle",
        (Some(Mishap::Unheard), false) => "finds nobody there",
        (Some(Mishap::Unheard), true) => "find nobody there",
        (Some(Mishap::Struck), false) => "is refused or not answered, by chance",
        (Some(Mishap::Struck), true) => "are refused or not answered, by chance",
        (None, _) => "",
    }
}

fn fault(view: &View<'_>, it: &Happening) -> String {
    let fault = view.scenario.faults.get(it.record.number as usize);
    fault.map(|fault| story::fault(fault, view.scenario)).unwrap_or_default()
}
