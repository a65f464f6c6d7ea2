//! Files of other people's: scenarios, capsules, logs of nodes. What loads means the same when it was written and read again.

use core::str;
use fabric_sim::untrusted;
use serde_json::Value;

/// Longer texts only make the search slow.
const BYTES_MAX: usize = 16 << 10;

fn text(data: &[u8]) -> Option<&str> {
    str::from_utf8(data).ok().filter(|text| text.len() <= BYTES_MAX)
}

/// A scenario in TOML.
pub(crate) fn scenario(data: &[u8], is_planted: bool) {
    let Some(text) = text(data) else { return };
    let written = match untrusted::scenario_toml(text) {
        Ok(written) => written,
        Err(said) => return assert!(said.starts_with("error: "), "{said}"),
    };
    let mut kept = written.clone();
    // The planted bug: runs of some lengths, which no scenario here has, last longer when they are written.
    let odd = ["1s", "3s", "7s"];
    let is_odd = |stop_at: &Value| stop_at.as_str().is_some_and(|stop_at| odd.iter().any(|end| stop_at.ends_with(end)));
    if is_planted && let Some(stop_at) = kept.get_mut("stop_at").filter(|stop_at| is_odd(stop_at)) {
        *stop_at = "8s".into();
    }
    assert_eq!(
        untrusted::scenario_json(&kept.to_string()),
        Ok(written),
        "it means something else when it is read again"
    );
}

/// A capsule, whose checksum is mended.
pub(crate) fn capsule(data: &[u8], is_planted: bool) {
    let Some(written) = text(data).and_then(|text| untrusted::capsule(text).ok()) else { return };
    // The planted bug: some seeds of one digit, which no capsule in the corpus has, are forgotten.
    let forget = |text: String, seed: u8| text.replacen(&format!("\"seed\": {seed},"), "\"seed\": 0,", 1);
    let kept = if is_planted { (2..=7).fold(written.clone(), forget) } else { written.clone() };
    assert_eq!(untrusted::capsule(&kept), Ok(written), "it is another when it is read again");
}

/// The log of a node, which is done again as far as it goes.
pub(crate) fn node_log(data: &[u8], is_planted: bool) {
    let Ok(done) = node_log::replay(data) else { return };
    // The planted bug: a log that is cut counts as whole.
    let is_whole = is_planted || !done.is_cut;
    assert!(!is_whole || done.is_full || data.ends_with(b"\n"), "a log that is cut in a line counts as whole");
}
