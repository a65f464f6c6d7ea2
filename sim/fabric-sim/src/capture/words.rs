//! What a capture's comments say.

use ::sim::NodeIndex;
use ::sim::capture::{Carried, PipePart, Sending};
use ::sim::causes::Mishap;

/// What went wrong with a sending; nothing if nothing did.
pub(super) fn comments(sending: &Sending<'_>, names: &[String]) -> Vec<String> {
    let to = name(names, sending.to);
    let twice = sending.course.duplicate_after.map(|_| format!("arrives twice at {to}"));
    let mishap = sending.course.mishap.and_then(|mishap| told(mishap, &sending.what, to));
    let made_up = matches!(sending.what, Carried::Datagram { is_injected: true, .. });
    let made_up = made_up.then(|| format!("made up by whoever owns the link, for {to}"));
    let again = match sending.what {
        Carried::Pipe { attempt, .. } if attempt > 0 => Some(format!("sent again ({attempt})")),
        _ => None,
    };
    [made_up, again, mishap, twice].into_iter().flatten().collect()
}

fn told(mishap: Mishap, what: &Carried<'_>, to: &str) -> Option<String> {
    let part = match what {
        Carried::Pipe { part, .. } => Some(*part),
        Carried::Datagram { .. } => None,
    };
    Some(match mishap {
        Mishap::Lost => format!("lost on the way to {to}"),
        Mishap::Partitioned => format!("cut off from {to} by a partition"),
        Mishap::QueueFull => format!("dropped: the queue to {to} is full"),
        Mishap::TooLong => format!("dropped: longer than the link to {to} carries"),
        Mishap::Damaged => format!("damaged on the way to {to}"),
        Mishap::Intercepted => format!("taken on its way to {to} by whoever owns the link"),
        Mishap::Unheard => "nobody has this address".to_owned(),
        Mishap::Struck => match part {
            Some(PipePart::Dial) => "never answered".to_owned(),
            Some(PipePart::Injected(_)) => format!("what {to} reads instead"),
            _ => "made up on the way: the pipe is reset".to_owned(),
        },
        // Told by when its copy arrives.
        Mishap::Duplicated => return None,
    })
}

/// Of what arrives otherwise than it was sent.
pub(super) fn arrived(names: &[String], from: NodeIndex) -> String {
    format!("what arrives of a packet from {}", name(names, from))
}

fn name(names: &[String], node: NodeIndex) -> &str {
    names.get(node.as_usize()).map_or("nobody", String::as_str)
}
