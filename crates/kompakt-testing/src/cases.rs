//! Property tests on cases that are the same at every run, so that a run that passes passes again.

use arbtest::arbitrary::{Result, Unstructured};

/// Checks `property` on `n` cases. A case that fails prints its seed, which `ARBTEST_SEED` alone runs again.
pub fn cases(n: u32, property: impl Fn(&mut Unstructured<'_>) -> Result<()>) {
    for case in 1..=n {
        let seed = u64::from(case.wrapping_mul(0x9e37_79b9)) << 32 | 0x1_0000;
        arbtest::arbtest(&property).seed(seed);
    }
}
