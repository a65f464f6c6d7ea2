//! The bytes of a call and of a reply (wire contract, 5): total, canonical, bounded. Knows no stream and no policy.

use crate::wire::Reader;
use alloc::vec::Vec;
use core::fmt;

/// Most bytes of a method's name.
pub const METHOD_BYTES_MAX: usize = 64;

/// `correlation` and the length of the method.
const CALL_FIXED_BYTES: usize = 8 + 1;
/// The longest head of a call: what has to be there before it can be judged.
pub(super) const CALL_HEAD_BYTES_MAX: usize = CALL_FIXED_BYTES + METHOD_BYTES_MAX;
/// `correlation` and `status`.
pub(super) const REPLY_HEAD_BYTES: usize = 8 + 2;

/// What a reply says of the call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Status {
    /// It was done; the body is its result.
    Ok,
    /// The policy does not let this device call this method. Decided before all that follows.
    Denied,
    /// The service has no such method.
    NoSuchMethod,
    /// The request, or the result, is past its bound.
    TooLarge,
    /// The service could not do it.
    Failed,
    /// The service did not get done in time.
    Deadline,
}

impl Status {
    const ALL: [Self; 6] = [Self::Ok, Self::Denied, Self::NoSuchMethod, Self::TooLarge, Self::Failed, Self::Deadline];

    /// Its number on the wire.
    pub const fn code(self) -> u16 {
        match self {
            Self::Ok => 0,
            Self::Denied => 1,
            Self::NoSuchMethod => 2,
            Self::TooLarge => 3,
            Self::Failed => 4,
            Self::Deadline => 5,
        }
    }

    /// The status with this number.
    pub fn from_code(code: u16) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.code() == code)
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Ok => "ok",
            Self::Denied => "denied",
            Self::NoSuchMethod => "no such method",
            Self::TooLarge => "too large",
            Self::Failed => "failed",
            Self::Deadline => "deadline",
        })
    }
}

/// A message that is neither a call nor a reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Malformed;

/// Whether `name` can be a method's: 1 to [`METHOD_BYTES_MAX`] bytes without control characters.
pub(super) fn is_method_name(name: &str) -> bool {
    (1..=METHOD_BYTES_MAX).contains(&name.len()) && !name.chars().any(char::is_control)
}

/// A call. `method` is a method's name.
pub(super) fn encode_call(correlation: u64, method: &str, body: &[u8]) -> Vec<u8> {
    assert!(is_method_name(method), "names are judged before they are sent");
    let mut bytes = Vec::with_capacity(CALL_FIXED_BYTES + method.len() + body.len());
    bytes.extend_from_slice(&correlation.to_be_bytes());
    bytes.push(method.len() as u8);
    bytes.extend_from_slice(method.as_bytes());
    bytes.extend_from_slice(body);
    bytes
}

pub(super) fn encode_reply(correlation: u64, status: Status, body: &[u8]) -> Vec<u8> {
    [&correlation.to_be_bytes()[..], &status.code().to_be_bytes(), body].concat()
}

/// The head of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct CallHead<'a> {
    pub(super) correlation: u64,
    pub(super) method: &'a str,
    /// How many bytes it takes.
    pub(super) length: usize,
}

/// Reads the head of a call off the front of what has come of it; `None` while that is not all of it.
pub(super) fn parse_call_head(bytes: &[u8]) -> Result<Option<CallHead<'_>>, Malformed> {
    let mut reader = Reader::new(bytes);
    let (Some(correlation), Some(length)) = (reader.u64(), reader.u8()) else { return Ok(None) };
    let length = usize::from(length);
    if length == 0 || length > METHOD_BYTES_MAX {
        return Err(Malformed);
    }
    let Some(method) = reader.take(length) else { return Ok(None) };
    let method = core::str::from_utf8(method).ok().filter(|method| is_method_name(method)).ok_or(Malformed)?;
    Ok(Some(CallHead { correlation, method, length: CALL_FIXED_BYTES + length }))
}

/// Reads the head of a reply off the front of what has come of it; `None` while that is not all of it.
pub(super) fn parse_reply_head(bytes: &[u8]) -> Result<Option<(u64, Status)>, Malformed> {
    let mut reader = Reader::new(bytes);
    let (Some(correlation), Some(status)) = (reader.u64(), reader.u16()) else { return Ok(None) };
    let status = Status::from_code(status).ok_or(Malformed)?;
    Ok(Some((correlation, status)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::String;
    use proptest::prelude::*;

    fn hex(bytes: &[u8]) -> String {
        bytes.iter().fold(String::new(), |text, byte| alloc::format!("{text}{byte:02x}"))
    }

    #[test]
    fn the_bytes_of_calls_and_replies_stay_what_they_are() {
        assert_eq!(hex(&encode_call(7, "resolve", b"echo")), "0000000000000007077265736f6c76656563686f");
        assert_eq!(hex(&encode_call(u64::MAX, "m", b"")), "ffffffffffffffff016d");
        assert_eq!(hex(&encode_reply(7, Status::Ok, b"yes")), "00000000000000070000796573");
        assert_eq!(hex(&encode_reply(1, Status::Deadline, b"")), "00000000000000010005");
    }

    #[test]
    fn every_status_has_a_number_of_its_own() {
        for (number, status) in Status::ALL.into_iter().enumerate() {
            assert_eq!((usize::from(status.code()), Status::from_code(status.code())), (number, Some(status)));
        }
        assert_eq!(Status::from_code(6), None);
        assert_eq!(parse_reply_head(&[0, 0, 0, 0, 0, 0, 0, 1, 0, 6]), Err(Malformed));
    }

    #[test]
    fn a_name_out_of_its_bounds_is_malformed() {
        let head = |length: u8, name: &[u8]| [&[0; 8][..], &[length], name].concat();
        assert_eq!(parse_call_head(&head(0, b"")), Err(Malformed));
        assert_eq!(parse_call_head(&head(65, b"")), Err(Malformed), "at once");
        assert_eq!(parse_call_head(&head(2, b"a\n")), Err(Malformed));
        assert_eq!(parse_call_head(&head(1, b"\xFF")), Err(Malformed));
        assert!(matches!(parse_call_head(&head(64, &[b'm'; 64])), Ok(Some(CallHead { length: 73, .. }))));
    }

    proptest! {
        #[test]
        fn a_call_reads_as_it_was_written_and_no_sooner(
            correlation: u64, method in "[a-z.]{1,64}", body: Vec<u8>,
        ) {
            let bytes = encode_call(correlation, &method, &body);
            let head_bytes = CALL_FIXED_BYTES + method.len();
            for cut in 0..head_bytes {
                prop_assert_eq!(parse_call_head(&bytes[..cut]), Ok(None));
            }
            let head = parse_call_head(&bytes).unwrap().unwrap();
            prop_assert_eq!((head.correlation, head.method, &bytes[head.length..]), (correlation, &*method, &*body));
        }

        #[test]
        fn any_bytes_are_read_or_refused(bytes: Vec<u8>) {
            let head = parse_call_head(&bytes);
            if bytes.len() >= CALL_HEAD_BYTES_MAX {
                prop_assert_ne!(head, Ok(None));
            }
            if bytes.len() >= REPLY_HEAD_BYTES {
                prop_assert_ne!(parse_reply_head(&bytes), Ok(None));
            }
        }
    }
}
