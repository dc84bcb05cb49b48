//! Vectors of four as plain arrays; vectorizing is left to the compiler.
#![expect(unsafe_code, reason = "the trait's loads and stores are through pointers")]

use super::{FourDot, FourLanes};
use crate::isa::{Dot, Integers, Vector};

/// Four floats.
#[derive(Clone, Copy)]
#[repr(align(16))]
pub(crate) struct Four([f32; 4]);

// SAFETY of all blocks below: the callers uphold the trait's contract.
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
        Self([value; 4])
    }
    #[inline(always)]
    unsafe fn load(at: *const f32) -> Self {
        // SAFETY: as above the block.
        Self(unsafe { at.cast::<[f32; 4]>().read_unaligned() })
    }
    #[inline(always)]
    unsafe fn load_masked(at: *const f32, mask: FourLanes) -> Self {
        // SAFETY: as above the block.
        unsafe { if mask.is_all() { Self::load(at) } else { Self(mask.load(at)) } }
    }
    #[inline(always)]
    unsafe fn store(self, at: *mut f32) {
        // SAFETY: as above the block.
        unsafe { at.cast::<[f32; 4]>().write_unaligned(self.0) }
    }
    #[inline(always)]
    unsafe fn store_masked(self, at: *mut f32, mask: FourLanes) {
        // SAFETY: as above the block.
        unsafe { if mask.is_all() { self.store(at) } else { mask.store(self.0, at) } }
    }
    #[inline(always)]
    unsafe fn mul_add(self, other: Self, to: Self) -> Self {
        let ([a, b, c, d], [e, f, g, h], [i, j, k, l]) = (self.0, other.0, to.0);
        Self([a * e + i, b * f + j, c * g + k, d * h + l])
    }
    #[inline(always)]
    unsafe fn add(self, other: Self) -> Self {
        let ([a, b, c, d], [e, f, g, h]) = (self.0, other.0);
        Self([a + e, b + f, c + g, d + h])
    }
    #[inline(always)]
    unsafe fn max_or_self(self, other: Self) -> Self {
        let ([a, b, c, d], [e, f, g, h]) = (self.0, other.0);
        Self([larger(a, e), larger(b, f), larger(c, g), larger(d, h)])
    }
    #[inline(always)]
    unsafe fn min_or_self(self, other: Self) -> Self {
        let ([a, b, c, d], [e, f, g, h]) = (self.0, other.0);
        Self([smaller(a, e), smaller(b, f), smaller(c, g), smaller(d, h)])
    }
    #[inline(always)]
    unsafe fn even_odd(low: Self, high: Self) -> [Self; 2] {
        let ([a, b, c, d], [e, f, g, h]) = (low.0, high.0);
        [Self([a, c, e, g]), Self([b, d, f, h])]
    }
    #[inline(always)]
    unsafe fn interleave(even: Self, odd: Self) -> [Self; 2] {
        let ([a, c, e, g], [b, d, f, h]) = (even.0, odd.0);
        [Self([a, b, c, d]), Self([e, f, g, h])]
    }
    #[inline(always)]
    unsafe fn gather(idx: *const u16, x: *const f32) -> Self {
        // SAFETY: as above the block.
        unsafe {
            let [a, b, c, d] = idx.cast::<[u16; 4]>().read_unaligned().map(usize::from);
            Self([*x.add(a), *x.add(b), *x.add(c), *x.add(d)])
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
            Self([*levels.add(a), *levels.add(b), *levels.add(c), *levels.add(d)])
        }
    }
}

// Bytes multiplied one by one.
impl Dot<Four> for FourDot {
    const SUMS: usize = 8;
    #[inline(always)]
    unsafe fn dot(x: Four, w: Four, to: Four) -> Four {
        let lane = |i: usize| {
            let (x, w) = (x.0[i].to_bits().to_le_bytes(), w.0[i].to_bits().to_le_bytes());
            let products = (0..4).map(|k| i32::from(x[k]) * i32::from(w[k].cast_signed()));
            products.fold(to.0[i].to_bits().cast_signed(), i32::wrapping_add).cast_unsigned()
        };
        Four([0, 1, 2, 3].map(|i| f32::from_bits(lane(i))))
    }
}

// SAFETY: no method needs features.
impl Integers for Four {
    #[inline(always)]
    unsafe fn add_integers(self, other: Self) -> Self {
        Self([0, 1, 2, 3].map(|i| f32::from_bits(self.0[i].to_bits().wrapping_add(other.0[i].to_bits()))))
    }
    #[inline(always)]
    unsafe fn to_floats(self) -> Self {
        Self(self.0.map(|lane| lane.to_bits().cast_signed() as f32))
    }
}

/// The second if it is larger, else the first.
#[inline(always)]
fn larger(a: f32, b: f32) -> f32 {
    if b > a { b } else { a }
}

/// The second if it is smaller, else the first.
#[inline(always)]
fn smaller(a: f32, b: f32) -> f32 {
    if b < a { b } else { a }
}
