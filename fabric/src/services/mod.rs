//! Two small services over remote calls, as examples of typed ones: [`samgrd`] says what a device serves, [`bundlemgrd`] what
//! bundles it has, and hands them over. Decide nothing about who may call: that is the node's policy.

pub mod bundlemgrd;
pub mod samgrd;

use crate::wire::Reader;
use alloc::vec::Vec;
use core::fmt;

/// Most bytes of a name in these requests.
pub const NAME_BYTES_MAX: usize = 64;

/// A message is not what its service's layout has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Malformed;

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not a message of this service")
    }
}

impl core::error::Error for Malformed {}

/// A whole message that is a name: 1 to [`NAME_BYTES_MAX`] bytes of UTF-8 without control characters.
fn name(bytes: &[u8]) -> Result<&str, Malformed> {
    let name = core::str::from_utf8(bytes).map_err(|_| Malformed)?;
    let is_name = (1..=NAME_BYTES_MAX).contains(&name.len()) && !name.chars().any(char::is_control);
    if is_name { Ok(name) } else { Err(Malformed) }
}

/// Takes a length and a name of so many bytes.
fn take_name<'a>(reader: &mut Reader<'a>) -> Result<&'a str, Malformed> {
    let length = reader.u8().ok_or(Malformed)?;
    name(reader.take(length.into()).ok_or(Malformed)?)
}

fn push_name(bytes: &mut Vec<u8>, name: &str) {
    assert!(name.len() <= NAME_BYTES_MAX, "names are judged when they are registered");
    bytes.push(name.len() as u8);
    bytes.extend_from_slice(name.as_bytes());
}
