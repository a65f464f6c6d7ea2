//! The bytes of a transfer (docs/fabric-node.md). Integers are big-endian; nothing here waits or stores.
//!
//! | message | layout |
//! | --- | --- |
//! | GET | 1, name |
//! | PUT | 2, size u64, name; the next message is the content |
//! | reply to GET | status; if it is 0, size u64, and the next message is the content |
//! | reply to PUT | status |

use std::fmt;
use std::str::FromStr;

/// File systems take no more.
const NAME_BYTES_MAX: usize = 255;
/// The longest request: a PUT with the longest name.
pub(super) const REQUEST_BYTES_MAX: usize = 1 + 8 + NAME_BYTES_MAX;
/// The longest reply.
pub(super) const REPLY_BYTES_MAX: usize = 1 + 8;

const GET: u8 = 1;
const PUT: u8 = 2;

/// The name of a file in a served directory: it leads nowhere else. 1 to 255 bytes of UTF-8 without `/` and control
/// characters, not beginning with a dot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Name(String);

impl FromStr for Name {
    type Err = &'static str;
    fn from_str(text: &str) -> Result<Self, &'static str> {
        match text {
            "" => Err("it is empty"),
            _ if text.len() > NAME_BYTES_MAX => Err("it is longer than 255 bytes"),
            _ if text.starts_with('.') => Err("it begins with a dot"),
            _ if text.contains('/') => Err("it has a slash: a name leads into no other directory"),
            _ if text.contains(char::is_control) => Err("it has control characters"),
            _ => Ok(Self(text.into())),
        }
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl AsRef<str> for Name {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

/// What is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Request {
    Get { name: Name },
    Put { name: Name, size: u64 },
}

/// How it was answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Status {
    Ok = 0,
    NotFound = 1,
    Exists = 2,
    BadName = 3,
    TooLarge = 4,
    Busy = 5,
    Failed = 6,
    BadRequest = 7,
}

impl Status {
    const ALL: [Self; 8] = [
        Self::Ok,
        Self::NotFound,
        Self::Exists,
        Self::BadName,
        Self::TooLarge,
        Self::Busy,
        Self::Failed,
        Self::BadRequest,
    ];
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Ok => "ok",
            Self::NotFound => "it has no file of that name",
            Self::Exists => "it has a file of that name, and overwrites none",
            Self::BadName => "it takes no such name",
            Self::TooLarge => "the file is larger than it allows",
            Self::Busy => "it moves as many files as it can at a time",
            Self::Failed => "its disk failed or is full",
            Self::BadRequest => "it did not understand",
        })
    }
}

impl Request {
    pub(super) fn encode(&self) -> Vec<u8> {
        match self {
            Self::Get { name } => [&[GET], name.as_ref().as_bytes()].concat(),
            Self::Put { name, size } => [&[PUT], &size.to_be_bytes()[..], name.as_ref().as_bytes()].concat(),
        }
    }

    /// The request, or what to answer instead.
    pub(super) fn parse(bytes: &[u8]) -> Result<Self, Status> {
        let (kind, rest) = bytes.split_first().ok_or(Status::BadRequest)?;
        match *kind {
            GET => Ok(Self::Get { name: name(rest)? }),
            PUT => {
                let (size, rest) = rest.split_first_chunk().ok_or(Status::BadRequest)?;
                Ok(Self::Put { name: name(rest)?, size: u64::from_be_bytes(*size) })
            }
            _ => Err(Status::BadRequest),
        }
    }
}

fn name(bytes: &[u8]) -> Result<Name, Status> {
    str::from_utf8(bytes).ok().and_then(|text| text.parse().ok()).ok_or(Status::BadName)
}

/// A reply; `size` follows a GET that is answered with the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Reply {
    pub(super) status: Status,
    pub(super) size: Option<u64>,
}

impl Reply {
    pub(super) fn encode(self) -> Vec<u8> {
        let size = self.size.map(u64::to_be_bytes);
        [self.status as u8].into_iter().chain(size.into_iter().flatten()).collect()
    }

    pub(super) fn parse(bytes: &[u8]) -> Option<Self> {
        let (status, rest) = bytes.split_first()?;
        let status = Status::ALL.into_iter().find(|known| *known as u8 == *status)?;
        let size = match rest {
            [] => None,
            _ if status == Status::Ok => Some(u64::from_be_bytes(rest.try_into().ok()?)),
            _ => return None,
        };
        Some(Self { status, size })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn bytes_are_as_documented() {
        let name: Name = "a.txt".parse().unwrap();
        assert_eq!(Request::Get { name: name.clone() }.encode(), b"\x01a.txt");
        assert_eq!(Request::Put { name, size: 258 }.encode(), b"\x02\0\0\0\0\0\0\x01\x02a.txt");
        assert_eq!(Reply { status: Status::Ok, size: Some(258) }.encode(), b"\0\0\0\0\0\0\0\x01\x02");
        assert_eq!(Reply { status: Status::TooLarge, size: None }.encode(), b"\x04");
    }

    #[test]
    fn a_name_stays_in_its_directory() {
        for text in ["", ".", "..", "../a", "a/b", "/etc/passwd", ".hidden", "a\0b", "a\nb", &"x".repeat(256)] {
            assert!(text.parse::<Name>().is_err(), "{text:?}");
            assert_eq!(Request::parse(&[&[GET], text.as_bytes()].concat()), Err(Status::BadName), "{text:?}");
        }
        assert!("ä b..txt".parse::<Name>().is_ok());
    }

    #[test]
    fn what_is_cut_is_refused() {
        let put = Request::Put { name: "n".parse().unwrap(), size: 1 }.encode();
        for length in 0..put.len() {
            assert!(Request::parse(&put[..length]).is_err(), "{length}");
        }
        assert_eq!(Request::parse(b"\x03n"), Err(Status::BadRequest));
        for bytes in [&b""[..], b"\x08", b"\0\0", b"\x04\0\0\0\0\0\0\0\0", b"\0\0\0\0\0\0\0\0\0\0"] {
            assert_eq!(Reply::parse(bytes), None, "{bytes:?}");
        }
    }

    proptest! {
        #[test]
        fn every_decoder_is_total_and_the_inverse(bytes in prop::collection::vec(any::<u8>(), 0..300), kind in 0_u8..4) {
            let bytes = [&[kind], &bytes[..]].concat();
            if let Ok(request) = Request::parse(&bytes) {
                prop_assert_eq!(request.encode(), bytes.clone());
            }
            if let Some(reply) = Reply::parse(&bytes) {
                prop_assert_eq!(reply.encode(), bytes);
            }
        }
    }
}
