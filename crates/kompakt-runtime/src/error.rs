//! What can go wrong between a file and its answer.

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
        /// What the system said.
        source: std::io::Error,
    },
    /// The bytes are not a sound container.
    #[error("not a sound .kompakt file: {0}")]
    Format(#[from] FormatError),
    /// The network has nodes that cannot be run; all of them are listed.
    #[error("the network cannot be run:{}", list(.0))]
    Unsupported(Vec<String>),
    /// A size that the network does not leave open, or that cannot be.
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
    /// An input has another length than the network takes.
    #[error("input {name:?} has {found} numbers; {batch} of shape {shape:?} are {expected}")]
    Input {
        /// The input's name.
        name: String,
        /// Its shape, batch left out.
        shape: Vec<usize>,
        /// How many inputs were announced.
        batch: usize,
        /// The numbers that they have.
        expected: usize,
        /// The numbers given.
        found: usize,
    },
    /// Another number of inputs than the network has.
    #[error("{found} inputs given, the network has {expected}")]
    InputCount {
        /// What it has.
        expected: usize,
        /// What was given.
        found: usize,
    },
    /// The network does not tell classes apart: it has several outputs, or one that is not a vector.
    #[error("the network does not classify: its outputs are {}; run it and read all outputs", .0.join(", "))]
    NotAClassifier(Vec<String>),
    /// The loader answers a self-test of the file otherwise than is stored.
    #[error(
        "self-test {index} on {isa} is off by {off:e}, where 1e-5 of {largest} is allowed: the file is not what was \
         packed, or the loader is wrong"
    )]
    SelfTest {
        /// Which of the file's self-tests.
        index: usize,
        /// The instruction set that it was run on.
        isa: &'static str,
        /// The largest difference.
        off: f32,
        /// The largest magnitude of the stored output.
        largest: f32,
    },
    /// The budget is less than the network needs even if every tile is streamed.
    #[error(
        "a RAM budget of {budget} bytes is too small: {least} is the least possible for batches of {max_batch}"
    )]
    Budget {
        /// What was asked for.
        budget: usize,
        /// The least that works.
        least: usize,
        /// Images that are run at once.
        max_batch: usize,
    },
    /// The file does not carry the signature that was asked for.
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
