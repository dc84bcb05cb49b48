//! Which instruction set the models run on. The code is the same: the compiler makes a second version of it that
//! may use wider registers. All arithmetic is of whole numbers, so the bits are the same.

use crate::EntropyError;

/// Something to be run.
pub(crate) trait Job {
    /// Implementations are `inline(always)`, with all that they call in their loops.
    fn run(self) -> Result<(), EntropyError>;
}

/// Runs a job on the best instruction set that this processor has.
pub(crate) fn run(job: impl Job) -> Result<(), EntropyError> {
    #[cfg(all(target_arch = "x86_64", feature = "std"))]
    if std::is_x86_feature_detected!("avx2")
        && std::is_x86_feature_detected!("bmi2")
        && std::is_x86_feature_detected!("lzcnt")
    {
        #[expect(unsafe_code, reason = "the one call of code for a certain instruction set")]
        // SAFETY: the processor has these features.
        return unsafe { with_avx2(job) };
    }
    job.run()
}

#[cfg(all(target_arch = "x86_64", feature = "std"))]
#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt")]
fn with_avx2(job: impl Job) -> Result<(), EntropyError> {
    job.run()
}
