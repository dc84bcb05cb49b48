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

#[cfg(target_arch = "x86_64")]
use crate::int8::runs::Head;
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
pub(crate) struct Panels<'a, C> {
    pub(crate) columns: C,
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

/// The columns of groups of rows.
pub(crate) trait Columns: Copy {
    /// The `sums` of `G` groups from the one numbered `group` on for one tile, and the products of their columns.
    ///
    /// # Safety
    /// The features of `L`; there are so many groups; at each of `from`, the vector of every column is readable, or the lanes
    /// of its mask if `MASKED`.
    unsafe fn add<L: Vector, const V: usize, const G: usize, const MASKED: bool>(
        self,
        group: usize,
        from: [*const f32; V],
        mask: L::Mask,
        sums: [[[L; V]; GROUP]; G],
    ) -> [[[L; V]; GROUP]; G];
}

/// All columns, in the same order in every group.
#[derive(Clone, Copy)]
pub(crate) struct AllColumns<'a> {
    /// `[groups][columns]`.
    pub(crate) panels: &'a [[f32; GROUP]],
    /// One per column, in units of `scale` floats.
    pub(crate) offsets: &'a [u32],
    pub(crate) scale: usize,
}

/// Bytes in [runs](crate::int8::runs), those of each group in their own order.
#[cfg(target_arch = "x86_64")]
#[derive(Clone, Copy)]
pub(crate) struct ColumnsInRuns<'a> {
    /// Where the list of each group starts, then the end: within the slices.
    pub(crate) starts: &'a [u32],
    /// In units of `scale` floats.
    pub(crate) offsets: &'a [u32],
    /// As many.
    pub(crate) weights: &'a [[f32; GROUP]],
    pub(crate) scale: usize,
}

#[cfg(target_arch = "x86_64")]
impl Job for Panels<'_, ColumnsInRuns<'_>> {
    type Output = ();

    fn define(self) {
        unreachable!("runs are not run on every instruction set");
    }

    #[inline(always)]
    unsafe fn run<A: Arch>(self) {
        // SAFETY: as below.
        unsafe { positions::<A::Wide, _>(self) }
    }
}

impl Job for Panels<'_, AllColumns<'_>> {
    type Output = ();
    const HAS_RUNS: bool = true;

    /// Position by position, column by column.
    fn define(self) {
        let Self { columns, first_row, rows, x, window, carry, epilogue, y, y_plane } = self;
        let AllColumns { panels, offsets, scale } = columns;
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
        unsafe { positions::<A::Wide, _>(self) }
    }
}

/// # Safety
/// The features of `L`; every column's window inside `x`, and one window a row inside `y`.
#[inline(always)]
unsafe fn positions<L: Vector, C: Columns>(job: Panels<'_, C>) {
    // SAFETY: promised by the caller.
    unsafe {
        if job.window.cols < L::N {
            all_tiles::<L, C, true>(job);
        } else {
            all_tiles::<L, C, false>(job);
        }
    }
}

/// Divides the window into tiles of vectors, each for all rows.
///
/// # Safety
/// As [`positions`]; lines are shorter than a vector if `MASKED`, else not.
#[inline(always)]
unsafe fn all_tiles<L: Vector, C: Columns, const MASKED: bool>(mut job: Panels<'_, C>) {
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
                4 if most >= 4 => tiles::<L, C, 4, MASKED>(&mut job, at, a_line),
                3 if most >= 3 => tiles::<L, C, 3, MASKED>(&mut job, at, a_line),
                2 => tiles::<L, C, 2, MASKED>(&mut job, at, a_line),
                _ => tiles::<L, C, 1, MASKED>(&mut job, at, a_line),
            }
        }
        at += v;
    }
}

/// `V` vectors of the window, from the one numbered `at` on, of all rows.
///
/// # Safety
/// As [`all_tiles`]; so many vectors are in the window, `a_line` in each of its rows.
#[inline(always)]
unsafe fn tiles<L: Vector, C: Columns, const V: usize, const MASKED: bool>(
    job: &mut Panels<'_, C>,
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
                groups::<L, C, V, 2, MASKED>(job, group, from, to, mask);
                group += 2;
            }
        }
        while group < n_groups {
            groups::<L, C, V, 1, MASKED>(job, group, from, to, mask);
            group += 1;
        }
    }
}

/// One tile of `G` groups from the one numbered `group` on.
///
/// # Safety
/// As [`tiles`]; there are so many groups.
#[inline(always)]
unsafe fn groups<L: Vector, C: Columns, const V: usize, const G: usize, const MASKED: bool>(
    job: &mut Panels<'_, C>,
    group: usize,
    from: [*const f32; V],
    to: [usize; V],
    mask: L::Mask,
) {
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
        let sums = job.columns.add::<L, V, G, MASKED>(group, from, mask, sums);
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

impl Columns for AllColumns<'_> {
    #[inline(always)]
    unsafe fn add<L: Vector, const V: usize, const G: usize, const MASKED: bool>(
        self,
        group: usize,
        from: [*const f32; V],
        mask: L::Mask,
        mut sums: [[[L; V]; GROUP]; G],
    ) -> [[[L; V]; GROUP]; G] {
        let Self { panels, offsets, scale } = self;
        let panels = &panels[group * offsets.len()..(group + G) * offsets.len()];
        // SAFETY: promised by the caller; a panel has as many columns as there are offsets.
        unsafe {
            for (column, &offset) in offsets.iter().enumerate() {
                let x = vectors::<L, V, MASKED>(from, offset as usize * scale, mask);
                for g in 0..G {
                    let weights = panels.get_unchecked(g * offsets.len() + column);
                    for r in 0..GROUP {
                        L::add_products(&mut sums[g][r], x, &weights[r]);
                    }
                }
            }
            sums
        }
    }
}

#[cfg(target_arch = "x86_64")]
impl Columns for ColumnsInRuns<'_> {
    #[inline(always)]
    unsafe fn add<L: Vector, const V: usize, const G: usize, const MASKED: bool>(
        self,
        group: usize,
        from: [*const f32; V],
        mask: L::Mask,
        mut sums: [[[L; V]; GROUP]; G],
    ) -> [[[L; V]; GROUP]; G] {
        for (g, sums) in sums.iter_mut().enumerate() {
            let list = self.starts[group + g] as usize..self.starts[group + g + 1] as usize;
            let (mut offsets, mut weights) = (&self.offsets[list.clone()], &self.weights[list]);
            while let ([_, after @ ..], [head, weights_after @ ..]) = (offsets, weights) {
                let Head { per_run, n } = Head::of_weight(head[0]);
                let (stretch, stretch_weights) = (&after[..n], &weights_after[..n]);
                for (offsets, weights) in stretch.chunks(per_run).zip(stretch_weights.chunks(per_run)) {
                    // SAFETY: promised by the caller.
                    unsafe {
                        let mut short = [[L::splat(0.0); V]; GROUP];
                        for (&offset, weights) in offsets.iter().zip(weights) {
                            let x = vectors::<L, V, MASKED>(from, offset as usize * self.scale, mask);
                            for r in 0..GROUP {
                                let weight = L::splat(weights[r]);
                                for v in 0..V {
                                    short[r][v] = x[v].mul_add_short(weight, short[r][v]);
                                }
                            }
                        }
                        for r in 0..GROUP {
                            for v in 0..V {
                                sums[r][v] = sums[r][v].add_short(short[r][v]);
                            }
                        }
                    }
                }
                (offsets, weights) = (&after[n..], &weights_after[n..]);
            }
        }
        sums
    }
}

/// The vectors of a column.
///
/// # Safety
/// As [`Columns::add`].
#[inline(always)]
unsafe fn vectors<L: Vector, const V: usize, const MASKED: bool>(
    from: [*const f32; V],
    offset: usize,
    mask: L::Mask,
) -> [L; V] {
    // SAFETY: promised by the caller.
    unsafe {
        let mut x = [L::splat(0.0); V];
        for v in 0..V {
            let at = from[v].add(offset);
            x[v] = if MASKED { L::load_masked(at, mask) } else { L::load(at) };
        }
        x
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
