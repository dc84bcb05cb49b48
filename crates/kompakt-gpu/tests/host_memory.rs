//! Uploading holds one layer at most in the host's memory, however many there are.
//!
//! A test of its own, because its allocator counts for the whole process. What a driver in software allocates for itself is not
//! counted: that is its video memory.
#![allow(clippy::unwrap_used)]
#![expect(unsafe_code, reason = "an allocator that counts")]

use kompakt_format::Tier;
use kompakt_gpu::{Decode, Gpu, GpuExecutor, GpuOptions};
use kompakt_graph::networks;
use kompakt_runtime::Model;
use kompakt_testing::models::{checkpoint, pack};
use std::{
    alloc::{GlobalAlloc, Layout, System},
    sync::atomic::{AtomicUsize, Ordering},
};

/// Counts bytes that are held, and the most so far.
struct Counting;

static HELD: AtomicUsize = AtomicUsize::new(0);
static MOST: AtomicUsize = AtomicUsize::new(0);

#[global_allocator]
static COUNTING: Counting = Counting;

// SAFETY: everything is the system's; counting does not touch the memory.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let held = HELD.fetch_add(layout.size(), Ordering::Relaxed) + layout.size();
        MOST.fetch_max(held, Ordering::Relaxed);
        // SAFETY: the caller's promise.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        HELD.fetch_sub(layout.size(), Ordering::Relaxed);
        // SAFETY: the caller's promise.
        unsafe { System.dealloc(at, layout) }
    }
}

/// The most bytes held while a network with that many layers of 1024 x 1024 weights is uploaded, and what stays.
fn held(gpu: &Gpu, n_layers: usize, tier: Tier, decode: Decode) -> (usize, usize) {
    let graph = networks::mlp(&[1024], &vec![1024; n_layers], 10).unwrap();
    let bytes = pack(&checkpoint(graph, 5, |_| (0.2, 16)), tier);
    let model = Model::from_bytes(&bytes).unwrap();
    let mut options = GpuOptions::default();
    options.decode = decode;
    let before = HELD.load(Ordering::Relaxed);
    MOST.store(before, Ordering::Relaxed);
    let executor = GpuExecutor::new(gpu, &model, 1, &options).unwrap();
    let (most, after) = (MOST.load(Ordering::Relaxed), HELD.load(Ordering::Relaxed));
    drop(executor);
    (most - before, after.saturating_sub(before))
}

#[test]
fn uploading_holds_one_layer_at_most() {
    let gpu = match Gpu::open(None, true) {
        Ok(gpu) => gpu,
        Err(error) => {
            assert!(!std::env::var("CI").is_ok_and(|value| value == "true"), "{error}");
            println!("not tested here: {error}");
            return;
        }
    };
    // 20 % of 1024 x 1024 weights: a byte each for the code, four for the column, two lists of those at most.
    let layer = 1024 * 1024 / 5 * 10;
    for (tier, decode) in
        [(Tier::Direct, Decode::Load), (Tier::Stream, Decode::Load), (Tier::Stream, Decode::Host)]
    {
        // Pipelines are made once.
        held(&gpu, 1, tier, decode);
        let [few, many] = [2, 6].map(|n| held(&gpu, n, tier, decode));
        println!("{tier:?}, decoded by {decode}: most and staying bytes of 2 layers {few:?}, of 6 {many:?}");
        assert!(many.0 < few.0 + layer / 4, "{tier:?} {decode}: {few:?} {many:?}");
        assert!(many.1 < layer / 4, "{tier:?} {decode}: {many:?}");
    }
}
