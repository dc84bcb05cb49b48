//! A sparse matrix for one vector: `y = W x`, sixteen rows at a time.
//!
//! ```text
//! rows of a band, longest first        step 0 1 2 3 4
//!   row 7   columns 1 4 5 8 9          idx  1 4 5 8 9      one step: a column and a weight for
//!   row 2   columns 0 3 5 6                 0 3 5 6 -      each of sixteen rows, side by side
//!   row 9   columns 2 3 7                   2 3 7 - -
//!   ...                                     ...            (- is a filler: weight zero)
//! ```
//!
//! Each row has its own lane, so there are no horizontal sums, and all sixteen rows end together: their
//! lengths are nearly equal because the rows of a band are sorted. Bands are contiguous rows, so that they
//! can be distributed over threads.
//!
//! The sixteen `x` of a step are loaded one by one and combined with inserts: on the machines measured that
//! is nearly twice as fast as the gather instruction. A codebook of up to 32 entries stays in two registers,
//! and a step takes 16 codes of one byte; a larger one is stored as values. With AVX-512 a matrix with a small codebook is
//! held in pages (`paged.rs`) where that is faster: sixteen `x` are then picked from registers.
//!
//! Source: Kreutzer 2014, "A unified sparse matrix data format", SELL-C-sigma.

#![expect(
    unsafe_code,
    reason = "indexed loads without bounds checks: columns were checked when the form was built"
)]

use crate::{
    Codebook, Epilogue, Isa, RowSource, RowWeights,
    arch::{Arch, HAS_PAGES},
    costs::Costs,
    isa::{Job, Vector, run, run_integers},
    matrix::{
        paged::{self, Pages},
        rows::{PARTS, whole},
    },
};
use alloc::{vec, vec::Vec};
use core::ops::Range;

/// Rows side by side.
pub(crate) const LANES: usize = 16;
/// Rows that are sorted together: a multiple of `LANES`.
pub const BAND_ROWS: usize = 256;
/// The code of a filler.
pub(crate) const FILLER: u8 = 0xff;
/// The maximum number of columns: a column is a u16.
pub const MAX_COLS: usize = 1 << 16;
/// The largest codebook that is kept as codes.
const MAX_LEVELS: usize = 32;

/// See the [module page](self).
#[derive(Debug, Clone)]
pub struct SlicedMatrix {
    n_rows: usize,
    n_cols: usize,
    n_kept: usize,
    /// Sixteen rows each, in the order of the bands.
    slices: Vec<Slice>,
    /// `[steps, LANES]`; each below `n_cols`, which is above 0 if there are any: kernels load `x` there
    /// unchecked. Only `build` writes here, and checks it. Empty in pages.
    idx: Vec<u16>,
    weights: SlicedWeights,
    /// Whether values stand for four bytes each.
    holds_bytes: bool,
}

/// Sixteen rows of a band.
#[derive(Debug, Clone)]
pub(crate) struct Slice {
    /// Its steps.
    pub(crate) steps: Range<usize>,
    /// The number of leading steps without fillers.
    pub(crate) full: usize,
    /// The row of each lane, counted from the band's first; the first `n_lanes` count.
    pub(crate) rows: [u16; LANES],
    pub(crate) n_lanes: usize,
}

#[derive(Debug, Clone)]
enum SlicedWeights {
    /// `[steps, LANES]`, each below 32 or [`FILLER`], with their 32 values.
    Codes(Vec<u8>, Codebook),
    /// `[steps, LANES]`; fillers are 0.
    Values(Vec<f32>),
    /// With their columns.
    Pages(Pages),
}

impl SlicedMatrix {
    /// Builds the form, or `None` if there are more than [`MAX_COLS`] columns.
    ///
    /// Panics: if the source breaks what [`RowSource::visit`] promises.
    pub fn build(source: &dyn RowSource) -> Option<Self> {
        let (n_rows, n_cols) = (source.n_rows(), source.n_cols());
        if n_cols > MAX_COLS {
            return None;
        }
        let mut counts = vec![0usize; n_rows];
        source.visit(&mut |row, cols, _| counts[row] = cols.len());
        let (slices, places, n_steps) = arrange(&counts);
        let mut idx = vec![0u16; n_steps * LANES];
        let codes = source.is_coded() && source.codebook().n_levels() <= MAX_LEVELS;
        let mut weights = if codes {
            SlicedWeights::Codes(vec![FILLER; n_steps * LANES], source.codebook().clone())
        } else {
            SlicedWeights::Values(vec![0.0; n_steps * LANES])
        };
        source.visit(&mut |row, cols, entries| {
            assert!(cols.len() == counts[row] && entries.len() == cols.len(), "row {row} changed");
            for (i, &col) in cols.iter().enumerate() {
                assert!((col as usize) < n_cols, "row {row} has column {col} of {n_cols}");
                let at = places[row] + i * LANES;
                idx[at] = col as u16;
                match (&mut weights, entries) {
                    (SlicedWeights::Codes(all, _), RowWeights::Codes(codes)) => all[at] = codes[i] & 31,
                    (SlicedWeights::Codes(..) | SlicedWeights::Pages(_), _) => {
                        panic!("row {row} has no codes")
                    }
                    (SlicedWeights::Values(all), entries) => all[at] = entries.value(source.codebook(), i),
                }
            }
        });
        // Fillers have column 0, and so does a row that was counted and then left out.
        assert!(idx.is_empty() || n_cols > 0, "kept weights without columns");
        Some(Self {
            n_rows,
            n_cols,
            n_kept: counts.iter().sum(),
            slices,
            idx,
            weights,
            holds_bytes: source.holds_bytes(),
        })
    }

    /// As [`build`](Self::build), in pages, whose inputs are picked from registers, where they are faster on an instruction set.
    pub fn build_for(isa: Isa, source: &dyn RowSource) -> Option<Self> {
        let (n_rows, n_cols) = (source.n_rows(), source.n_cols());
        let n_levels = source.is_coded().then(|| source.codebook().n_levels());
        let costs = Costs::of(isa);
        if !costs.page.is_finite() || n_cols > MAX_COLS || n_levels.is_none_or(|n| !Pages::hold(n)) {
            return Self::build(source);
        }
        let mut counts = vec![0usize; n_rows];
        source.visit(&mut |row, cols, _| counts[row] = cols.len());
        let n_kept: usize = counts.iter().sum();
        if Pages::pay(costs, [n_rows, n_cols], n_kept, n_levels) {
            let built = Self::in_pages(source, &counts);
            // There may be more pages than expected, where the rows of a slice differ much.
            let is_fast = built.n_pages() as f64 * costs.page < n_kept as f64 * costs.sliced_codes;
            if is_fast && Pages::are_small(built.n_bytes(), [n_rows, n_cols], n_kept) {
                return Some(built);
            }
        }
        Self::build(source)
    }

    /// In pages; `counts` are the kept weights of each row.
    pub(crate) fn in_pages(source: &dyn RowSource, counts: &[usize]) -> Self {
        let (n_rows, n_cols, n_kept) = (source.n_rows(), source.n_cols(), counts.iter().sum());
        let (slices, ..) = arrange(counts);
        let mut pages = Pages::new(source.codebook().clone());
        // The columns and codes of the rows of a band, and where each row's begin.
        let (mut cols, mut codes, mut begins) = (Vec::<u16>::new(), Vec::<u8>::new(), Vec::<usize>::new());
        source.visit(&mut |row, row_cols, entries| {
            assert!(row_cols.len() == counts[row] && entries.len() == row_cols.len(), "row {row} changed");
            let last = row_cols.last().map_or(0, |&col| col as usize);
            let ascends = row_cols.is_sorted_by(|a, b| a < b);
            assert!(last < n_cols && ascends, "row {row} has column {last} of {n_cols}");
            let RowWeights::Codes(row_codes) = entries else { panic!("row {row} has no codes") };
            begins.push(cols.len());
            cols.extend(row_cols.iter().map(|&col| col as u16));
            codes.extend(row_codes);
            cols.extend(paged::ENDS);
            codes.resize(cols.len(), 0);
            if (row + 1).is_multiple_of(BAND_ROWS) || row + 1 == n_rows {
                let first = row / BAND_ROWS * (BAND_ROWS / LANES);
                for slice in &slices[first..(first + BAND_ROWS / LANES).min(slices.len())] {
                    let rows = &slice.rows[..slice.n_lanes];
                    let begins: Vec<usize> = rows.iter().map(|&row| begins[usize::from(row)]).collect();
                    pages.push(n_cols, &cols, &codes, &begins);
                }
                cols.clear();
                codes.clear();
                begins.clear();
            }
        });
        pages.finish();
        let weights = SlicedWeights::Pages(pages);
        Self { n_rows, n_cols, n_kept, slices, idx: Vec::new(), weights, holds_bytes: false }
    }

    /// The bytes that [`build_for`](Self::build_for) would take for rows of about the same number of kept weights, fillers aside.
    pub fn estimate_bytes(isa: Isa, shape: [usize; 2], n_kept: usize, n_levels: Option<usize>) -> usize {
        if Pages::pay(Costs::of(isa), shape, n_kept, n_levels) {
            return Pages::estimate_bytes(shape, n_kept) + shape[0].div_ceil(LANES) * size_of::<Slice>();
        }
        let n_rows = shape[0];
        let weight = if n_levels.is_some_and(|n| n <= MAX_LEVELS) { 1 } else { 4 };
        n_kept * (2 + weight) + n_rows.div_ceil(LANES) * size_of::<Slice>()
    }

    /// The bytes it holds.
    pub fn n_bytes(&self) -> usize {
        let weights = match &self.weights {
            SlicedWeights::Codes(codes, _) => codes.len() + 1024,
            SlicedWeights::Values(values) => values.len() * 4,
            SlicedWeights::Pages(pages) => pages.n_bytes(),
        };
        self.idx.len() * 2 + weights + self.slices.len() * size_of::<Slice>()
    }

    /// Kept weights.
    pub fn n_kept(&self) -> usize {
        self.n_kept
    }

    /// Pages of sixteen rows, if it is held in such.
    pub fn n_pages(&self) -> usize {
        if let SlicedWeights::Pages(pages) = &self.weights { pages.len() } else { 0 }
    }

    /// The number of bands, the unit of work distribution.
    pub fn n_bands(&self) -> usize {
        self.n_rows.div_ceil(BAND_ROWS)
    }

    /// The rows of a band: [`BAND_ROWS`], fewer in the last.
    pub fn band_rows(&self, band: usize) -> Range<usize> {
        band * BAND_ROWS..((band + 1) * BAND_ROWS).min(self.n_rows)
    }

    /// `y = epilogue(W x)` for all rows.
    ///
    /// Shapes: `x` `[n_cols]`, `y` `[n_rows]`. Panics: if they are shorter.
    pub fn apply(&self, isa: Isa, x: &[f32], epilogue: Epilogue<'_>, y: &mut [f32]) {
        for band in 0..self.n_bands() {
            let rows = self.band_rows(band);
            self.apply_band(isa, band, x, epilogue, &mut y[rows]);
        }
    }

    /// [`apply`](Self::apply) for the rows of one band; `y` holds only those, `epilogue` is that of all rows.
    pub fn apply_band(&self, isa: Isa, band: usize, x: &[f32], epilogue: Epilogue<'_>, y: &mut [f32]) {
        let rows = self.band_rows(band);
        assert!(x.len() >= self.n_cols, "x has {} elements of {}", x.len(), self.n_cols);
        assert!(y.len() >= rows.len(), "y has {} elements of {}", y.len(), rows.len());
        epilogue.check(self.n_rows);
        let per_band = BAND_ROWS / LANES;
        let last = ((band + 1) * per_band).min(self.slices.len());
        for (number, slice) in self.slices.iter().enumerate().take(last).skip(band * per_band) {
            // Of columns and weights; pages have their own.
            let at = slice.steps.start * LANES..slice.steps.end * LANES;
            let sums = |weights| {
                let job = Sums { idx: &self.idx[at.clone()], weights, x };
                if self.holds_bytes { run_integers(isa, job).map(of_integer) } else { run(isa, job) }
            };
            let sums = match &self.weights {
                SlicedWeights::Codes(codes, book) => {
                    sums(Lanes::Codes { codes: &codes[at.clone()], full: slice.full, book })
                }
                SlicedWeights::Values(values) => sums(Lanes::Values(&values[at.clone()])),
                SlicedWeights::Pages(pages) if HAS_PAGES => pages.sums(isa, number, x),
                SlicedWeights::Pages(_) => unreachable!("pages on a processor that has none"),
            };
            for (&row, sum) in slice.rows[..slice.n_lanes].iter().zip(sums) {
                y[usize::from(row)] = epilogue.row(rows.start + usize::from(row)).apply(sum);
            }
        }
    }
}

/// The float nearest to an integer sum that is there as bits.
pub(crate) fn of_integer(bits: f32) -> f32 {
    bits.to_bits().cast_signed() as f32
}

/// The weights of one slice.
#[derive(Clone, Copy)]
enum Lanes<'a> {
    /// The first `full` steps have no filler.
    Codes {
        codes: &'a [u8],
        full: usize,
        book: &'a Codebook,
    },
    Values(&'a [f32]),
}

/// Sixteen sums.
struct Sums<'a> {
    /// `[steps, LANES]`; each below `x.len()`: the form checked them when it was built, `apply_band` the length.
    idx: &'a [u16],
    weights: Lanes<'a>,
    x: &'a [f32],
}

impl Job for Sums<'_> {
    type Output = [f32; LANES];

    /// Lane by lane, step by step, each row in [`PARTS`].
    #[inline(always)]
    fn define(self) -> [f32; LANES] {
        let Self { idx, weights, x } = self;
        let mut parts = [[0.0; PARTS]; LANES];
        for (step, columns) in idx.chunks_exact(LANES).enumerate() {
            for (lane, (parts, &col)) in parts.iter_mut().zip(columns).enumerate() {
                let at = step * LANES + lane;
                let weight = match weights {
                    Lanes::Codes { codes, .. } if codes[at] == FILLER => 0.0,
                    Lanes::Codes { codes, book, .. } => book.value(codes[at]),
                    Lanes::Values(values) => values[at],
                };
                parts[step % PARTS] += weight * x[usize::from(col)];
            }
        }
        parts.map(whole)
    }

    #[inline(always)]
    unsafe fn run<A: Arch>(self) -> [f32; LANES] {
        let Self { idx, weights, x } = self;
        debug_assert!(idx.iter().all(|&i| usize::from(i) < x.len()));
        assert!(idx.len().is_multiple_of(LANES));
        let x = x.as_ptr();
        match weights {
            Lanes::Codes { codes, full, book } => {
                assert!(codes.len() == idx.len() && full * LANES <= idx.len());
                // SAFETY: the features are there; a step has sixteen columns, which are valid, and as many codes.
                unsafe {
                    let levels = A::Wide::levels(book.table());
                    let mut parts = Parts::<A::Wide>::zero();
                    parts.add(idx, 0..full, x, Coded::<A::Wide, false> { codes: codes.as_ptr(), levels });
                    let rest = full..idx.len() / LANES;
                    parts.add(idx, rest, x, Coded::<A::Wide, true> { codes: codes.as_ptr(), levels });
                    parts.whole()
                }
            }
            Lanes::Values(values) => {
                assert!(values.len() == idx.len());
                // SAFETY: as above; a value for each column.
                unsafe {
                    let mut parts = Parts::<A::Wide>::zero();
                    parts.add(idx, 0..idx.len() / LANES, x, Plain(values.as_ptr()));
                    parts.whole()
                }
            }
        }
    }
}

/// The weights from entry `at` on.
trait StepWeights<V>: Copy {
    /// # Safety
    /// The features of `V`; as many weights from there on as `V` has lanes.
    unsafe fn get(self, at: usize) -> V;
}

/// Codes, possibly with fillers if `FILLERS`.
#[derive(Clone, Copy)]
struct Coded<V: Vector, const FILLERS: bool> {
    codes: *const u8,
    levels: V::Levels,
}

/// Values.
#[derive(Clone, Copy)]
struct Plain(*const f32);

impl<V: Vector, const FILLERS: bool> StepWeights<V> for Coded<V, FILLERS> {
    #[inline(always)]
    unsafe fn get(self, at: usize) -> V {
        // SAFETY: promised by the caller.
        unsafe { V::look_up::<FILLERS>(self.codes.add(at), self.levels) }
    }
}

impl<V: Vector> StepWeights<V> for Plain {
    #[inline(always)]
    unsafe fn get(self, at: usize) -> V {
        // SAFETY: promised by the caller.
        unsafe { V::load(self.0.add(at)) }
    }
}

/// The parts of sixteen sums, each of up to four vectors.
#[derive(Clone, Copy)]
struct Parts<V>([[V; 4]; PARTS]);

impl<V: Vector> Parts<V> {
    /// # Safety
    /// The features of `V`.
    #[inline(always)]
    unsafe fn zero() -> Self {
        // SAFETY: promised by the caller.
        Self([[unsafe { V::splat(0.0) }; 4]; PARTS])
    }

    /// The products of some steps: four at a time, so that it is known which part each goes to.
    ///
    /// # Safety
    /// The features; the steps' columns in `idx`, each a valid index at `x`; as many weights.
    #[inline(always)]
    unsafe fn add<W: StepWeights<V>>(&mut self, idx: &[u16], steps: Range<usize>, x: *const f32, weights: W) {
        let mut i = steps.start;
        // SAFETY: promised by the caller.
        unsafe {
            while i < steps.end && !i.is_multiple_of(PARTS) {
                self.one(idx, i, x, weights);
                i += 1;
            }
            while i + PARTS <= steps.end {
                self.step::<0, W>(idx, i, x, weights);
                self.step::<1, W>(idx, i + 1, x, weights);
                self.step::<2, W>(idx, i + 2, x, weights);
                self.step::<3, W>(idx, i + 3, x, weights);
                i += PARTS;
            }
            while i < steps.end {
                self.one(idx, i, x, weights);
                i += 1;
            }
        }
    }

    /// Any step.
    ///
    /// # Safety
    /// As [`add`](Self::add).
    #[inline(always)]
    unsafe fn one<W: StepWeights<V>>(&mut self, idx: &[u16], i: usize, x: *const f32, weights: W) {
        // SAFETY: promised by the caller.
        unsafe {
            match i % PARTS {
                0 => self.step::<0, W>(idx, i, x, weights),
                1 => self.step::<1, W>(idx, i, x, weights),
                2 => self.step::<2, W>(idx, i, x, weights),
                _ => self.step::<3, W>(idx, i, x, weights),
            }
        }
    }

    /// A step whose products go to part `P`.
    ///
    /// # Safety
    /// As [`add`](Self::add).
    #[inline(always)]
    unsafe fn step<const P: usize, W: StepWeights<V>>(
        &mut self,
        idx: &[u16],
        i: usize,
        x: *const f32,
        weights: W,
    ) {
        for v in 0..LANES / V::N {
            let at = i * LANES + v * V::N;
            // SAFETY: promised by the caller.
            unsafe {
                let x = V::gather(idx.as_ptr().add(at), x);
                self.0[P][v] = x.mul_add(weights.get(at), self.0[P][v]);
            }
        }
    }

    /// The sums.
    ///
    /// # Safety
    /// The features.
    #[inline(always)]
    unsafe fn whole(self) -> [f32; LANES] {
        let (mut out, [a, b, c, d]) = ([0.0; LANES], self.0);
        for v in 0..LANES / V::N {
            // SAFETY: sixteen floats are there.
            unsafe { a[v].add(b[v]).add(c[v].add(d[v])).store(out.as_mut_ptr().add(v * V::N)) }
        }
        out
    }
}

/// Sorts the rows of each band by length and cuts them into slices. Also where each row's entries start in `idx`,
/// and the number of steps.
fn arrange(counts: &[usize]) -> (Vec<Slice>, Vec<usize>, usize) {
    let mut slices = Vec::with_capacity(counts.len().div_ceil(LANES));
    let mut places = vec![0; counts.len()];
    let mut n_steps = 0;
    for (band, counts) in counts.chunks(BAND_ROWS).enumerate() {
        // The longest first; a number of a row of a band has 16 bits.
        let mut order: Vec<u64> =
            counts.iter().enumerate().map(|(row, &n)| !(n as u64) << 16 | row as u64).collect();
        order.sort_unstable();
        for lanes in order.chunks(LANES) {
            let mut rows = [0; LANES];
            for (lane, &row) in lanes.iter().enumerate() {
                rows[lane] = row as u16;
                places[band * BAND_ROWS + usize::from(rows[lane])] = n_steps * LANES + lane;
            }
            let longest = counts[usize::from(rows[0])];
            let full = if lanes.len() == LANES { counts[usize::from(rows[LANES - 1])] } else { 0 };
            slices.push(Slice { steps: n_steps..n_steps + longest, full, rows, n_lanes: lanes.len() });
            n_steps += longest;
        }
    }
    (slices, places, n_steps)
}
