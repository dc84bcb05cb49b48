//! ONNX import and export.
//!
//! ```text
//! model.onnx ──► proto ──► constants folded ──► operators lowered ──► affine steps folded ──► Model
//!                          shapes, casts        one image at a time    into the layer before
//! ```
//!
//! [`import`] reads a network of operator sets 7 to 25 as a model of the interchange, ready to be pruned, compressed or
//! packed. [`export`] writes a model as ONNX again, dense, so that any other runtime can check it.
//!
//! # The batch
//! Graphs of this project work on one image; ONNX's carry the batch as their first dimension. Importing takes the
//! first dimension of every input as the batch and follows it. Where that fails, because a model mixes images or its values have
//! no leading batch, all dimensions become the network's own, an open first one is 1, and one run of the
//! network is one run of the file.
//!
//! # Open sizes
//! Other sizes that a file leaves open stay open where imports at several sizes prove that one network is all of them; the others
//! are fixed, and [`HeldSize`] names the operator that holds each. [`ImportOptions`] gives the stored and the greatest sizes.
//!
//! # Lengths that the data decide
//! `NonZero` and `NonMaxSuppression` make as many rows as there can be at most: those that exist first, and -1 behind them in the
//! network's outputs. What would count or mix such rows is refused.
//!
//! # Transformations
//! Arithmetic on shapes and constants is carried out. Batch norms, scales and biases go into the layer before them.
//! Padding becomes explicit. Operators that the interchange lacks become several that it has: a transposed
//! convolution is a spread, a pad and a convolution; attention is matrix products and a softmax. Integers and
//! booleans are floats from there on: integers up to 2^24 are exact.
//!
//! # Hostile input
//! No input makes this crate panic. Weights are read from the file itself or from files below its folder,
//! never from elsewhere; constants that a model computes are bounded by its size.
//!
//! # The check
//! [`import_checked`] compares the import with the file: an evaluator that shares no rewriting with the
//! importer runs the file node by node, the caller runs the imported network, and the answers must agree.
//!
//! What is not here: running imported networks, command lines.

mod attributes;
mod builder;
mod check;
mod error;
mod evaluate;
mod export;
mod external;
mod fit;
mod fold;
mod import;
mod lower;
mod narrow;
mod open_sizes;
mod options;
mod ports;
mod proto;
mod rules;
mod sample;
mod simplify;
mod tensor;

pub use check::{Checked, Progress, Run, TOLERANCE, import_checked};
pub use error::{OnnxError, Problem};
pub use export::export;
pub use import::{external_files, import, import_with_held};
pub use open_sizes::{DEFAULT_MOST, HeldSize};
pub use options::ImportOptions;
