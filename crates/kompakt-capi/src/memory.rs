//! Memory for callers who live outside the module and have no allocator in it: JavaScript. WebAssembly only.
#![expect(unsafe_code, reason = "an interface of pointers: what is given back was handed out here")]

use alloc::alloc::{Layout, alloc, dealloc};

/// Enough for every type of the interface.
const ALIGNMENT: usize = 16;

/// `n_bytes` of memory, not set to anything; null if there are none. To be given to `kompakt_release`.
///
/// cbindgen:ignore
#[unsafe(no_mangle)]
pub extern "C" fn kompakt_allocate(n_bytes: usize) -> *mut u8 {
    let Ok(layout) = Layout::from_size_align(n_bytes.max(1), ALIGNMENT) else { return core::ptr::null_mut() };
    // SAFETY: the size is not zero.
    unsafe { alloc(layout) }
}

/// Takes memory back. Null is allowed.
///
/// cbindgen:ignore
///
/// # Safety
/// `memory` is null or comes from `kompakt_allocate` with the same `n_bytes`, and is not used afterwards.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kompakt_release(memory: *mut u8, n_bytes: usize) {
    let Ok(layout) = Layout::from_size_align(n_bytes.max(1), ALIGNMENT) else { return };
    if !memory.is_null() {
        // SAFETY: allocated with this layout by the caller's promise.
        unsafe { dealloc(memory, layout) };
    }
}
