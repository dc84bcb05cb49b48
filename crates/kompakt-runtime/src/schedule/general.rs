//! Out-of-place steps with up to three inputs, image by image. Shapes leave out the batch.

use alloc::vec::Vec;
use kompakt_graph::{BinaryFunction, Reduction, Update};

/// The operation of such a step.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum General {
    /// A function of two values; dimensions of one element are broadcast.
    Binary { function: BinaryFunction, shapes: [Vec<usize>; 2], to: Vec<usize>, relu: bool },
    /// The second value where the first is not 0, else the third.
    Select { shapes: [Vec<usize>; 3], to: Vec<usize> },
    /// A reduction over some dimensions of `from`.
    Reduce { function: Reduction, from: Vec<usize>, axes: Vec<usize> },
    /// Matrix products over the last two dimensions.
    MatMul { a: Vec<usize>, b: Vec<usize>, to: Vec<usize> },
    /// A norm of each row of `len` elements, with the numbers of the file.
    Norm(Norm),
    /// Numbers of the file.
    Constant { numbers: usize },
    /// Rows of a table.
    Embedding { table: usize, features: usize },
    /// Gathers along a dimension of `n` elements with stride `inner`.
    Take { n: usize, inner: usize },
    /// Scatters rows of `m` elements.
    Scatter { update: Update, m: usize },
    /// The largest or smallest `k` of `n` elements of stride `inner`, or their indices.
    TopK { n: usize, k: usize, inner: usize, largest: bool, indices: bool },
}

/// A norm of the rows of a value; numbers by their place in the schedule.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Norm {
    pub(crate) len: usize,
    pub(crate) is_centred: bool,
    pub(crate) eps: f32,
    /// Factors of a row's elements.
    pub(crate) scale: Option<usize>,
    /// Terms added to them.
    pub(crate) shift: Option<usize>,
    /// A factor and a term for each group of so many rows.
    pub(crate) by_row: Option<(usize, usize)>,
}

impl General {
    /// Its name.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Binary { .. } => "binary",
            Self::Select { .. } => "select",
            Self::Reduce { .. } => "reduce",
            Self::MatMul { .. } => "mat_mul",
            Self::Norm(_) => "norm",
            Self::Constant { .. } => "constant",
            Self::Embedding { .. } => "embedding",
            Self::Take { .. } => "take",
            Self::Scatter { .. } => "scatter",
            Self::TopK { .. } => "top_k",
        }
    }
}
