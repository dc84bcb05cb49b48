//! Which instruction set the models run on. The code is the same: the compiler makes a second version of it that
//! may use wider registers. All arithmetic is on integers, so the bits are the same.

use crate::{EntropyError, Isa};
#[cfg(target_arch = "x86_64")]
use kompakt_isa::Level;

/// A job to be run.
pub(crate) trait Job {
    /// Implementations are `inline(always)`, with all that they call in their loops.
    fn run(self) -> Result<(), EntropyError>;
}

/// Runs a job compiled for an instruction set.
pub(crate) fn run(isa: Isa, job: impl Job) -> Result<(), EntropyError> {
    match isa.level() {
        #[cfg(target_arch = "x86_64")]
        #[expect(unsafe_code, reason = "the one call of code for a certain instruction set")]
        // SAFETY: both levels stand for these features.
        Level::Avx2 | Level::Avx512 => unsafe { with_avx2(job) },
        _ => job.run(),
    }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt")]
fn with_avx2(job: impl Job) -> Result<(), EntropyError> {
    job.run()
}
