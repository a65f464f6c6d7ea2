//! Handles and who owns them. Knows no protocol.

use alloc::vec::Vec;

use super::ClientId;
use crate::message::Handle;

/// Entries by handle. A handle that was freed does not come back soon: its slot's generation has moved on.
#[derive(Debug)]
pub(super) struct Table<T> {
    slots: Vec<Slot<T>>,
    slots_max: u16,
}

#[derive(Debug)]
struct Slot<T> {
    generation: u16,
    entry: Option<(ClientId, T)>,
}

impl<T> Table<T> {
    pub(super) const fn new(slots_max: u16) -> Self {
        Self { slots: Vec::new(), slots_max }
    }

    pub(super) fn has_room(&self) -> bool {
        self.slots.len() < usize::from(self.slots_max) || self.slots.iter().any(|slot| slot.entry.is_none())
    }

    /// Gives `entry` to `client`. The caller has looked for room.
    pub(super) fn insert(&mut self, client: ClientId, entry: T) -> Handle {
        assert!(self.has_room(), "room is looked for before a socket is made");
        let index = self.slots.iter().position(|slot| slot.entry.is_none()).unwrap_or(self.slots.len());
        if index == self.slots.len() {
            self.slots.push(Slot { generation: 0, entry: None });
        }
        let slot = &mut self.slots[index];
        slot.generation = slot.generation.wrapping_add(1);
        slot.entry = Some((client, entry));
        Handle(u32::from(slot.generation) << 16 | index as u32)
    }

    /// The entry, if the handle is alive and `client`'s.
    pub(super) fn get_mut(&mut self, client: ClientId, handle: Handle) -> Option<&mut T> {
        let slot = self.slot_mut(handle)?;
        slot.entry.as_mut().filter(|(owner, _)| *owner == client).map(|(_, entry)| entry)
    }

    pub(super) fn remove(&mut self, client: ClientId, handle: Handle) -> Option<T> {
        let slot = self.slot_mut(handle)?;
        slot.entry.take_if(|(owner, _)| *owner == client).map(|(_, entry)| entry)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &T> {
        self.slots.iter().filter_map(|slot| slot.entry.as_ref().map(|(_, entry)| entry))
    }

    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = &mut T> {
        self.slots.iter_mut().filter_map(|slot| slot.entry.as_mut().map(|(_, entry)| entry))
    }

    fn slot_mut(&mut self, handle: Handle) -> Option<&mut Slot<T>> {
        let (generation, index) = ((handle.0 >> 16) as u16, handle.0 as u16);
        self.slots.get_mut(usize::from(index)).filter(|slot| slot.generation == generation)
    }
}
