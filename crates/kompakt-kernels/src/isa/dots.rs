//! Vectors of integers, for the same kernels: a factor's lane is four bytes, a product is the sum of their four products,
//! and sums are `i32`.
//!
//! ```text
//! lane of x   u8 u8 u8 u8        (signed where the instruction wants it: arch::has_signed_inputs)
//! lane of w   i8 i8 i8 i8        mul_add(x, w, sum) = sum + x0 w0 + x1 w1 + x2 w2 + x3 w3
//! ```
//!
//! Lanes are moved as the bits of floats, so that all that only moves them (loads, masks, gathers, layouts) is shared.
#![expect(unsafe_code, reason = "vector loads and stores through pointers; the callers hold the bounds")]

use super::Vector;
use core::marker::PhantomData;

/// Arithmetic on the integers that a vector's lanes hold as bits.
///
/// # Safety
/// Every method needs the instruction set of its type.
pub(crate) trait Integers: Vector {
    /// The sums, wrapped around.
    unsafe fn add_integers(self, other: Self) -> Self;
    /// The nearest floats.
    unsafe fn to_floats(self) -> Self;
}

/// The products of bytes.
///
/// # Safety
/// The method needs the instruction set.
pub(crate) trait Dot<V: Integers>: Copy {
    /// Accumulators that fit in registers along with the operands.
    const SUMS: usize;
    /// `to + sum of the four products of x and w`, lane by lane.
    unsafe fn dot(x: V, w: V, to: V) -> V;
    /// As [`Vector::mul_add_short`].
    #[inline(always)]
    unsafe fn dot_short(x: V, w: V, to: V) -> V {
        // SAFETY: passed on.
        unsafe { Self::dot(x, w, to) }
    }
    /// As [`Vector::add_short`].
    #[inline(always)]
    unsafe fn add_short(to: V, short: V) -> V {
        // SAFETY: passed on.
        unsafe { to.add_integers(short) }
    }
}

/// See the [module page](self).
pub(crate) struct Dots<V, D>(V, PhantomData<D>);

impl<V: Copy, D> Clone for Dots<V, D> {
    #[inline(always)]
    fn clone(&self) -> Self {
        *self
    }
}
impl<V: Copy, D> Copy for Dots<V, D> {}

impl<V, D> Dots<V, D> {
    #[inline(always)]
    fn of(vector: V) -> Self {
        Self(vector, PhantomData)
    }
}

// SAFETY of all blocks below: the callers uphold the trait's contract, which is that of `V`.
impl<V: Integers, D: Dot<V>> Vector for Dots<V, D> {
    const N: usize = V::N;
    const SUMS: usize = D::SUMS;
    const FUSED: bool = true;
    const INTEGERS: bool = true;
    type Mask = V::Mask;
    type Levels = V::Levels;

    #[inline(always)]
    unsafe fn first(n: usize) -> V::Mask {
        // SAFETY: as above the block.
        unsafe { V::first(n) }
    }
    #[inline(always)]
    unsafe fn between(from: usize, end: usize) -> V::Mask {
        // SAFETY: as above the block.
        unsafe { V::between(from, end) }
    }
    #[inline(always)]
    unsafe fn splat(value: f32) -> Self {
        // SAFETY: as above the block.
        Self::of(unsafe { V::splat(value) })
    }
    #[inline(always)]
    unsafe fn load(at: *const f32) -> Self {
        // SAFETY: as above the block.
        Self::of(unsafe { V::load(at) })
    }
    #[inline(always)]
    unsafe fn load_masked(at: *const f32, mask: V::Mask) -> Self {
        // SAFETY: as above the block.
        Self::of(unsafe { V::load_masked(at, mask) })
    }
    #[inline(always)]
    unsafe fn store(self, at: *mut f32) {
        // SAFETY: as above the block.
        unsafe { self.0.store(at) }
    }
    #[inline(always)]
    unsafe fn store_masked(self, at: *mut f32, mask: V::Mask) {
        // SAFETY: as above the block.
        unsafe { self.0.store_masked(at, mask) }
    }
    #[inline(always)]
    unsafe fn mul_add(self, other: Self, to: Self) -> Self {
        // SAFETY: as above the block.
        Self::of(unsafe { D::dot(self.0, other.0, to.0) })
    }
    #[inline(always)]
    unsafe fn add(self, other: Self) -> Self {
        // SAFETY: as above the block.
        Self::of(unsafe { self.0.add_integers(other.0) })
    }
    #[inline(always)]
    unsafe fn mul_add_short(self, other: Self, to: Self) -> Self {
        // SAFETY: as above the block.
        Self::of(unsafe { D::dot_short(self.0, other.0, to.0) })
    }
    #[inline(always)]
    unsafe fn add_short(self, short: Self) -> Self {
        // SAFETY: as above the block.
        Self::of(unsafe { D::add_short(self.0, short.0) })
    }
    #[inline(always)]
    unsafe fn max_or_self(self, other: Self) -> Self {
        // SAFETY: as above the block.
        Self::of(unsafe { self.0.max_or_self(other.0) })
    }
    #[inline(always)]
    unsafe fn min_or_self(self, other: Self) -> Self {
        // SAFETY: as above the block.
        Self::of(unsafe { self.0.min_or_self(other.0) })
    }
    #[inline(always)]
    unsafe fn finish(self, scale: Self, bias: Self, floor: Self, ceiling: Self) -> Self {
        // SAFETY: as above the block.
        Self::of(unsafe { self.0.to_floats().finish(scale.0, bias.0, floor.0, ceiling.0) })
    }
    #[inline(always)]
    unsafe fn even_odd(low: Self, high: Self) -> [Self; 2] {
        // SAFETY: as above the block.
        let [even, odd] = unsafe { V::even_odd(low.0, high.0) };
        [Self::of(even), Self::of(odd)]
    }
    #[inline(always)]
    unsafe fn interleave(even: Self, odd: Self) -> [Self; 2] {
        // SAFETY: as above the block.
        let [low, high] = unsafe { V::interleave(even.0, odd.0) };
        [Self::of(low), Self::of(high)]
    }
    #[inline(always)]
    unsafe fn gather(idx: *const u16, x: *const f32) -> Self {
        // SAFETY: as above the block.
        Self::of(unsafe { V::gather(idx, x) })
    }
    #[inline(always)]
    unsafe fn levels(table: &[f32; 256]) -> V::Levels {
        // SAFETY: as above the block.
        unsafe { V::levels(table) }
    }
    #[inline(always)]
    unsafe fn look_up<const FILLERS: bool>(codes: *const u8, levels: V::Levels) -> Self {
        // SAFETY: as above the block.
        Self::of(unsafe { V::look_up::<FILLERS>(codes, levels) })
    }
}
