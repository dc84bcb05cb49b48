//! The hot loops of the loader: products of pruned, weight-shared matrices, and what stands between them.
//!
//! A layer's kept weights come from a [`RowSource`]; what is fastest to compute with depends on how many inputs are
//! multiplied at once, so there are several forms of one matrix:
//!
//! | form | for | bytes a kept weight |
//! |---|---|---|
//! | [`SlicedMatrix`] | a matrix and one vector | 3 (codebook of up to 32 entries), else 6 |
//! | [`ColumnMatrix`] | a matrix and one vector that is mostly zeros | 6 |
//! | [`TapMatrix`] | convolutions; a matrix and a batch of vectors | 3 |
//! | [`dense`] | matrices with nothing pruned; rows that were just unpacked | 1 a weight |
//!
//! None of them ever holds a dense matrix of f32. Zeros are neither stored nor multiplied.
//!
//! # Instruction sets
//! Every kernel takes an [`Isa`]. [`Isa::SCALAR`] is the definition, in plain Rust; AVX2 and AVX-512 are found out at
//! run time and need no build flags. All compute the same sums of f32 in different orders:
//! `|y - y_scalar| <= 4 n 2^-24 sum |w| |x|` for sums of `n` products.
//!
//! # Panics
//! Kernels panic if the shapes they are given disagree: shapes are the caller's, who checks input. No other input makes
//! them panic, and lengths are checked before anything is read without a check.
//!
//! What is not here: networks, files, threads (work is cut into rows and bands for them), allocation in the hot loops.
#![no_std]

extern crate alloc;
#[cfg(any(test, feature = "std"))]
extern crate std;

pub mod activations;
pub mod columns;
pub mod dense;
pub mod depthwise;
pub mod elementwise;
mod epilogue;
pub mod grid;
mod isa;
#[cfg(target_arch = "x86_64")]
mod lanes;
pub mod normalise;
pub mod pairwise;
pub mod planes;
pub mod pool;
pub mod rearrange;
pub mod rows;
pub mod sliced;
pub mod taps;

pub use columns::{ColumnMatrix, ColumnScratch};
pub use depthwise::{Depthwise, PlanesAt};
pub use epilogue::Epilogue;
pub use grid::{Aligned, ConvShape, Grid};
pub use kompakt_isa::Isa;
pub use pairwise::Pairwise;
pub use planes::Planes;
pub use pool::PoolWindow;
pub use rows::{Codebook, RowSource, RowWeights};
pub use sliced::SlicedMatrix;
pub use taps::{TapLayout, TapMatrix, Window};
