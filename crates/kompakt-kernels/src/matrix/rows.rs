//! The source of weights for the forms: the kept weights of a matrix, row by row.

use crate::{HAS_STEPS, Levels, Part, int8::rows::step_of};
use alloc::{boxed::Box, vec::Vec};

/// A row's products with one vector are added up in this many parts: product `i` goes to part `i % 4`, and
/// the sum is `(part 0 + part 1) + (part 2 + part 3)`, in every form, so that they all have the same bits on
/// an instruction set.
pub(crate) const PARTS: usize = 4;

/// The sum of the parts.
#[inline(always)]
pub(crate) fn whole([a, b, c, d]: [f32; PARTS]) -> f32 {
    (a + b) + (c + d)
}

/// `a * b + sum`, rounded once if `fused`.
#[inline(always)]
pub(crate) fn add_product(fused: bool, a: f32, b: f32, sum: f32) -> f32 {
    if !fused {
        return a * b + sum;
    }
    #[cfg(feature = "std")]
    return a.mul_add(b, sum);
    #[cfg(not(feature = "std"))]
    return libm::fmaf(a, b, sum);
}

/// The values of codes: up to 256 of them, the rest zero, so that each byte is a valid code. [In steps](Codebook::in_steps) all bytes
/// have values.
#[derive(Debug, Clone, PartialEq)]
pub struct Codebook {
    table: Box<[f32; 256]>,
    n_levels: usize,
    /// If codes are numbers of steps.
    steps: Option<Steps>,
}

/// The most steps of a level from zero.
const MOST_STEPS: f32 = 4096.0;
/// Of so many levels, one may be too far from the others for a byte.
const LEVELS_PER_FAR: usize = 8;
/// The code in steps of a level that is too far from the others.
const FAR: Option<u8> = None;

/// The least of 256 numbers in a row, zero among them, that hold the most of these.
fn widest(numbers: &[i32]) -> i32 {
    let held = |least: i32| numbers.iter().filter(|&&n| (least..least + 256).contains(&n)).count();
    let mut best = (0, held(0));
    for &least in numbers.iter().filter(|n| (-255..0).contains(*n)) {
        let n = held(least);
        if n > best.1 {
            best = (least, n);
        }
    }
    best.0
}

/// A codebook whose codes are numbers of steps, counted from the least level, which are converted where others are looked up.
#[derive(Debug, Clone)]
pub struct InSteps {
    /// Its levels; [one](Codebook::zero) is zero.
    pub book: Codebook,
    /// The code in it of each code of the original; none for levels that are too far from the others, and of those that the
    /// original does not have.
    pub codes: [Option<u8>; 256],
    /// Levels without a code.
    pub n_far: usize,
}

/// Levels at even distances: code `c` stands for `c + least` steps.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Steps {
    pub(crate) size: f32,
    /// At most 0.
    pub(crate) least: i32,
}

impl Codebook {
    /// A codebook of those levels; those past the 256th are dropped.
    pub fn new(levels: &[f32]) -> Self {
        let mut table = Box::new([0.0; 256]);
        let n_levels = levels.len().min(256);
        table[..n_levels].copy_from_slice(&levels[..n_levels]);
        Self { table, n_levels, steps: None }
    }

    /// Becomes a copy of another, in the same memory.
    pub fn copy_from(&mut self, other: &Self) {
        self.table.copy_from_slice(&other.table[..]);
        (self.n_levels, self.steps) = (other.n_levels, other.steps);
    }

    /// Entry `code`, zero past the last level.
    #[inline]
    pub fn value(&self, code: u8) -> f32 {
        self.table[usize::from(code)]
    }

    /// All 256 entries.
    pub fn table(&self) -> &[f32; 256] {
        &self.table
    }

    /// The number of levels given.
    pub fn n_levels(&self) -> usize {
        self.n_levels
    }

    /// The levels in whole steps, where they are such.
    ///
    /// `None` if they are no multiples of a step or too many are far from the others, and on machines on which looking them up is
    /// as fast.
    #[inline]
    pub fn in_steps(&self) -> Option<InSteps> {
        if HAS_STEPS && self.steps.is_none() { self.find_steps() } else { None }
    }

    // Not called often: one copy is enough.
    #[inline(never)]
    fn find_steps(&self) -> Option<InSteps> {
        let levels = &self.table[..self.n_levels];
        let about = step_of(levels, MOST_STEPS)?;
        let n_steps = |level: f32| libm::rintf(level / about);
        let size = [about, about.next_up(), about.next_down()]
            .into_iter()
            .find(|size| levels.iter().all(|&level| n_steps(level) * size == level))?;
        let numbers: Vec<i32> = levels.iter().map(|&level| n_steps(level) as i32).collect();
        let least = widest(&numbers);
        let (mut codes, mut n_far) = ([FAR; 256], 0);
        for (code, n) in codes.iter_mut().zip(numbers) {
            *code = u8::try_from(n - least).ok();
            n_far += usize::from(code.is_none());
        }
        let table = core::array::from_fn(|code| (code as i32 + least) as f32 * size);
        let steps = Some(Steps { size, least });
        let book = Self { table: Box::new(table), n_levels: 256, steps };
        (n_far * LEVELS_PER_FAR <= self.n_levels).then_some(InSteps { book, codes, n_far })
    }

    /// What codes stand for, if they are numbers of steps.
    #[inline]
    pub(crate) fn steps(&self) -> Option<Steps> {
        self.steps.filter(|_| HAS_STEPS)
    }

    /// A code that stands for zero, if there is one.
    pub fn zero(&self) -> Option<u8> {
        match self.steps() {
            None => u8::try_from(self.n_levels).ok(),
            Some(Steps { least, .. }) => u8::try_from(-least).ok(),
        }
    }

    /// What costs depend on.
    pub fn levels(&self) -> Levels {
        let in_steps = match self.in_steps() {
            _ if self.steps().is_some() => Part::All,
            Some(InSteps { n_far: 0, .. }) => Part::All,
            Some(_) => Part::Most,
            None => Part::None,
        };
        Levels { n: self.n_levels, in_steps }
    }
}

/// The codes of a source as panels hold them: in whole steps, if they are that, where levels are too many for a register.
pub(crate) struct StoredCodes {
    /// `None` where the source has values.
    book: Option<Codebook>,
    /// The code in the book of each code of the source, if it is another.
    codes: Option<[u8; 256]>,
}

impl StoredCodes {
    /// The fewest levels that are held in steps.
    const FROM: usize = 32;

    pub(crate) fn of(source: &dyn RowSource) -> Self {
        if !source.is_coded() {
            return Self { book: None, codes: None };
        }
        let book = source.codebook();
        match if book.n_levels() >= Self::FROM { book.in_steps() } else { None } {
            Some(InSteps { book, codes, n_far: 0 }) => {
                Self { book: Some(book), codes: Some(codes.map(|code| code.unwrap_or(0))) }
            }
            _ => Self { book: Some(book.clone()), codes: None },
        }
    }

    pub(crate) fn codebook(&self) -> Option<Codebook> {
        self.book.clone()
    }

    /// As [`RowSource::visit`] of the source, with these codes.
    pub(crate) fn visit(&self, source: &dyn RowSource, visit: &mut dyn FnMut(usize, &[u32], RowWeights<'_>)) {
        let Some(codes) = self.codes.filter(|_| HAS_STEPS) else { return source.visit(visit) };
        let mut stored = Vec::new();
        source.visit(&mut |row, cols, weights| match weights {
            RowWeights::Codes(all) => {
                stored.clear();
                stored.extend(all.iter().map(|&code| codes[usize::from(code)]));
                visit(row, cols, RowWeights::Codes(&stored));
            }
            RowWeights::Values(_) => visit(row, cols, weights),
        });
    }
}

/// The weights of one row's entries, in the order of its columns.
#[derive(Debug, Clone, Copy)]
pub enum RowWeights<'a> {
    /// Indices into the codebook.
    Codes(&'a [u8]),
    /// The values themselves.
    Values(&'a [f32]),
}

impl RowWeights<'_> {
    /// The value of entry `i`. Panics if there is none.
    #[inline]
    pub fn value(&self, codebook: &Codebook, i: usize) -> f32 {
        match self {
            Self::Codes(codes) => codebook.value(codes[i]),
            Self::Values(values) => values[i],
        }
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        match self {
            Self::Codes(codes) => codes.len(),
            Self::Values(values) => values.len(),
        }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// A sparse matrix that can be read row by row, any number of times, with the same result.
pub trait RowSource {
    /// Rows.
    fn n_rows(&self) -> usize;
    /// Columns.
    fn n_cols(&self) -> usize;
    /// The values behind codes; empty where rows carry values.
    fn codebook(&self) -> &Codebook;
    /// Whether rows carry codes.
    fn is_coded(&self) -> bool;
    /// Whether each value stands for four bytes, as its bits: see [`Int8Rows`](crate::Int8Rows).
    fn holds_bytes(&self) -> bool {
        false
    }
    /// Calls `visit(row, columns, weights)` for every row from first to last: columns ascending and below
    /// [`n_cols`](Self::n_cols), as many weights as columns.
    fn visit(&self, visit: &mut dyn FnMut(usize, &[u32], RowWeights<'_>));
}
