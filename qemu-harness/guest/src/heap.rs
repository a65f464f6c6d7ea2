//! The heap: all memory that nothing else uses.

use core::ops::Range;
use linked_list_allocator::LockedHeap;

#[global_allocator]
static HEAP: LockedHeap = LockedHeap::empty();

/// A node with a few sessions fits; less is a wrong `-m`.
const BYTES_MIN: usize = 16 * 1024 * 1024;

/// Takes `free`, which nobody else uses from now on. To be called once, before the first allocation.
pub(crate) fn start(free: Range<usize>) {
    assert!(free.len() >= BYTES_MIN, "the machine has too little memory");
    let bottom = core::ptr::with_exposed_provenance_mut(free.start);
    // SAFETY: the caller's promise.
    unsafe { HEAP.lock().init(bottom, free.len()) }
}

/// Its size.
pub(crate) fn bytes() -> u64 {
    HEAP.lock().size() as u64
}
