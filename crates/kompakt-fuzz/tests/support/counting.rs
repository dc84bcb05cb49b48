//! An allocator that counts the bytes that a thread holds, and their peak.

use std::{
    alloc::{GlobalAlloc, Layout, System},
    cell::Cell,
};

/// Counts the bytes that a thread holds, and their peak.
struct Counting;

thread_local! {
    static HELD: Cell<(usize, usize)> = const { Cell::new((0, 0)) };
}

// SAFETY: hands everything to the system's allocator; the count is kept beside it.
#[expect(unsafe_code, reason = "an allocator is unsafe by nature; this one measures")]
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let _ = HELD.try_with(|held| {
            let (now, most) = held.get();
            let now = now.wrapping_add(layout.size());
            held.set((now, most.max(now)));
        });
        // SAFETY: the caller's promise is passed on.
        unsafe { System.alloc(layout) }
    }
    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        let _ = HELD.try_with(|held| {
            let (now, most) = held.get();
            held.set((now.wrapping_sub(layout.size()), most));
        });
        // SAFETY: the caller's promise is passed on.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// The peak memory of `f`, in bytes.
pub(crate) fn peak<T>(f: impl FnOnce() -> T) -> (T, usize) {
    HELD.with(|held| held.set((0, 0)));
    let result = f();
    let most = HELD.with(|held| held.get().1);
    // Wraps around where memory from before was freed.
    (result, if most > usize::MAX / 2 { 0 } else { most })
}
