//! Errors of opening and running a model.

use alloc::{string::String, vec::Vec};
use kompakt_format::FormatError;

/// Why a model cannot be opened, planned or run. The message says where and what to do.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RuntimeError {
    /// The file cannot be read.
    #[cfg(feature = "std")]
    #[error("{path}: {source}", path = path.display())]
    Io {
        /// The file.
        path: std::path::PathBuf,
        /// The system's error.
        source: std::io::Error,
    },
    /// The bytes are not a valid container.
    #[error("not a sound .kompakt file: {0}")]
    Format(#[from] FormatError),
    /// The network has nodes that cannot be run; all of them are listed.
    #[error("the network cannot be run:{}", list(.0))]
    Unsupported(Vec<String>),
    /// A size that is not open in the network, or that is impossible.
    #[error("size {name:?} cannot be {size}: sizes from 1 on can be given for {}", .known.join(", "))]
    Size {
        /// The name that was given.
        name: String,
        /// The size that was given.
        size: usize,
        /// The sizes that the network leaves open.
        known: Vec<String>,
    },
    /// An executor cannot run the network, or failed to.
    #[error("{0}")]
    Executor(String),
    /// An input does not have the length that the network expects.
    #[error("input {name:?} has {found} numbers; {batch} of shape {shape:?} are {expected}")]
    Input {
        /// The input's name.
        name: String,
        /// Its shape without the batch.
        shape: Vec<usize>,
        /// The batch size.
        batch: usize,
        /// The expected number of elements.
        expected: usize,
        /// The given number of elements.
        found: usize,
    },
    /// The wrong number of inputs.
    #[error("{found} inputs given, the network has {expected}")]
    InputCount {
        /// The number of inputs of the network.
        expected: usize,
        /// The number given.
        found: usize,
    },
    /// The network is not a classifier: it has several outputs, or one that is not a vector.
    #[error("the network does not classify: its outputs are {}; run it and read all outputs", .0.join(", "))]
    NotAClassifier(Vec<String>),
    /// The output for a self-test of the file differs from the stored one.
    #[error(
        "self-test {index} on {isa} is off by {off:e}, where 1e-5 of {largest} is allowed: the file is not what was \
         packed, or the loader is wrong"
    )]
    SelfTest {
        /// Which of the file's self-tests.
        index: usize,
        /// The instruction set used.
        isa: &'static str,
        /// The largest difference.
        off: f32,
        /// The largest magnitude of the stored output.
        largest: f32,
    },
    /// Layers cannot read integers without the ranges of their inputs.
    #[error(
        "int8 activations need the ranges of values, which the file does not hold: add them by `kompakt calibrate FILE -o NEW \
         --data IMAGES`, or compress with `--activations int8`"
    )]
    NoRanges,
    /// The budget is less than the network needs even if all tiles are streamed.
    #[error(
        "a RAM budget of {budget} bytes is too small: {least} is the least possible for batches of {max_batch}"
    )]
    Budget {
        /// The requested budget.
        budget: usize,
        /// The smallest budget that works.
        least: usize,
        /// Images per run.
        max_batch: usize,
    },
    /// The file does not have the requested signature.
    #[error("{0}")]
    Signature(String),
    /// A thread cannot be started.
    #[cfg(feature = "std")]
    #[error("cannot start a thread: {0}")]
    Thread(std::io::Error),
}

fn list(reasons: &[String]) -> String {
    reasons.iter().flat_map(|r| ["\n  ", r]).collect()
}
