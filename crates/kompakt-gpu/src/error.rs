//! What can go wrong on the way to a GPU and back.

use kompakt_runtime::RuntimeError;

/// Why a network cannot be run on a GPU.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum GpuError {
    /// No adapter fits what was asked for.
    #[error("no GPU {wanted}; this machine has {found} (the device `cpu` needs none)")]
    NoAdapter {
        /// What was asked for.
        wanted: String,
        /// The adapters that there are, or `none`.
        found: String,
    },
    /// This program cannot use GPUs.
    #[error(
        "this program was built without GPUs: build it with the cargo feature `gpu`, or use the device `cpu`"
    )]
    NotBuilt,
    /// The adapter refuses to become a device.
    #[error("the GPU {adapter:?} cannot be used: {problem}")]
    Device {
        /// Its name.
        adapter: String,
        /// The driver's words.
        problem: String,
    },
    /// The adapter lacks what an option asks for.
    #[error("the GPU {adapter:?} has no {feature}")]
    Feature {
        /// Its name.
        adapter: String,
        /// What is missing, and what asked for it.
        feature: &'static str,
    },
    /// The network has operations that cannot be run; all of them are listed.
    #[error("the network cannot be run on a GPU:{}", list(.0))]
    Unsupported(Vec<String>),
    /// Something needs more than the adapter or a shader allows.
    #[error("{what} needs {needed} bytes; the limit of the GPU {adapter:?} is {limit}")]
    Limit {
        /// What.
        what: String,
        /// Bytes that it takes.
        needed: u64,
        /// Bytes that there may be.
        limit: u64,
        /// The GPU's name.
        adapter: String,
    },
    /// The budget for video memory is too small.
    #[error(
        "a budget of {budget} bytes of video memory is too small: {least} is the least possible for batches of {max_batch}"
    )]
    Budget {
        /// As given.
        budget: u64,
        /// The least that works.
        least: u64,
        /// Images that are run at once.
        max_batch: usize,
    },
    /// The driver reported an error, or the device was lost.
    #[error("the GPU {adapter:?} reported: {message}")]
    Driver {
        /// Its name.
        adapter: String,
        /// The driver's words.
        message: String,
    },
    /// The loader's errors: a broken file, a wrong option.
    #[error(transparent)]
    Runtime(#[from] RuntimeError),
}

impl From<GpuError> for RuntimeError {
    fn from(error: GpuError) -> Self {
        match error {
            GpuError::Runtime(error) => error,
            other => Self::Executor(other.to_string()),
        }
    }
}

fn list(reasons: &[String]) -> String {
    reasons.iter().flat_map(|r| ["\n  ", r]).collect()
}
