//! How to run a model.

use crate::{
    error::RuntimeError,
    program::{Program, Sizes},
};
use alloc::{string::String, vec::Vec};
use kompakt_kernels::Isa;

/// How to run a model.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct SessionOptions {
    /// Threads; results do not depend on it. Default 1. Without the feature `threads`, one whatever this says.
    pub threads: usize,
    /// The most memory in bytes that the session may hold (not the program, not what is mapped of the file). Layers
    /// that do not fit are unpacked from the file at every run. Default: no limit.
    pub ram_budget: Option<usize>,
    /// Run every layer from the file that can be, whatever the budget: the shortest start and nearly the least memory,
    /// for more time a run. Default: no.
    pub from_file: bool,
    /// Images that are run at once: more make better use of each weight that is loaded, and take more memory. The batch
    /// may be another at every run; longer ones are run in parts, so any number works. Default 1.
    pub max_batch: usize,
    /// The largest numbers for other sizes that the program leaves open, by their names: see
    /// [`Program::symbols`](crate::program::Program::symbols). Files of version 1 leave none open but the batch.
    pub max_sizes: Vec<(String, usize)>,
    /// The instruction set. Default: the best of the machine.
    pub isa: Isa,
}

impl Default for SessionOptions {
    fn default() -> Self {
        Self {
            threads: 1,
            ram_budget: None,
            from_file: false,
            max_batch: 1,
            max_sizes: Vec::new(),
            isa: Isa::best(),
        }
    }
}

impl SessionOptions {
    /// The largest number for every open size of a program.
    ///
    /// Errors: a name that the program does not have, or a size of 0.
    pub(super) fn sizes(&self, program: &Program) -> Result<Sizes, RuntimeError> {
        let others = self.max_sizes.iter().map(|(name, size)| (name.as_str(), *size));
        program.sizes(core::iter::once(("batch", self.max_batch.max(1))).chain(others))
    }
}
