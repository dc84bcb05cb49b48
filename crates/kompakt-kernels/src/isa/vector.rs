//! The vector interface of the kernels, which new instruction sets must implement along with
//! [`Arch`](crate::arch::Arch).
//!
//! Kernels are written once over [`Vector`] and compiled for each instruction set by the function that enables its
//! features. All implementations are `inline(always)`, so that the instructions end up in those functions.
//! `arch/contract.rs` tests all methods of all vectors of the machine against plain loops.
#![expect(unsafe_code, reason = "vector loads and stores through pointers; the callers hold the bounds")]

/// A vector of f32.
///
/// # Safety
/// Every method needs the instruction set of its type; loads and stores need as many valid floats at the pointer as
/// the vector has lanes, or valid floats at the lanes of the mask only.
pub(crate) trait Vector: Copy {
    /// The number of lanes: 4, 8 or 16.
    const N: usize;
    /// Accumulators that fit in registers along with the operands of a multiplication.
    const SUMS: usize;
    /// Whether [`mul_add`](Self::mul_add) rounds once.
    const FUSED: bool;
    /// Whether the lanes of sums are integers, and each lane of a factor four bytes: see [`Dots`](super::Dots).
    const INTEGERS: bool = false;
    /// A mask of lanes.
    type Mask: Copy;
    /// The first 32 levels of a codebook, ready to be looked up.
    type Levels: Copy;

    /// The first `n` lanes, `1 <= n <= N`.
    unsafe fn first(n: usize) -> Self::Mask;
    /// Lanes `from..end`, `from <= end <= N`.
    unsafe fn between(from: usize, end: usize) -> Self::Mask;
    unsafe fn splat(value: f32) -> Self;
    unsafe fn load(at: *const f32) -> Self;
    /// Zero in the masked-out lanes, which are not read: the pointer may be unaligned.
    unsafe fn load_masked(at: *const f32, mask: Self::Mask) -> Self;
    unsafe fn store(self, at: *mut f32);
    unsafe fn store_masked(self, at: *mut f32, mask: Self::Mask);
    /// `self * other + to`.
    unsafe fn mul_add(self, other: Self, to: Self) -> Self;
    unsafe fn add(self, other: Self) -> Self;
    /// Adds the products of `x` and a weight to sums.
    #[inline(always)]
    unsafe fn add_products<const V: usize>(sums: &mut [Self; V], x: [Self; V], weight: &f32) {
        // SAFETY: passed on.
        unsafe {
            let weight = Self::splat(*weight);
            for v in 0..V {
                sums[v] = x[v].mul_add(weight, sums[v]);
            }
        }
    }
    /// As [`mul_add`](Self::mul_add), from zero on and for the products of a run (`int8/runs.rs`): sums of bytes may be shorter
    /// than those of other products.
    #[inline(always)]
    unsafe fn mul_add_short(self, other: Self, to: Self) -> Self {
        // SAFETY: passed on.
        unsafe { self.mul_add(other, to) }
    }
    /// Adds what [`mul_add_short`](Self::mul_add_short) has added up.
    #[inline(always)]
    unsafe fn add_short(self, short: Self) -> Self {
        // SAFETY: passed on.
        unsafe { self.add(short) }
    }
    /// The larger; `self` where either is NaN.
    unsafe fn max_or_self(self, other: Self) -> Self;
    /// The smaller; `self` where either is NaN.
    unsafe fn min_or_self(self, other: Self) -> Self;
    /// `min(max(self * scale + bias, floor), ceiling)` of a sum, as floats; NaN stays NaN.
    #[inline(always)]
    unsafe fn finish(self, scale: Self, bias: Self, floor: Self, ceiling: Self) -> Self {
        // SAFETY: passed on.
        unsafe { self.mul_add(scale, bias).max_or_self(floor).min_or_self(ceiling) }
    }
    /// The even and the odd of the elements of both, end to end.
    unsafe fn even_odd(low: Self, high: Self) -> [Self; 2];
    /// The same, where that is cheaper in an order of the vector's own, which [`parts_in_order`](Self::parts_in_order) ends.
    #[inline(always)]
    unsafe fn even_odd_by_parts(low: Self, high: Self) -> [Self; 2] {
        // SAFETY: passed on.
        unsafe { Self::even_odd(low, high) }
    }
    /// Elements of [`even_odd_by_parts`](Self::even_odd_by_parts), or sums of them, in order.
    #[inline(always)]
    unsafe fn parts_in_order(self) -> Self {
        self
    }
    /// The elements of both in turns, end to end: what [`even_odd`](Self::even_odd) takes apart.
    unsafe fn interleave(even: Self, odd: Self) -> [Self; 2];
    /// `x` at the `N` columns at `idx`.
    unsafe fn gather(idx: *const u16, x: *const f32) -> Self;
    /// Loads a codebook's table.
    unsafe fn levels(table: &[f32; 256]) -> Self::Levels;
    /// The levels of `N` codes, each below 32, or [`FILLER`](crate::matrix::sliced::FILLER) if `FILLERS`,
    /// which yields 0.
    unsafe fn look_up<const FILLERS: bool>(codes: *const u8, levels: Self::Levels) -> Self;
}
