//! What kernels ask of vectors of f32: the list of what a new instruction set must implement, beside [`Arch`](crate::arch::Arch).
//!
//! Kernels are written once over [`Vector`] and compiled for each instruction set by the function that enables its
//! features. All implementations are `inline(always)`, so that the instructions land in those functions.
//! `arch/contract.rs` tests every method of every vector of the machine against plain loops.
#![expect(unsafe_code, reason = "vector loads and stores through pointers; the callers hold the bounds")]

/// A vector of f32.
///
/// # Safety
/// Every method needs the instruction set of its type; loads and stores need as many valid floats at the pointer as
/// the vector has lanes, or valid floats at the lanes of the mask alone.
pub(crate) trait Vector: Copy {
    /// How many lanes: 4, 8 or 16.
    const N: usize;
    /// Sums that stay in registers beside what a multiplication needs.
    const SUMS: usize;
    /// Whether [`mul_add`](Self::mul_add) rounds once.
    const FUSED: bool;
    /// Which lanes take part.
    type Mask: Copy;
    /// The first 32 levels of a codebook, ready to be looked up.
    type Levels: Copy;

    /// The first `n` lanes, `1 <= n <= N`.
    unsafe fn first(n: usize) -> Self::Mask;
    /// Lanes `from..end`, `from <= end <= N`.
    unsafe fn between(from: usize, end: usize) -> Self::Mask;
    unsafe fn splat(value: f32) -> Self;
    unsafe fn load(at: *const f32) -> Self;
    /// Zero in the lanes that do not take part, which are not read: the pointer may begin anywhere.
    unsafe fn load_masked(at: *const f32, mask: Self::Mask) -> Self;
    unsafe fn store(self, at: *mut f32);
    unsafe fn store_masked(self, at: *mut f32, mask: Self::Mask);
    /// `self * other + to`.
    unsafe fn mul_add(self, other: Self, to: Self) -> Self;
    unsafe fn add(self, other: Self) -> Self;
    /// The larger; `self` where either is NaN.
    unsafe fn max_or_self(self, other: Self) -> Self;
    /// The even and the odd of the elements of both, end to end.
    unsafe fn even_odd(low: Self, high: Self) -> [Self; 2];
    /// `x` at the `N` columns at `idx`.
    unsafe fn gather(idx: *const u16, x: *const f32) -> Self;
    /// Of a codebook's table.
    unsafe fn levels(table: &[f32; 256]) -> Self::Levels;
    /// The levels of `N` codes, each below 32, or [`FILLER`](crate::matrix::sliced::FILLER) if `FILLERS`, which gives 0.
    unsafe fn look_up<const FILLERS: bool>(codes: *const u8, levels: Self::Levels) -> Self;
}
