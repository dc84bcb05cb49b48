//! Directories changed at random under checksums that fit: parsing them never takes much memory.

use kompakt_format::Container;
use kompakt_fuzz::{Fixtures, Mutation, TARGETS, assemble, mutate};
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
fn peak<T>(f: impl FnOnce() -> T) -> (T, usize) {
    HELD.with(|held| held.set((0, 0)));
    let result = f();
    let most = HELD.with(|held| held.get().1);
    // Wraps around where memory from before was freed.
    (result, if most > usize::MAX / 2 { 0 } else { most })
}

#[test]
fn changed_directories_are_parsed_in_little_memory() {
    let directories = TARGETS.iter().find(|target| target.name == "directory");
    let corpus = directories.map(|target| (target.corpus)(&Fixtures::of_repository())).unwrap_or_default();
    let mut random = Mutation::new(1);
    let mut n_parsed = 0;
    for i in 0..30_000 {
        let input = &corpus[i % corpus.len()];
        let end = 2 + usize::from(u16::from_le_bytes([input[0], input[1]]));
        let mut directory = input[2..end].to_vec();
        mutate(&mut directory, &mut random);
        let file = assemble(&directory, &input[end..]);
        let (parsed, held) = peak(|| Container::parse(&file));
        assert!(held <= 64 * file.len() + (64 << 10), "{held} bytes held for {}: {file:02x?}", file.len());
        n_parsed += usize::from(parsed.is_ok());
    }
    // Not all were refused by the first checks.
    assert!(n_parsed > 300, "{n_parsed}");
}
