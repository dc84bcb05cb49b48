//! Steps that read up to three values and write another, image by image. Shapes leave out the batch.

use alloc::vec::Vec;
use kompakt_graph::{BinaryFunction, Reduction, Update};

/// What such a step does.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum General {
    /// A function of two values, what has one element along a dimension repeated.
    Binary { function: BinaryFunction, shapes: [Vec<usize>; 2], to: Vec<usize>, relu: bool },
    /// The second value where the first is not 0, else the third.
    Select { shapes: [Vec<usize>; 3], to: Vec<usize> },
    /// One element of all along some dimensions of `from`.
    Reduce { function: Reduction, from: Vec<usize>, axes: Vec<usize> },
    /// Products of matrices in the last two dimensions.
    MatMul { a: Vec<usize>, b: Vec<usize>, to: Vec<usize> },
    /// Numbers of the file.
    Constant { numbers: usize },
    /// Rows of a table.
    Embedding { table: usize, features: usize },
    /// Along a dimension of `n` elements, `inner` after it, what is at indices.
    Take { n: usize, inner: usize },
    /// Writes rows of `m` elements where indices say.
    Scatter { update: Update, m: usize },
    /// The greatest or least `k` of `n` elements that are `inner` apart, or where they are.
    TopK { n: usize, k: usize, inner: usize, largest: bool, indices: bool },
}

impl General {
    /// What it does, in a word.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Binary { .. } => "binary",
            Self::Select { .. } => "select",
            Self::Reduce { .. } => "reduce",
            Self::MatMul { .. } => "mat_mul",
            Self::Constant { .. } => "constant",
            Self::Embedding { .. } => "embedding",
            Self::Take { .. } => "take",
            Self::Scatter { .. } => "scatter",
            Self::TopK { .. } => "top_k",
        }
    }
}
