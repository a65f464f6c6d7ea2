//! The service manager: resolves a service of its device to the methods that it has.
//!
//! `resolve` is called with a service's name. The answer is empty when there is no such service, or the caller may not open
//! it: the same answer. Else it is a count u8 of methods, and of each the length u8 and the name, then the most bytes of a
//! request u32 and of a reply u32.

use super::{Malformed, name, push_name, take_name};
use crate::call::{Bounds, Methods, Status};
use crate::wire::Reader;
use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;

/// The name that the service is opened by.
pub const SERVICE: &str = "samgrd";
/// Its only method.
pub const RESOLVE: &str = "resolve";

/// Most methods of one service that an answer has.
const METHODS_MAX: usize = 32;
const REPLY_BYTES_MAX: u32 = 1 + 32 * (1 + super::NAME_BYTES_MAX as u32 + 8);

/// The methods of this service, to be served by [`Calls`](crate::call::Calls).
pub fn methods() -> Methods {
    Methods::from([(RESOLVE.into(), Bounds { request_bytes_max: 64, reply_bytes_max: REPLY_BYTES_MAX })])
}

/// What a device serves.
#[derive(Clone, Debug, Default)]
pub struct Samgrd {
    services: BTreeMap<String, Methods>,
}

impl Samgrd {
    /// Lets `service` be resolved; of its methods the first 32 are told, in the order of their names.
    pub fn register(&mut self, service: &str, methods: &Methods) {
        let told = methods.iter().filter(|(method, _)| name(method.as_bytes()).is_ok()).take(METHODS_MAX);
        let told = told.map(|(method, bounds)| (method.clone(), *bounds)).collect();
        self.services.insert(service.into(), told);
    }

    /// The answer to a call. `may_open` says whether the caller may open a service.
    pub fn answer(&self, method: &str, body: &[u8], may_open: impl FnOnce(&str) -> bool) -> Result<Vec<u8>, Status> {
        if method != RESOLVE {
            return Err(Status::NoSuchMethod);
        }
        let service = name(body).map_err(|Malformed| Status::Failed)?;
        let known = self.services.get(service).filter(|_| may_open(service));
        Ok(known.map(encode).unwrap_or_default())
    }
}

fn encode(methods: &Methods) -> Vec<u8> {
    let mut bytes = Vec::from([methods.len() as u8]);
    for (name, Bounds { request_bytes_max, reply_bytes_max }) in methods {
        push_name(&mut bytes, name);
        bytes.extend_from_slice(&request_bytes_max.to_be_bytes());
        bytes.extend_from_slice(&reply_bytes_max.to_be_bytes());
    }
    bytes
}

/// The body of a call that resolves `service`.
pub fn request(service: &str) -> Result<&[u8], Malformed> {
    name(service.as_bytes()).map(str::as_bytes)
}

/// Reads an answer: the service's methods; `None` when there is no such service for this caller.
pub fn parse_reply(body: &[u8]) -> Result<Option<Methods>, Malformed> {
    let mut reader = Reader::new(body);
    let Some(count) = reader.u8() else { return Ok(None) };
    if usize::from(count) > METHODS_MAX {
        return Err(Malformed);
    }
    let mut methods = Methods::new();
    for _ in 0..count {
        let name = take_name(&mut reader)?;
        let request_bytes_max = reader.u32().ok_or(Malformed)?;
        let reply_bytes_max = reader.u32().ok_or(Malformed)?;
        if methods.insert(name.into(), Bounds { request_bytes_max, reply_bytes_max }).is_some() {
            return Err(Malformed);
        }
    }
    if reader.rest().is_empty() { Ok(Some(methods)) } else { Err(Malformed) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn bounds(request_bytes_max: u32, reply_bytes_max: u32) -> Bounds {
        Bounds { request_bytes_max, reply_bytes_max }
    }

    #[test]
    fn a_service_is_resolved_for_who_may_open_it() {
        let mut samgrd = Samgrd::default();
        let methods = Methods::from([("say".into(), Bounds::default())]);
        samgrd.register("echo", &methods);
        let resolve = |service: &str, may: bool| {
            let reply = samgrd.answer(RESOLVE, request(service).unwrap(), |_| may).unwrap();
            parse_reply(&reply).unwrap()
        };
        assert_eq!(resolve("echo", true), Some(methods.clone()));
        assert_eq!((resolve("echo", false), resolve("none", true)), (None, None));
        assert_eq!(samgrd.answer("list", b"", |_| true), Err(Status::NoSuchMethod));
        assert_eq!(samgrd.answer(RESOLVE, b"", |_| true), Err(Status::Failed));
    }

    #[test]
    fn the_bytes_of_an_answer_stay_what_they_are() {
        let methods = Methods::from([("a".into(), bounds(256, 4096)), ("bc".into(), bounds(1, 2))]);
        let golden = [&[2, 1, b'a', 0, 0, 1, 0, 0, 0, 16, 0][..], &[2, b'b', b'c', 0, 0, 0, 1, 0, 0, 0, 2]].concat();
        assert_eq!(encode(&methods), golden);
        assert_eq!(parse_reply(&golden), Ok(Some(methods)));
        assert_eq!(parse_reply(&golden[..21]), Err(Malformed));
        assert_eq!(parse_reply(&[&golden[..], &[0]].concat()), Err(Malformed));
    }

    #[test]
    fn the_longest_answer_fits_its_bound() {
        let names = (0..40).map(|number| alloc::format!("{number:064}"));
        let mut samgrd = Samgrd::default();
        samgrd.register("echo", &names.map(|name| (name, Bounds::default())).collect());
        let reply = samgrd.answer(RESOLVE, b"echo", |_| true).unwrap();
        assert_eq!(reply.len(), REPLY_BYTES_MAX as usize);
        assert_eq!(parse_reply(&reply).unwrap().unwrap().len(), METHODS_MAX);
    }

    proptest! {
        #[test]
        fn any_answer_is_read_or_refused(bytes: Vec<u8>) {
            if let Ok(Some(methods)) = parse_reply(&bytes) {
                prop_assert!(methods.len() <= METHODS_MAX);
            }
        }
    }
}
