//! Products of bytes: AVX-512 VNNI, AVX-VNNI, and pairs of 16-bit products with AVX2.
#![expect(unsafe_code, reason = "functions for certain features call generic ones that promise nothing")]

use super::{
    Avx2, Avx512,
    vectors::{Avx2x8, Avx512x8, Avx512x16},
};
use crate::{
    Costs,
    arch::Arch,
    isa::{Dot, Dots, Integers, Job},
};
use core::arch::x86_64::*;

/// 512-bit vectors whose four products of bytes are one instruction.
pub(crate) struct Avx512Vnni;

/// 256-bit vectors whose four products of bytes are one instruction.
pub(crate) struct AvxVnni;

/// 256-bit vectors: products of two bytes are added up in 16 bits where they fit ([runs](crate::int8::runs)), else bytes are
/// widened to 16 bits, and pairs of products added.
pub(crate) struct Avx2Pairs;

impl Arch for Avx512Vnni {
    type Narrow = Dots<Avx512x8, Vnni>;
    type Wide = Dots<Avx512x16, Vnni>;
    const COSTS: Costs = Avx512::COSTS;

    #[inline(always)]
    unsafe fn run<J: Job>(job: J) -> J::Output {
        #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx2,fma")]
        fn with_features<J: Job>(job: J) -> J::Output {
            // SAFETY: this function has them.
            unsafe { job.run::<Avx512Vnni>() }
        }
        // SAFETY: promised by the caller.
        unsafe { with_features(job) }
    }
}

impl Arch for AvxVnni {
    type Narrow = Dots<Avx2x8, Vnni>;
    type Wide = Dots<Avx2x8, Vnni>;
    const COSTS: Costs = Avx2::COSTS;

    #[inline(always)]
    unsafe fn run<J: Job>(job: J) -> J::Output {
        #[target_feature(enable = "avx2,fma,avxvnni")]
        fn with_features<J: Job>(job: J) -> J::Output {
            // SAFETY: this function has them.
            unsafe { job.run::<AvxVnni>() }
        }
        // SAFETY: promised by the caller.
        unsafe { with_features(job) }
    }
}

impl Arch for Avx2Pairs {
    type Narrow = Dots<Avx2x8, Pairs>;
    type Wide = Dots<Avx2x8, Pairs>;
    // Windows: of bytes in runs, two instructions and a part of a third for a product.
    const COSTS: Costs = Costs {
        tap: 200.0,
        tap_vector: 560.0,
        plane_vector: 870.0,
        panel_vector: 530.0,
        dense_values: 120.0,
        ..Avx2::COSTS
    };

    #[inline(always)]
    unsafe fn run<J: Job>(job: J) -> J::Output {
        #[target_feature(enable = "avx2,fma")]
        fn with_features<J: Job>(job: J) -> J::Output {
            // SAFETY: this function has them.
            unsafe { job.run::<Avx2Pairs>() }
        }
        // SAFETY: promised by the caller.
        unsafe { with_features(job) }
    }
}

/// One instruction.
#[derive(Clone, Copy)]
pub(crate) struct Vnni;

/// Even and odd bytes apart, each as 16 bits: no product saturates. Those of runs together.
#[derive(Clone, Copy)]
pub(crate) struct Pairs;

// SAFETY of all blocks below: the callers uphold the trait's contract, which is the intrinsics' own.
impl Dot<Avx512x16> for Vnni {
    const SUMS: usize = 28;
    #[inline(always)]
    unsafe fn dot(x: Avx512x16, w: Avx512x16, to: Avx512x16) -> Avx512x16 {
        // SAFETY: as above the block.
        unsafe {
            let [x, w, to] = [x, w, to].map(|v| _mm512_castps_si512(v.0));
            Avx512x16(_mm512_castsi512_ps(_mm512_dpbusd_epi32(to, x, w)))
        }
    }
}

impl Dot<Avx512x8> for Vnni {
    const SUMS: usize = 24;
    #[inline(always)]
    unsafe fn dot(x: Avx512x8, w: Avx512x8, to: Avx512x8) -> Avx512x8 {
        // SAFETY: as above the block.
        unsafe {
            let [x, w, to] = [x, w, to].map(|v| _mm256_castps_si256(v.0));
            Avx512x8(_mm256_castsi256_ps(_mm256_dpbusd_epi32(to, x, w)))
        }
    }
}

impl Dot<Avx2x8> for Vnni {
    const SUMS: usize = 12;
    #[inline(always)]
    unsafe fn dot(x: Avx2x8, w: Avx2x8, to: Avx2x8) -> Avx2x8 {
        // SAFETY: as above the block.
        unsafe {
            let [x, w, to] = [x, w, to].map(|v| _mm256_castps_si256(v.0));
            Avx2x8(_mm256_castsi256_ps(_mm256_dpbusd_avx_epi32(to, x, w)))
        }
    }
}

impl Dot<Avx2x8> for Pairs {
    // Even and odd bytes of the operands take registers too.
    const SUMS: usize = 8;
    #[inline(always)]
    unsafe fn dot(x: Avx2x8, w: Avx2x8, to: Avx2x8) -> Avx2x8 {
        // SAFETY: as above the block.
        unsafe {
            let [x, w, to] = [x, w, to].map(|v| _mm256_castps_si256(v.0));
            let even = _mm256_and_si256(x, _mm256_set1_epi16(0xff));
            let odd = _mm256_srli_epi16::<8>(x);
            let w_even = _mm256_srai_epi16::<8>(_mm256_slli_epi16::<8>(w));
            let w_odd = _mm256_srai_epi16::<8>(w);
            let sum = _mm256_add_epi32(to, _mm256_madd_epi16(even, w_even));
            Avx2x8(_mm256_castsi256_ps(_mm256_add_epi32(sum, _mm256_madd_epi16(odd, w_odd))))
        }
    }
    // The first instruction saturates and the second wraps: neither does for products of a run.
    #[inline(always)]
    unsafe fn dot_short(x: Avx2x8, w: Avx2x8, to: Avx2x8) -> Avx2x8 {
        // SAFETY: as above the block.
        unsafe {
            let [x, w, to] = [x, w, to].map(|v| _mm256_castps_si256(v.0));
            Avx2x8(_mm256_castsi256_ps(_mm256_add_epi16(to, _mm256_maddubs_epi16(x, w))))
        }
    }
    #[inline(always)]
    unsafe fn add_short(to: Avx2x8, short: Avx2x8) -> Avx2x8 {
        // SAFETY: as above the block.
        unsafe {
            let [to, short] = [to, short].map(|v| _mm256_castps_si256(v.0));
            let pairs = _mm256_madd_epi16(short, _mm256_set1_epi16(1));
            Avx2x8(_mm256_castsi256_ps(_mm256_add_epi32(to, pairs)))
        }
    }
}

impl Integers for Avx512x16 {
    #[inline(always)]
    unsafe fn add_integers(self, other: Self) -> Self {
        // SAFETY: as above the block.
        unsafe {
            let sum = _mm512_add_epi32(_mm512_castps_si512(self.0), _mm512_castps_si512(other.0));
            Self(_mm512_castsi512_ps(sum))
        }
    }
    #[inline(always)]
    unsafe fn to_floats(self) -> Self {
        // SAFETY: as above the block.
        Self(unsafe { _mm512_cvtepi32_ps(_mm512_castps_si512(self.0)) })
    }
}

impl Integers for Avx512x8 {
    #[inline(always)]
    unsafe fn add_integers(self, other: Self) -> Self {
        // SAFETY: as above the block.
        unsafe { Self(Avx2x8(self.0).add_integers(Avx2x8(other.0)).0) }
    }
    #[inline(always)]
    unsafe fn to_floats(self) -> Self {
        // SAFETY: as above the block.
        Self(unsafe { _mm256_cvtepi32_ps(_mm256_castps_si256(self.0)) })
    }
}

impl Integers for Avx2x8 {
    #[inline(always)]
    unsafe fn add_integers(self, other: Self) -> Self {
        // SAFETY: as above the block.
        unsafe {
            let sum = _mm256_add_epi32(_mm256_castps_si256(self.0), _mm256_castps_si256(other.0));
            Self(_mm256_castsi256_ps(sum))
        }
    }
    #[inline(always)]
    unsafe fn to_floats(self) -> Self {
        // SAFETY: as above the block.
        Self(unsafe { _mm256_cvtepi32_ps(_mm256_castps_si256(self.0)) })
    }
}
