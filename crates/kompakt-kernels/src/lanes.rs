//! Vectors of f32, one type for each way of having them, behind one trait.
//!
//! Kernels are written once over [`Lanes`] and compiled for each instruction set by a function that enables its
//! features. Everything here is `inline(always)`, so that the instructions land in those functions.
#![expect(unsafe_code, reason = "vector loads and stores through pointers; the callers hold the bounds")]

use core::arch::x86_64::*;

/// A vector of f32.
///
/// # Safety
/// Every method needs the instruction set of its type; loads and stores need as many valid floats at the pointer as
/// the vector has lanes, or as the mask has ones.
pub(crate) trait Lanes: Copy {
    /// How many lanes.
    const N: usize;
    /// Which lanes take part.
    type Mask: Copy;
    /// The first `n` lanes, `1 <= n <= N`.
    unsafe fn first(n: usize) -> Self::Mask;
    unsafe fn splat(value: f32) -> Self;
    unsafe fn load(at: *const f32) -> Self;
    unsafe fn load_masked(at: *const f32, mask: Self::Mask) -> Self;
    unsafe fn store(self, at: *mut f32);
    unsafe fn store_masked(self, at: *mut f32, mask: Self::Mask);
    /// `self * other + to`, rounded once.
    unsafe fn mul_add(self, other: Self, to: Self) -> Self;
    unsafe fn add(self, other: Self) -> Self;
    /// The larger; `self` where either is NaN.
    unsafe fn max_or_self(self, other: Self) -> Self;
}

/// What strips of a plane need besides.
///
/// # Safety
/// As [`Lanes`]. Masked loads may begin anywhere: only lanes of the mask are read.
pub(crate) trait Strips: Lanes {
    /// Lanes `from..end`, `from <= end <= N`.
    unsafe fn between(from: usize, end: usize) -> Self::Mask;
    /// The even and the odd of the elements of both, end to end.
    unsafe fn apart(low: Self, high: Self) -> [Self; 2];
}

/// Eight lanes, AVX2 and FMA.
#[derive(Clone, Copy)]
pub(crate) struct Avx2x8(__m256);

/// Eight lanes with mask registers, AVX-512 VL.
#[derive(Clone, Copy)]
pub(crate) struct Avx512x8(__m256);

/// Sixteen lanes, AVX-512.
#[derive(Clone, Copy)]
pub(crate) struct Avx512x16(__m512);

static ONES_THEN_ZEROS: [i32; 16] = [-1, -1, -1, -1, -1, -1, -1, -1, 0, 0, 0, 0, 0, 0, 0, 0];

// SAFETY of all blocks below: the callers uphold the trait's contract, which is the intrinsics' own.
impl Lanes for Avx2x8 {
    const N: usize = 8;
    type Mask = __m256i;
    #[inline(always)]
    unsafe fn first(n: usize) -> __m256i {
        debug_assert!((1..=8).contains(&n));
        // SAFETY: 8 - n is at most 7, so eight i32 follow.
        unsafe { _mm256_loadu_si256(ONES_THEN_ZEROS.as_ptr().add(8 - n).cast()) }
    }
    #[inline(always)]
    unsafe fn splat(value: f32) -> Self {
        // SAFETY: as above the block.
        Self(unsafe { _mm256_set1_ps(value) })
    }
    #[inline(always)]
    unsafe fn load(at: *const f32) -> Self {
        // SAFETY: as above the block.
        Self(unsafe { _mm256_loadu_ps(at) })
    }
    #[inline(always)]
    unsafe fn load_masked(at: *const f32, mask: __m256i) -> Self {
        // SAFETY: as above the block.
        Self(unsafe { _mm256_maskload_ps(at, mask) })
    }
    #[inline(always)]
    unsafe fn store(self, at: *mut f32) {
        // SAFETY: as above the block.
        unsafe { _mm256_storeu_ps(at, self.0) }
    }
    #[inline(always)]
    unsafe fn store_masked(self, at: *mut f32, mask: __m256i) {
        // SAFETY: as above the block.
        unsafe { _mm256_maskstore_ps(at, mask, self.0) }
    }
    #[inline(always)]
    unsafe fn mul_add(self, other: Self, to: Self) -> Self {
        // SAFETY: as above the block.
        Self(unsafe { _mm256_fmadd_ps(self.0, other.0, to.0) })
    }
    #[inline(always)]
    unsafe fn add(self, other: Self) -> Self {
        // SAFETY: as above the block.
        Self(unsafe { _mm256_add_ps(self.0, other.0) })
    }
    #[inline(always)]
    unsafe fn max_or_self(self, other: Self) -> Self {
        // SAFETY: as above the block. The instruction gives its second operand where either is NaN.
        Self(unsafe { _mm256_max_ps(other.0, self.0) })
    }
}

impl Lanes for Avx512x8 {
    const N: usize = 8;
    type Mask = __mmask8;
    #[inline(always)]
    unsafe fn first(n: usize) -> __mmask8 {
        debug_assert!((1..=8).contains(&n));
        0xff >> (8 - n)
    }
    #[inline(always)]
    unsafe fn splat(value: f32) -> Self {
        // SAFETY: as above the first block.
        Self(unsafe { _mm256_set1_ps(value) })
    }
    #[inline(always)]
    unsafe fn load(at: *const f32) -> Self {
        // SAFETY: as above the first block.
        Self(unsafe { _mm256_loadu_ps(at) })
    }
    #[inline(always)]
    unsafe fn load_masked(at: *const f32, mask: __mmask8) -> Self {
        // SAFETY: as above the first block.
        Self(unsafe { _mm256_maskz_loadu_ps(mask, at) })
    }
    #[inline(always)]
    unsafe fn store(self, at: *mut f32) {
        // SAFETY: as above the first block.
        unsafe { _mm256_storeu_ps(at, self.0) }
    }
    #[inline(always)]
    unsafe fn store_masked(self, at: *mut f32, mask: __mmask8) {
        // SAFETY: as above the first block.
        unsafe { _mm256_mask_storeu_ps(at, mask, self.0) }
    }
    #[inline(always)]
    unsafe fn mul_add(self, other: Self, to: Self) -> Self {
        // SAFETY: as above the first block.
        Self(unsafe { _mm256_fmadd_ps(self.0, other.0, to.0) })
    }
    #[inline(always)]
    unsafe fn add(self, other: Self) -> Self {
        // SAFETY: as above the first block.
        Self(unsafe { _mm256_add_ps(self.0, other.0) })
    }
    #[inline(always)]
    unsafe fn max_or_self(self, other: Self) -> Self {
        // SAFETY: as above the first block.
        Self(unsafe { _mm256_max_ps(other.0, self.0) })
    }
}

impl Lanes for Avx512x16 {
    const N: usize = 16;
    type Mask = __mmask16;
    #[inline(always)]
    unsafe fn first(n: usize) -> __mmask16 {
        debug_assert!((1..=16).contains(&n));
        0xffff >> (16 - n)
    }
    #[inline(always)]
    unsafe fn splat(value: f32) -> Self {
        // SAFETY: as above the first block.
        Self(unsafe { _mm512_set1_ps(value) })
    }
    #[inline(always)]
    unsafe fn load(at: *const f32) -> Self {
        // SAFETY: as above the first block.
        Self(unsafe { _mm512_loadu_ps(at) })
    }
    #[inline(always)]
    unsafe fn load_masked(at: *const f32, mask: __mmask16) -> Self {
        // SAFETY: as above the first block.
        Self(unsafe { _mm512_maskz_loadu_ps(mask, at) })
    }
    #[inline(always)]
    unsafe fn store(self, at: *mut f32) {
        // SAFETY: as above the first block.
        unsafe { _mm512_storeu_ps(at, self.0) }
    }
    #[inline(always)]
    unsafe fn store_masked(self, at: *mut f32, mask: __mmask16) {
        // SAFETY: as above the first block.
        unsafe { _mm512_mask_storeu_ps(at, mask, self.0) }
    }
    #[inline(always)]
    unsafe fn mul_add(self, other: Self, to: Self) -> Self {
        // SAFETY: as above the first block.
        Self(unsafe { _mm512_fmadd_ps(self.0, other.0, to.0) })
    }
    #[inline(always)]
    unsafe fn add(self, other: Self) -> Self {
        // SAFETY: as above the first block.
        Self(unsafe { _mm512_add_ps(self.0, other.0) })
    }
    #[inline(always)]
    unsafe fn max_or_self(self, other: Self) -> Self {
        // SAFETY: as above the first block.
        Self(unsafe { _mm512_max_ps(other.0, self.0) })
    }
}

impl Strips for Avx2x8 {
    #[inline(always)]
    unsafe fn between(from: usize, end: usize) -> __m256i {
        debug_assert!(from <= end && end <= 8);
        // SAFETY: both are at most 8, so eight i32 follow.
        unsafe {
            let before = _mm256_loadu_si256(ONES_THEN_ZEROS.as_ptr().add(8 - from).cast());
            let all = _mm256_loadu_si256(ONES_THEN_ZEROS.as_ptr().add(8 - end).cast());
            _mm256_andnot_si256(before, all)
        }
    }
    #[inline(always)]
    unsafe fn apart(low: Self, high: Self) -> [Self; 2] {
        // SAFETY: as above the first block. Each half of a vector is taken apart; then halves change places.
        unsafe {
            let even = _mm256_castps_pd(_mm256_shuffle_ps::<0x88>(low.0, high.0));
            let odd = _mm256_castps_pd(_mm256_shuffle_ps::<0xdd>(low.0, high.0));
            let even = _mm256_castpd_ps(_mm256_permute4x64_pd::<0xd8>(even));
            let odd = _mm256_castpd_ps(_mm256_permute4x64_pd::<0xd8>(odd));
            [Self(even), Self(odd)]
        }
    }
}

impl Strips for Avx512x16 {
    #[inline(always)]
    unsafe fn between(from: usize, end: usize) -> __mmask16 {
        debug_assert!(from <= end && end <= 16);
        ((1u32 << end) - (1u32 << from)) as u16
    }
    #[inline(always)]
    unsafe fn apart(low: Self, high: Self) -> [Self; 2] {
        // SAFETY: as above the first block.
        unsafe {
            let even = _mm512_setr_epi32(0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30);
            let odd = _mm512_add_epi32(even, _mm512_set1_epi32(1));
            let even = _mm512_permutex2var_ps(low.0, even, high.0);
            let odd = _mm512_permutex2var_ps(low.0, odd, high.0);
            [Self(even), Self(odd)]
        }
    }
}
