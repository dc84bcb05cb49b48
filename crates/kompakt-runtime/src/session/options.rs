//! Options for running a model.

use crate::{
    error::RuntimeError,
    program::{Program, Sizes},
};
use alloc::{string::String, vec::Vec};
use kompakt_kernels::Isa;

/// The numbers in which layers read their inputs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Activations {
    /// Floats.
    #[default]
    F32,
    /// Integers of 8 bits where that is faster, in the ranges that the file holds; so are the weights of these layers.
    Int8,
}

impl core::str::FromStr for Activations {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        match name {
            "f32" => Ok(Self::F32),
            "int8" => Ok(Self::Int8),
            _ => Err(alloc::format!("no activations {name:?}; there are f32, int8")),
        }
    }
}

/// Options for running a model.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct SessionOptions {
    /// Threads; results do not depend on it. Default 1. Without the feature `threads`, always one.
    pub threads: usize,
    /// The most memory in bytes that the session may hold (not the program, not what is mapped of the file). Layers
    /// that do not fit are unpacked from the file at every run. Default: no limit.
    pub ram_budget: Option<usize>,
    /// Run layers from the file whatever the budget, all that can be but [small ones](Self::small_bytes): the fastest start and
    /// nearly the least memory, but slower runs. Default: no.
    pub from_file: bool,
    /// With [`from_file`](Self::from_file), how many bytes more than with every layer in the file the session may take: for
    /// as many small layers as fit, unpacked once. Memory for a network that is small as a whole is not worth saving,
    /// and decoding it at every run takes longer than a dense network would. Default: 512 KiB; 0: none.
    pub small_bytes: usize,
    /// Images per run: more of them make better use of each loaded weight, and need more memory. The batch
    /// size may vary between runs; larger batches are run in parts, so any number works. Default 1.
    pub max_batch: usize,
    /// The largest values of other open sizes of the program, by name: see
    /// [`Program::symbols`](crate::program::Program::symbols). In files of version 1, only the batch is open.
    pub max_sizes: Vec<(String, usize)>,
    /// Sizes at which to run, by name, instead of those of the model: see
    /// [`Model::open_sizes`](crate::Model::open_sizes). Default: those of the model.
    pub sizes: Vec<(String, usize)>,
    /// The most memory in bytes that plans for other sizes may hold, besides the weights that the plan in use holds too:
    /// up to three are kept, the last used ones. Without effect under a RAM budget. Default: 64 MiB.
    pub idle_bytes: usize,
    /// The instruction set. Default: the fastest of the machine.
    pub isa: Isa,
    /// The numbers in which linear layers and convolutions read their inputs. Default: floats.
    ///
    /// With [`Activations::Int8`], each such layer that the table of costs says is faster so multiplies integers: its
    /// answers are approximate, and it stays in memory. Depthwise convolutions, other grouped ones of fewer than eight
    /// channels a group, recurrent layers and all other operators are run in floats.
    pub activations: Activations,
}

impl Default for SessionOptions {
    fn default() -> Self {
        Self {
            threads: 1,
            ram_budget: None,
            from_file: false,
            small_bytes: 512 << 10,
            max_batch: 1,
            max_sizes: Vec::new(),
            sizes: Vec::new(),
            idle_bytes: 64 << 20,
            isa: Isa::best(),
            activations: Activations::F32,
        }
    }
}

impl SessionOptions {
    /// The largest number for each open size of a program.
    ///
    /// Errors: a name that the program does not have, or a size of 0.
    pub(super) fn sizes(&self, program: &Program) -> Result<Sizes, RuntimeError> {
        let others = self.max_sizes.iter().map(|(name, size)| (name.as_str(), *size));
        program.sizes(core::iter::once(("batch", self.max_batch.max(1))).chain(others))
    }
}
