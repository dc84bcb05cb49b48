//! The self-tests of a file, run by the loader: inputs generated from a seed, and stored outputs.

use super::{Session, SessionOptions};
use crate::{error::RuntimeError, model::Model};
use kompakt_format::{SelfTest, self_test_input};

/// The tolerance, relative to the largest magnitude of the stored output (rule of spec/format.md).
const TOLERANCE: f32 = 1e-5;

impl Model<'_> {
    /// Runs all self-tests of the file in a session with these options; returns how many there are.
    ///
    /// Errors: as [`Session::new`]; [`RuntimeError::SelfTest`] for the first whose output differs.
    pub fn self_test(&self, options: &SessionOptions) -> Result<usize, RuntimeError> {
        let tests = self.container()?.self_tests()?;
        if tests.is_empty() {
            return Ok(0);
        }
        // Self-tests are those of the stored sizes.
        let stored = self.open_sizes().iter().map(|symbol| (symbol.name.clone(), symbol.stored)).collect();
        let mut session = Session::new(self, &SessionOptions { sizes: stored, ..options.clone() })?;
        for (index, test) in tests.iter().enumerate() {
            session.self_test(index, test)?;
        }
        Ok(tests.len())
    }
}

impl Session<'_> {
    /// Runs one self-test, which is called `index` in errors.
    ///
    /// Errors: [`RuntimeError::SelfTest`] if an element of the first output is further from the stored one than 1e-5 of
    /// the largest of those; a network of several inputs, which has no self-tests.
    pub fn self_test(&mut self, index: usize, test: &SelfTest) -> Result<(), RuntimeError> {
        let input = self_test_input(test.seed, self.raw_shape().iter().product());
        let isa = self.plan().isa;
        let found = self.run_raw(&input, 1)?;
        let largest = test.expected.iter().fold(0f32, |m, v| m.max(v.abs()));
        let is_near = |(a, b): (&f32, &f32)| (a - b).abs() <= TOLERANCE * largest;
        if found.len() == test.expected.len() && found.iter().zip(&test.expected).all(is_near) {
            return Ok(());
        }
        let off = found
            .iter()
            .zip(&test.expected)
            .map(|(a, b)| (a - b).abs())
            .fold(0f32, |m, d| if d.is_nan() { f32::NAN } else { m.max(d) });
        Err(RuntimeError::SelfTest { index, isa, off, largest })
    }
}
