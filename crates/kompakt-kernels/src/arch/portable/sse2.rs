//! Vectors of four with SSE2, which every 64-bit processor of Intel and AMD has: the same numbers as those of arrays, which the
//! compiler vectorizes in part.
#![expect(unsafe_code, reason = "vector loads and stores through pointers; the callers hold the bounds")]

use super::{FourDot, FourLanes};
use crate::isa::{Dot, Integers, Vector};
use core::arch::x86_64::*;

/// Four floats.
#[derive(Clone, Copy)]
pub(crate) struct Four(__m128);

// SAFETY of all blocks below: the callers uphold the trait's contract, which is the intrinsics' own.
impl Vector for Four {
    const N: usize = 4;
    const SUMS: usize = 8;
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
        // SAFETY: as above the block.
        Self(unsafe { _mm_set1_ps(value) })
    }
    #[inline(always)]
    unsafe fn load(at: *const f32) -> Self {
        // SAFETY: as above the block.
        Self(unsafe { _mm_loadu_ps(at) })
    }
    #[inline(always)]
    unsafe fn load_masked(at: *const f32, mask: FourLanes) -> Self {
        // SAFETY: as above the block.
        unsafe { if mask.is_all() { Self::load(at) } else { Self::load(mask.load(at).as_ptr()) } }
    }
    #[inline(always)]
    unsafe fn store(self, at: *mut f32) {
        // SAFETY: as above the block.
        unsafe { _mm_storeu_ps(at, self.0) }
    }
    #[inline(always)]
    unsafe fn store_masked(self, at: *mut f32, mask: FourLanes) {
        // SAFETY: as above the block; the array has four floats.
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
        Self(unsafe { _mm_add_ps(_mm_mul_ps(self.0, other.0), to.0) })
    }
    #[inline(always)]
    unsafe fn add(self, other: Self) -> Self {
        // SAFETY: as above the block.
        Self(unsafe { _mm_add_ps(self.0, other.0) })
    }
    // The second operand is taken where either is NaN.
    #[inline(always)]
    unsafe fn max_or_self(self, other: Self) -> Self {
        // SAFETY: as above the block.
        Self(unsafe { _mm_max_ps(other.0, self.0) })
    }
    #[inline(always)]
    unsafe fn min_or_self(self, other: Self) -> Self {
        // SAFETY: as above the block.
        Self(unsafe { _mm_min_ps(other.0, self.0) })
    }
    #[inline(always)]
    unsafe fn even_odd(low: Self, high: Self) -> [Self; 2] {
        // SAFETY: as above the block.
        unsafe {
            let (even, odd) = (_mm_shuffle_ps::<0b10_00_10_00>, _mm_shuffle_ps::<0b11_01_11_01>);
            [Self(even(low.0, high.0)), Self(odd(low.0, high.0))]
        }
    }
    #[inline(always)]
    unsafe fn interleave(even: Self, odd: Self) -> [Self; 2] {
        // SAFETY: as above the block.
        unsafe { [Self(_mm_unpacklo_ps(even.0, odd.0)), Self(_mm_unpackhi_ps(even.0, odd.0))] }
    }
    #[inline(always)]
    unsafe fn gather(idx: *const u16, x: *const f32) -> Self {
        // SAFETY: as above the block.
        unsafe {
            let [a, b, c, d] = idx.cast::<[u16; 4]>().read_unaligned().map(usize::from);
            Self(_mm_setr_ps(*x.add(a), *x.add(b), *x.add(c), *x.add(d)))
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
            let [a, b, c, d] = codes.cast::<[u8; 4]>().read().map(usize::from);
            Self(_mm_setr_ps(*levels.add(a), *levels.add(b), *levels.add(c), *levels.add(d)))
        }
    }
}

/// Even and odd bytes apart, each as 16 bits: no product saturates.
impl Dot<Four> for FourDot {
    // Even and odd bytes of the operands take registers too.
    const SUMS: usize = 8;
    #[inline(always)]
    unsafe fn dot(x: Four, w: Four, to: Four) -> Four {
        // SAFETY: as above the first block.
        unsafe {
            let [x, w, to] = [x, w, to].map(|v| _mm_castps_si128(v.0));
            let even = _mm_and_si128(x, _mm_set1_epi16(0xff));
            let odd = _mm_srli_epi16::<8>(x);
            let w_even = _mm_srai_epi16::<8>(_mm_slli_epi16::<8>(w));
            let w_odd = _mm_srai_epi16::<8>(w);
            let sum = _mm_add_epi32(to, _mm_madd_epi16(even, w_even));
            Four(_mm_castsi128_ps(_mm_add_epi32(sum, _mm_madd_epi16(odd, w_odd))))
        }
    }
}

impl Integers for Four {
    #[inline(always)]
    unsafe fn add_integers(self, other: Self) -> Self {
        // SAFETY: as above the first block.
        unsafe {
            let sum = _mm_add_epi32(_mm_castps_si128(self.0), _mm_castps_si128(other.0));
            Self(_mm_castsi128_ps(sum))
        }
    }
    #[inline(always)]
    unsafe fn to_floats(self) -> Self {
        // SAFETY: as above the first block.
        Self(unsafe { _mm_cvtepi32_ps(_mm_castps_si128(self.0)) })
    }
}
