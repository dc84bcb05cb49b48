//! The loader's heap: one array.

use core::cell::UnsafeCell;
use kompakt_runtime::Heap;

/// What verifying the largest file of tier `smallest` takes; the digit network needs a tenth of it.
const BYTES: usize = 1_000_000;

struct Memory(UnsafeCell<[u8; BYTES]>);

// SAFETY: `give` alone takes it, once.
unsafe impl Sync for Memory {}

static MEMORY: Memory = Memory(UnsafeCell::new([0; BYTES]));

// SAFETY: one core, no interrupts.
#[global_allocator]
static HEAP: Heap = unsafe { Heap::new() };

/// Gives the array to the heap. Called once, first.
pub(crate) fn give() {
    // SAFETY: nothing else refers to the array.
    HEAP.give(unsafe { &mut *MEMORY.0.get() });
}

/// Resets the peak.
pub(crate) fn restart() {
    HEAP.restart();
}

/// Peak bytes in use since [`restart`].
pub(crate) fn peak_bytes() -> usize {
    HEAP.peak_bytes()
}
