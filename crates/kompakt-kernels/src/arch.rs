//! The instruction sets: one folder each, and one row each in the table below.
//!
//! # Adding one
//! 1. A row in `kompakt-isa`: its name, and how to detect it.
//! 2. A row in the table below, and a module `arch/<name>` with a type that implements [`Arch`], over one or two types that
//!    implement [`Vector`]. `portable` is the shortest example: plain arrays of four.
//! 3. Its cost table, [`Arch::COSTS`], measured by the benchmark `costs`.
//!
//! It must implement the required methods of the two traits; `contract.rs` tests each method of each, and all
//! tests of kernels run on all instruction sets that the machine has. [`Arch`]'s provided methods are
//! generic; an instruction set may override them.
#![expect(unsafe_code, reason = "the features are there: an Isa of a level proves it")]

#[cfg(target_arch = "aarch64")]
mod aarch64;
#[cfg(test)]
mod contract;
mod portable;
#[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
mod wasm32;
#[cfg(target_arch = "x86_64")]
mod x86_64;

use crate::{
    Codebook, Costs,
    conv::{fill, grid},
    isa::{Isa, Job, Level, Vector},
    matrix::{columns, dense, sliced::LANES},
};

pub(crate) use portable::{Four, Portable};

/// Whether there are kernels over integers of 8 bits: not where code is downloaded.
pub const HAS_INTEGERS: bool = !cfg!(all(feature = "single", target_arch = "wasm32"));

/// Whether levels are held [in whole steps](crate::Codebook::in_steps): where bytes are converted faster than levels looked up.
pub const HAS_STEPS: bool = cfg!(target_arch = "x86_64");

/// Whether some instruction set [picks](Arch::pick) elements from registers: elsewhere no matrix is held in pages.
pub(crate) const HAS_PAGES: bool = cfg!(target_arch = "x86_64");

/// Runs a job over integers on an instruction set: see [`Dots`](crate::isa::Dots).
///
/// Panics: unless [`HAS_INTEGERS`].
#[inline(always)]
pub(crate) fn run_integers<J: Job>(isa: Isa, job: J) -> J::Output {
    if !HAS_INTEGERS {
        unreachable!("this build has no kernels over integers");
    }
    match isa.level() {
        #[cfg(target_arch = "x86_64")]
        // SAFETY: an `Isa` of a level proves that the machine has its features, and `has_dot` the others.
        Level::Avx512 if isa.has_dot() => unsafe { x86_64::Avx512Vnni::run(job) },
        #[cfg(target_arch = "x86_64")]
        // SAFETY: as above.
        Level::Avx2 if isa.has_dot() => unsafe { x86_64::AvxVnni::run(job) },
        #[cfg(target_arch = "x86_64")]
        // SAFETY: as above.
        Level::Avx2 | Level::Avx512 if const { !J::HAS_RUNS } => unsafe { x86_64::Avx2Pairs::run(job) },
        #[cfg(target_arch = "aarch64")]
        // SAFETY: as above.
        Level::Neon if isa.has_dot() => unsafe { aarch64::NeonDot::run(job) },
        #[cfg(target_arch = "aarch64")]
        // SAFETY: as above.
        Level::Neon => unsafe { aarch64::NeonPairs::run(job) },
        // SAFETY: it needs no features.
        _ => unsafe { portable::PortableDot::run(job) },
    }
}

/// Whether products of bytes over windows are faster in runs (`int8/runs.rs`) on an instruction set.
pub(crate) fn is_fast_in_runs(isa: Isa) -> bool {
    match isa.level() {
        #[cfg(target_arch = "x86_64")]
        Level::Avx2 | Level::Avx512 => !isa.has_dot(),
        _ => false,
    }
}

/// Runs a job over bytes in runs.
///
/// Panics: unless they [are faster](is_fast_in_runs).
#[cfg(target_arch = "x86_64")]
pub(crate) fn run_runs<J: Job>(isa: Isa, job: J) -> J::Output {
    assert!(is_fast_in_runs(isa), "a matrix of bytes in runs on {isa}");
    // SAFETY: an `Isa` of these levels proves that the machine has the features.
    unsafe { x86_64::Avx2Pairs::run(job) }
}

/// Whether the bytes of the inputs are signed: as the instruction wants them.
pub(crate) fn has_signed_inputs(isa: Isa) -> bool {
    match isa.level() {
        #[cfg(target_arch = "aarch64")]
        Level::Neon => isa.has_dot(),
        _ => false,
    }
}

/// The costs of the forms of a matrix whose elements are four bytes each.
pub(crate) fn costs_of_integers(isa: Isa) -> &'static Costs {
    match isa.level() {
        #[cfg(target_arch = "x86_64")]
        Level::Avx512 if isa.has_dot() => const { &x86_64::Avx512Vnni::COSTS },
        #[cfg(target_arch = "x86_64")]
        Level::Avx2 if isa.has_dot() => const { &x86_64::AvxVnni::COSTS },
        #[cfg(target_arch = "x86_64")]
        Level::Avx2 | Level::Avx512 => const { &x86_64::Avx2Pairs::COSTS },
        #[cfg(target_arch = "aarch64")]
        Level::Neon if isa.has_dot() => const { &aarch64::NeonDot::COSTS },
        #[cfg(target_arch = "aarch64")]
        Level::Neon => const { &aarch64::NeonPairs::COSTS },
        _ => const { &portable::PortableDot::COSTS },
    }
}

/// An instruction set with vectors.
pub(crate) trait Arch: Sized {
    /// For unaligned windows of positions.
    type Narrow: Vector;
    /// For windows of full vectors of sixteen, strips of planes, and slices of sixteen rows.
    type Wide: Vector;
    /// The costs of the forms of a matrix.
    const COSTS: Costs;
    /// Whether kernels are compiled for fewer shapes of tiles: where code is downloaded, or seldom run.
    const IS_COMPACT: bool = cfg!(target_arch = "wasm32");

    /// Whether [`pick`](Self::pick) is there.
    const PICKS: bool = false;

    /// Runs a job compiled with the features: a function with `#[target_feature]` that calls [`Job::run`].
    ///
    /// # Safety
    /// The machine has the features.
    unsafe fn run<J: Job>(job: J) -> J::Output;

    /// Four times four elements of `x`, `x_step` apart, to `y`, `y_step` apart, with rows and columns exchanged.
    ///
    /// # Safety
    /// Four elements at each of the four places of `x` and of `y`; the features.
    #[inline(always)]
    unsafe fn transpose(x: *const f32, x_step: usize, y: *mut f32, y_step: usize) {
        // SAFETY: passed on.
        unsafe { fill::transpose(x, x_step, y, y_step) }
    }

    /// Transposes rows to lanes, as [`fill::spread`].
    ///
    /// # Safety
    /// The features.
    #[inline(always)]
    unsafe fn spread(rows: &[f32], fours: [usize; grid::LANES / 4], step: usize, n: usize, out: &mut [f32]) {
        // SAFETY: passed on.
        unsafe { fill::spread::<Self>(rows, fours, step, n, out) }
    }

    /// The inverse: from `n` vectors of sixteen lanes, the `n` elements of each lane end to end, lanes `4 i` to `4 i + 3` from
    /// `y[fours[i]]` on. In that order, so that with `n` below four, what is written past a lane's end (up to three
    /// elements) is overwritten by the next.
    ///
    /// Panics: if `sums` has fewer than `n` or four vectors, or `y` ends before the last element that is written.
    ///
    /// # Safety
    /// The features.
    #[inline(always)]
    unsafe fn collect(sums: &[f32], n: usize, fours: [usize; grid::LANES / 4], y: &mut [f32]) {
        // SAFETY: passed on.
        unsafe { fill::collect::<Self>(sums, n, fours, y) }
    }

    /// `sum of book[codes[i]] * x[i]`; as many codes as `x`.
    ///
    /// # Safety
    /// The features.
    #[inline(always)]
    unsafe fn dot_codes(codes: &[u8], book: &Codebook, x: &[f32]) -> f32 {
        dense::dot_looked_up(codes, book.table(), x)
    }

    /// `sum of book[codes[i]] * x[cols[i]]`; as many codes as columns. Panics: if a column is not below the length of `x`.
    ///
    /// # Safety
    /// The features.
    #[inline(always)]
    unsafe fn dot_sparse(cols: &[u32], codes: &[u8], book: &Codebook, x: &[f32]) -> f32 {
        dense::looked_up_sparse(<Self::Wide as Vector>::FUSED, cols, codes, book.table(), x)
    }

    /// `to[i] = book[codes[i]]`; as many codes as elements.
    ///
    /// # Safety
    /// The features.
    #[inline(always)]
    unsafe fn look_up(codes: &[u8], book: &Codebook, to: &mut [f32]) {
        to.iter_mut().zip(codes).for_each(|(to, &code)| *to = book.value(code));
    }

    /// The sums of sixteen rows in pages (`matrix/paged.rs`), where elements are picked from registers.
    ///
    /// # Safety
    /// The features; 31 elements of `x` from each start on, as many words and bytes as starts.
    #[inline(always)]
    unsafe fn pick(
        _starts: &[u16],
        _words: &[[u32; LANES]],
        _bytes: &[[u8; LANES]],
        _book: &Codebook,
        _x: &[f32],
    ) -> [f32; LANES] {
        unreachable!("elements are not picked from registers")
    }

    /// Writes the indices of the nonzero elements to the front of `active`, which holds 16 more than `x`, and
    /// returns their number.
    ///
    /// # Safety
    /// The features.
    #[inline(always)]
    unsafe fn nonzero(x: &[f32], active: &mut [u32]) -> usize {
        columns::nonzero_one_by_one(x, active)
    }
}

macro_rules! instruction_sets {
    ($($(#[cfg($cfg:meta)])? $level:ident => $arch:ty;)*) => {
        /// Runs a job on an instruction set with vectors.
        #[inline(always)]
        pub(crate) fn run<J: Job>(isa: Isa, job: J) -> J::Output {
            match isa.level() {
                Level::Scalar => job.define(),
                $(
                    $(#[cfg($cfg)])?
                    // SAFETY: an `Isa` of a level proves that the machine has its features.
                    Level::$level => unsafe { <$arch as Arch>::run(job) },
                )*
            }
        }

        /// The costs of the forms of a matrix on an instruction set.
        pub(crate) fn costs(isa: Isa) -> &'static Costs {
            match isa.level() {
                Level::Scalar => &crate::costs::SCALAR,
                $(
                    $(#[cfg($cfg)])?
                    Level::$level => const { &<$arch as Arch>::COSTS },
                )*
            }
        }
    };
}

instruction_sets! {
    #[cfg(not(all(target_arch = "wasm32", target_feature = "simd128")))]
    Portable => Portable;
    #[cfg(target_arch = "x86_64")]
    Avx2 => x86_64::Avx2;
    #[cfg(target_arch = "x86_64")]
    Avx512 => x86_64::Avx512;
    #[cfg(target_arch = "aarch64")]
    Neon => aarch64::Neon;
    #[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
    Simd128 => wasm32::Simd128;
}
