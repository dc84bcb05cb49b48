//! Which images are for training, for validation and for testing.
//!
//! A split depends on an image's place in its data set and on nothing else: never on a seed, a shuffle or a clock.

use crate::random::first;
use std::str::FromStr;

/// A part of a data set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Split {
    /// What networks are trained on: the training images less the validation images.
    Train,
    /// A tenth of the training images, for model selection.
    Validation,
    /// For the final figures, measured once.
    Test,
    /// All training images: [`Split::Train`] and [`Split::Validation`], for a last run after every choice is made.
    TrainAndValidation,
    /// Every image of a source that sets none aside for testing; the test images of a source that does.
    Whole,
}

impl Split {
    /// The name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Train => "train",
            Self::Validation => "validation",
            Self::Test => "test",
            Self::TrainAndValidation => "train+validation",
            Self::Whole => "whole",
        }
    }
}

impl FromStr for Split {
    type Err = String;
    fn from_str(name: &str) -> Result<Self, String> {
        [Self::Train, Self::Validation, Self::Test, Self::TrainAndValidation, Self::Whole]
            .into_iter()
            .find(|split| split.name() == name)
            .ok_or_else(|| {
                format!("no split {name:?}; there are train, validation, test, train+validation, whole")
            })
    }
}

/// A fixed number for an index: the first of SplitMix64 started there.
fn fixed(index: usize) -> u64 {
    first(index as u64)
}

/// Whether training image `index` is kept for validation: one in ten.
pub fn is_validation(index: usize) -> bool {
    fixed(index).is_multiple_of(10)
}

/// Whether image `index` of a data set with no test set of its own is a test image: one in five.
pub fn is_test(index: usize) -> bool {
    fixed(index ^ 0x7465_7374).is_multiple_of(5)
}

/// Which of `n` training images belong to `split`.
pub(crate) fn of_training(n: usize, split: Split) -> Vec<usize> {
    (0..n)
        .filter(|i| split == Split::TrainAndValidation || is_validation(*i) == (split == Split::Validation))
        .collect()
}

/// Which of `n` images belong to `split` where the source has no parts.
pub(crate) fn of_pile(n: usize, split: Split) -> Vec<usize> {
    let (test, training): (Vec<usize>, Vec<usize>) = (0..n).partition(|i| is_test(*i));
    match split {
        Split::Test => test,
        Split::Whole => (0..n).collect(),
        _ => of_training(training.len(), split).into_iter().map(|i| training[i]).collect(),
    }
}
