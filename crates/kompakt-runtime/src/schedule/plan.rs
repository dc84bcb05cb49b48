//! How a network will be run, known before it is.

use alloc::{string::String, vec::Vec};

/// How a network will be run, known before it is: forms and bytes.
///
/// Anonymous bytes are memory of the process: activations, decoded weights, scratch. File-backed bytes are parts of the
/// mapped file that every run reads; the system may take them back at any time. Neither counts the program itself.
#[derive(Debug, Clone, PartialEq, Default)]
#[non_exhaustive]
pub struct Plan {
    /// The instruction set, by its name.
    pub isa: &'static str,
    /// Threads.
    pub threads: usize,
    /// Images that are run at once.
    pub max_batch: usize,
    /// One a layer with weights, in the order they run.
    pub layers: Vec<LayerPlan>,
    /// Bytes of the arena that all values share.
    pub activation_bytes: usize,
    /// The same, if every value had memory of its own.
    pub activation_bytes_unshared: usize,
    /// All memory of the session, activations and decoded weights included; with a model that was read instead of
    /// mapped, its file too.
    pub anonymous_bytes: usize,
    /// Bytes of the mapped file that every run reads.
    pub file_bytes: usize,
    /// What runs it, if that is not this machine's processor.
    pub device: Option<DevicePlan>,
}

/// A device that runs a network in memory of its own.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct DevicePlan {
    /// Its name.
    pub name: String,
    /// Bytes in its memory of weights and other numbers of the file.
    pub weight_bytes: u64,
    /// Bytes in its memory of values between steps.
    pub activation_bytes: u64,
    /// Bytes of inputs, results and weights on their way.
    pub staging_bytes: u64,
}

impl DevicePlan {
    /// All of it.
    pub fn total_bytes(&self) -> u64 {
        self.weight_bytes + self.activation_bytes + self.staging_bytes
    }
}

/// How one layer will be run.
#[derive(Debug, Clone, PartialEq, Default)]
#[non_exhaustive]
pub struct LayerPlan {
    /// The node's name.
    pub name: String,
    /// The form of its weights: see the table of the crate's page.
    pub form: &'static str,
    /// Weights that are kept; of a layer of tier `stream` that nothing had to count, about so many.
    pub n_kept: usize,
    /// All weights.
    pub n_weights: usize,
    /// Memory that the form takes.
    pub anonymous_bytes: usize,
    /// Bytes of the file that every run reads.
    pub file_bytes: usize,
    /// The forms that it could have had in memory, and nanoseconds of a run by the table of costs of the instruction
    /// set, which decided; empty where there is but one.
    pub costs: Vec<(&'static str, f64)>,
    /// Nanoseconds of a run of [`max_batch`](Plan::max_batch) images by the table of costs, with the inputs in cache: of the
    /// form that it has or, if it is run from the file, would have in memory (decoding is not counted).
    pub ns: f64,
    /// The same if nothing were pruned and the weights were f32 in cache: dense arithmetic with the kernels used here.
    pub dense_ns: f64,
}

impl Plan {
    /// Estimated nanoseconds of a run of [`max_batch`](Self::max_batch) images on one thread: the sum of
    /// [`LayerPlan::ns`]. Steps without weights are not counted.
    pub fn ns(&self) -> f64 {
        self.layers.iter().map(|layer| layer.ns).sum()
    }

    /// The same of the dense network: the sum of [`LayerPlan::dense_ns`].
    pub fn dense_ns(&self) -> f64 {
        self.layers.iter().map(|layer| layer.dense_ns).sum()
    }
}
