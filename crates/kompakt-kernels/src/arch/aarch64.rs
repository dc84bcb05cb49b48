//! NEON: 128-bit vectors with fused multiply-add, thirty-two registers.
#![expect(unsafe_code, reason = "vector loads and stores through pointers; the callers hold the bounds")]

mod integers;

pub(crate) use integers::{NeonDot, NeonPairs};

use super::{Arch, portable::FourLanes};
use crate::{
    Costs,
    isa::{Job, Vector},
};
use core::arch::aarch64::*;

/// All 64-bit Arm processors of the application profile have it.
pub(crate) struct Neon;

impl Arch for Neon {
    type Narrow = F32x4;
    type Wide = F32x4;
    /// Not measured on a machine: the portable table.
    // Windows: derived from AVX2, with vectors twice as long and the same issue rate. Fewer loads
    // cross a cache line.
    const COSTS: Costs = Costs {
        tap: 404.0,
        tap_vector: 828.0,
        plane_vector: 1000.0,
        panel_codes: [300.0, 400.0],
        panel_steps: 400.0,
        panel_vector: 806.0,
        grid_input: 374.0,
        grid_output: 287.0,
        winograd_input: 2000.0,
        winograd_output: 3000.0,
        winograd_kernel: 5000.0,
        depthwise_vector: 1266.0,
        ..super::portable::Portable::COSTS
    };

    #[inline(always)]
    unsafe fn run<J: Job>(job: J) -> J::Output {
        #[target_feature(enable = "neon")]
        fn with_features<J: Job>(job: J) -> J::Output {
            // SAFETY: this function has them.
            unsafe { job.run::<Neon>() }
        }
        // SAFETY: promised by the caller.
        unsafe { with_features(job) }
    }

    #[inline(always)]
    unsafe fn transpose(x: *const f32, x_step: usize, y: *mut f32, y_step: usize) {
        // SAFETY: promised by the caller.
        unsafe {
            let (a, b) = (vld1q_f32(x), vld1q_f32(x.add(x_step)));
            let (c, d) = (vld1q_f32(x.add(2 * x_step)), vld1q_f32(x.add(3 * x_step)));
            let pairs = |v| vreinterpretq_f64_f32(v);
            let (ab_even, ab_odd) = (pairs(vtrn1q_f32(a, b)), pairs(vtrn2q_f32(a, b)));
            let (cd_even, cd_odd) = (pairs(vtrn1q_f32(c, d)), pairs(vtrn2q_f32(c, d)));
            vst1q_f32(y, vreinterpretq_f32_f64(vzip1q_f64(ab_even, cd_even)));
            vst1q_f32(y.add(y_step), vreinterpretq_f32_f64(vzip1q_f64(ab_odd, cd_odd)));
            vst1q_f32(y.add(2 * y_step), vreinterpretq_f32_f64(vzip2q_f64(ab_even, cd_even)));
            vst1q_f32(y.add(3 * y_step), vreinterpretq_f32_f64(vzip2q_f64(ab_odd, cd_odd)));
        }
    }
}

/// Four lanes.
#[derive(Clone, Copy)]
pub(crate) struct F32x4(float32x4_t);

// SAFETY of all blocks below: the callers uphold the trait's contract, which is the intrinsics' own.
impl Vector for F32x4 {
    const N: usize = 4;
    const SUMS: usize = 24;
    const FUSED: bool = true;
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
        // SAFETY: as above the block.
        Self(unsafe { vdupq_n_f32(value) })
    }
    #[inline(always)]
    unsafe fn load(at: *const f32) -> Self {
        // SAFETY: as above the block.
        Self(unsafe { vld1q_f32(at) })
    }
    #[inline(always)]
    unsafe fn load_masked(at: *const f32, mask: FourLanes) -> Self {
        // SAFETY: as above the block.
        unsafe { if mask.is_all() { Self::load(at) } else { Self::load(mask.load(at).as_ptr()) } }
    }
    #[inline(always)]
    unsafe fn store(self, at: *mut f32) {
        // SAFETY: as above the block.
        unsafe { vst1q_f32(at, self.0) }
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
        // SAFETY: as above the block.
        Self(unsafe { vfmaq_f32(to.0, self.0, other.0) })
    }
    #[inline(always)]
    unsafe fn add(self, other: Self) -> Self {
        // SAFETY: as above the block.
        Self(unsafe { vaddq_f32(self.0, other.0) })
    }
    #[inline(always)]
    unsafe fn max_or_self(self, other: Self) -> Self {
        // SAFETY: as above the block. The instruction for the maximum would give NaN where `other` is.
        Self(unsafe { vbslq_f32(vcgtq_f32(other.0, self.0), other.0, self.0) })
    }
    #[inline(always)]
    unsafe fn min_or_self(self, other: Self) -> Self {
        // SAFETY: as above the block. The instruction for the minimum would give NaN where `other` is.
        Self(unsafe { vbslq_f32(vcltq_f32(other.0, self.0), other.0, self.0) })
    }
    #[inline(always)]
    unsafe fn even_odd(low: Self, high: Self) -> [Self; 2] {
        // SAFETY: as above the block.
        unsafe { [Self(vuzp1q_f32(low.0, high.0)), Self(vuzp2q_f32(low.0, high.0))] }
    }
    #[inline(always)]
    unsafe fn interleave(even: Self, odd: Self) -> [Self; 2] {
        // SAFETY: as above the block.
        unsafe { [Self(vzip1q_f32(even.0, odd.0)), Self(vzip2q_f32(even.0, odd.0))] }
    }
    #[inline(always)]
    unsafe fn gather(idx: *const u16, x: *const f32) -> Self {
        // SAFETY: as above the block. One load of the four columns.
        unsafe {
            let columns = idx.cast::<u64>().read_unaligned();
            let v = vld1q_dup_f32(x.add((columns & 0xffff) as usize));
            let v = vld1q_lane_f32::<1>(x.add((columns >> 16 & 0xffff) as usize), v);
            let v = vld1q_lane_f32::<2>(x.add((columns >> 32 & 0xffff) as usize), v);
            Self(vld1q_lane_f32::<3>(x.add((columns >> 48) as usize), v))
        }
    }
    #[inline(always)]
    unsafe fn levels(table: &[f32; 256]) -> *const f32 {
        table.as_ptr()
    }
    #[inline(always)]
    unsafe fn look_up<const FILLERS: bool>(codes: *const u8, levels: *const f32) -> Self {
        // SAFETY: as above the block; the table has an entry for every byte, and that of a filler is past the levels: 0.
        unsafe {
            let codes = codes.cast::<u32>().read_unaligned();
            let v = vld1q_dup_f32(levels.add((codes & 0xff) as usize));
            let v = vld1q_lane_f32::<1>(levels.add((codes >> 8 & 0xff) as usize), v);
            let v = vld1q_lane_f32::<2>(levels.add((codes >> 16 & 0xff) as usize), v);
            Self(vld1q_lane_f32::<3>(levels.add((codes >> 24) as usize), v))
        }
    }
}
