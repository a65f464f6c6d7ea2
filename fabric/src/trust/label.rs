//! Local names of devices and groups. They never go over the wire, and no decision is made on one that came over it.

use core::fmt;
use core::str::FromStr;

/// Most bytes of a label.
pub const LABEL_BYTES_MAX: usize = 32;

/// A local name: 1 to 32 of `a-z`, `0-9` and `-`, and not hex digits alone, so that it is never mistaken for an id or the
/// beginning of one (wire contract, 1).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Label {
    bytes: [u8; LABEL_BYTES_MAX],
    length: u8,
}

impl Label {
    /// Its text.
    pub fn as_str(&self) -> &str {
        core::str::from_utf8(&self.bytes[..usize::from(self.length)]).unwrap_or_default()
    }
}

impl FromStr for Label {
    type Err = InvalidLabel;
    fn from_str(text: &str) -> Result<Self, InvalidLabel> {
        let is_letter = |byte: &u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-');
        let is_hex = text.bytes().all(|byte| matches!(byte, b'a'..=b'f' | b'0'..=b'9'));
        if text.len() > LABEL_BYTES_MAX || is_hex || !text.as_bytes().iter().all(is_letter) {
            return Err(InvalidLabel); // an empty text is all hex
        }
        let mut bytes = [0; LABEL_BYTES_MAX];
        bytes[..text.len()].copy_from_slice(text.as_bytes());
        Ok(Self { bytes, length: text.len() as u8 })
    }
}

impl fmt::Display for Label {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for Label {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A text is no label.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InvalidLabel;

impl fmt::Display for InvalidLabel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a label is 1 to 32 of a-z, 0-9 and `-`, and not hex digits alone")
    }
}

impl core::error::Error for InvalidLabel {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_label_is_short_plain_and_no_hex() {
        for text in ["phone", "g", "kitchen-2", "-", "0123456789abcdef-"] {
            assert_eq!(text.parse::<Label>().unwrap().as_str(), text);
        }
        let long = "x".repeat(32);
        assert!(long.parse::<Label>().is_ok());
        for text in ["", "abc", "42", "Phone", "my phone", "ph\n", "größe", &(long + "x")] {
            assert_eq!(text.parse::<Label>(), Err(InvalidLabel), "{text}");
        }
    }
}
