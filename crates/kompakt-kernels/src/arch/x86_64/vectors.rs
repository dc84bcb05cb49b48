//! The vectors of AVX2 and AVX-512.
#![expect(unsafe_code, reason = "vector loads and stores through pointers; the callers hold the bounds")]

use crate::{isa::Vector, matrix::sliced::FILLER};
use core::arch::{asm, x86_64::*};

/// Eight lanes, AVX2 and FMA.
#[derive(Clone, Copy)]
pub(crate) struct Avx2x8(pub(super) __m256);

/// Eight lanes with mask registers, AVX-512 VL.
#[derive(Clone, Copy)]
pub(crate) struct Avx512x8(pub(super) __m256);

/// Sixteen lanes, AVX-512.
#[derive(Clone, Copy)]
pub(crate) struct Avx512x16(pub(super) __m512);

static ONES_THEN_ZEROS: [i32; 16] = [-1, -1, -1, -1, -1, -1, -1, -1, 0, 0, 0, 0, 0, 0, 0, 0];

// SAFETY of all blocks below: the callers uphold the trait's contract, which is the intrinsics' own.
impl Vector for Avx2x8 {
    const N: usize = 8;
    const SUMS: usize = 12;
    const FUSED: bool = true;
    type Mask = __m256i;
    type Levels = [__m256; 4];
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
    unsafe fn add_products<const V: usize>(sums: &mut [Self; V], x: [Self; V], weight: &f32) {
        if V != 3 {
            // SAFETY: as above the block.
            let weight = unsafe { Self::splat(*weight) };
            for v in 0..V {
                // SAFETY: as above the block.
                sums[v] = unsafe { x[v].mul_add(weight, sums[v]) };
            }
            return;
        }
        // SAFETY: as above the block.
        let of_three = unsafe { add_three([0, 1, 2].map(|v| sums[v].0), [0, 1, 2].map(|v| x[v].0), weight) };
        sums.iter_mut().zip(of_three).for_each(|(sum, new)| *sum = Self(new));
    }
    #[inline(always)]
    unsafe fn max_or_self(self, other: Self) -> Self {
        // SAFETY: as above the block. The instruction gives its second operand where either is NaN.
        Self(unsafe { _mm256_max_ps(other.0, self.0) })
    }
    #[inline(always)]
    unsafe fn min_or_self(self, other: Self) -> Self {
        // SAFETY: as above the block. The instruction gives its second operand where either is NaN.
        Self(unsafe { _mm256_min_ps(other.0, self.0) })
    }
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
    unsafe fn even_odd(low: Self, high: Self) -> [Self; 2] {
        // SAFETY: as above the first block.
        unsafe { Self::even_odd_by_parts(low, high).map(|vector| vector.parts_in_order()) }
    }
    #[inline(always)]
    unsafe fn even_odd_by_parts(low: Self, high: Self) -> [Self; 2] {
        // SAFETY: as above the first block. Each half of a vector is taken apart.
        unsafe {
            let even = _mm256_shuffle_ps::<0x88>(low.0, high.0);
            [Self(even), Self(_mm256_shuffle_ps::<0xdd>(low.0, high.0))]
        }
    }
    #[inline(always)]
    unsafe fn parts_in_order(self) -> Self {
        // SAFETY: as above the first block. Halves change places.
        Self(unsafe { _mm256_castpd_ps(_mm256_permute4x64_pd::<0xd8>(_mm256_castps_pd(self.0))) })
    }
    #[inline(always)]
    unsafe fn interleave(even: Self, odd: Self) -> [Self; 2] {
        // SAFETY: as above the first block. Each half of a vector by itself; then halves change places.
        unsafe {
            let (low, high) = (_mm256_unpacklo_ps(even.0, odd.0), _mm256_unpackhi_ps(even.0, odd.0));
            let first = _mm256_permute2f128_ps::<0x20>(low, high);
            [Self(first), Self(_mm256_permute2f128_ps::<0x31>(low, high))]
        }
    }
    #[inline(always)]
    unsafe fn gather(idx: *const u16, x: *const f32) -> Self {
        // SAFETY: as above the first block.
        Self(unsafe { gather_8(idx, x) })
    }
    #[inline(always)]
    unsafe fn levels(table: &[f32; 256]) -> [__m256; 4] {
        // SAFETY: 32 floats are in the table.
        [0, 1, 2, 3].map(|i| unsafe { _mm256_loadu_ps(table.as_ptr().add(8 * i)) })
    }
    #[inline(always)]
    unsafe fn look_up<const FILLERS: bool>(codes: *const u8, levels: [__m256; 4]) -> Self {
        // SAFETY: as above the first block.
        Self(unsafe { look_up_8::<FILLERS>(codes, levels) })
    }
}

impl Vector for Avx512x8 {
    const N: usize = 8;
    const SUMS: usize = 24;
    const FUSED: bool = true;
    type Mask = __mmask8;
    type Levels = [__m256; 4];
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
    #[inline(always)]
    unsafe fn min_or_self(self, other: Self) -> Self {
        // SAFETY: as above the first block.
        Self(unsafe { _mm256_min_ps(other.0, self.0) })
    }
    #[inline(always)]
    unsafe fn between(from: usize, end: usize) -> __mmask8 {
        debug_assert!(from <= end && end <= 8);
        ((1u32 << end) - (1u32 << from)) as u8
    }
    #[inline(always)]
    unsafe fn even_odd(low: Self, high: Self) -> [Self; 2] {
        // SAFETY: as above the first block.
        unsafe {
            let [even, odd] = Avx2x8::even_odd(Avx2x8(low.0), Avx2x8(high.0));
            [Self(even.0), Self(odd.0)]
        }
    }

    #[inline(always)]
    unsafe fn interleave(even: Self, odd: Self) -> [Self; 2] {
        // SAFETY: as above the first block.
        unsafe {
            let [low, high] = Avx2x8::interleave(Avx2x8(even.0), Avx2x8(odd.0));
            [Self(low.0), Self(high.0)]
        }
    }
    #[inline(always)]
    unsafe fn gather(idx: *const u16, x: *const f32) -> Self {
        // SAFETY: as above the first block.
        Self(unsafe { gather_8(idx, x) })
    }
    #[inline(always)]
    unsafe fn levels(table: &[f32; 256]) -> [__m256; 4] {
        // SAFETY: 32 floats are in the table.
        [0, 1, 2, 3].map(|i| unsafe { _mm256_loadu_ps(table.as_ptr().add(8 * i)) })
    }
    #[inline(always)]
    unsafe fn look_up<const FILLERS: bool>(codes: *const u8, levels: [__m256; 4]) -> Self {
        // SAFETY: as above the first block.
        Self(unsafe { look_up_8::<FILLERS>(codes, levels) })
    }
}

impl Vector for Avx512x16 {
    const N: usize = 16;
    const SUMS: usize = 28;
    const FUSED: bool = true;
    type Mask = __mmask16;
    type Levels = [__m512; 2];
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
    #[inline(always)]
    unsafe fn min_or_self(self, other: Self) -> Self {
        // SAFETY: as above the first block.
        Self(unsafe { _mm512_min_ps(other.0, self.0) })
    }
    #[inline(always)]
    unsafe fn between(from: usize, end: usize) -> __mmask16 {
        debug_assert!(from <= end && end <= 16);
        ((1u32 << end) - (1u32 << from)) as u16
    }
    #[inline(always)]
    unsafe fn even_odd(low: Self, high: Self) -> [Self; 2] {
        // SAFETY: as above the first block.
        unsafe {
            let even = _mm512_setr_epi32(0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30);
            let odd = _mm512_add_epi32(even, _mm512_set1_epi32(1));
            let even = _mm512_permutex2var_ps(low.0, even, high.0);
            let odd = _mm512_permutex2var_ps(low.0, odd, high.0);
            [Self(even), Self(odd)]
        }
    }
    #[inline(always)]
    unsafe fn interleave(even: Self, odd: Self) -> [Self; 2] {
        // SAFETY: as above the first block.
        unsafe {
            let first = _mm512_setr_epi32(0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
            let second = _mm512_add_epi32(first, _mm512_set1_epi32(8));
            let low = _mm512_permutex2var_ps(even.0, first, odd.0);
            [Self(low), Self(_mm512_permutex2var_ps(even.0, second, odd.0))]
        }
    }
    #[inline(always)]
    unsafe fn gather(idx: *const u16, x: *const f32) -> Self {
        // SAFETY: as above the first block.
        unsafe {
            let low = _mm512_castps256_ps512(gather_8(idx, x));
            Self(_mm512_insertf32x8(low, gather_8(idx.add(8), x), 1))
        }
    }
    #[inline(always)]
    unsafe fn levels(table: &[f32; 256]) -> [__m512; 2] {
        // SAFETY: 32 floats are in the table.
        [0, 1].map(|i| unsafe { _mm512_loadu_ps(table.as_ptr().add(16 * i)) })
    }
    #[inline(always)]
    unsafe fn look_up<const FILLERS: bool>(codes: *const u8, levels: [__m512; 2]) -> Self {
        // SAFETY: as above the first block.
        unsafe {
            let code = _mm512_cvtepu8_epi32(_mm_loadu_si128(codes.cast()));
            if FILLERS {
                let kept = _mm512_cmpneq_epu32_mask(code, _mm512_set1_epi32(i32::from(FILLER)));
                return Self(_mm512_maskz_permutex2var_ps(kept, levels[0], code, levels[1]));
            }
            Self(_mm512_permutex2var_ps(levels[0], code, levels[1]))
        }
    }
}

/// Adds the products of three vectors and a weight to sums.
///
/// Four rows of them take all sixteen registers, with one weight at a time: the compiler would load the next one earlier, and
/// keep a sum in memory, which then waits for itself.
#[target_feature(enable = "avx2,fma")]
#[inline]
fn add_three([mut a, mut b, mut c]: [__m256; 3], [x, y, z]: [__m256; 3], weight: &f32) -> [__m256; 3] {
    // SAFETY: the instructions are there, and read the weight alone.
    unsafe {
        asm!(
            "vbroadcastss {weight}, dword ptr [{at}]",
            "vfmadd231ps {a}, {x}, {weight}",
            "vfmadd231ps {b}, {y}, {weight}",
            "vfmadd231ps {c}, {z}, {weight}",
            weight = out(ymm_reg) _,
            at = in(reg) weight,
            a = inout(ymm_reg) a,
            b = inout(ymm_reg) b,
            c = inout(ymm_reg) c,
            x = in(ymm_reg) x,
            y = in(ymm_reg) y,
            z = in(ymm_reg) z,
            options(pure, readonly, nostack, preserves_flags),
        );
    }
    [a, b, c]
}

/// `x` at four columns. Gathering kernels are limited by loads: the columns are one load of eight bytes, and
/// on the machines measured inserts are nearly twice as fast as the gather instruction.
///
/// # Safety
/// Four readable columns, each a valid index at `x`; AVX.
#[inline(always)]
unsafe fn gather_4(idx: *const u16, x: *const f32) -> __m128 {
    // SAFETY: promised by the caller.
    unsafe {
        let columns = idx.cast::<u64>().read_unaligned();
        let a = _mm_load_ss(x.add((columns & 0xffff) as usize));
        let b = _mm_load_ss(x.add((columns >> 16 & 0xffff) as usize));
        let c = _mm_load_ss(x.add((columns >> 32 & 0xffff) as usize));
        let d = _mm_load_ss(x.add((columns >> 48) as usize));
        _mm_insert_ps(_mm_insert_ps(_mm_insert_ps(a, b, 0x10), c, 0x20), d, 0x30)
    }
}

/// # Safety
/// Eight readable columns, each a valid index at `x`; AVX.
#[inline(always)]
unsafe fn gather_8(idx: *const u16, x: *const f32) -> __m256 {
    // SAFETY: promised by the caller.
    unsafe { _mm256_insertf128_ps(_mm256_castps128_ps256(gather_4(idx, x)), gather_4(idx.add(4), x), 1) }
}

/// Eight levels of codes below 32; fillers yield zero if `FILLERS`.
///
/// # Safety
/// Eight readable codes; AVX2.
#[inline(always)]
pub(super) unsafe fn look_up_8<const FILLERS: bool>(codes: *const u8, table: [__m256; 4]) -> __m256 {
    // SAFETY: promised by the caller.
    unsafe {
        let code = _mm256_cvtepu8_epi32(_mm_loadl_epi64(codes.cast()));
        // Bits 3 and 4 of a code select one of four tables of eight; blends use the sign bit.
        let bit3 = _mm256_castsi256_ps(_mm256_slli_epi32(code, 28));
        let bit4 = _mm256_castsi256_ps(_mm256_slli_epi32(code, 27));
        let pick = |t| _mm256_permutevar8x32_ps(t, code);
        let lower = _mm256_blendv_ps(pick(table[0]), pick(table[1]), bit3);
        let upper = _mm256_blendv_ps(pick(table[2]), pick(table[3]), bit3);
        let value = _mm256_blendv_ps(lower, upper, bit4);
        if !FILLERS {
            return value;
        }
        let filler = _mm256_cmpeq_epi32(code, _mm256_set1_epi32(i32::from(FILLER)));
        _mm256_andnot_ps(_mm256_castsi256_ps(filler), value)
    }
}
