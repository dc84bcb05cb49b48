//! Products of bytes: the dot product of Arm, and pairs of 16-bit products where it is missing.
#![expect(unsafe_code, reason = "functions for certain features call generic ones that promise nothing")]

use super::{F32x4, Neon};
use crate::{
    Costs,
    arch::Arch,
    isa::{Dot, Dots, Integers, Job},
};
use core::arch::{aarch64::*, asm};

/// Four products of signed bytes are one instruction.
pub(crate) struct NeonDot;

/// Bytes are widened to 16 bits.
pub(crate) struct NeonPairs;

impl Arch for NeonDot {
    type Narrow = Dots<F32x4, Sdot>;
    type Wide = Dots<F32x4, Sdot>;
    const COSTS: Costs = Neon::COSTS;

    #[inline(always)]
    unsafe fn run<J: Job>(job: J) -> J::Output {
        #[target_feature(enable = "neon,dotprod")]
        fn with_features<J: Job>(job: J) -> J::Output {
            // SAFETY: this function has them.
            unsafe { job.run::<NeonDot>() }
        }
        // SAFETY: promised by the caller.
        unsafe { with_features(job) }
    }
}

impl Arch for NeonPairs {
    type Narrow = Dots<F32x4, Widened>;
    type Wide = Dots<F32x4, Widened>;
    // Eleven instructions where the table counts one.
    const COSTS: Costs = Costs {
        tap_vector: 6000.0,
        plane_vector: 6000.0,
        panel_vector: 6000.0,
        dense_values: 800.0,
        sliced_values: 1000.0,
        ..Neon::COSTS
    };

    #[inline(always)]
    unsafe fn run<J: Job>(job: J) -> J::Output {
        #[target_feature(enable = "neon")]
        fn with_features<J: Job>(job: J) -> J::Output {
            // SAFETY: this function has them.
            unsafe { job.run::<NeonPairs>() }
        }
        // SAFETY: promised by the caller.
        unsafe { with_features(job) }
    }
}

/// One instruction.
#[derive(Clone, Copy)]
pub(crate) struct Sdot;

/// Products of 16 bits, added in pairs twice.
#[derive(Clone, Copy)]
pub(crate) struct Widened;

// SAFETY of all blocks below: the callers uphold the trait's contract, which is the intrinsics' own.
impl Dot<F32x4> for Sdot {
    const SUMS: usize = 24;
    #[inline(always)]
    unsafe fn dot(x: F32x4, w: F32x4, to: F32x4) -> F32x4 {
        let mut sum = to.0;
        // SAFETY: as above the block; the instruction reads and writes these registers alone.
        unsafe {
            asm!(
                ".arch_extension dotprod",
                "sdot {sum:v}.4s, {x:v}.16b, {w:v}.16b",
                sum = inout(vreg) sum,
                x = in(vreg) x.0,
                w = in(vreg) w.0,
                options(pure, nomem, nostack, preserves_flags)
            );
        }
        F32x4(sum)
    }
}

impl Dot<F32x4> for Widened {
    const SUMS: usize = 12;
    #[inline(always)]
    unsafe fn dot(x: F32x4, w: F32x4, to: F32x4) -> F32x4 {
        // SAFETY: as above the block.
        unsafe {
            let (x, w) = (vreinterpretq_u8_f32(x.0), vreinterpretq_s8_f32(w.0));
            let low = vreinterpretq_s16_u16(vmovl_u8(vget_low_u8(x)));
            let high = vreinterpretq_s16_u16(vmovl_high_u8(x));
            let (w_low, w_high) = (vmovl_s8(vget_low_s8(w)), vmovl_high_s8(w));
            let pairs = |x: int16x8_t, w: int16x8_t| {
                let first = vmull_s16(vget_low_s16(x), vget_low_s16(w));
                vpaddq_s32(first, vmull_high_s16(x, w))
            };
            let sums = vpaddq_s32(pairs(low, w_low), pairs(high, w_high));
            F32x4(vreinterpretq_f32_s32(vaddq_s32(vreinterpretq_s32_f32(to.0), sums)))
        }
    }
}

impl Integers for F32x4 {
    #[inline(always)]
    unsafe fn add_integers(self, other: Self) -> Self {
        // SAFETY: as above the block.
        unsafe {
            let sum = vaddq_s32(vreinterpretq_s32_f32(self.0), vreinterpretq_s32_f32(other.0));
            Self(vreinterpretq_f32_s32(sum))
        }
    }
    #[inline(always)]
    unsafe fn to_floats(self) -> Self {
        // SAFETY: as above the block.
        Self(unsafe { vcvtq_f32_s32(vreinterpretq_s32_f32(self.0)) })
    }
}
