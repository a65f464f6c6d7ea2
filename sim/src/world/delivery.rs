//! Datagrams about to leave and on their way: where they are kept until they arrive.

use crate::NodeIndex;
use crate::capture::Carried;
use crate::fate::Key;
use crate::ledger::Address;

/// A packet about to leave.
#[derive(Clone, Copy, Debug)]
pub(super) struct Flight {
    pub(super) from: u32,
    pub(super) to: u32,
    pub(super) number: u64,
    pub(super) digest: u64,
    pub(super) key: Key,
    pub(super) to_group: bool,
}

impl Flight {
    /// Where the ledger looks for it.
    pub(super) const fn address(&self) -> Address {
        let (from, to, number) = (NodeIndex(self.from), NodeIndex(self.to), self.number);
        if self.to_group { Address::Group { from, to, number } } else { Address::Datagram { from, to, number } }
    }

    /// What a capture has of it.
    pub(super) fn carrying<'b>(&self, bytes: &'b [u8]) -> Carried<'b> {
        Carried::Datagram { bytes, group: self.to_group.then_some(self.number), is_injected: false }
    }
}

/// A datagram, or one copy of it, on its way.
#[derive(Debug)]
pub(super) struct Delivery {
    pub(super) from: u32,
    pub(super) to: u32,
    pub(super) number: u64,
    pub(super) digest: u64,
    pub(super) length: u32,
    /// The one to take after this one, while it is free.
    next: u32,
    /// Its payload, if it fits: most do, and lie beside what else is looked at.
    short: [u8; SHORT_MAX],
    /// Its payload, if it does not.
    long: Vec<u8>,
}

/// Makes a [`Delivery`] 128 bytes long.
const SHORT_MAX: usize = 72;

impl Delivery {
    const fn new(next: u32) -> Self {
        Self { from: 0, to: 0, number: 0, digest: 0, length: 0, next, short: [0; SHORT_MAX], long: Vec::new() }
    }

    #[inline]
    pub(super) fn bytes(&self) -> &[u8] {
        let length = self.length as usize;
        if length <= SHORT_MAX { &self.short[..length] } else { &self.long[..length] }
    }

    #[inline]
    fn set_bytes(&mut self, bytes: &[u8]) {
        self.length = bytes.len() as u32;
        if let Some(short) = self.short.get_mut(..bytes.len()) {
            short.copy_from_slice(bytes);
        } else {
            self.long.clear();
            self.long.extend_from_slice(bytes);
        }
    }
}

/// Deliveries by number; a freed one keeps its buffer for the next, and the last freed is taken first.
#[derive(Debug, Default)]
pub(super) struct Deliveries {
    all: Vec<Delivery>,
    /// The first that is free; none is when this is their number.
    free: u32,
}

impl Deliveries {
    #[expect(clippy::inline_always, reason = "once for each datagram")]
    #[inline(always)]
    pub(super) fn add(&mut self, flight: &Flight, bytes: &[u8]) -> u32 {
        let index = self.free;
        if index as usize == self.all.len() {
            self.all.push(Delivery::new(index + 1));
        }
        let delivery = &mut self.all[index as usize];
        self.free = delivery.next;
        (delivery.from, delivery.to) = (flight.from, flight.to);
        (delivery.number, delivery.digest) = (flight.number, flight.digest);
        delivery.set_bytes(bytes);
        index
    }

    #[inline]
    pub(super) fn get(&self, index: u32) -> &Delivery {
        &self.all[index as usize]
    }

    #[inline]
    pub(super) fn free(&mut self, index: u32) {
        self.all[index as usize].next = self.free;
        self.free = index;
    }

    /// Gives a delivery another payload.
    pub(super) fn replace(&mut self, index: u32, digest: u64, bytes: &[u8]) {
        let delivery = &mut self.all[index as usize];
        delivery.digest = digest;
        delivery.set_bytes(bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn payloads_of_every_length_come_back_from_used_places_too() {
        let mut deliveries = Deliveries::default();
        let flight = Flight { from: 1, to: 2, number: 3, digest: 4, key: Key::root(0), to_group: false };
        let payloads: Vec<Vec<u8>> =
            [1_000, 0, SHORT_MAX, SHORT_MAX + 1, 5].map(|length| vec![length as u8; length]).into();
        for turn in 0..payloads.len() {
            let (first, second) = (&payloads[turn], &payloads[(turn + 1) % payloads.len()]);
            let places = [deliveries.add(&flight, first), deliveries.add(&flight, second)];
            assert_eq!(places.map(|place| deliveries.get(place).bytes()), [first.as_slice(), second]);
            deliveries.replace(places[0], 9, second);
            assert_eq!((deliveries.get(places[0]).bytes(), deliveries.get(places[0]).digest), (second.as_slice(), 9));
            for place in places {
                deliveries.free(place);
            }
        }
        assert_eq!(deliveries.all.len(), 2, "freed places are used again");
    }
}
