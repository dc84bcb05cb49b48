//! The source of weights for the forms: the kept weights of a matrix, row by row.

use alloc::boxed::Box;

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

/// The values of codes: up to 256 of them, the rest zero, so that each byte is a valid code.
#[derive(Debug, Clone, PartialEq)]
pub struct Codebook {
    table: Box<[f32; 256]>,
    n_levels: usize,
}

impl Codebook {
    /// A codebook of those levels; those past the 256th are dropped.
    pub fn new(levels: &[f32]) -> Self {
        let mut table = Box::new([0.0; 256]);
        let n_levels = levels.len().min(256);
        table[..n_levels].copy_from_slice(&levels[..n_levels]);
        Self { table, n_levels }
    }

    /// Becomes a copy of another, in the same memory.
    pub fn copy_from(&mut self, other: &Self) {
        self.table.copy_from_slice(&other.table[..]);
        self.n_levels = other.n_levels;
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
