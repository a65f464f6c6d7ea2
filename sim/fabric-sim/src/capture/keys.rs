//! `--keylog`: the keys of a simulated run, so that its capture can be read. They are made from the seed and protect nothing.
//!
//! A line is `DSOFTBUS_LITE TAG NONCE KEY`: the authentication tag of the first message that was sealed under the key, as it stands
//! on the wire, and that message's nonce. So a reader of the capture finds the key by the message; later messages under the
//! same key count on from there.

use core::fmt::{self, Write};
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

/// What each line begins with.
const LABEL: &str = "DSOFTBUS_LITE";

/// The keys that were used, in the order of their first use. Shared by all nodes of a run.
#[derive(Clone, Default)]
pub(crate) struct KeyLog(Arc<Mutex<Keys>>);

#[derive(Default)]
struct Keys {
    known: BTreeSet<[u8; 32]>,
    lines: String,
}

/// Says nothing of what it holds.
impl fmt::Debug for KeyLog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KeyLog")
    }
}

impl KeyLog {
    /// A message was sealed; the first one under a key is kept.
    pub(crate) fn sealed(&self, key: &[u8; 32], nonce: u64, tag: &[u8; 16]) {
        let mut keys = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if keys.known.insert(*key) {
            let (tag, key) = (hex(tag), hex(key));
            let _ = writeln!(keys.lines, "{LABEL} {tag} {nonce} {key}");
        }
    }

    /// The whole of it.
    pub(crate) fn text(&self) -> String {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).lines.clone()
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}
