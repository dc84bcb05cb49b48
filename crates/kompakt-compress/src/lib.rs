//! Compression of trained networks without training.
//!
//! ```text
//! weights of a layer ──► levels for many prices of a bit ──► a curve: bits against error         (curve)
//! curves of all layers ──► one price for the whole network ──► a point on each                   (allocate)
//! points ──► codes, column by column, errors compensated by the columns after ──► a file         (quantise)
//! file ──► its size, its answers ──► another price, until the target is met                      (search)
//!
//! images, or synthetic ones ──► inputs of each layer (moments), what errors in each row do (sensitivity)
//! ```
//!
//! A layer's weights become codes into a small codebook, one level of which is zero: pruning and weight
//! sharing are one step. Bits are allocated with one price for all layers; the sensitivity of a layer comes
//! from gradients: the part of the answers' energy that becomes error for each part of the layer's that does
//! ([`sense`]). With images, sensitive output units of a layer get finer levels, by a scale after the layer
//! (`rows`).
//!
//! With [blocks](Block) weights are kept or dropped four (two, eight) at a time, input channels of one output at one place
//! (`blocks`).
//!
//! Second-order information is used too: with `H = X Xᵀ` of a layer's inputs, each column is quantised
//! knowing the errors of those before it, which minimises the error of the layer's output; for tier `smallest` at the
//! price that the coder will have learnt for rows and columns of that size (`lengths`). Outputs get the energy back that
//! rounding takes from them (`gain`), and biases are corrected by the mean error that is left.
//!
//! Without images, synthetic inputs are generated (`inputs`, pictures by `synthetic`) of the kind that the network takes
//! (`kinds`): they say nothing of what the network is for, but much of how its layers interact. The result is compared with
//! the original on others of them (`blind`), and refused if it answers otherwise. A network that is small enough without loss is left as it is
//! (`lossless`).
//!
//! Not here: training, command lines, data sets.
//!
//! Sources: Chou, Lookabaugh, Gray 1989 (levels with a price on bits); Frantar et al. 2022, "GPTQ", and Chee et al. 2023,
//! "QuIP" (columns with feedback, here in the latter's form); Nagel et al. 2019 (bias correction); Dong et al. 2020 (layers by the
//! trace of their curvature).
#![forbid(unsafe_code)]

mod allocate;
mod answers;
mod backward;
mod blind;
mod blocks;
mod calibration;
mod compress;
mod curve;
mod detected;
mod drawing;
mod error;
mod evaluation;
mod factor;
mod gain;
mod images;
mod inputs;
mod int8;
mod kinds;
mod layer;
mod lengths;
mod levels;
mod lossless;
mod metric;
mod moments;
mod network;
mod paired;
mod product;
mod quantise;
mod random;
mod ranges;
mod recognised;
mod report;
mod rows;
mod sanity;
mod scan;
mod search;
mod sensitivity;
mod synthetic;
mod target;
mod trellis;
mod window;

pub use blind::Blind;
pub use compress::{Compressed, compress};
pub use detected::Detected;
pub use error::CompressError;
pub use evaluation::{Against, Evaluation};
pub use images::Images;
pub use inputs::synthetic_inputs;
pub use int8::calibrated;
pub use kompakt_model::Block;
pub use kompakt_runtime::Activations;
pub use lossless::without_loss;
pub use metric::Metric;
pub use network::{answers, n_classes, output_shape, packed, runnable};
pub use paired::{Paired, no_better_than_chance};
pub use recognised::{Characters, Recognised};
pub use report::{LayerReport, table};
pub use sanity::{check_after, check_before, check_file, doubts};
pub use scan::{LayerScan, SHOWN, Scan, ScanPoint, sense};
pub use target::{DEFAULT_NOISE, Options, Outcome, Target};

/// Progress callback: the current step, and how much of it is done (0 to 1).
pub type Progress<'p> = dyn Fn(&str, f64) + Sync + 'p;
