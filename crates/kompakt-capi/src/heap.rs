//! The module's heap: the standard library's allocator; behind a lock, where several threads share the memory. WebAssembly only.

#[cfg(not(target_feature = "atomics"))]
#[global_allocator]
static MEMORY: dlmalloc::GlobalDlmalloc = dlmalloc::GlobalDlmalloc;

#[cfg(target_feature = "atomics")]
#[global_allocator]
static MEMORY: locked::Locked = locked::Locked::new();

#[cfg(target_feature = "atomics")]
mod locked {
    #![expect(unsafe_code, reason = "an allocator")]

    use core::{
        alloc::{GlobalAlloc, Layout},
        cell::UnsafeCell,
        hint,
        sync::atomic::{AtomicBool, Ordering},
    };
    use dlmalloc::Dlmalloc;

    /// One thread at a time allocates; the others look until it has, as a page's thread may not sleep.
    pub(super) struct Locked {
        is_taken: AtomicBool,
        memory: UnsafeCell<Dlmalloc>,
    }

    // SAFETY: `with` lets one thread at a time have the memory.
    unsafe impl Sync for Locked {}

    impl Locked {
        pub(super) const fn new() -> Self {
            Self { is_taken: AtomicBool::new(false), memory: UnsafeCell::new(Dlmalloc::new()) }
        }

        fn with<T>(&self, f: impl FnOnce(&mut Dlmalloc) -> T) -> T {
            while self.is_taken.swap(true, Ordering::Acquire) {
                hint::spin_loop();
            }
            // SAFETY: no other thread is between here and the store.
            let result = f(unsafe { &mut *self.memory.get() });
            self.is_taken.store(false, Ordering::Release);
            result
        }
    }

    // SAFETY: memory is what dlmalloc hands out, to one thread at a time.
    unsafe impl GlobalAlloc for Locked {
        unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
            // SAFETY: the caller's promise.
            self.with(|memory| unsafe { memory.malloc(layout.size(), layout.align()) })
        }

        unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
            // SAFETY: the caller's promise.
            self.with(|memory| unsafe { memory.free(at, layout.size(), layout.align()) });
        }

        unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
            // SAFETY: the caller's promise.
            self.with(|memory| unsafe { memory.calloc(layout.size(), layout.align()) })
        }

        unsafe fn realloc(&self, at: *mut u8, layout: Layout, size: usize) -> *mut u8 {
            // SAFETY: the caller's promise.
            self.with(|memory| unsafe { memory.realloc(at, layout.size(), layout.align(), size) })
        }
    }
}
