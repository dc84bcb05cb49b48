//! Sixteen rows of a sparse matrix against one vector, whose elements are picked from registers.
//!
//! ```text
//! columns        0 ··· 17 | 18 ··· 43 | 60 ··· 90 | ···       pages: at most 31 columns, in which no row keeps more than four weights
//! a row's word   place, place, place, place, code, code       places in the page and levels, five bits each; the last
//!     and byte   code, code                                   two codes are in the byte, and in bits 30 and 31 of the word
//! ```
//!
//! A page of `x` fits two registers, and a permutation picks sixteen elements of it, one for each row, where loading them one by one takes
//! sixteen loads. Place 31 is a zero, which fills what is left of the four. Weight `i` of a row is in slot `i % 4`, the part of the sum that
//! it belongs to, so that sums have the same bits as in the other forms, of finite inputs.
//!
//! Instruction sets without such permutations have the definition alone, and [`Pages::pay`] says so.

#![expect(
    unsafe_code,
    reason = "loads of pages without bounds checks: they were checked when the form was built"
)]

use crate::{
    Codebook, Costs, Isa,
    arch::{Arch, HAS_PAGES},
    isa::{Job, Vector, run},
    matrix::{
        rows::{PARTS, add_product, whole},
        sliced::LANES,
    },
};
use alloc::vec::Vec;

/// The most columns of a page.
const COLUMNS: usize = 31;
/// The place of the zero.
const ZERO: u32 = 31;
/// What the last page of sixteen rows, half empty on average, adds to their number.
const LAST_PAGE: f64 = 0.5;
/// No column.
const END: u16 = u16::MAX;
/// What the columns of a row end with.
pub(crate) const ENDS: [u16; PARTS + 1] = [END; PARTS + 1];
/// The largest codebook.
const MAX_LEVELS: usize = 32;
/// A word and a byte of a row that keeps nothing.
const EMPTY: (u32, u8) = (ZERO | ZERO << 5 | ZERO << 10 | ZERO << 15, 0);

/// The pages of a matrix.
#[derive(Debug, Clone)]
pub(crate) struct Pages {
    slices: Vec<PagesOfSlice>,
    book: Codebook,
    /// While slices are added: room for the pages of one.
    room: PagesOfSlice,
}

/// The pages of sixteen rows.
#[derive(Debug, Clone, Default)]
struct PagesOfSlice {
    /// The first column of each page, at least [`COLUMNS`] before the end: kernels load `x` from there on unchecked. Only
    /// [`Pages::push`] writes here.
    starts: Vec<u16>,
    /// `[pages, LANES]`.
    words: Vec<[u32; LANES]>,
    /// `[pages, LANES]`.
    bytes: Vec<[u8; LANES]>,
}

/// The mean number of columns of a page of so many rows, and of empty ones before it, where each weight is kept with that probability on its own.
fn mean_width(n_rows: usize, density: f64) -> f64 {
    let all = |row: f64| (0..n_rows.clamp(1, LANES)).fold(1.0, |all, _| all * row);
    // The chances that a row keeps 0 to 4 weights of so many columns.
    let mut chances = [1.0, 0.0, 0.0, 0.0, 0.0];
    let mut width = 0.0;
    for _ in 0..COLUMNS {
        for n in (0..chances.len()).rev() {
            let one_more = if n > 0 { chances[n - 1] * density } else { 0.0 };
            chances[n] = chances[n] * (1.0 - density) + one_more;
        }
        // That no row keeps a fifth.
        let row: f64 = chances.iter().sum();
        width += all(row);
    }
    // A page begins where some row keeps a weight.
    let empty = all(1.0 - density);
    width + empty / (1.0 - empty).max(1e-9)
}

/// How many pages a matrix has, about.
fn estimate([n_rows, n_cols]: [usize; 2], n_kept: usize) -> f64 {
    let density = n_kept as f64 / (n_rows * n_cols).max(1) as f64;
    n_rows.div_ceil(LANES) as f64 * (n_cols as f64 / mean_width(n_rows, density) + LAST_PAGE)
}

impl Pages {
    /// Whether codes of that many levels fit.
    pub(crate) fn hold(n_levels: usize) -> bool {
        HAS_PAGES && n_levels <= MAX_LEVELS
    }

    /// Whether a matrix with that many levels, `None` for values, is faster in pages than by single loads, and hardly larger.
    pub(crate) fn pay(costs: &Costs, shape: [usize; 2], n_kept: usize, n_levels: Option<usize>) -> bool {
        n_levels.is_some_and(Self::hold)
            && (COLUMNS..=usize::from(END)).contains(&shape[1])
            && Self::ps(costs, shape, n_kept) < n_kept as f64 * costs.sliced_codes
            && Self::are_small(Self::estimate_bytes(shape, n_kept), shape, n_kept)
    }

    /// Whether so many bytes of pages are hardly more than a column and a code for each kept weight: weights of large layers come
    /// from outside the caches, where bytes are time.
    pub(crate) fn are_small(n_bytes: usize, shape: [usize; 2], n_kept: usize) -> bool {
        let fixed = shape[0].div_ceil(LANES) * 128 + 2048;
        n_bytes <= 3 * n_kept + n_kept / 3 + fixed
    }

    /// Picoseconds of a run.
    pub(crate) fn ps(costs: &Costs, shape: [usize; 2], n_kept: usize) -> f64 {
        estimate(shape, n_kept) * costs.page
    }

    /// The density at which a weight, kept or not, takes that many picoseconds: infinity if it never does.
    pub(crate) fn density(costs: &Costs, [n_rows, n_cols]: [usize; 2], ps: f64) -> f64 {
        let n_pages = ps * (n_rows * n_cols) as f64 / (costs.page * n_rows.div_ceil(LANES).max(1) as f64);
        let width = n_cols as f64 / (n_pages - LAST_PAGE).max(f64::MIN_POSITIVE);
        let (mut low, mut high) = (0.0, 1.0);
        if width < mean_width(n_rows, high) {
            return f64::INFINITY;
        }
        for _ in 0..40 {
            let middle = 0.5 * (low + high);
            if mean_width(n_rows, middle) > width { low = middle } else { high = middle }
        }
        low
    }

    /// The bytes that a matrix takes, about.
    pub(crate) fn estimate_bytes(shape: [usize; 2], n_kept: usize) -> usize {
        estimate(shape, n_kept) as usize * Self::BYTES
            + shape[0].div_ceil(LANES) * size_of::<PagesOfSlice>()
            + 1024
    }

    /// Of a page.
    const BYTES: usize = LANES * 5 + 2;

    /// No slices yet.
    pub(crate) fn new(book: Codebook) -> Self {
        Self { slices: Vec::new(), book, room: PagesOfSlice::default() }
    }

    /// The number of pages.
    pub(crate) fn len(&self) -> usize {
        self.slices.iter().map(|slice| slice.starts.len()).sum()
    }

    /// The bytes it holds.
    pub(crate) fn n_bytes(&self) -> usize {
        self.len() * Self::BYTES + self.slices.len() * size_of::<PagesOfSlice>() + 1024
    }

    /// Adds a slice of up to sixteen rows. The columns of each, ascending and below `n_cols`, lie in `cols` from a place in `begins` on,
    /// and end with [`ENDS`]; the codes of their weights, below 32, lie at the same places of `codes`.
    pub(crate) fn push(&mut self, n_cols: usize, cols: &[u16], codes: &[u8], begins: &[usize]) {
        assert!(begins.len() <= LANES && n_cols >= COLUMNS, "{} rows, {n_cols} columns", begins.len());
        let PagesOfSlice { starts, words: all_words, bytes: all_bytes } = &mut self.room;
        let mut next = [0; LANES];
        let next = &mut next[..begins.len()];
        next.copy_from_slice(begins);
        // What is read of a row for a page: four columns that it may keep there, and the fifth, where the page ends.
        let of = |at: usize| (&cols[at..at + PARTS + 1], &codes[at..at + PARTS]);
        loop {
            let ends = next.iter().map(|&at| (of(at).0[0], of(at).0[PARTS]));
            let (least, fifth) = ends.fold((END, END), |(a, b), (c, d)| (a.min(c), b.min(d)));
            if least == END {
                break;
            }
            let start = usize::from(least).min(n_cols - COLUMNS);
            let end = usize::from(fifth).min(start + COLUMNS);
            let (mut words, mut bytes) = ([EMPTY.0; LANES], [EMPTY.1; LANES]);
            for (lane, (at, begin)) in next.iter_mut().zip(begins).enumerate() {
                let ((cols, codes), slot) = (of(*at), *at - begin);
                let (mut places, mut levels) = (EMPTY.0, 0);
                for (i, (&col, &code)) in cols.iter().zip(codes).enumerate() {
                    if usize::from(col) >= end {
                        break;
                    }
                    let shift = 5 * ((slot + i) % PARTS);
                    places ^= (ZERO ^ (usize::from(col) - start) as u32) << shift;
                    levels |= u32::from(code & 31) << shift;
                    *at += 1;
                }
                (words[lane], bytes[lane]) = packed(places, levels);
            }
            starts.push(start as u16);
            all_words.push(words);
            all_bytes.push(bytes);
        }
        // As long as they are, and no longer.
        self.slices.push(self.room.clone());
        self.room.starts.clear();
        self.room.words.clear();
        self.room.bytes.clear();
    }

    /// Gives back the room for more.
    pub(crate) fn finish(&mut self) {
        self.room = PagesOfSlice::default();
    }

    /// The sums of the rows of a slice; `x` has all of the columns that slices were added with.
    pub(crate) fn sums(&self, isa: Isa, slice: usize, x: &[f32]) -> [f32; LANES] {
        let PagesOfSlice { starts, words, bytes } = &self.slices[slice];
        run(isa, Sums { starts, words, bytes, book: &self.book, x })
    }
}

/// The word and the byte of four places and four codes of five bits each.
fn packed(places: u32, codes: u32) -> (u32, u8) {
    (places | (codes & 0x3ff) << 20 | codes >> 18 << 30, (codes >> 10) as u8)
}

/// The place and the code of a slot.
fn entry(word: u32, byte: u8, slot: usize) -> (usize, u8) {
    let code = match slot {
        0 => (word >> 20) as u8 & 31,
        1 => (word >> 25) as u8 & 31,
        2 => byte & 31,
        _ => byte >> 5 | (word >> 27) as u8 & 0x18,
    };
    ((word >> (5 * slot) & 31) as usize, code)
}

/// Sixteen sums.
struct Sums<'a> {
    starts: &'a [u16],
    words: &'a [[u32; LANES]],
    bytes: &'a [[u8; LANES]],
    book: &'a Codebook,
    x: &'a [f32],
}

impl Job for Sums<'_> {
    type Output = [f32; LANES];

    fn define(self) -> [f32; LANES] {
        self.one_by_one(false)
    }

    #[inline(always)]
    unsafe fn run<A: Arch>(self) -> [f32; LANES] {
        if !A::PICKS {
            return self.one_by_one(A::Wide::FUSED);
        }
        let Self { starts, words, bytes, book, x } = self;
        debug_assert!(starts.iter().all(|&start| usize::from(start) + COLUMNS <= x.len()));
        assert!(words.len() == starts.len() && bytes.len() == starts.len());
        // SAFETY: the features are there; pages are within `x`, with a word and a byte for each row.
        unsafe { A::pick(starts, words, bytes, book, x) }
    }
}

impl Sums<'_> {
    /// Lane by lane, page by page.
    fn one_by_one(self, fused: bool) -> [f32; LANES] {
        let mut parts = [[0.0; PARTS]; LANES];
        for ((&start, words), bytes) in self.starts.iter().zip(self.words).zip(self.bytes) {
            let page = &self.x[usize::from(start)..][..COLUMNS];
            for ((parts, &word), &byte) in parts.iter_mut().zip(words).zip(bytes) {
                for (slot, part) in parts.iter_mut().enumerate() {
                    let (place, code) = entry(word, byte, slot);
                    if let Some(&x) = page.get(place) {
                        *part = add_product(fused, x, self.book.value(code), *part);
                    }
                }
            }
        }
        parts.map(whole)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Epilogue, RowSource, RowWeights, SlicedMatrix};
    use alloc::vec;

    /// Rows with the columns that a rule keeps. (`kompakt-testing` is built from another copy of this crate.)
    struct Rows {
        rows: Vec<(Vec<u32>, Vec<u8>)>,
        n_cols: usize,
        book: Codebook,
    }

    impl Rows {
        fn kept(n_rows: usize, n_cols: usize, keeps: impl Fn(usize, usize) -> bool) -> Self {
            let row = |row| {
                let cols: Vec<u32> =
                    (0..n_cols).filter(|&col| keeps(row, col)).map(|col| col as u32).collect();
                let codes = cols.iter().map(|&col| ((row * 7 + col as usize * 5) % 32) as u8).collect();
                (cols, codes)
            };
            let levels: Vec<f32> = (0..32).map(|i| (i as f32 - 13.7) * 0.37).collect();
            Self { rows: (0..n_rows).map(row).collect(), n_cols, book: Codebook::new(&levels) }
        }
    }

    impl RowSource for Rows {
        fn n_rows(&self) -> usize {
            self.rows.len()
        }
        fn n_cols(&self) -> usize {
            self.n_cols
        }
        fn codebook(&self) -> &Codebook {
            &self.book
        }
        fn is_coded(&self) -> bool {
            true
        }
        fn visit(&self, visit: &mut dyn FnMut(usize, &[u32], RowWeights<'_>)) {
            self.rows
                .iter()
                .enumerate()
                .for_each(|(r, (cols, codes))| visit(r, cols, RowWeights::Codes(codes)));
        }
    }

    #[test]
    fn slots_are_read_as_they_were_packed() {
        for codes in [[0, 31, 7, 24], [31, 1, 31, 31], [16, 8, 4, 3]] {
            let all = |five: &dyn Fn(usize) -> u32| (0..4).map(|slot| five(slot) << (5 * slot)).sum();
            let (word, byte) = packed(all(&|slot| slot as u32 * 9 + 1), all(&|slot| u32::from(codes[slot])));
            (0..4).for_each(|slot| assert_eq!(entry(word, byte, slot), (slot * 9 + 1, codes[slot])));
        }
        (0..4).for_each(|slot| assert_eq!(entry(EMPTY.0, EMPTY.1, slot), (ZERO as usize, 0)));
    }

    #[test]
    #[should_panic(expected = "row 0 has column")]
    fn columns_that_do_not_ascend_are_refused() {
        let mut source = Rows::kept(1, 40, |_, col| col < 6);
        source.rows[0].0.fill(7);
        SlicedMatrix::in_pages(&source, &[6]);
    }

    #[test]
    fn there_are_as_many_pages_as_expected() {
        let mut seed = 1u64;
        let mut dice = || {
            seed ^= seed << 13;
            seed ^= seed >> 7;
            seed ^= seed << 17;
            (seed >> 40) as f64 / (1u64 << 24) as f64
        };
        for density in [0.02, 0.05, 0.1, 0.2, 0.5, 0.9, 1.0] {
            let kept: Vec<bool> = (0..256 * 700).map(|_| dice() < density).collect();
            let source = Rows::kept(256, 700, |row, col| kept[row * 700 + col]);
            let counts: Vec<usize> = source.rows.iter().map(|r| r.0.len()).collect();
            let found = SlicedMatrix::in_pages(&source, &counts).n_pages() as f64;
            let expected = estimate([256, 700], counts.iter().sum());
            assert!((found / expected - 1.0).abs() < 0.05, "{found} pages at {density}, {expected} expected");
        }
        // The inverse, where pages are not as wide as can be.
        let costs = Costs { page: 2400.0, ..crate::costs::SCALAR };
        for density in [0.1, 0.3, 0.7] {
            let ps = Pages::ps(&costs, [64, 1000], (64_000.0 * density) as usize) / 64_000.0;
            assert!((Pages::density(&costs, [64, 1000], ps) / density - 1.0).abs() < 0.02);
        }
    }

    #[test]
    fn pages_have_the_bits_of_single_loads() {
        let hash = |row: usize, col: usize| (row * 2_654_435_761 + col * 40_503 + 77) >> 7;
        let sources = [
            Rows::kept(16, 31, |_, _| true),
            Rows::kept(5, 32, |row, col| row != 3 && col == 31),
            Rows::kept(300, 500, |row, col| hash(row, col).is_multiple_of(11)),
            Rows::kept(33, 1000, |row, col| col > 400 && col < 431 || row == 20 || col == 999),
            Rows::kept(20, 64, |_, _| false),
        ];
        for source in sources {
            let x: Vec<f32> = (0..source.n_cols).map(|i| (hash(i, 3) % 1000) as f32 / 500.0 - 1.0).collect();
            let n_rows = source.n_rows();
            let single = SlicedMatrix::build(&source).unwrap();
            let in_pages =
                SlicedMatrix::in_pages(&source, &source.rows.iter().map(|r| r.0.len()).collect::<Vec<_>>());
            // Other processors refuse to run pages.
            for isa in Isa::available().filter(|_| HAS_PAGES) {
                let (mut y, mut z) = (vec![f32::NAN; n_rows], vec![f32::NAN; n_rows]);
                single.apply(isa, &x, Epilogue::default(), &mut y);
                in_pages.apply(isa, &x, Epilogue::default(), &mut z);
                assert_eq!(y, z, "{n_rows} x {} on {isa}", source.n_cols);
            }
        }
    }
}
