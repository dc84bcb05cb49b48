//! Property tests on the same cases in each run, so that results are reproducible.

use arbtest::arbitrary::{Result, Unstructured};

/// Checks `property` on `n` cases. A failing case prints its seed; `ARBTEST_SEED` runs that case alone.
pub fn cases(n: u32, property: impl Fn(&mut Unstructured<'_>) -> Result<()>) {
    for case in 1..=n {
        let seed = u64::from(case.wrapping_mul(0x9e37_79b9)) << 32 | 0x1_0000;
        arbtest::arbtest(&property).seed(seed);
    }
}
