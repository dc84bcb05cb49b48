//! An allocator that hands out one array from start to end, starts again when everything was given back, and counts.

use core::{
    alloc::{GlobalAlloc, Layout},
    cell::UnsafeCell,
    sync::atomic::{AtomicUsize, Ordering::Relaxed},
};

/// The board's memory, less what the stack takes. The peak use is far less: see [`peak_bytes`].
const ARRAY_BYTES: usize = 3 << 20;

#[repr(align(16))]
struct Memory(UnsafeCell<[u8; ARRAY_BYTES]>);

// SAFETY: one core, no interrupts: what `NEXT` has passed is used by its owner alone.
unsafe impl Sync for Memory {}

static MEMORY: Memory = Memory(UnsafeCell::new([0; ARRAY_BYTES]));
/// Bytes of the array that were handed out.
static NEXT: AtomicUsize = AtomicUsize::new(0);
/// Bytes in use, and their peak.
static LIVE: AtomicUsize = AtomicUsize::new(0);
static PEAK: AtomicUsize = AtomicUsize::new(0);

struct Heap;

#[global_allocator]
static HEAP: Heap = Heap;

// SAFETY: parts handed out do not overlap while any is in use; a part that is too large is refused with null.
unsafe impl GlobalAlloc for Heap {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let start = NEXT.load(Relaxed).next_multiple_of(layout.align());
        match start.checked_add(layout.size()).filter(|end| *end <= ARRAY_BYTES) {
            Some(end) => {
                NEXT.store(end, Relaxed);
                let live = LIVE.fetch_add(layout.size(), Relaxed) + layout.size();
                PEAK.fetch_max(live, Relaxed);
                // SAFETY: `start` is inside the array.
                unsafe { MEMORY.0.get().cast::<u8>().add(start) }
            }
            None => core::ptr::null_mut(),
        }
    }

    unsafe fn dealloc(&self, _: *mut u8, layout: Layout) {
        if LIVE.fetch_sub(layout.size(), Relaxed) == layout.size() {
            NEXT.store(0, Relaxed);
        }
    }
}

/// Resets the peak.
pub(crate) fn restart() {
    PEAK.store(LIVE.load(Relaxed), Relaxed);
}

/// Peak bytes in use since [`restart`].
pub(crate) fn peak_bytes() -> usize {
    PEAK.load(Relaxed)
}
