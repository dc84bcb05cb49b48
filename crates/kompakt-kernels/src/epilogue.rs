//! The epilogue: operations on a sum before it is stored.
#![expect(unsafe_code, reason = "operations on vectors need their features")]

use crate::isa::Vector;

/// `y = min(max(sum * scale + bias, floor), ceiling)`, with one scale and one bias for each row (output unit or channel).
///
/// It includes a layer's bias, the per-channel scale of a folded batch norm, and a ReLU, perhaps with a largest result, so
/// that none of them costs a pass over the output.
#[derive(Debug, Clone, Copy, Default)]
pub struct Epilogue<'a> {
    /// One per row; `None` is 1.
    pub scale: Option<&'a [f32]>,
    /// One per row; `None` is 0.
    pub bias: Option<&'a [f32]>,
    /// Whether negative results become zero.
    pub relu: bool,
    /// The largest result; `None` is infinity.
    pub ceiling: Option<f32>,
}

/// An [`Epilogue`] for one row.
#[derive(Debug, Clone, Copy)]
pub(crate) struct RowEpilogue {
    pub(crate) scale: f32,
    pub(crate) bias: f32,
    pub(crate) floor: f32,
    pub(crate) ceiling: f32,
}

/// The same in all lanes.
#[derive(Clone, Copy)]
pub(crate) struct VectorEpilogue<L> {
    scale: L,
    bias: L,
    floor: L,
    ceiling: L,
}

impl<L: Vector> VectorEpilogue<L> {
    /// # Safety
    /// The features of `L`.
    #[inline(always)]
    pub(crate) unsafe fn new(row: RowEpilogue) -> Self {
        // SAFETY: promised by the caller.
        unsafe {
            Self {
                scale: L::splat(row.scale),
                bias: L::splat(row.bias),
                floor: L::splat(row.floor),
                ceiling: L::splat(row.ceiling),
            }
        }
    }

    /// The epilogues of `n` rows from `row` on, one a lane; lanes past them are not used.
    ///
    /// # Safety
    /// The features of `L`; an epilogue of these rows, `1 <= n <= N`.
    #[inline(always)]
    pub(crate) unsafe fn of_rows(all: &Epilogue<'_>, row: usize, n: usize) -> Self {
        // SAFETY: promised by the caller.
        unsafe {
            let lanes = |numbers: Option<&[f32]>, none: f32| match numbers {
                None => L::splat(none),
                Some(numbers) if n == L::N => L::load(numbers.as_ptr().add(row)),
                Some(numbers) => L::load_masked(numbers.as_ptr().add(row), L::first(n)),
            };
            let RowEpilogue { floor, ceiling, .. } = Epilogue { scale: None, bias: None, ..*all }.row(row);
            Self {
                scale: lanes(all.scale, 1.0),
                bias: lanes(all.bias, 0.0),
                floor: L::splat(floor),
                ceiling: L::splat(ceiling),
            }
        }
    }

    /// NaN stays NaN.
    ///
    /// # Safety
    /// The features of `L`.
    #[inline(always)]
    pub(crate) unsafe fn apply(self, sum: L) -> L {
        // SAFETY: promised by the caller.
        unsafe { sum.finish(self.scale, self.bias, self.floor, self.ceiling) }
    }
}

impl RowEpilogue {
    /// Leaves a sum as it is.
    pub(crate) const NONE: Self =
        Self { scale: 1.0, bias: 0.0, floor: f32::NEG_INFINITY, ceiling: f32::INFINITY };

    /// NaN stays NaN.
    #[inline(always)]
    pub(crate) fn apply(self, sum: f32) -> f32 {
        let y = sum * self.scale + self.bias;
        let y = if y < self.floor { self.floor } else { y };
        if y > self.ceiling { self.ceiling } else { y }
    }
}

impl<'a> Epilogue<'a> {
    /// The epilogue of `row`. Panics if there is no such row.
    #[inline(always)]
    pub(crate) fn row(&self, row: usize) -> RowEpilogue {
        RowEpilogue {
            scale: self.scale.map_or(1.0, |s| s[row]),
            bias: self.bias.map_or(0.0, |b| b[row]),
            floor: if self.relu { 0.0 } else { f32::NEG_INFINITY },
            ceiling: self.ceiling.unwrap_or(f32::INFINITY),
        }
    }

    /// Applies it to the sum of `row`. Panics if there is no such row.
    pub fn apply(&self, row: usize, sum: f32) -> f32 {
        self.row(row).apply(sum)
    }

    /// The part for the rows from `row` on.
    pub fn from_row(self, row: usize) -> Epilogue<'a> {
        Epilogue { scale: self.scale.map(|s| &s[row..]), bias: self.bias.map(|b| &b[row..]), ..self }
    }

    pub(crate) fn check(&self, n_rows: usize) {
        assert!(self.scale.is_none_or(|s| s.len() >= n_rows), "fewer scales than rows");
        assert!(self.bias.is_none_or(|b| b.len() >= n_rows), "fewer biases than rows");
    }
}
