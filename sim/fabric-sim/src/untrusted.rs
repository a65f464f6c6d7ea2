//! What the command reads that others have written, from text to meaning and back: for fuzzing (`fabric/fuzz`), which looks
//! for text that panics, or that comes back as something else. Opens no file.

use crate::capsule::{self, Capsule};
use crate::scenario::{self, Style};
use serde_json::Value;

/// A scenario file that includes nothing, as the JSON that keeps all that it says; a second reading of that must give it
/// again.
///
/// # Errors
/// What the command would print of a file that does not load.
pub fn scenario_toml(text: &str) -> Result<Value, String> {
    scenario::from_toml(text)
        .map(|scenario| scenario::to_json(&scenario))
        .map_err(|invalid| invalid.render(Style { colour: false, width: 100 }))
}

/// As [`scenario_toml`], from JSON.
///
/// # Errors
/// Likewise.
pub fn scenario_json(text: &str) -> Result<Value, String> {
    scenario::from_json(text)
        .map(|scenario| scenario::to_json(&scenario))
        .map_err(|invalid| invalid.render(Style { colour: false, width: 100 }))
}

/// The schema of scenario files, as `fabric-sim schema` prints it: the words that a fuzzer's dictionary has to have.
#[must_use]
pub fn schema() -> Value {
    scenario::schema()
}

/// A capsule's text, as this build would write it. A checksum that is not that of the contents is mended first: no fuzzer
/// finds one.
///
/// # Errors
/// What the command would print of a file that it does not use.
pub fn capsule(text: &str) -> Result<String, String> {
    let mut value: Value = serde_json::from_str(text).map_err(|error| error.to_string())?;
    capsule::sign(&mut value);
    let capsule = Capsule::parse(&value.to_string()).map_err(|refused| match refused {
        capsule::Refused::Unreadable(why) | capsule::Refused::NotApplicable(why) => why,
    })?;
    capsule.to_text().map_err(|error| error.to_string())
}
