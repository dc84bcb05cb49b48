//! The plan of a session: forms and memory, known before running.

use alloc::{string::String, vec::Vec};

/// The plan for running a network, known in advance: forms and memory.
///
/// Anonymous bytes are memory of the process: activations, decoded weights, scratch. File-backed bytes are
/// parts of the mapped file that every run reads; the system may reclaim them at any time. Neither includes
/// the program itself.
#[derive(Debug, Clone, PartialEq, Default)]
#[non_exhaustive]
pub struct Plan {
    /// The instruction set, by its name.
    pub isa: &'static str,
    /// Threads.
    pub threads: usize,
    /// Images per run.
    pub max_batch: usize,
    /// One per layer with weights, in execution order.
    pub layers: Vec<LayerPlan>,
    /// Bytes of the arena that all values share, apart from inputs and outputs that stay in the caller's memory.
    pub activation_bytes: usize,
    /// The same if each value had its own memory.
    pub activation_bytes_unshared: usize,
    /// All memory of the session, activations and decoded weights included; with a model that was read instead of
    /// mapped, its file too.
    pub anonymous_bytes: usize,
    /// Bytes of the mapped file that every run reads.
    pub file_bytes: usize,
    /// The device that runs it, if that is not this machine's processor.
    pub device: Option<DevicePlan>,
}

/// A device with its own memory.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct DevicePlan {
    /// Its name.
    pub name: String,
    /// Bytes of its memory for weights and other numbers of the file.
    pub weight_bytes: u64,
    /// Bytes of its memory for values between steps.
    pub activation_bytes: u64,
    /// Bytes of staging memory for inputs, results and weights.
    pub staging_bytes: u64,
    /// Bytes that its allocator took meanwhile, where it counts them: what the total should be.
    pub allocated_bytes: Option<u64>,
}

impl DevicePlan {
    /// The total.
    pub fn total_bytes(&self) -> u64 {
        self.weight_bytes + self.activation_bytes + self.staging_bytes
    }
}

/// The plan for one layer.
#[derive(Debug, Clone, PartialEq, Default)]
#[non_exhaustive]
pub struct LayerPlan {
    /// The node's name.
    pub name: String,
    /// The form of its weights: see the table of the crate's page.
    pub form: &'static str,
    /// The number of kept weights; an estimate for layers of tier `stream` that did not have to be counted.
    pub n_kept: usize,
    /// The number of weights.
    pub n_weights: usize,
    /// Where it multiplies integers of 8 bits: the root of the squared error of its weights, relative to them; 0 where its
    /// levels are such integers.
    pub int8_error: Option<f64>,
    /// Bytes of the form.
    pub anonymous_bytes: usize,
    /// Bytes of the file that every run reads.
    pub file_bytes: usize,
    /// The candidate forms in memory, and nanoseconds of a run by the cost table of the instruction
    /// set, which decides; empty where there is only one.
    pub costs: Vec<(&'static str, f64)>,
    /// Nanoseconds of a run of [`max_batch`](Plan::max_batch) images by the cost table, with the inputs in
    /// cache: of its form or, if it runs from the file, the form that it would have in memory (decoding is
    /// not counted).
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
