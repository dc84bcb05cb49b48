//! Memory that ends at an inaccessible page: a read or write past the end kills the test.
//!
//! ```text
//! Page:       | .......... the last n bytes | no access |
//! Allocator:  | ... one allocation | no access | ... the next allocation | no access | ...
//! ```
//!
//! [`Page`] is for slices that a test hands to the code under test. [`Allocator`] guards what that code allocates by
//! itself. Where there is no `mmap`, both are plain memory and detect nothing.
#![expect(unsafe_code, reason = "a page without access rights cannot be had otherwise")]

use core::{
    alloc::{GlobalAlloc, Layout},
    cell::Cell,
    sync::atomic::{AtomicUsize, Ordering},
};
use std::alloc::System;

/// At least as long as a page of any machine that tests run on, and a multiple of it.
const GUARD: usize = 1 << 16;

/// Memory whose end is followed by an inaccessible page.
#[derive(Debug)]
pub struct Page {
    /// `len` bytes, then `GUARD` without access. Floats may begin wherever a multiple of four bytes is left.
    start: *mut u8,
    len: usize,
}

impl Page {
    /// Room for at least `len` bytes.
    ///
    /// Panics: if the system has no such memory.
    pub fn new(len: usize) -> Self {
        let len = len.next_multiple_of(GUARD).max(GUARD);
        Self { start: system::map(len, GUARD), len }
    }

    /// The last `n` bytes before the guard. Panics: if there is no room for them.
    pub fn end(&mut self, n: usize) -> &mut [u8] {
        assert!(n <= self.len, "{n} bytes of {}", self.len);
        // SAFETY: `n` bytes of the mapping, borrowed as long as `self` is.
        unsafe { core::slice::from_raw_parts_mut(self.start.add(self.len - n), n) }
    }

    /// The last `n` floats before the guard. Panics: if there is no room for them.
    pub fn floats(&mut self, n: usize) -> &mut [f32] {
        let bytes = self.end(n * size_of::<f32>());
        // SAFETY: as many bytes; the mapping ends at a page, so floats before its end are aligned; any bits are floats.
        unsafe { core::slice::from_raw_parts_mut(bytes.as_mut_ptr().cast(), n) }
    }

    /// A copy of `values` right before the guard.
    pub fn copy(&mut self, values: &[f32]) -> &mut [f32] {
        let room = self.floats(values.len());
        room.copy_from_slice(values);
        room
    }
}

impl Drop for Page {
    fn drop(&mut self) {
        system::unmap(self.start, self.len, GUARD);
    }
}

/// An allocator that puts a guard after each allocation made within [`guarded`], and makes its memory
/// inaccessible once it is freed. Declare it in a test program:
///
/// ```ignore
/// #[global_allocator]
/// static ALLOCATOR: kompakt_testing::guard::Allocator = kompakt_testing::guard::Allocator::new();
/// ```
#[derive(Debug)]
pub struct Allocator {
    /// The first byte of the reserved addresses; 0 until they are reserved.
    start: AtomicUsize,
    /// How many of them are handed out. They are never reused.
    used: AtomicUsize,
}

/// Addresses that an [`Allocator`] can hand out in its lifetime.
const RESERVED: usize = if cfg!(target_pointer_width = "64") { 1 << 35 } else { 1 << 28 };

std::thread_local! {
    static GUARDED: Cell<bool> = const { Cell::new(false) };
}

/// Runs `f`, whose allocations on this thread are guarded if the program's allocator is an [`Allocator`].
pub fn guarded<T>(f: impl FnOnce() -> T) -> T {
    struct Until(bool);
    impl Drop for Until {
        fn drop(&mut self) {
            GUARDED.set(self.0);
        }
    }
    let _until = Until(GUARDED.replace(true));
    f()
}

impl Allocator {
    /// An allocator that guards nothing yet.
    #[expect(clippy::new_without_default, reason = "made once, in a static")]
    pub const fn new() -> Self {
        Self { start: AtomicUsize::new(0), used: AtomicUsize::new(0) }
    }

    /// Whether this is memory of the reserved addresses.
    fn owns(&self, at: *mut u8) -> bool {
        let start = self.start.load(Ordering::Acquire);
        start != 0 && (at as usize).wrapping_sub(start) < RESERVED
    }

    /// The first of the reserved addresses; null if the reservation failed.
    fn start(&self) -> *mut u8 {
        let start = self.start.load(Ordering::Acquire);
        if start != 0 {
            return core::ptr::with_exposed_provenance_mut(start);
        }
        let new = system::reserve(RESERVED);
        if new.is_null() {
            return new;
        }
        let address = new.expose_provenance();
        match self.start.compare_exchange(0, address, Ordering::AcqRel, Ordering::Acquire) {
            Ok(_) => new,
            Err(other) => {
                system::unmap(new, RESERVED, 0);
                core::ptr::with_exposed_provenance_mut(other)
            }
        }
    }
}

// SAFETY: each allocation uses addresses that were never handed out before, or is the system's.
unsafe impl GlobalAlloc for Allocator {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let is_guarded = GUARDED.try_with(Cell::get).unwrap_or(false) && layout.align() <= GUARD;
        let start = if is_guarded { self.start() } else { core::ptr::null_mut() };
        if start.is_null() {
            // SAFETY: passed on.
            return unsafe { System.alloc(layout) };
        }
        let Some(room) = layout.size().checked_next_multiple_of(GUARD) else { return core::ptr::null_mut() };
        let at = self.used.fetch_add(room + GUARD, Ordering::Relaxed);
        if at.saturating_add(room + GUARD) > RESERVED {
            return core::ptr::null_mut();
        }
        // SAFETY: within the reserved addresses.
        let first = unsafe { start.add(at) };
        if !system::open(first, room) {
            return core::ptr::null_mut();
        }
        // Ends at the guard, up to alignment.
        let skip = (room - layout.size()) & !(layout.align() - 1);
        // SAFETY: within the part that was opened.
        unsafe { first.add(skip) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        if self.owns(at) {
            // `alloc` gave out less than `GUARD` before it, so this is where its pages begin.
            let first = at.map_addr(|at| at & !(GUARD - 1));
            system::close(first, layout.size().next_multiple_of(GUARD));
        } else {
            // SAFETY: passed on.
            unsafe { System.dealloc(at, layout) }
        }
    }
}

#[cfg(unix)]
mod system {
    use libc::{MAP_ANONYMOUS, MAP_NORESERVE, MAP_PRIVATE, PROT_NONE, PROT_READ, PROT_WRITE};

    fn map_with(len: usize, access: i32, flags: i32) -> *mut u8 {
        // SAFETY: a new mapping, at a place of the system's choosing.
        let start = unsafe {
            libc::mmap(core::ptr::null_mut(), len, access, MAP_PRIVATE | MAP_ANONYMOUS | flags, -1, 0)
        };
        if start == libc::MAP_FAILED { core::ptr::null_mut() } else { start.cast() }
    }

    /// `len` bytes, then `guard` without access.
    pub(super) fn map(len: usize, guard: usize) -> *mut u8 {
        let start = map_with(len + guard, PROT_READ | PROT_WRITE, 0);
        assert!(!start.is_null(), "no memory");
        // SAFETY: within the mapping, and a multiple of the page size.
        let failed = unsafe { libc::mprotect(start.add(len).cast(), guard, PROT_NONE) };
        assert_eq!(failed, 0);
        start
    }

    pub(super) fn unmap(start: *mut u8, len: usize, guard: usize) {
        // SAFETY: a mapping of this module; nothing borrows it any more.
        unsafe { libc::munmap(start.cast(), len + guard) };
    }

    /// Addresses without memory, null if there are none. They begin at a multiple of the guard.
    pub(super) fn reserve(len: usize) -> *mut u8 {
        let start = map_with(len + super::GUARD, PROT_NONE, MAP_NORESERVE);
        if start.is_null() { start } else { start.map_addr(|at| at.next_multiple_of(super::GUARD)) }
    }

    /// Gives reserved addresses memory.
    pub(super) fn open(at: *mut u8, len: usize) -> bool {
        // SAFETY: reserved addresses that nobody uses yet.
        len == 0 || unsafe { libc::mprotect(at.cast(), len, PROT_READ | PROT_WRITE) } == 0
    }

    /// Takes the memory away again.
    pub(super) fn close(at: *mut u8, len: usize) {
        if len > 0 {
            // SAFETY: an allocation that was freed. A new mapping over the old one: its memory is given back.
            unsafe {
                let flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | libc::MAP_FIXED;
                libc::mmap(at.cast(), len, PROT_NONE, flags, -1, 0);
            }
        }
    }
}

#[cfg(not(unix))]
mod system {
    use std::alloc::{Layout, alloc_zeroed, dealloc};

    fn layout(len: usize) -> Layout {
        Layout::from_size_align(len, 64).expect("a length")
    }

    pub(super) fn map(len: usize, _: usize) -> *mut u8 {
        // SAFETY: the length is above zero.
        let start = unsafe { alloc_zeroed(layout(len)) };
        assert!(!start.is_null(), "no memory");
        start
    }

    pub(super) fn unmap(start: *mut u8, len: usize, _: usize) {
        // SAFETY: made by `map` with that length.
        unsafe { dealloc(start, layout(len)) }
    }

    pub(super) fn reserve(_: usize) -> *mut u8 {
        core::ptr::null_mut()
    }

    pub(super) fn open(_: *mut u8, _: usize) -> bool {
        false
    }

    pub(super) fn close(_: *mut u8, _: usize) {}
}
