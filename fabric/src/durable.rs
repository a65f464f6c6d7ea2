//! One small text that outlives a crash at any moment: two slots of the node's storage, written in turn, so that a write
//! that is torn or lost leaves the value before it whole. Knows no meaning.
//!
//! A slot is UTF-8 text that people can read: a line `fabric NAME VERSION`, a line `generation N`, the value's own lines,
//! and at last a line `sha256 HEX` over all bytes before it. The whole slot of the highest generation counts.

use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use machine::StoreFailed;
use sha2::{Digest, Sha256};

/// Longer slots are not read; longer values are not written.
pub(crate) const SLOT_BYTES_MAX: usize = 256 * 1024;

/// What a value is called in storage, and in which version of its layout it is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Name {
    pub(crate) label: &'static str,
    /// The keys of its two slots.
    pub(crate) keys: [&'static str; 2],
    pub(crate) version: u32,
}

/// One value and its writes: one at a time, the next with the newest value.
#[derive(Debug)]
pub(crate) struct Durable {
    name: Name,
    /// Of the newest durable value; 0 when there is none.
    generation: u64,
    /// The slot to write next: never the one that holds the newest durable value.
    next: usize,
    writing: Writing,
    /// The last write has failed.
    has_failed: bool,
}

#[derive(Debug, PartialEq, Eq)]
enum Writing {
    Idle,
    Wanted(String),
    UnderWay,
    /// A newer value than the one that is being written waits.
    UnderWayAndWanted(String),
}

impl Durable {
    /// What storage has of `name`: its writer, and the value if a slot is whole.
    pub(crate) fn load(name: Name, stored: &BTreeMap<String, Vec<u8>>) -> (Self, Option<String>) {
        let slot = |at: usize| {
            let (generation, body) = parse(name, stored.get(name.keys[at])?)?;
            Some((generation, at, body))
        };
        let newest = [slot(0), slot(1)].into_iter().flatten().max_by_key(|(generation, ..)| *generation);
        let (generation, next) = newest.as_ref().map_or((0, 0), |(generation, at, _)| (*generation, 1 - at));
        (
            Self { name, generation, next, writing: Writing::Idle, has_failed: false },
            newest.map(|(.., body)| String::from(body)),
        )
    }

    /// The newest generation that is durable; 0 when none is.
    pub(crate) const fn generation(&self) -> u64 {
        self.generation
    }

    /// Whether everything that was to be written is durable.
    pub(crate) fn is_settled(&self) -> bool {
        self.writing == Writing::Idle && !self.has_failed
    }

    /// Wants `body`, whole lines, to be the value.
    pub(crate) fn write(&mut self, body: String) {
        self.writing = match self.writing {
            Writing::Idle | Writing::Wanted(_) => Writing::Wanted(body),
            Writing::UnderWay | Writing::UnderWayAndWanted(_) => Writing::UnderWayAndWanted(body),
        };
    }

    /// The next write, key and bytes, if one is due.
    pub(crate) fn poll(&mut self) -> Option<(&'static str, Vec<u8>)> {
        let Writing::Wanted(body) = &self.writing else { return None };
        let bytes = encode(self.name, self.generation + 1, body);
        self.writing = Writing::UnderWay;
        Some((self.name.keys[self.next], bytes))
    }

    /// A write has ended; `None` when it was none of this value's. After a failure the old value stands, and nothing is
    /// tried again by itself.
    pub(crate) fn stored(&mut self, key: &str, result: Result<(), StoreFailed>) -> Option<Result<(), StoreFailed>> {
        if !self.name.keys.contains(&key) {
            return None;
        }
        self.writing = match core::mem::replace(&mut self.writing, Writing::Idle) {
            Writing::UnderWayAndWanted(body) => Writing::Wanted(body),
            Writing::UnderWay => Writing::Idle,
            // A driver that answers what was not asked changes nothing.
            other => {
                self.writing = other;
                return None;
            }
        };
        self.has_failed = result.is_err();
        if result.is_ok() {
            self.generation += 1;
            self.next = 1 - self.next;
        }
        Some(result)
    }
}

fn encode(name: Name, generation: u64, body: &str) -> Vec<u8> {
    let Name { label, version, .. } = name;
    let mut text = format!("fabric {label} {version}\ngeneration {generation}\n{body}");
    let line = checksum_line(&text);
    text.push_str(&line);
    text.into_bytes()
}

fn checksum_line(text: &str) -> String {
    let digest: [u8; 32] = Sha256::digest(text).into();
    format!("sha256 {}\n", crate::identity::DeviceId::from_bytes(digest))
}

/// The generation and the body of a slot that is whole.
fn parse(name: Name, bytes: &[u8]) -> Option<(u64, &str)> {
    if bytes.len() > SLOT_BYTES_MAX {
        return None;
    }
    let text = core::str::from_utf8(bytes).ok()?;
    let (text, checksum) = text.split_at_checked(text.len().checked_sub(CHECKSUM_LINE_BYTES)?)?;
    if checksum_line(text) != checksum {
        return None;
    }
    let Name { label, version, .. } = name;
    let rest = text.strip_prefix(&format!("fabric {label} {version}\ngeneration "))?;
    let (generation, body) = rest.split_once('\n')?;
    let generation = generation.parse().ok().filter(|generation| *generation < u64::MAX)?;
    Some((generation, body))
}

const CHECKSUM_LINE_BYTES: usize = "sha256 ".len() + 64 + 1;

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;
    use proptest::prelude::*;

    const NAME: Name = Name { label: "test", keys: ["test.a", "test.b"], version: 1 };

    type Disk = BTreeMap<String, Vec<u8>>;

    fn write(durable: &mut Durable, disk: &mut Disk, body: &str) {
        durable.write(body.into());
        let (key, bytes) = durable.poll().unwrap();
        disk.insert(key.into(), bytes);
        assert_eq!(durable.stored(key, Ok(())), Some(Ok(())));
    }

    fn load(disk: &Disk) -> (u64, Option<String>) {
        let (durable, body) = Durable::load(NAME, disk);
        (durable.generation(), body)
    }

    #[test]
    fn the_bytes_of_a_slot_stay_what_they_are() {
        let golden = "fabric test 1\ngeneration 7\nhello\n\
            sha256 1499a63a774ecf11d90ac586284a26a6bcceaf36461d9790f67149f04494862a\n";
        let bytes = String::from_utf8(encode(NAME, 7, "hello\n")).unwrap();
        assert_eq!(bytes, golden);
        assert_eq!(parse(NAME, bytes.as_bytes()), Some((7, "hello\n")));
    }

    #[test]
    fn values_alternate_between_two_slots_and_the_newest_counts() {
        let (mut disk, mut durable) = (Disk::new(), Durable::load(NAME, &Disk::new()).0);
        assert_eq!(load(&disk), (0, None));
        for generation in 1..=5 {
            let body = format!("value {generation}\n");
            write(&mut durable, &mut disk, &body);
            assert_eq!(load(&disk), (generation, Some(body)));
        }
        assert_eq!(disk.len(), 2);
    }

    #[test]
    fn what_is_wanted_during_a_write_is_written_after_it_and_only_the_newest() {
        let mut durable = Durable::load(NAME, &Disk::new()).0;
        for body in ["one\n", "two\n"] {
            durable.write(body.into());
        }
        let (key, _) = durable.poll().unwrap();
        for body in ["three\n", "four\n"] {
            durable.write(body.into());
        }
        assert_eq!(durable.poll(), None);
        assert_eq!(durable.stored("other", Ok(())), None);
        durable.stored(key, Ok(())).unwrap().unwrap();
        let (other, bytes) = durable.poll().unwrap();
        assert!(other != key && String::from_utf8(bytes).unwrap().contains("\nfour\n"));
        durable.stored(other, Err(StoreFailed)).unwrap().unwrap_err();
        assert!(!durable.is_settled());
        durable.write("five\n".into());
        assert_eq!(durable.poll().unwrap().0, other, "a failed write may have torn its slot, and only that");
    }

    #[test]
    fn another_version_or_name_is_not_this_value() {
        let bytes = encode(NAME, 1, "");
        assert!(parse(NAME, &bytes).is_some());
        assert_eq!(parse(Name { version: 2, ..NAME }, &bytes), None);
        assert_eq!(parse(Name { label: "tes", ..NAME }, &bytes), None);
        assert_eq!(parse(NAME, &encode(NAME, u64::MAX, "")), None, "no generation could follow");
    }

    proptest! {
        /// The contract's worst: any prefix of the new bytes, then the old slot's.
        #[test]
        fn a_write_torn_anywhere_leaves_the_value_before_it_or_the_new_one(
            bodies in proptest::collection::vec("[a-z ]{0,40}", 1..6),
            cut in 0_usize..200,
        ) {
            let (mut disk, mut durable) = (Disk::new(), Durable::load(NAME, &Disk::new()).0);
            let (last, earlier) = bodies.split_last().unwrap();
            for body in earlier {
                write(&mut durable, &mut disk, &format!("{body}\n"));
            }
            let before = load(&disk);
            durable.write(format!("{last}\n"));
            let (key, new) = durable.poll().unwrap();
            let old = disk.remove(key).unwrap_or_default();
            let cut = cut.min(new.len());
            disk.insert(key.to_string(), [&new[..cut], old.get(cut..).unwrap_or_default()].concat());
            let (after, written) = (load(&disk), (before.0 + 1, Some(format!("{last}\n"))));
            prop_assert!(after == before || after == written);
        }

        #[test]
        fn any_bytes_are_a_slot_or_not(bytes: Vec<u8>, flip in any::<prop::sample::Index>()) {
            prop_assert_eq!(parse(NAME, &bytes), None);
            let mut slot = encode(NAME, 3, "body\n");
            let bit = flip.index(slot.len() * 8);
            slot[bit / 8] ^= 1 << (bit % 8);
            prop_assert_eq!(parse(NAME, &slot), None);
        }
    }
}
