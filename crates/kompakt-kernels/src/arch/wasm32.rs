//! 128-bit WebAssembly SIMD, where the build may use it.
#![expect(unsafe_code, reason = "vector loads and stores through pointers; the callers hold the bounds")]

use super::{Arch, portable::FourLanes};
use crate::{
    Costs,
    isa::{Job, Vector},
};
use core::arch::wasm32::*;

/// Machines without these instructions reject a module that has them, so they are enabled for the entire
/// build or not.
pub(crate) struct Simd128;

impl Arch for Simd128 {
    type Narrow = F32x4;
    type Wide = F32x4;
    /// Not measured: the portable table.
    // `portable` on x86-64 is the same with SSE2: 128-bit multiplications and additions.
    const COSTS: Costs = super::portable::Portable::COSTS;

    #[inline(always)]
    unsafe fn run<J: Job>(job: J) -> J::Output {
        // SAFETY: the build has the feature.
        unsafe { job.run::<Self>() }
    }
}

/// Four lanes.
#[derive(Clone, Copy)]
pub(crate) struct F32x4(v128);

// SAFETY of all blocks below: the callers uphold the trait's contract, which is the intrinsics' own.
impl Vector for F32x4 {
    const N: usize = 4;
    const SUMS: usize = 12;
    const FUSED: bool = false;
    type Mask = FourLanes;
    type Levels = *const f32;

    #[inline(always)]
    unsafe fn first(n: usize) -> FourLanes {
        FourLanes::between(0, n)
    }
    #[inline(always)]
    unsafe fn between(from: usize, end: usize) -> FourLanes {
        FourLanes::between(from, end)
    }
    #[inline(always)]
    unsafe fn splat(value: f32) -> Self {
        Self(f32x4_splat(value))
    }
    #[inline(always)]
    unsafe fn load(at: *const f32) -> Self {
        // SAFETY: as above the block.
        Self(unsafe { v128_load(at.cast()) })
    }
    #[inline(always)]
    unsafe fn load_masked(at: *const f32, mask: FourLanes) -> Self {
        // SAFETY: as above the block.
        unsafe { if mask.is_all() { Self::load(at) } else { Self::load(mask.load(at).as_ptr()) } }
    }
    #[inline(always)]
    unsafe fn store(self, at: *mut f32) {
        // SAFETY: as above the block.
        unsafe { v128_store(at.cast(), self.0) }
    }
    #[inline(always)]
    unsafe fn store_masked(self, at: *mut f32, mask: FourLanes) {
        // SAFETY: as above the block.
        unsafe {
            if mask.is_all() {
                return self.store(at);
            }
            let mut lanes = [0.0; 4];
            self.store(lanes.as_mut_ptr());
            mask.store(lanes, at);
        }
    }
    #[inline(always)]
    unsafe fn mul_add(self, other: Self, to: Self) -> Self {
        Self(f32x4_add(f32x4_mul(self.0, other.0), to.0))
    }
    #[inline(always)]
    unsafe fn add(self, other: Self) -> Self {
        Self(f32x4_add(self.0, other.0))
    }
    #[inline(always)]
    unsafe fn max_or_self(self, other: Self) -> Self {
        // `self < other ? other : self`
        Self(f32x4_pmax(self.0, other.0))
    }
    #[inline(always)]
    unsafe fn min_or_self(self, other: Self) -> Self {
        // `other < self ? other : self`
        Self(f32x4_pmin(self.0, other.0))
    }
    #[inline(always)]
    unsafe fn even_odd(low: Self, high: Self) -> [Self; 2] {
        [Self(i32x4_shuffle::<0, 2, 4, 6>(low.0, high.0)), Self(i32x4_shuffle::<1, 3, 5, 7>(low.0, high.0))]
    }
    #[inline(always)]
    unsafe fn interleave(even: Self, odd: Self) -> [Self; 2] {
        [Self(i32x4_shuffle::<0, 4, 1, 5>(even.0, odd.0)), Self(i32x4_shuffle::<2, 6, 3, 7>(even.0, odd.0))]
    }
    #[inline(always)]
    unsafe fn gather(idx: *const u16, x: *const f32) -> Self {
        // SAFETY: as above the block.
        let at = |i: usize| unsafe { *x.add(usize::from(idx.add(i).read_unaligned())) };
        Self(f32x4(at(0), at(1), at(2), at(3)))
    }
    #[inline(always)]
    unsafe fn levels(table: &[f32; 256]) -> *const f32 {
        table.as_ptr()
    }
    #[inline(always)]
    unsafe fn look_up<const FILLERS: bool>(codes: *const u8, levels: *const f32) -> Self {
        // SAFETY: as above the block; the table has an entry for every byte, and that of a filler is past the levels: 0.
        let at = |i: usize| unsafe { *levels.add(usize::from(*codes.add(i))) };
        Self(f32x4(at(0), at(1), at(2), at(3)))
    }
}
