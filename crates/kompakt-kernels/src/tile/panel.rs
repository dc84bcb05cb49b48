//! Dense rows, four at a time, against windows of positions: the multiplication of a
//! [`PanelMatrix`](crate::PanelMatrix).
//!
//! ```text
//! window of 20 positions, vectors of 8      0..8   8..16   12..20      the last of a line starts earlier, and its first
//!                                                                      positions are computed twice with the same result
//! window of 5                               0..5                       masked
//! ```
#![expect(clippy::needless_range_loop, reason = "tiles of registers are indexed by what they are")]
#![expect(
    unsafe_code,
    reason = "loads and stores without bounds checks: `apply` checked the reach of the window"
)]

use crate::{
    Codebook, Epilogue, Window,
    arch::Arch,
    epilogue::VectorEpilogue,
    isa::{Job, Vector},
};
use core::ops::Range;

/// Rows that share the loads of `x`.
pub(crate) const GROUP: usize = 4;

/// Some groups of rows, times a window. Made by [`PanelMatrix::apply`](crate::PanelMatrix::apply), which has checked that
/// the windows of all columns are within `x`, and the planes of all rows within `y`.
pub(crate) struct Panels<'a> {
    /// `[groups][columns]`.
    pub(crate) panels: &'a [[f32; GROUP]],
    /// One per column, in units of `scale` floats.
    pub(crate) offsets: &'a [u32],
    pub(crate) scale: usize,
    /// The first row of the first group.
    pub(crate) first_row: usize,
    /// The rows to compute, all within these groups.
    pub(crate) rows: Range<usize>,
    pub(crate) x: &'a [f32],
    pub(crate) window: &'a Window,
    /// Whether `y` has the sums of other columns, to which these are added.
    pub(crate) carry: bool,
    /// Of all rows.
    pub(crate) epilogue: Epilogue<'a>,
    /// The first of `rows` at its start.
    pub(crate) y: &'a mut [f32],
    pub(crate) y_plane: usize,
}

impl Job for Panels<'_> {
    type Output = ();

    /// Position by position, column by column.
    fn define(self) {
        let Self { panels, offsets, scale, first_row, rows, x, window, carry, epilogue, y, y_plane } = self;
        for (row, y) in rows.zip(y.chunks_mut(y_plane.max(1))) {
            let (group, lane) = ((row - first_row) / GROUP, (row - first_row) % GROUP);
            let panel = &panels[group * offsets.len()..][..offsets.len()];
            for r in 0..window.rows {
                let x = &x[r * window.x_stride..];
                for (c, y) in y[r * window.y_stride..][..window.cols].iter_mut().enumerate() {
                    let products =
                        panel.iter().zip(offsets).map(|(w, &o)| w[lane] * x[o as usize * scale + c]);
                    let so_far = if carry { *y } else { 0.0 };
                    *y = epilogue.apply(row, products.fold(so_far, |sum, product| sum + product));
                }
            }
        }
    }

    #[inline(always)]
    unsafe fn run<A: Arch>(self) {
        // SAFETY: the windows lie in x and y, as was checked where this was made.
        unsafe {
            if self.window.cols < A::Wide::N {
                positions::<A::Wide, true>(self);
            } else {
                positions::<A::Wide, false>(self);
            }
        }
    }
}

/// Divides the window into tiles of vectors, each for all rows.
///
/// # Safety
/// The features of `L`; every column's window inside `x`, and one window a row inside `y`; lines are shorter than a vector
/// if `MASKED`, else not.
#[inline(always)]
unsafe fn positions<L: Vector, const MASKED: bool>(mut job: Panels<'_>) {
    let a_line = job.window.cols.div_ceil(L::N);
    let n = job.window.rows * a_line;
    let most = const {
        if MASKED || L::SUMS < 3 * GROUP {
            2
        } else if L::SUMS < 4 * GROUP {
            3
        } else {
            4
        }
    };
    let mut at = 0;
    // As even as possible.
    for left in (1..=n.div_ceil(most)).rev() {
        let v = (n - at).div_ceil(left);
        // SAFETY: `at + v` vectors are in the window.
        unsafe {
            match v {
                4 if most >= 4 => tiles::<L, 4, MASKED>(&mut job, at, a_line),
                3 if most >= 3 => tiles::<L, 3, MASKED>(&mut job, at, a_line),
                2 => tiles::<L, 2, MASKED>(&mut job, at, a_line),
                _ => tiles::<L, 1, MASKED>(&mut job, at, a_line),
            }
        }
        at += v;
    }
}

/// `V` vectors of the window, from the one numbered `at` on, of all rows.
///
/// # Safety
/// As [`positions`]; so many vectors are in the window, `a_line` in each of its rows.
#[inline(always)]
unsafe fn tiles<L: Vector, const V: usize, const MASKED: bool>(
    job: &mut Panels<'_>,
    at: usize,
    a_line: usize,
) {
    let window = job.window;
    let (mut from, mut to) = ([job.x.as_ptr(); V], [0; V]);
    for v in 0..V {
        let (row, col) = ((at + v) / a_line, (at + v) % a_line * L::N);
        let col = if MASKED { col } else { col.min(window.cols - L::N) };
        from[v] = from[v].wrapping_add(row * window.x_stride + col);
        to[v] = row * window.y_stride + col;
    }
    // SAFETY: a vector ends where its line does or before; the mask takes what the line has.
    unsafe {
        let mask = L::first(if MASKED { window.cols } else { L::N });
        let n_groups = (job.rows.end - job.first_row).div_ceil(GROUP);
        let mut group = 0;
        // Few sums would wait for each other.
        if const { V <= 2 && 2 * V * GROUP <= L::SUMS } {
            while group + 2 <= n_groups {
                groups::<L, V, 2, MASKED>(job, group, from, to, mask);
                group += 2;
            }
        }
        while group < n_groups {
            groups::<L, V, 1, MASKED>(job, group, from, to, mask);
            group += 1;
        }
    }
}

/// One tile of `G` groups from the one numbered `group` on.
///
/// # Safety
/// As [`tiles`]; there are so many groups.
#[inline(always)]
unsafe fn groups<L: Vector, const V: usize, const G: usize, const MASKED: bool>(
    job: &mut Panels<'_>,
    group: usize,
    from: [*const f32; V],
    to: [usize; V],
    mask: L::Mask,
) {
    let n_cols = job.offsets.len();
    let panels = &job.panels[group * n_cols..(group + G) * n_cols];
    // SAFETY: promised by the caller; rows that are not computed are not stored.
    unsafe {
        let mut sums = [[[L::splat(0.0); V]; GROUP]; G];
        if job.carry {
            for r in 0..G * GROUP {
                let row = job.first_row + group * GROUP + r;
                if job.rows.contains(&row) {
                    let y = job.y.as_ptr().add((row - job.rows.start) * job.y_plane);
                    for v in 0..V {
                        let at = y.add(to[v]);
                        sums[r / GROUP][r % GROUP][v] =
                            if MASKED { L::load_masked(at, mask) } else { L::load(at) };
                    }
                }
            }
        }
        let sums = tile::<L, V, G, MASKED>(panels, job.offsets, job.scale, from, mask, sums);
        for r in 0..G * GROUP {
            let row = job.first_row + group * GROUP + r;
            if job.rows.contains(&row) {
                let y = job.y.as_mut_ptr().add((row - job.rows.start) * job.y_plane);
                let epilogue = VectorEpilogue::<L>::new(job.epilogue.row(row));
                for v in 0..V {
                    let out = epilogue.apply(sums[r / GROUP][r % GROUP][v]);
                    if MASKED { out.store_masked(y.add(to[v]), mask) } else { out.store(y.add(to[v])) }
                }
            }
        }
    }
}

/// The `sums` of `G` groups for one tile, and the products of these columns.
///
/// # Safety
/// The features of `L`; at each of `from`, the vector of every offset is readable, or the lanes of its mask if `MASKED`; as
/// many columns in `G` panels as offsets.
#[inline(always)]
unsafe fn tile<L: Vector, const V: usize, const G: usize, const MASKED: bool>(
    panels: &[[f32; GROUP]],
    offsets: &[u32],
    scale: usize,
    from: [*const f32; V],
    mask: L::Mask,
    mut sums: [[[L; V]; GROUP]; G],
) -> [[[L; V]; GROUP]; G] {
    // SAFETY: promised by the caller.
    unsafe {
        for (column, &offset) in offsets.iter().enumerate() {
            let mut x = [L::splat(0.0); V];
            for v in 0..V {
                let at = from[v].add(offset as usize * scale);
                x[v] = if MASKED { L::load_masked(at, mask) } else { L::load(at) };
            }
            for g in 0..G {
                let weights = panels.get_unchecked(g * offsets.len() + column);
                for r in 0..GROUP {
                    let weight = L::splat(weights[r]);
                    for v in 0..V {
                        sums[g][r][v] = x[v].mul_add(weight, sums[g][r][v]);
                    }
                }
            }
        }
        sums
    }
}

/// Codebook lookup.
pub(crate) struct LookUp<'a> {
    pub(crate) codes: &'a [u8],
    pub(crate) book: &'a Codebook,
    /// As many.
    pub(crate) panel: &'a mut [f32],
}

impl Job for LookUp<'_> {
    type Output = ();

    #[inline(always)]
    fn define(self) {
        self.panel.iter_mut().zip(self.codes).for_each(|(w, &code)| *w = self.book.value(code));
    }

    #[inline(always)]
    unsafe fn run<A: Arch>(self) {
        // One code past the levels stands for pruned weights.
        if self.book.n_levels() >= 32 {
            // SAFETY: promised by the caller.
            return unsafe { A::look_up(self.codes, self.book, self.panel) };
        }
        let n = <A::Wide as Vector>::N;
        let (mut codes, mut panel) = (self.codes.chunks_exact(n), self.panel.chunks_exact_mut(n));
        // SAFETY: `n` codes and floats in each chunk; codes are below 32.
        unsafe {
            let levels = A::Wide::levels(self.book.table());
            for (codes, panel) in codes.by_ref().zip(panel.by_ref()) {
                A::Wide::look_up::<false>(codes.as_ptr(), levels).store(panel.as_mut_ptr());
            }
        }
        let (codes, panel) = (codes.remainder(), panel.into_remainder());
        LookUp { codes, book: self.book, panel }.define();
    }
}
