//! The hot loops of the loader: products of pruned, weight-shared matrices, and the operations between them.
//!
//! A layer's kept weights come from a [`RowSource`]; the fastest form depends on how many inputs are
//! multiplied together, so a matrix has several forms:
//!
//! | form | for | bytes per kept weight |
//! |---|---|---|
//! | [`SlicedMatrix`] | a matrix and one vector | 3 (codebook of up to 32 entries), else 6; picked from registers about 3 at 9 % kept |
//! | [`ColumnMatrix`] | a matrix and one vector that is mostly zeros | 6 |
//! | [`TapMatrix`] | convolutions; a matrix and a batch of vectors | 3 |
//! | [`PanelMatrix`] | the same where most weights are kept | 1 per weight |
//! | [`LaneMatrix`] | the same, where vectors lie one after another | 1 per weight |
//! | [`dense`] | matrices with nothing pruned; rows that were just unpacked | 1 per weight |
//!
//! All of them but columns also run over [bytes](Int8Rows), with sums of integers.
//!
//! None of them holds weights with a codebook as a dense matrix of f32: panels expand some rows at a time.
//! Where zeros are stored and multiplied, as in the last two, that is less work than skipping them.
//!
//! # Instruction sets
//! Every kernel takes an [`Isa`]. [`Isa::SCALAR`] is the definition, in plain Rust; the others are detected at run time and
//! need no build flags. A kernel is written once over vectors (`isa`) and compiled for each instruction set (`arch`), where
//! the page says what a new one must implement. All compute the same sums of f32 in different orders:
//! `|y - y_scalar| <= 4 n 2^-24 sum |w| |x|` for sums of `n` products.
//!
//! # Panics
//! Kernels panic if the given shapes disagree: checking them is up to the caller. No other input makes
//! them panic, and lengths are checked before anything is read without a check.
//!
//! What is not here: networks, files, threads (work is cut into rows and bands for them), allocation in the hot loops.
#![no_std]

extern crate alloc;
#[cfg(any(test, feature = "std"))]
extern crate std;

mod arch;
mod conv;
mod costs;
mod epilogue;
mod int8;
mod isa;
mod matrix;
mod ops;
mod tile;

pub use arch::{HAS_INTEGERS, HAS_STEPS};
pub use conv::{
    aligned::Aligned,
    convolution::Convolution,
    depthwise::{self, Depthwise, PlanesAt},
    expanded::ExpandedDepthwise,
    grid::{self, Grid},
    planes::{self, Planes},
    rows::{ConvRows, PlaneParts},
    scratch::ConvScratch,
    shape::ConvShape,
};
pub use costs::{Costs, Levels, Part};
pub use epilogue::Epilogue;
pub use int8::{planes::BytePlanes, quantiser::Quantiser, rows::Int8Rows};
pub use kompakt_isa::Isa;
pub use matrix::{
    columns::{self, ColumnMatrix, ColumnScratch},
    dense,
    lanes::LaneMatrix,
    layout::TapLayout,
    panels::{self, PanelMatrix, PanelScratch},
    rows::{Codebook, InSteps, RowSource, RowWeights},
    sliced::{self, SlicedMatrix},
    taps::{self, TapMatrix},
    window::Window,
    windowed::{WindowForm, WindowMatrix},
};
pub use ops::{
    activations, elementwise, functions, matmul, normalise,
    pairwise::{self, Pairwise},
    pool::{self, PoolWindow},
    rearrange, recurrent, reduce,
    softmax::{log_softmax, softmax},
    transpose,
};
