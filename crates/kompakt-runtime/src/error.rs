//! Errors of opening and running a model.

use alloc::{string::String, vec::Vec};
use kompakt_format::FormatError;

/// Why a model cannot be opened, planned or run. The message says where and what to do.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RuntimeError {
    /// The file cannot be read.
    #[cfg(feature = "std")]
    #[error("{path}: {source}", path = path.display())]
    Io {
        /// The file.
        path: std::path::PathBuf,
        /// The system's error.
        source: std::io::Error,
    },
    /// The bytes are not a valid container.
    #[error("not a sound .kompakt file: {0}")]
    Format(#[from] FormatError),
    /// The network has nodes that cannot be run; all of them are listed.
    #[error("the network cannot be run:{}", list(.0))]
    Unsupported(Vec<String>),
    /// A size that is not open in the network, or that is impossible.
    #[error("size {name:?} cannot be {size}: sizes from 1 on can be given for {}", .known.join(", "))]
    Size {
        /// The name that was given.
        name: String,
        /// The size that was given.
        size: usize,
        /// The sizes that the network leaves open.
        known: Vec<String>,
    },
    /// Sizes that the network cannot have.
    #[error(transparent)]
    Sizes(#[from] kompakt_graph::GraphError),
    /// An executor cannot run the network, or failed to.
    #[error("{0}")]
    Executor(String),
    /// An input does not have the length that the network expects.
    #[error("input {name:?} has {found} numbers; {batch} of shape {shape:?} are {expected}")]
    Input {
        /// The input's name.
        name: String,
        /// Its shape without the batch.
        shape: Vec<usize>,
        /// The batch size.
        batch: usize,
        /// The expected number of elements.
        expected: usize,
        /// The given number of elements.
        found: usize,
    },
    /// The memory for an output does not have its length.
    #[error("there is room for {found} numbers of output {index}, which has {expected}")]
    Output {
        /// Which of the outputs.
        index: usize,
        /// The number of its elements.
        expected: usize,
        /// The number of elements that the memory holds; 0 where there is none.
        found: usize,
    },
    /// The wrong number of inputs.
    #[error("{found} inputs given, the network has {expected}")]
    InputCount {
        /// The number of inputs of the network.
        expected: usize,
        /// The number given.
        found: usize,
    },
    /// The network is not a classifier: it has several outputs, or one that is not a vector.
    #[error("the network does not classify: its outputs are {}; run it and read all outputs", .0.join(", "))]
    NotAClassifier(Vec<String>),
    /// The output for a self-test of the file differs from the stored one.
    #[error(
        "self-test {index} on {isa} is off by {}, where 1e-5 of {} is allowed: the file is not what was \
         packed, or the loader is wrong",
        Rounded(*.off),
        Rounded(*.largest)
    )]
    SelfTest {
        /// Which of the file's self-tests.
        index: usize,
        /// The instruction set used.
        isa: &'static str,
        /// The largest difference.
        off: f32,
        /// The largest magnitude of the stored output.
        largest: f32,
    },
    /// Layers cannot read integers without the ranges of their inputs.
    #[error(
        "int8 activations need the ranges of values, which the file does not hold: add them by `kompakt calibrate FILE -o NEW \
         --data IMAGES`, or compress with `--activations int8`"
    )]
    NoRanges,
    /// The budget is less than the network needs even if all tiles are streamed.
    #[error(
        "a RAM budget of {budget} bytes is too small: {least} is the least possible for batches of {max_batch}"
    )]
    Budget {
        /// The requested budget.
        budget: usize,
        /// The smallest budget that works.
        least: usize,
        /// Images per run.
        max_batch: usize,
    },
    /// The file does not have the requested signature.
    #[error("{0}")]
    Signature(String),
    /// A thread cannot be started.
    #[cfg(feature = "std")]
    #[error("cannot start a thread: {0}")]
    Thread(std::io::Error),
}

fn list(reasons: &[String]) -> String {
    reasons.iter().flat_map(|r| ["\n  ", r]).collect()
}

/// A number in three digits, such as `1.25e-3`: all digits would take the standard library's tables into small programs.
struct Rounded(f32);

impl core::fmt::Display for Rounded {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let (mut rest, mut exponent) = (f64::from(self.0.abs()), 0i32);
        if self.0.is_nan() || self.0.is_infinite() {
            return f.write_str(if self.0.is_nan() { "NaN" } else { "infinity" });
        }
        while rest >= 9.995 {
            (rest, exponent) = (rest / 10.0, exponent + 1);
        }
        while rest != 0.0 && rest < 0.9995 {
            (rest, exponent) = (rest * 10.0, exponent - 1);
        }
        let digits = (rest * 100.0 + 0.5) as u32;
        let sign = if self.0 < 0.0 { "-" } else { "" };
        write!(f, "{sign}{}.{:02}e{exponent}", digits / 100, digits % 100)
    }
}

#[cfg(test)]
mod tests {
    use super::Rounded;
    use alloc::string::ToString;

    #[test]
    fn numbers_have_three_digits() {
        for (number, text) in [
            (0.0, "0.00e0"),
            (1.0, "1.00e0"),
            (9.996, "1.00e1"),
            (-123.4, "-1.23e2"),
            (1.25e-5, "1.25e-5"),
            (0.9996, "1.00e0"),
            (f32::MAX, "3.40e38"),
            (f32::MIN_POSITIVE, "1.18e-38"),
            (f32::NAN, "NaN"),
        ] {
            assert_eq!(Rounded(number).to_string(), text);
        }
    }
}
