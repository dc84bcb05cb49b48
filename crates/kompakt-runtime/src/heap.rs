//! A heap in one piece of memory that the program gives, for machines without an allocator of their own.
//!
//! ```text
//! | in use | free: size, next ─┐ | in use | free: size, next ─► nothing
//!                              └──────────┘
//! ```
//!
//! Free parts form a list by address. An allocation takes the first part that is large enough, and what is freed is joined with
//! its neighbours. A part in use has no header: its owner knows its size.
//!
//! Not here: several threads, or interrupts that allocate.
#![expect(unsafe_code, reason = "an allocator hands out memory by address")]

use core::{
    alloc::{GlobalAlloc, Layout},
    cell::Cell,
    ptr::{self, NonNull},
};

/// Parts start and end at multiples of this.
const UNIT: usize = 16;

/// The start of a free part. Two words: it fits into a unit.
struct Free {
    n_bytes: usize,
    next: Option<NonNull<Free>>,
}

/// See the [module page](self). For `#[global_allocator]`; everything is refused until memory was given.
pub struct Heap {
    first: Cell<Option<NonNull<Free>>>,
    live: Cell<usize>,
    peak: Cell<usize>,
}

// SAFETY: `Heap::new` asks that nothing runs beside it.
unsafe impl Sync for Heap {}

impl Heap {
    /// A heap without memory.
    ///
    /// # Safety
    /// One thread uses it, and no interrupt does.
    pub const unsafe fn new() -> Self {
        Self { first: Cell::new(None), live: Cell::new(0), peak: Cell::new(0) }
    }

    /// Adds memory to it.
    pub fn give(&self, memory: &'static mut [u8]) {
        let skipped = memory.as_ptr().align_offset(UNIT).min(memory.len());
        let memory = &mut memory[skipped..];
        let n_bytes = memory.len() / UNIT * UNIT;
        if n_bytes > 0 {
            // SAFETY: the memory is the heap's from here on, aligned, and a whole number of units.
            unsafe { self.insert(memory.as_mut_ptr(), n_bytes) }
        }
    }

    /// Bytes in use, rounded up to units.
    pub fn live_bytes(&self) -> usize {
        self.live.get()
    }

    /// The most bytes in use at once since [`Heap::restart`].
    pub fn peak_bytes(&self) -> usize {
        self.peak.get()
    }

    /// Resets the peak to what is in use.
    pub fn restart(&self) {
        self.peak.set(self.live.get());
    }

    /// Bytes that an allocation takes; `None` if it is too large for any memory.
    fn size(layout: Layout) -> Option<usize> {
        layout.size().max(1).checked_next_multiple_of(UNIT)
    }

    /// Puts a part into the list, joined with free neighbours.
    ///
    /// # Safety
    /// The part is nobody's, aligned, and a whole number of units.
    unsafe fn insert(&self, start: *mut u8, n_bytes: usize) {
        let (mut before, mut after) = (None::<NonNull<Free>>, self.first.get());
        while let Some(part) = after.filter(|part| part.as_ptr().cast::<u8>() < start) {
            before = after;
            // SAFETY: parts of the list are free, and start with a `Free`.
            after = unsafe { part.as_ref() }.next;
        }
        let mut free = Free { n_bytes, next: after };
        if let Some(next) = after.filter(|next| next.as_ptr().cast::<u8>() == start.wrapping_add(n_bytes)) {
            // SAFETY: as above.
            let next = unsafe { next.as_ref() };
            free.n_bytes += next.n_bytes;
            free.next = next.next;
        }
        if let Some(mut before) = before {
            // SAFETY: as above; no other reference to it is alive.
            let before = unsafe { before.as_mut() };
            if ptr::from_ref(before).cast::<u8>().wrapping_add(before.n_bytes) == start.cast_const() {
                before.n_bytes += free.n_bytes;
                before.next = free.next;
                return;
            }
            before.next = NonNull::new(start.cast());
        } else {
            self.first.set(NonNull::new(start.cast()));
        }
        // SAFETY: the part is the list's now, aligned to a unit, and at least one unit long.
        unsafe { start.cast::<Free>().write(free) };
    }

    /// Takes the first part of the list that has room; what is left of it on either side stays.
    fn take(&self, n_bytes: usize, align: usize) -> Option<*mut u8> {
        let (mut before, mut at) = (None::<NonNull<Free>>, self.first.get());
        while let Some(part) = at {
            // SAFETY: parts of the list are free, and start with a `Free`.
            let Free { n_bytes: held, next } = unsafe { part.as_ptr().read() };
            let start = part.as_ptr().cast::<u8>();
            let skipped = start.align_offset(align.max(UNIT));
            if skipped.checked_add(n_bytes).is_some_and(|end| end <= held) {
                match before {
                    // SAFETY: as above; no other reference to it is alive.
                    Some(mut before) => unsafe { before.as_mut() }.next = next,
                    None => self.first.set(next),
                }
                let own = start.wrapping_add(skipped);
                let rest = held - skipped - n_bytes;
                if skipped > 0 {
                    // SAFETY: the part was taken out of the list; its front is a whole number of units.
                    unsafe { self.insert(start, skipped) };
                }
                if rest > 0 {
                    // SAFETY: as above, its end.
                    unsafe { self.insert(own.wrapping_add(n_bytes), rest) };
                }
                return Some(own);
            }
            (before, at) = (at, next);
        }
        None
    }
}

// SAFETY: parts in use do not overlap, and are aligned as asked; what has no room is refused with null.
unsafe impl GlobalAlloc for Heap {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let Some(n_bytes) = Self::size(layout) else { return ptr::null_mut() };
        let Some(start) = self.take(n_bytes, layout.align()) else { return ptr::null_mut() };
        self.live.set(self.live.get() + n_bytes);
        self.peak.set(self.peak.get().max(self.live.get()));
        start
    }

    unsafe fn dealloc(&self, start: *mut u8, layout: Layout) {
        let Some(n_bytes) = Self::size(layout) else { return };
        self.live.set(self.live.get() - n_bytes);
        // SAFETY: the part was handed out with this layout, and its owner gives it back.
        unsafe { self.insert(start, n_bytes) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::{boxed::Box, vec, vec::Vec};

    /// Memory for one test, which is not returned.
    fn memory(n_bytes: usize) -> &'static mut [u8] {
        Box::leak(vec![0u8; n_bytes].into_boxed_slice())
    }

    #[test]
    fn parts_do_not_overlap_and_all_comes_back() {
        // SAFETY: one thread.
        let heap = unsafe { Heap::new() };
        let one = Layout::new::<u8>();
        // SAFETY: a layout that is not empty.
        assert!(unsafe { heap.alloc(one) }.is_null(), "it has no memory yet");
        heap.give(memory(10_000));
        let mut live: Vec<(*mut u8, Layout, u8)> = Vec::new();
        let mut dice = 1u32;
        let mut n_refused = 0;
        for round in 0..20_000u32 {
            dice = dice.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let value = (round % 251) as u8;
            if dice >> 31 == 0 || live.is_empty() {
                let layout =
                    Layout::from_size_align((dice >> 8) as usize % 700, 1 << ((dice >> 20) % 8)).unwrap();
                // SAFETY: it is checked for null, and written within its size.
                let start = unsafe { heap.alloc(layout) };
                if start.is_null() {
                    n_refused += 1;
                    continue;
                }
                assert_eq!(start as usize % layout.align(), 0);
                // SAFETY: as above.
                unsafe { start.write_bytes(value, layout.size()) };
                live.push((start, layout, value));
            } else {
                let (start, layout, value) = live.swap_remove(dice as usize % live.len());
                // SAFETY: it was handed out with that size.
                let bytes = unsafe { core::slice::from_raw_parts(start, layout.size()) };
                assert!(bytes.iter().all(|&b| b == value), "a part was written by another owner");
                // SAFETY: it was handed out with that layout.
                unsafe { heap.dealloc(start, layout) };
            }
        }
        assert!(n_refused > 100 && heap.peak_bytes() > 5_000, "{n_refused} refused, {}", heap.peak_bytes());
        for (start, layout, _) in live.drain(..) {
            // SAFETY: it was handed out with that layout.
            unsafe { heap.dealloc(start, layout) };
        }
        assert_eq!(heap.live_bytes(), 0);
        // All parts are joined again.
        let all = Layout::from_size_align(9_900, 1).unwrap();
        // SAFETY: a layout that is not empty.
        assert!(!unsafe { heap.alloc(all) }.is_null());
        // SAFETY: as above.
        assert!(unsafe { heap.alloc(Layout::from_size_align(isize::MAX as usize, 1).unwrap()) }.is_null());
    }
}
