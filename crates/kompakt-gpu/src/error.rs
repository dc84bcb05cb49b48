//! Errors of running on a GPU.

use kompakt_runtime::RuntimeError;

/// Why a network cannot be run on a GPU.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum GpuError {
    /// No adapter matches the request.
    #[error("no GPU {wanted}; this machine has {found} (the device `cpu` needs none)")]
    NoAdapter {
        /// The requested device.
        wanted: String,
        /// The available adapters, or `none`.
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
        /// The driver's message.
        problem: String,
    },
    /// The adapter lacks a feature that an option requires.
    #[error("the GPU {adapter:?} has no {feature}")]
    Feature {
        /// Its name.
        adapter: String,
        /// What is missing, and which option requires it.
        feature: &'static str,
    },
    /// The network has operations that cannot be run; all of them are listed.
    #[error("the network cannot be run on a GPU:{}", list(.0))]
    Unsupported(Vec<String>),
    /// A size exceeds the limit of the adapter or of a shader.
    #[error("{what} needs {needed} bytes; the limit of the GPU {adapter:?} is {limit}")]
    Limit {
        /// What has this size.
        what: String,
        /// Bytes required.
        needed: u64,
        /// Bytes allowed.
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
        /// The smallest budget that works.
        least: u64,
        /// Images per run.
        max_batch: usize,
    },
    /// The device has not answered within the [limit](crate::GpuOptions::timeout). It is left as it is, with the memory that it
    /// has: nothing waits for it any more.
    #[error("the GPU {adapter:?} has not answered for {seconds} seconds (the device `cpu` needs none)")]
    Timeout {
        /// Its name.
        adapter: String,
        /// How long was waited.
        seconds: f64,
    },
    /// The driver reported an error, or the device was lost.
    #[error("the GPU {adapter:?} reported: {message}")]
    Driver {
        /// Its name.
        adapter: String,
        /// The driver's message.
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
